# Made by tests/typing/make_stubs.py
from typing import Any
from numpy.typing import NDArray

class L1(L1L2):
    def __init__(self, l1: float = 0.01) -> None: ...

class L1L2(Regularizer):
    l1: float
    l2: float
    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None: ...

class L2(L1L2):
    def __init__(self, l2: float = 0.01) -> None: ...

class OrthogonalRegularizer(Regularizer):
    factor: float
    mode: str
    def __init__(self, factor: float = 0.01, mode: str = 'rows') -> None: ...

class Regularizer:
    elementwise: Any
    def penalty(self, x: Any) -> float: ...
    def gradient(self, x: Any) -> NDArray[Any]: ...
    def __call__(self, x: Any) -> float: ...
    def get_config(self) -> dict[str, Any]: ...

def get(identifier: Any, argument: str = 'regularizer') -> Regularizer | None: ...

l1 = L1

l1_l2 = L1L2

l2 = L2

orthogonal_regularizer = OrthogonalRegularizer
