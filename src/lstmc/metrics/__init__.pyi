# Made by tests/typing/make_stubs.py
from collections.abc import Sequence
from typing import Any, TypeAlias
import numpy as np
from numpy.typing import DTypeLike, NDArray
from lstmc.losses import binary_crossentropy as BCE, binary_crossentropy as bce, binary_crossentropy as binary_crossentropy, binary_focal_crossentropy as binary_focal_crossentropy, categorical_crossentropy as categorical_crossentropy, categorical_focal_crossentropy as categorical_focal_crossentropy, categorical_hinge as categorical_hinge, cosine_similarity as cosine_similarity, hinge as hinge, huber as huber, kl_divergence as KLD, kl_divergence as kl_divergence, kl_divergence as kld, log_cosh as log_cosh, mean_absolute_error as MAE, mean_absolute_error as mae, mean_absolute_error as mean_absolute_error, mean_absolute_percentage_error as MAPE, mean_absolute_percentage_error as mape, mean_absolute_percentage_error as mean_absolute_percentage_error, mean_squared_error as MSE, mean_squared_error as mean_squared_error, mean_squared_error as mse, mean_squared_logarithmic_error as MSLE, mean_squared_logarithmic_error as mean_squared_logarithmic_error, mean_squared_logarithmic_error as msle, poisson as poisson, quantile as quantile, sparse_categorical_crossentropy as sparse_categorical_crossentropy, squared_hinge as squared_hinge

_Type: TypeAlias = DTypeLike | None
_Name: TypeAlias = str | None
class AUC(Metric):
    thresholds: Any
    num_thresholds: int
    curve: str
    summation_method: str
    multi_label: bool
    from_logits: bool
    num_labels: Any
    label_weights: Any
    def __init__(self, num_thresholds: int = 200, curve: str = 'ROC', summation_method: str = 'interpolation', name: _Name = None, dtype: _Type = None, thresholds: Any = None, multi_label: bool = False, num_labels: Any = None, label_weights: Any = None, from_logits: bool = False) -> None: ...

class Accuracy(Mean):
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class BinaryAccuracy(Mean):
    threshold: float
    def __init__(self, name: _Name = None, dtype: _Type = None, threshold: float = 0.5) -> None: ...
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class BinaryCrossentropy(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None, from_logits: bool = False, label_smoothing: float = 0.0) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class CategoricalAccuracy(Mean):
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class CategoricalCrossentropy(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class CategoricalHinge(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class CosineSimilarity(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None, axis: int = -1) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class F1Score(FBetaScore):
    def __init__(self, average: Any = None, threshold: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class FBetaScore(Metric):
    average: Any
    beta: float
    threshold: Any
    def __init__(self, average: Any = None, beta: float = 1.0, threshold: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class FalseNegatives(Metric):
    thresholds: Any
    top_k: Any
    class_id: Any
    def __init__(self, thresholds: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class FalsePositives(Metric):
    thresholds: Any
    top_k: Any
    class_id: Any
    def __init__(self, thresholds: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class Hinge(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class KLDivergence(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class LogCoshError(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class Mean(Metric):
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, values: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]
    def take(self, values: Any, sample_weight: Any) -> None: ...

class MeanAbsoluteError(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class MeanAbsolutePercentageError(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class MeanMetricWrapper(Mean):
    fn: Any
    arguments: Any
    def __init__(self, fn: Any, name: _Name = None, dtype: _Type = None) -> None: ...
    @property
    def known(self) -> Any: ...
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class MeanSquaredError(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class MeanSquaredLogarithmicError(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class Metric:
    direction: Any
    default_name: Any
    name: str
    dtype: np.dtype[Any]
    def __init__(self, dtype: _Type = None, name: _Name = None) -> None: ...
    def zeros(self, outputs: Any = None) -> Any: ...
    def reset_state(self) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...
    def result(self) -> float: ...
    def __call__(self, *arguments: Any, **named: Any) -> Any: ...
    def get_state(self) -> Any: ...
    def set_state(self, state: Any) -> None: ...
    def start(self, outputs: Any) -> None: ...
    def get_config(self) -> dict[str, Any]: ...

class Poisson(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class Precision(Metric):
    thresholds: Any
    top_k: Any
    class_id: Any
    def __init__(self, thresholds: Any = None, top_k: Any = None, class_id: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class R2Score(Metric):
    class_aggregation: str
    num_regressors: int
    def __init__(self, class_aggregation: str = 'uniform_average', num_regressors: int = 0, name: _Name = None, dtype: _Type = None) -> None: ...

class Recall(Metric):
    thresholds: Any
    top_k: Any
    class_id: Any
    def __init__(self, thresholds: Any = None, top_k: Any = None, class_id: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class RootMeanSquaredError(Mean):
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class SparseCategoricalAccuracy(Mean):
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class SparseCategoricalCrossentropy(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None, from_logits: bool = False, ignore_class: Any = None, axis: int = -1) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class SparseTopKCategoricalAccuracy(Mean):
    k: int
    from_sorted_ids: bool
    def __init__(self, k: int = 5, name: _Name = None, dtype: _Type = None, from_sorted_ids: bool = False) -> None: ...
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class SquaredHinge(Mean):
    kind: Any
    loss: Any
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class Sum(Metric):
    def __init__(self, name: _Name = None, dtype: _Type = None) -> None: ...
    def update_state(self, values: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class TopKCategoricalAccuracy(Mean):
    k: int
    def __init__(self, k: int = 5, name: _Name = None, dtype: _Type = None) -> None: ...
    def values(self, y: Any, p: Any) -> NDArray[Any]: ...
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...  # type: ignore[override]

class TrueNegatives(Metric):
    thresholds: Any
    top_k: Any
    class_id: Any
    def __init__(self, thresholds: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

class TruePositives(Metric):
    thresholds: Any
    top_k: Any
    class_id: Any
    def __init__(self, thresholds: Any = None, name: _Name = None, dtype: _Type = None) -> None: ...

def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> NDArray[Any]: ...

def categorical_accuracy(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def get(identifier: Any, y: Any = None, shape: Sequence[int | None] | None = None) -> Metric: ...

def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> NDArray[Any]: ...

def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> NDArray[Any]: ...

def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> NDArray[Any]: ...
