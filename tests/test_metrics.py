"""Metrics by name, and those that are refused."""

import numpy as np
import pytest

from lstmc import metrics

pytestmark = pytest.mark.once


def test_wrong_metrics():
    with pytest.raises(ValueError, match="metrics: expected names from accuracy"):
        metrics.get("f1", np.zeros(3), (3, 2))


def test_metrics():
    p = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])
    labels = np.array([1, 1, 0])
    for y in (labels, labels[:, None], np.eye(2)[labels]):
        m = metrics.get("accuracy", y, p.shape)
        m.update_state(y[:2], p[:2])
        m.update_state(y[2:], p[2:])
        assert m.result() == pytest.approx(2 / 3)
        m.reset_state()
        assert m.result() == 0
    binary = metrics.get("acc", labels, (3, 1))
    binary.update_state(labels, np.array([[0.7], [0.4], [0.5]]))
    assert (binary.name, binary.result()) == ("acc", pytest.approx(2 / 3))
    for name, want in (("mse", 2.5), ("mae", 1.5)):
        m = metrics.get(name, np.zeros(2), (2, 1))
        m.update_state(np.zeros(2), np.array([[1.0], [2.0]]))
        assert m.result() == want
    steps = metrics.get("accuracy", np.zeros((2, 2)), (2, 2, 3))
    steps.update_state(np.array([[0, 1], [2, 0]]), np.eye(3)[[[0, 2], [2, 0]]], np.array([[True, False], [True, True]]))
    assert steps.result() == 1
    own = metrics.get(lambda y, p: y + p, None, None)
    own.update_state(np.array([1, 2]), np.array([3, 4]))
    assert own.result() == 5
