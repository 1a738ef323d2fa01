# Made by tests/typing/make_stubs.py
from collections.abc import Sequence
from typing import Any, TypeAlias, TypedDict, Unpack
from lstmc.optimizers import schedules as schedules

_Name: TypeAlias = str | None
class _Arguments(TypedDict, total=False):
    use_ema: Any
    ema_momentum: Any
    ema_overwrite_frequency: Any
    loss_scale_factor: Any
    gradient_accumulation_steps: Any

class Adadelta(Optimizer):
    rho: float
    epsilon: float
    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-07, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class Adagrad(Optimizer):
    initial_accumulator_value: float
    epsilon: float
    def __init__(self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-07, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class Adam(_Moments):
    amsgrad: bool
    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-07, amsgrad: bool = False, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class AdamW(Adam):
    def __init__(self, learning_rate: Any = 0.001, weight_decay: float | None = 0.004, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-07, amsgrad: bool = False, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class Adamax(_Moments):
    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-07, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class Lion(Optimizer):
    beta_1: float
    beta_2: float
    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class Nadam(_Moments):
    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-07, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...
    def warmed(self, t: Any) -> Any: ...
    def product(self, t: Any) -> Any: ...

class Optimizer:
    rule: Any
    initial: Any
    name: str
    weight_decay: Any
    clipnorm: Any
    global_clipnorm: Any
    clipvalue: Any
    iterations: int
    state: Any
    def __init__(self, learning_rate: Any, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...
    @property
    def learning_rate(self) -> Any: ...
    @learning_rate.setter
    def learning_rate(self, value: Any) -> None: ...
    def build(self, weights: Sequence[Any]) -> None: ...
    def apply(self, grads: Any, weights: Sequence[Any]) -> None: ...
    def numbers(self, rate: float, decay: Any, t: Any) -> Any: ...
    def get_config(self) -> dict[str, Any]: ...
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer: ...

class RMSprop(Optimizer):
    rho: float
    momentum: float
    epsilon: float
    centered: bool
    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-07, centered: bool = False, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class SGD(Optimizer):
    momentum: float
    nesterov: bool
    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...

class _Moments(Optimizer):
    beta_1: Any
    beta_2: Any
    epsilon: Any
    def __init__(self, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, weight_decay: float | None, clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None, *, name: _Name = None, **arguments: Unpack[_Arguments]) -> None: ...
    def moments(self, rate: float, decay: Any, correction: float = 1.0) -> Any: ...

def get(identifier: Any) -> Optimizer: ...
