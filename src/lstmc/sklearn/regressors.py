"""LSTMRegressor and GRURegressor: numbers from sequences."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array

from lstmc import layers
from lstmc.nn import checks
from lstmc.sklearn.base import AT_ONCE, Estimator

LOSSES = {"squared_error": "mean_squared_error", "absolute_error": "mean_absolute_error"}


class Regressor(RegressorMixin, Estimator):
    """An `Estimator` of numbers."""

    def __init__(self, units=64, *, num_layers=1, bidirectional=False, dropout=0.0, recurrent_dropout=0.0, loss="squared_error", solver="adam",
                 learning_rate_init=0.001, momentum=0.9, nesterovs_momentum=True, weight_decay=0.0, global_clipnorm=1.0, batch_size=32, max_iter=200,
                 shuffle=True, early_stopping=False, validation_fraction=0.1, tol=1e-4, n_iter_no_change=10, warm_start=False, random_state=None,
                 verbose=False, dtype="float32"):
        self.units, self.num_layers, self.bidirectional = units, num_layers, bidirectional
        self.dropout, self.recurrent_dropout, self.loss = dropout, recurrent_dropout, loss
        self.solver, self.learning_rate_init, self.momentum, self.nesterovs_momentum = solver, learning_rate_init, momentum, nesterovs_momentum
        self.weight_decay, self.global_clipnorm = weight_decay, global_clipnorm
        self.batch_size, self.max_iter, self.shuffle = batch_size, max_iter, shuffle
        self.early_stopping, self.validation_fraction, self.tol, self.n_iter_no_change = early_stopping, validation_fraction, tol, n_iter_no_change
        self.warm_start, self.random_state, self.verbose, self.dtype = warm_start, random_state, verbose, dtype

    def partial_fit(self, X, y, sample_weight=None):
        """Go on training, or begin, with one pass over these samples.

        Parameters
        ----------
        X, y
            As in `fit`.
        sample_weight : (N,) array, optional
            How much samples count, relative to a weight of 1 in any call.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight, hasattr(self, "model_"))

    def predict(self, X):
        """What y is expected to be: an array (N,) or (N, K) of float64, as y in `fit` was.

        Parameters
        ----------
        X
            As in `fit`.
        """
        found = self._outputs(X)
        return found.reshape(len(found), *self._one).astype(np.float64)

    def _targets(self, y, known):
        with np.errstate(over="ignore", invalid="ignore"):
            y = check_array(y, dtype=checks.float_dtype(self.dtype), ensure_2d=False, input_name="y", estimator=self)
        if not known:
            self._one, self.n_outputs_ = y.shape[1:], y.shape[1] if y.ndim == 2 else 1
        if y.shape[1:] != self._one:
            raise ValueError(f"y: expected shape {checks.shape_text(('N', *self._one))}, as in the training that goes on here, "
                             f"received {checks.shape_text(y.shape)}")
        return y

    def _end(self):
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(map(repr, LOSSES))}, received {self.loss!r}")
        return self.n_outputs_, "linear", LOSSES[self.loss]

    def _score(self, model, x, y, weights):
        return r2_score(y, model.predict(x, AT_ONCE, verbose=0), sample_weight=weights)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class LSTMRegressor(Regressor):
    """Numbers from sequences, by an LSTM.

    Parameters, attributes and what X may be are as in `LSTMClassifier`, but for what concerns classes; y is (N,), or (N, K) for K outputs. Targets are
    taken as they are: scale them to about 1, as with `sklearn.compose.TransformedTargetRegressor`.

    Parameters
    ----------
    units, num_layers, bidirectional, dropout, recurrent_dropout
        See `LSTMClassifier`.
    loss : {"squared_error", "absolute_error"}
    solver, learning_rate_init, momentum, nesterovs_momentum, weight_decay, global_clipnorm, batch_size, max_iter, shuffle
        See `LSTMClassifier`.
    early_stopping, validation_fraction, tol, n_iter_no_change, warm_start, random_state, verbose, dtype
        See `LSTMClassifier`.

    Attributes
    ----------
    n_outputs_ : int
        K.
    """

    _layer = layers.LSTM


class GRURegressor(Regressor):
    """Numbers from sequences, by a GRU; everything else is as in `LSTMRegressor`."""

    _layer = layers.GRU
