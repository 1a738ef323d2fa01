"""How often predictions are right: as functions that give 1 or 0 for each, and as means of these."""

import numpy as np

from lstmc.metrics.base import PairMean, alike, floats, numeric
from lstmc.nn import checks


def _binary(y, p, threshold):
    y, p = alike(y, p)
    return (floats(p) > threshold) == y


def _one_hot(y, p):
    """(labels, p) of one-hot targets."""
    y, p = alike(y, p)
    return y.argmax(-1), p


def _sparse(y, p):
    """(labels, p) of integer targets, of which a last axis of 1 is dropped."""
    y, p = numeric(y, "y_true"), numeric(p, "y_pred")
    if y.ndim == p.ndim and y.shape[-1:] == (1,):
        y = y[..., 0]
    if p.ndim == 0 or y.shape != p.shape[:-1]:
        raise ValueError(f"y_true: expected labels of shape {checks.shape_text(p.shape[:-1])}, received {checks.shape_text(y.shape)}")
    return y, p


def _largest(y, p):
    return p.argmax(-1) == y


def _in_top(y, p, k):
    """Whether fewer than k predictions are above that of the label."""
    if np.array_equal(y, y.astype(np.intp)) and y.size and y.min() >= 0 and y.max() < p.shape[-1]:
        at_label = np.take_along_axis(p, y.astype(np.intp)[..., None], -1)
        return ((p > at_label).sum(-1) < k) & (at_label == at_label)[..., 0]
    if y.size:
        raise ValueError(f"y_true: expected labels from 0 to {p.shape[-1] - 1}, received others")
    return np.zeros(y.shape, bool)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """1 where predictions y_pred above the threshold agree with targets y_true of 0 and 1."""
    return _binary(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"), checks.number(threshold, "threshold")).astype(np.float32)


def categorical_accuracy(y_true, y_pred):
    """1 where the largest of y_pred (B, ..., C) is that of the one-hot target y_true (B, ..., C)."""
    return _largest(*_one_hot(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"))).astype(np.float32)


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where the largest of y_pred (B, ..., C) is that of the integer label y_true (B, ...)."""
    return _largest(*_sparse(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"))).astype(np.float32)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the prediction of the one-hot target y_true is among the k largest of y_pred; equals share a place."""
    y, p = _one_hot(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"))
    return _in_top(y, p, checks.integer(k, "k", 1)).astype(np.float32)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 where the prediction of the integer label y_true is among the k largest; with from_sorted_ids, where it is among the first k of y_pred."""
    y, p = _sparse(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"))
    k = checks.integer(k, "k", 1)
    found = (p[..., :k] == y[..., None]).any(-1) if checks.flag(from_sorted_ids, "from_sorted_ids") else _in_top(y, p, k)
    return found.astype(np.float32)


class Accuracy(PairMean):
    """How often predictions equal targets."""

    direction = "up"

    def values(self, y, p):
        y, p = alike(y, p)
        return y.astype(p.dtype) == p


class BinaryAccuracy(PairMean):
    """How often predictions above a threshold agree with targets of 0 and 1."""

    direction = "up"

    def __init__(self, name=None, dtype=None, threshold=0.5):
        super().__init__(name, dtype)
        self.threshold = checks.number(threshold, "threshold")

    def values(self, y, p):
        return _binary(y, p, self.threshold)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(PairMean):
    """How often the largest prediction is that of the one-hot target."""

    direction = "up"

    def values(self, y, p):
        return _largest(*_one_hot(y, p))


class SparseCategoricalAccuracy(PairMean):
    """How often the largest prediction is that of the integer label."""

    direction = "up"

    def values(self, y, p):
        return _largest(*_sparse(y, p))


class TopKCategoricalAccuracy(PairMean):
    """How often the prediction of the one-hot target is among the k largest."""

    direction = "up"

    def __init__(self, k=5, name=None, dtype=None):
        super().__init__(name, dtype)
        self.k = checks.integer(k, "k", 1)

    def values(self, y, p):
        return top_k_categorical_accuracy(y, p, self.k)

    def get_config(self):
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(PairMean):
    """How often the prediction of the integer label is among the k largest; with from_sorted_ids, the label among the first k of y_pred."""

    direction = "up"

    def __init__(self, k=5, name=None, dtype=None, from_sorted_ids=False):
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = checks.integer(k, "k", 1), checks.flag(from_sorted_ids, "from_sorted_ids")

    def values(self, y, p):
        return sparse_top_k_categorical_accuracy(y, p, self.k, self.from_sorted_ids)

    def get_config(self):
        return {**super().get_config(), "k": self.k, "from_sorted_ids": self.from_sorted_ids}
