"""What classifiers and regressors share: fit, and what scikit-learn expects to find; all but targets, weights and the last layer."""


import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from lstmc.nn import checks
from lstmc.sklearn import sequences
from lstmc.sklearn.network import check_settings, network, settings_of
from lstmc.sklearn.stopping import Stopping
from lstmc.warned import warn

AT_ONCE = 256       # sequences of a batch of `predict`, on which results do not depend


class Estimator(BaseEstimator):
    """Base of the estimators, whose subclasses take their parameters."""

    _layer = None       # of lstmc.layers

    # What the two define -------------------------------------------------------------------------------------

    def _targets(self, y, known):
        """Checked y as the loss takes it, which fits what is known of it or, if nothing is, tells that."""
        raise NotImplementedError

    def _end(self):
        """(outputs, activation, loss) of the model."""
        raise NotImplementedError

    def _score(self, model, x, y, weights):
        """The score of validation data."""
        raise NotImplementedError

    def _weights(self, y, weights):
        """Weights of samples with targets y, from those given or None."""
        return weights

    # Training ------------------------------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None):
        """Train, from the beginning unless `warm_start` is set.

        Parameters
        ----------
        X : (N, T) or (N, T, F) array, or list of (T_i,) or (T_i, F) arrays
        y : (N,) array, or (N, K) for a regressor of K outputs
        sample_weight : (N,) array, optional
            How much samples count, relative to each other.

        Returns
        -------
        self
        """
        again = checks.flag(self.warm_start, "warm_start") and hasattr(self, "model_")
        x, y, weights = self._prepare(X, y, sample_weight, again, again)
        if weights is not None:
            weights = weights * (len(weights) / weights.sum())      # 1 on average: their scale shall not be one of the learning rate
        return self._train(x, y, weights, again, checks.integer(self.max_iter, "max_iter", 1), checks.flag(self.early_stopping, "early_stopping"))

    def _partial_fit(self, X, y, sample_weight, known):
        if self.early_stopping:
            raise ValueError(f"early_stopping: expected False for partial_fit, which keeps no validation data, received {self.early_stopping!r}")
        again = hasattr(self, "model_")
        return self._train(*self._prepare(X, y, sample_weight, again, known), again)

    def _prepare(self, X, y, sample_weight, again, known):
        """(x, y, weights) as the model takes them; whether training goes on, and whether it is known what y may be."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        for value, name in ((y, "y"), (sample_weight, "sample_weight")):
            checks.has_dtype(value, name)           # which raises if something is masked
        x, y = sequences.accepted(self, X, reset=not again), self._targets(y, known)
        check_consistent_length(x, y)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, x, dtype=np.float64, ensure_non_negative=True)
        weights = self._weights(y, weights)
        if weights is not None and not (weights.min() >= 0 and weights.any()):
            raise ValueError("sample_weight, class_weight: expected weights of at least 0, some of them above, received "
                             f"{'negative ones' if weights.any() else 'zeros alone'}")
        return x, y, weights

    def _train(self, x, y, weights, again, epochs=None, validate=False):
        """Train for at most so many epochs; for one, of which there may be more to come, if None."""
        if again:
            check_settings(self, self._settings)
            model = self.model_
            model.optimizer.learning_rate = checks.positive(self.learning_rate_init, "learning_rate_init")
        else:
            model, self._split_seed = network(self, self._layer, x.shape[2], *self._end())
            self._settings, self.loss_curve_, self._scores = settings_of(self), [], []
        verbose = self.verbose if isinstance(self.verbose, (bool, np.bool_)) else checks.integer(self.verbose, "verbose", 0)
        score = None
        if validate:
            (x, y, weights), held = self._split(x, y, weights)

            def score(model):
                return self._score(model, *held)

        stopping = Stopping(checks.number(self.tol, "tol"), checks.integer(self.n_iter_no_change, "n_iter_no_change", 1), score, verbose,
                            self.loss_curve_, self._scores)
        before = len(self.loss_curve_)
        try:
            model.fit(x, y, self.batch_size, epochs or 1, verbose=0, callbacks=[stopping], shuffle=self.shuffle, sample_weight=weights)
        except KeyboardInterrupt:
            if len(self.loss_curve_) == before or (validate and not self._scores):
                raise       # not one epoch to tell of
            warn("Training interrupted by user.")
            stopping.stopped = True
        stopping.restore()
        self.model_, self.n_iter_, self.loss_ = model, len(self.loss_curve_) - before, self.loss_curve_[-1]
        self.best_loss_ = None if validate else min(self.loss_curve_)
        self.validation_scores_, self.best_validation_score_ = (self._scores, max(self._scores)) if validate else (None, None)
        if epochs and not stopping.stopped:
            warn(f"max_iter={epochs}: all epochs were trained before the rule of tol={self.tol}, n_iter_no_change={self.n_iter_no_change} "
                 "had seen the end of progress", ConvergenceWarning)
        return self

    def _split(self, x, y, weights):
        """(training, validation): two tuples (x, y, weights); the same samples whenever training goes on with as many."""
        labels = y if is_classifier(self) else None
        fraction = checks.number(self.validation_fraction, "validation_fraction")
        if not 0 < fraction < 1:
            raise ValueError(f"validation_fraction: expected above 0 and below 1, received {fraction}")
        train, held = train_test_split(np.arange(len(x)), test_size=fraction, random_state=self._split_seed, stratify=labels)
        if len(held) < 2:
            raise ValueError(f"validation_fraction: expected to leave at least 2 samples for validation, received {fraction} of {len(x)} samples")
        return tuple((x[index], y[index], None if weights is None else weights[index]) for index in (train, held))

    # Use -----------------------------------------------------------------------------------------------------

    def _outputs(self, X):
        check_is_fitted(self, "model_")
        return self.model_.predict(sequences.accepted(self, X, reset=False), AT_ONCE, verbose=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
