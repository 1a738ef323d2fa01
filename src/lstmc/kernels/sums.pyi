# Made by tests/typing/make_stubs.py
from typing import Any, Self

class WeightSums:
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
