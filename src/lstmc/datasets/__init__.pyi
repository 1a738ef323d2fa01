# Made by tests/typing/make_stubs.py
from typing import Any, NamedTuple
from numpy.typing import NDArray

class JapaneseVowels(NamedTuple):
    x_train: NDArray[Any]
    y_train: NDArray[Any]
    length_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    length_test: NDArray[Any]
    def sequences(self, part: Any) -> Any: ...

def load_japanese_vowels() -> JapaneseVowels: ...
