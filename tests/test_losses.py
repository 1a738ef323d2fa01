"""Losses and metrics: values against plain formulas, gradients by central differences, targets that are refused."""

import numpy as np
import pytest

from lstmc import losses, metrics

RNG = np.random.default_rng(0)
LOGITS = 2 * RNG.standard_normal((4, 3, 5))
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
LABELS = RNG.integers(0, 5, (4, 3))
ONE_HOT = np.eye(5)[LABELS]
UNIT = RNG.uniform(0.05, 0.95, (4, 3, 5))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


CASES = {
    "mse": (losses.MeanSquaredError(), LOGITS, UNIT, ((LOGITS - UNIT) ** 2).mean(-1)),
    "mae": (losses.MeanAbsoluteError(), LOGITS, UNIT, np.abs(LOGITS - UNIT).mean(-1)),
    "binary": (losses.BinaryCrossentropy(), UNIT, ONE_HOT, -np.log(np.where(ONE_HOT, UNIT, 1 - UNIT)).mean(-1)),
    "binary-logits": (losses.BinaryCrossentropy(True), LOGITS, ONE_HOT,
                      -np.log(np.where(ONE_HOT, sigmoid(LOGITS), 1 - sigmoid(LOGITS))).mean(-1)),
    "binary-smooth": (losses.BinaryCrossentropy(label_smoothing=0.2), UNIT, ONE_HOT,
                      -(0.9 * np.log(np.where(ONE_HOT, UNIT, 1 - UNIT)) + 0.1 * np.log(np.where(ONE_HOT, 1 - UNIT, UNIT))).mean(-1)),
    "categorical": (losses.CategoricalCrossentropy(), PROBABILITIES, ONE_HOT, -np.log((PROBABILITIES * ONE_HOT).sum(-1))),
    "categorical-scaled": (losses.CategoricalCrossentropy(), 3 * PROBABILITIES, ONE_HOT, -np.log((PROBABILITIES * ONE_HOT).sum(-1))),
    "categorical-logits": (losses.CategoricalCrossentropy(True), LOGITS, UNIT, -(np.log(PROBABILITIES) * UNIT).sum(-1)),
    "categorical-smooth": (losses.CategoricalCrossentropy(label_smoothing=0.1), PROBABILITIES, ONE_HOT,
                           -(np.log(PROBABILITIES) * (0.9 * ONE_HOT + 0.02)).sum(-1)),
    "sparse": (losses.SparseCategoricalCrossentropy(), PROBABILITIES, LABELS, -np.log((PROBABILITIES * ONE_HOT).sum(-1))),
    "sparse-logits": (losses.SparseCategoricalCrossentropy(True), LOGITS, LABELS, -np.log((PROBABILITIES * ONE_HOT).sum(-1))),
}


def numeric(f, x):
    d = np.empty_like(x)
    for i in np.ndindex(x.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[i] += step
            ends.append(f(moved).sum())
        d[i] = (ends[0] - ends[1]) / 2e-6
    return d


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    loss, p, y, want = CASES[case]
    y = loss.targets(y, p.shape, p.dtype)
    assert np.abs(loss.values(y, p) - want).max() < 1e-12
    assert abs(loss(CASES[case][2], p) - want.mean()) < 1e-12
    d = loss.gradient(y, p)
    assert np.abs(d - numeric(lambda q: loss.values(y, q), p)).max() < 1e-7 * max(1, np.abs(d).max())
    if loss.fuses:
        activation = softmax if loss.fuses == "softmax" else sigmoid
        d = loss.gradient(y, activation(LOGITS), fused=True)
        assert np.abs(d - numeric(lambda z: loss.values(y, activation(z)), LOGITS)).max() < 1e-7


def test_extreme_predictions():
    sparse, z = losses.SparseCategoricalCrossentropy(), np.array([[200.0, 0.0]], np.float32)
    label = np.array([1])
    assert sparse.values(label, softmax(z))[0] == pytest.approx(-np.log(1e-7))
    assert sparse.gradient(label, softmax(z), fused=True).tolist() == [[1, -1]]
    logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert logits.values(label, z)[0] == pytest.approx(200)
    binary = losses.BinaryCrossentropy(from_logits=True)
    assert binary.values(np.ones((1, 1)), np.array([[-800.0]]))[0] == pytest.approx(800)
    assert binary.gradient(np.ones((1, 1)), np.array([[-800.0]])).tolist() == [[-1]]
    clipped = losses.BinaryCrossentropy()
    assert clipped.values(np.ones((1, 1)), np.zeros((1, 1), np.float32))[0] == pytest.approx(-np.log(1e-7))
    assert clipped.gradient(np.ones((1, 1)), np.zeros((1, 1), np.float32)).tolist() == [[0]]


def test_sample_weights():
    p, y = np.array([[1.0], [3.0]]), np.array([0.0, 0.0])
    assert losses.get("mse")(y, p, sample_weight=[1, 0]) == 0.5
    assert losses.get("mse")(y[:, None], p, sample_weight=[[2], [1]]) == 5.5


@pytest.mark.parametrize(("loss", "y", "shape", "message"), [
    ("sparse_categorical_crossentropy", [0, 5], (2, 5), "labels from 0 to 4 for 5 outputs, received values from 0 to 5"),
    ("sparse_categorical_crossentropy", [-1, 2], (2, 5), "labels from 0 to 4 for 5 outputs, received values from -1 to 2"),
    ("sparse_categorical_crossentropy", [0.5, 1], (2, 5), "with a fraction or NaN"),
    ("sparse_categorical_crossentropy", [np.nan, 1], (2, 5), "with a fraction or NaN"),
    ("sparse_categorical_crossentropy", np.eye(5)[:2], (2, 5), r"of shape \(2,\), received \(2, 5\); categorical_crossentropy"),
    ("categorical_crossentropy", [0, 1], (2, 5), r"shape \(2, 5\), received \(2,\); sparse_categorical_crossentropy"),
    ("categorical_crossentropy", 2 * np.eye(5)[:2], (2, 5), "values from 0 to 1"),
    ("binary_crossentropy", [[0], [2]], (2, 1), "values from 0 to 1 for binary_crossentropy, received values from 0.0 to 2.0"),
    ("binary_crossentropy", [[0], [np.nan]], (2, 1), "values from 0 to 1"),
    ("mse", [[0.0]], (2, 1), r"shape \(2, 1\) of the model's output, received \(1, 1\)"),
    ("mse", [0.0, 1.0], (2, 3), r"shape \(2, 3\) of the model's output, received \(2,\)"),
])  # fmt: skip
def test_wrong_targets(loss, y, shape, message):
    with pytest.raises(ValueError, match=message):
        losses.get(loss).targets(y, shape, np.dtype(np.float32))


def test_wrong_losses_and_metrics():
    with pytest.raises(ValueError, match=r"loss: expected one of mean_squared_error, .*mse"):
        losses.get("huber")
    with pytest.raises(TypeError, match="loss: expected a name or"):
        losses.get(lambda y, p: 0)
    with pytest.raises(TypeError, match="y: expected integer labels, received dtype <U1"):
        losses.get("sparse_categorical_crossentropy").targets(["a", "b"], (2, 5), np.dtype(np.float32))
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
