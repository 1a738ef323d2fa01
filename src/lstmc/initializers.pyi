# Made by tests/typing/make_stubs.py
from collections.abc import Sequence
from typing import Any, TypeAlias
from numpy.typing import NDArray

_Seed: TypeAlias = int | None
class Constant(Initializer):
    value: Any
    def __init__(self, value: Any = 0.0) -> None: ...

class GlorotNormal(_Scaled):
    ...

class GlorotUniform(_Scaled):
    ...

class HeNormal(_Scaled):
    ...

class HeUniform(_Scaled):
    ...

class Identity(Initializer):
    gain: float
    def __init__(self, gain: float = 1.0) -> None: ...

class Initializer:
    seed: Any
    def __init__(self, seed: _Seed = None) -> None: ...
    def __call__(self, shape: Sequence[int | None] | None, rng: Any) -> NDArray[Any]: ...
    def values(self, shape: Sequence[int | None] | None, rng: Any) -> NDArray[Any]: ...
    def get_config(self) -> dict[str, Any]: ...

class LecunNormal(_Scaled):
    ...

class LecunUniform(_Scaled):
    ...

class Ones(Initializer):
    ...

class Orthogonal(Initializer):
    gain: float
    def __init__(self, gain: float = 1.0, seed: _Seed = None) -> None: ...

class RandomNormal(Initializer):
    mean: float
    stddev: float
    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: _Seed = None) -> None: ...

class RandomUniform(Initializer):
    minval: float
    maxval: float
    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: _Seed = None) -> None: ...

class TruncatedNormal(RandomNormal):
    ...

class VarianceScaling(Initializer):
    scale: float
    mode: str
    distribution: str
    def __init__(self, scale: float = 1.0, mode: str = 'fan_in', distribution: str = 'truncated_normal', seed: _Seed = None) -> None: ...

class Zeros(Initializer):
    ...

class _Scaled(VarianceScaling):
    def __init__(self, seed: _Seed = None) -> None: ...

def get(identifier: Any, argument: str = 'initializer') -> Initializer: ...
