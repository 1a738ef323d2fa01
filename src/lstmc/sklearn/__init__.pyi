# Made by tests/typing/make_stubs.py
from typing import Any, Self
from numpy.typing import DTypeLike, NDArray

class GRUClassifier(_Classifier):
    ...

class GRURegressor(_Regressor):
    ...

class LSTMClassifier(_Classifier):
    ...

class LSTMRegressor(_Regressor):
    ...

class _Classifier(Any):
    units: int
    num_layers: int
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    solver: str
    learning_rate_init: float
    momentum: float
    nesterovs_momentum: bool
    weight_decay: Any
    global_clipnorm: Any
    batch_size: Any
    max_iter: int
    shuffle: bool
    class_weight: Any
    early_stopping: bool
    validation_fraction: float
    tol: float
    n_iter_no_change: int
    warm_start: bool
    random_state: Any
    verbose: Any
    dtype: Any
    def __init__(self, units: int = 64, *, num_layers: int = 1, bidirectional: bool = False, dropout: float = 0.0, recurrent_dropout: float = 0.0, solver: str = 'adam', learning_rate_init: float = 0.001, momentum: float = 0.9, nesterovs_momentum: bool = True, weight_decay: float | None = 0.0, global_clipnorm: float | None = 1.0, batch_size: Any = 32, max_iter: int = 200, shuffle: bool = True, class_weight: Any = None, early_stopping: bool = False, validation_fraction: float = 0.1, tol: float = 0.0001, n_iter_no_change: int = 10, warm_start: bool = False, random_state: Any = None, verbose: Any = False, dtype: DTypeLike | None = 'float32') -> None: ...
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def predict_proba(self, X: Any) -> NDArray[Any]: ...
    def predict_log_proba(self, X: Any) -> NDArray[Any]: ...
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self: ...

class _Regressor(Any):
    units: int
    num_layers: int
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    loss: Any
    solver: str
    learning_rate_init: float
    momentum: float
    nesterovs_momentum: bool
    weight_decay: Any
    global_clipnorm: Any
    batch_size: Any
    max_iter: int
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    tol: float
    n_iter_no_change: int
    warm_start: bool
    random_state: Any
    verbose: Any
    dtype: Any
    def __init__(self, units: int = 64, *, num_layers: int = 1, bidirectional: bool = False, dropout: float = 0.0, recurrent_dropout: float = 0.0, loss: Any = 'squared_error', solver: str = 'adam', learning_rate_init: float = 0.001, momentum: float = 0.9, nesterovs_momentum: bool = True, weight_decay: float | None = 0.0, global_clipnorm: float | None = 1.0, batch_size: Any = 32, max_iter: int = 200, shuffle: bool = True, early_stopping: bool = False, validation_fraction: float = 0.1, tol: float = 0.0001, n_iter_no_change: int = 10, warm_start: bool = False, random_state: Any = None, verbose: Any = False, dtype: DTypeLike | None = 'float32') -> None: ...
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self: ...
