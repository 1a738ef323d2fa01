"""LSTMClassifier and GRUClassifier: labels of sequences."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite

from lstmc import layers
from lstmc.sklearn.base import AT_ONCE, Estimator


class Classifier(ClassifierMixin, Estimator):
    """An `Estimator` of labels."""

    def __init__(self, units=64, *, num_layers=1, bidirectional=False, dropout=0.0, recurrent_dropout=0.0, solver="adam", learning_rate_init=0.001,
                 momentum=0.9, nesterovs_momentum=True, weight_decay=0.0, global_clipnorm=1.0, batch_size=32, max_iter=200, shuffle=True,
                 class_weight=None, early_stopping=False, validation_fraction=0.1, tol=1e-4, n_iter_no_change=10, warm_start=False, random_state=None,
                 verbose=False, dtype="float32"):
        self.units, self.num_layers, self.bidirectional = units, num_layers, bidirectional
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.solver, self.learning_rate_init, self.momentum, self.nesterovs_momentum = solver, learning_rate_init, momentum, nesterovs_momentum
        self.weight_decay, self.global_clipnorm = weight_decay, global_clipnorm
        self.batch_size, self.max_iter, self.shuffle, self.class_weight = batch_size, max_iter, shuffle, class_weight
        self.early_stopping, self.validation_fraction, self.tol, self.n_iter_no_change = early_stopping, validation_fraction, tol, n_iter_no_change
        self.warm_start, self.random_state, self.verbose, self.dtype = warm_start, random_state, verbose, dtype

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on training, or begin, with one pass over these samples.

        Parameters
        ----------
        X, y
            As in `fit`.
        classes : array, optional
            All labels that will ever come; needed in the first call.
        sample_weight : (N,) array, optional
            How much samples count, relative to a weight of 1 in any call.

        Returns
        -------
        self
        """
        again = hasattr(self, "model_")
        if classes is None and not again:
            raise ValueError("classes: expected all labels in the first call of partial_fit, received None")
        if isinstance(self.class_weight, str):
            raise ValueError(f"class_weight: expected a dict or None for partial_fit, which does not know how often classes will come, "
                             f"received {self.class_weight!r}")
        if classes is not None:
            classes = np.unique(column_or_1d(classes))
            if again and not np.array_equal(classes, self.classes_):
                raise ValueError(f"classes: expected {self.classes_.tolist()}, as in the first call, received {classes.tolist()}")
            self.classes_ = classes
        return self._partial_fit(X, y, sample_weight, True)

    def predict(self, X):
        """The label of each sequence: (N,) array.

        Parameters
        ----------
        X
            As in `fit`.
        """
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def predict_proba(self, X):
        """The probability of each of `classes_`: (N, C) array.

        Parameters
        ----------
        X
            As in `fit`.
        """
        return self._outputs(X)

    def predict_log_proba(self, X):
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _targets(self, y, known):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        found, index = np.unique(y, return_inverse=True)
        if not known:
            self.classes_ = found
        others = np.setdiff1d(found, self.classes_)
        if len(others):
            raise ValueError(f"y: expected labels among {self.classes_.tolist()}, received {others.tolist()}")
        return np.searchsorted(self.classes_, found)[index]

    def _weights(self, y, weights):
        if self.class_weight is None:
            return weights
        own = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[y])[y]
        return own if weights is None else own * weights

    def _end(self):
        return len(self.classes_), "softmax", "sparse_categorical_crossentropy"

    def _score(self, model, x, y, weights):
        return accuracy_score(y, model.predict(x, AT_ONCE, verbose=0).argmax(1), sample_weight=weights)


class LSTMClassifier(Classifier):
    """Classes of sequences, by an LSTM.

    Parameters
    ----------
    units : int
        Of each recurrent layer (and direction).
    num_layers : int
        Recurrent layers, one on top of the other; softmax of a linear map of the last state is on top.
    bidirectional : bool
        Whether each layer reads sequences in both directions.
    dropout : float
        Probability that an output of a recurrent layer is 0 in training.
    recurrent_dropout : float
        Probability that a value of the state is 0 in its own recurrence in training.
    solver : {"adam", "rmsprop", "sgd"}
    learning_rate_init : float
        The learning rate, which stays.
    momentum, nesterovs_momentum : float, bool
        Of "sgd".
    weight_decay : float
        Every weight loses learning_rate_init * weight_decay of itself per batch.
    global_clipnorm : float or None
        Largest norm of all gradients together; longer ones are scaled to it.
    batch_size : int
    max_iter : int
        Epochs at most; a ConvergenceWarning says if these came before the end of progress.
    shuffle : bool
        Whether to take samples in a new random order every epoch.
    class_weight : dict, "balanced" or None
        How much each class counts, 1 if it is not named; "balanced": the less, the more samples it has.
    early_stopping : bool
        Keep a part of the samples back, and end by its score (accuracy, R2 of a regressor) instead of the training loss; the weights are those
        of the best score then.
    validation_fraction : float
        Of the samples, for `early_stopping`.
    tol, n_iter_no_change : float, int
        Training ends once the loss, or the score, was not better than the best by tol for more than n_iter_no_change epochs in a row.
    warm_start : bool
        Whether `fit` goes on where the last one ended: weights, optimizer and all random numbers. `learning_rate_init`, `batch_size` and what
        ends training may change between.
    random_state : int, RandomState instance or None
        Of initial weights, dropout, order and the samples kept back. The same number and data give the same bits on any number of threads.
    verbose : bool
        Print a line per epoch.
    dtype : {"float32", "float64"}
        Of all computation; X is cast to it.

    Attributes
    ----------
    classes_ : (C,) array
        Labels, in order.
    model_ : lstmc.Sequential
        The trained model. It takes (N, T, F) arrays, sequences filled up with infinity at their ends; `save` writes it to a file.
    n_features_in_ : int
        T where X in `fit` was (N, T), else F.
    feature_names_in_ : (T,) array
        Names of columns, if X in `fit` was a data frame.
    n_iter_ : int
        Epochs of the last call of `fit` or `partial_fit`.
    loss_curve_ : list of float
        Training loss of each epoch, over all calls that went on with the same training; `loss_` is the last, `best_loss_` the smallest.
    validation_scores_ : list of float or None
        With `early_stopping`, the score after each epoch; `best_validation_score_` is the largest.

    See Also
    --------
    GRUClassifier, LSTMRegressor, GRURegressor

    Notes
    -----
    X is a table (N, T), of which each column is one step of one feature; an array (N, T, F); or a list of N arrays (T_i,) or (T_i, F), each of a
    length of its own. Lists of equally many numbers are a table, as everywhere in scikit-learn. After `fit` on a table, `predict` needs the
    same columns; otherwise F alone has to be the same, and sequences may have any length. Each gets the same bits in any company.
    Features should be scaled to about 1.

    Ctrl-C ends training, with a warning, as scikit-learn's `MLPClassifier` does: what was learned stays, from the first whole epoch on.

    `fit`, `partial_fit`, `predict` and `score` follow scikit-learn's conventions, parameters its `MLPClassifier` where that has them.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmc.sklearn import LSTMClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["low", "high"], 50)
    >>> X = [rng.standard_normal((rng.integers(5, 20), 2)) + (label == "high") for label in y]
    >>> model = LSTMClassifier(8, learning_rate_init=0.02, early_stopping=True,
    ...                        random_state=0).fit(X, y)
    >>> model.predict([np.zeros((7, 2)), np.ones((9, 2))]).tolist()
    ['low', 'high']
    """

    _layer = layers.LSTM


class GRUClassifier(Classifier):
    """Classes of sequences, by a GRU; everything else is as in `LSTMClassifier`."""

    _layer = layers.GRU
