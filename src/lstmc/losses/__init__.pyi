# Made by tests/typing/make_stubs.py
from collections.abc import Sequence
from typing import Any, TypeAlias
from numpy.typing import DTypeLike, NDArray

_Type: TypeAlias = DTypeLike | None
_Name: TypeAlias = str | None
BCE = binary_crossentropy

class BinaryCrossentropy(_Crossentropy):
    from_logits: bool
    label_smoothing: float
    axis: int
    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

class BinaryFocalCrossentropy(Loss):
    apply_class_balancing: bool
    alpha: float
    gamma: float
    from_logits: bool
    label_smoothing: float
    axis: int
    def __init__(self, apply_class_balancing: bool = False, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

class CTC(Loss):
    blank: int
    zero_infinity: bool
    def __init__(self, blank: int = 0, zero_infinity: bool = False, name: _Name = None, reduction: str = 'sum_over_batch_size', dtype: _Type = None) -> None: ...
    def values(self, y: Any, p: Any, mask: Any = None) -> NDArray[Any]: ...
    def gradient(self, y: Any, p: Any, fused: bool = False, mask: Any = None) -> NDArray[Any]: ...
    def both(self, y: Any, p: Any, fused: bool = False, mask: Any = None) -> Any: ...  # type: ignore[override]
    def finite(self, values: Any) -> Any: ...

class CategoricalCrossentropy(_Crossentropy):
    from_logits: bool
    label_smoothing: float
    axis: int
    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...
    def both(self, y: Any, p: Any, fused: bool = False) -> Any: ...  # type: ignore[override]

class CategoricalFocalCrossentropy(Loss):
    alpha: float
    gamma: float
    from_logits: bool
    label_smoothing: float
    axis: int
    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

class CategoricalHinge(_Simple):
    ...

class CosineSimilarity(Loss):
    axis: int
    def __init__(self, axis: int = -1, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

class Hinge(_Simple):
    ...

class Huber(Loss):
    delta: float
    def __init__(self, delta: float = 1.0, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

KLD = kl_divergence

class KLDivergence(_Simple):
    ...

class LogCosh(_Simple):
    ...

class Loss:
    default_name: Any
    reduction: str
    dtype: _Name
    name: str
    def __init__(self, name: _Name = None, reduction: str = 'sum_over_batch_size', dtype: _Type = None) -> None: ...
    def targets(self, y: Any, shape: Sequence[int | None] | None, dtype: _Type) -> NDArray[Any]: ...
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def gradient(self, y: Any, p: Any, fused: bool = False) -> NDArray[Any]: ...
    def both(self, y: Any, p: Any, fused: bool = False, **mask: Any) -> Any: ...
    def valid(self, y: Any) -> None: ...
    def counting(self, y: Any, shape: Sequence[int | None] | None, mask: Any = None) -> Any: ...
    def counts(self, y: Any, shape: Sequence[int | None] | None, weights: Sequence[Any] | None = None, mask: Any = None) -> Any: ...
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float: ...
    def get_config(self) -> dict[str, Any]: ...

MAE = mean_absolute_error

MAPE = mean_absolute_percentage_error

MSE = mean_squared_error

MSLE = mean_squared_logarithmic_error

class MeanAbsoluteError(_Simple):
    ...

class MeanAbsolutePercentageError(_Simple):
    ...

class MeanSquaredError(_Simple):
    def both(self, y: Any, p: Any, fused: bool = False) -> Any: ...  # type: ignore[override]

class MeanSquaredLogarithmicError(_Simple):
    ...

class Poisson(_Simple):
    ...

class Quantile(Loss):
    quantile: Any
    quantiles: Any
    def __init__(self, quantile: Any = None, quantiles: Any = None, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

class SparseCategoricalCrossentropy(_Crossentropy):
    from_logits: bool
    ignore_class: Any
    axis: int
    def __init__(self, from_logits: bool = False, ignore_class: Any = None, reduction: str = 'sum_over_batch_size', axis: int = -1, name: _Name = None, dtype: _Type = None) -> None: ...
    def both(self, y: Any, p: Any, fused: bool = False) -> Any: ...  # type: ignore[override]

class SquaredHinge(Hinge):
    ...

class _Crossentropy(Loss):
    ...

class _Simple(Loss):
    def __init__(self, reduction: str = 'sum_over_batch_size', name: _Name = None, dtype: _Type = None) -> None: ...

bce = binary_crossentropy

def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> NDArray[Any]: ...

def binary_focal_crossentropy(y_true: Any, y_pred: Any, apply_class_balancing: bool = False, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> NDArray[Any]: ...

def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> NDArray[Any]: ...

def categorical_focal_crossentropy(y_true: Any, y_pred: Any, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> NDArray[Any]: ...

def categorical_hinge(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> NDArray[Any]: ...

def ctc(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def get(identifier: Any, y: Any = None, shape: Sequence[int | None] | None = None) -> Loss: ...

def hinge(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> NDArray[Any]: ...

def kl_divergence(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

kld = kl_divergence

def log_cosh(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

mae = mean_absolute_error

mape = mean_absolute_percentage_error

def mean_absolute_error(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def mean_squared_error(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

mse = mean_squared_error

msle = mean_squared_logarithmic_error

def poisson(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def quantile(y_true: Any, y_pred: Any, quantile: Any = None, quantiles: Any = None) -> NDArray[Any]: ...

def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: Any = None, axis: int = -1) -> NDArray[Any]: ...

def squared_hinge(y_true: Any, y_pred: Any) -> NDArray[Any]: ...
