"""Estimators that train in no time, and data for them: a list of sequences, an array, labels and numbers."""

import numpy as np

from conftest import assert_same_bits
from lstmc.sklearn import GRUClassifier, GRURegressor, LSTMClassifier, LSTMRegressor

CLASSIFIERS, REGRESSORS = (LSTMClassifier, GRUClassifier), (LSTMRegressor, GRURegressor)

rng = np.random.default_rng(0)
X3 = rng.standard_normal((60, 7, 3))
LABELS = np.where(X3[:, :, 0].sum(1) > 0, "up", "down")
RAGGED = [x[:n] for x, n in zip(X3, rng.integers(1, 8, 60), strict=True)]
RAGGED[5] = np.zeros((4, 3))        # real zeros, which are no padding
Y2 = np.stack((X3[:, -1, 0], X3[:, 0, 1]), 1)


def quick(kind, **more):
    return kind(**{"units": 4, "max_iter": 3, "learning_rate_init": 0.02, "random_state": 0} | more)


def y_of(kind):
    return LABELS if kind in CLASSIFIERS else Y2


def output(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same_model(a, b):
    for w, v in zip(a.model_.get_weights(), b.model_.get_weights(), strict=True):
        assert_same_bits(w, v)
