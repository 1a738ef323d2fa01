"""Losses: values against plain formulas, gradients by central differences, edges, reductions, and targets that are refused."""

import json

import numpy as np
import pytest

import lstmc
from lstmc import losses
from recipes import build

pytestmark = pytest.mark.once

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


def pinball(q):
    return np.maximum(q * (UNIT - LOGITS), (q - 1) * (UNIT - LOGITS)).mean(-1)


QUANTILES = [0.1, 0.3, 0.5, 0.7, 0.9]
HOLES = np.where(LABELS == 2, -1, LABELS)
LABEL_P = (PROBABILITIES * ONE_HOT).sum(-1)
SIGNS = 2 * ONE_HOT - 1
CASES |= {
    "mape": (losses.MeanAbsolutePercentageError(), LOGITS, UNIT, 100 * np.abs((LOGITS - UNIT) / UNIT).mean(-1)),
    "msle": (losses.MeanSquaredLogarithmicError(), UNIT, UNIT[::-1], (np.log((1 + UNIT) / (1 + UNIT[::-1])) ** 2).mean(-1)),
    "huber": (losses.Huber(0.7), LOGITS, UNIT, np.where(np.abs(LOGITS - UNIT) < 0.7, (LOGITS - UNIT) ** 2 / 2, 0.7 * np.abs(LOGITS - UNIT) - 0.245).mean(-1)),
    "log_cosh": (losses.LogCosh(), LOGITS, UNIT, np.log(np.cosh(LOGITS - UNIT)).mean(-1)),
    "cosine": (losses.CosineSimilarity(), LOGITS, UNIT,
               -(LOGITS * UNIT).sum(-1) / np.sqrt((LOGITS**2).sum(-1) * (UNIT**2).sum(-1))),
    "median": (losses.Quantile(), LOGITS, UNIT, np.abs(LOGITS - UNIT).mean(-1) / 2),
    "quantile": (losses.Quantile(0.9), LOGITS, UNIT, pinball(0.9)),
    "quantiles": (losses.Quantile(quantiles=QUANTILES), LOGITS, UNIT, pinball(np.array(QUANTILES))),
    "hinge": (losses.Hinge(), LOGITS, ONE_HOT, np.maximum(1 - SIGNS * LOGITS, 0).mean(-1)),
    "squared_hinge": (losses.SquaredHinge(), LOGITS, SIGNS, (np.maximum(1 - SIGNS * LOGITS, 0) ** 2).mean(-1)),
    "categorical_hinge": (losses.CategoricalHinge(), LOGITS, ONE_HOT,
                          np.maximum(((1 - ONE_HOT) * LOGITS).max(-1) - (ONE_HOT * LOGITS).sum(-1) + 1, 0)),
    "poisson": (losses.Poisson(), UNIT, LABELS[..., None] * np.ones(5), (UNIT - LABELS[..., None] * np.log(UNIT + 1e-7)).mean(-1)),
    "kl": (losses.KLDivergence(), UNIT, PROBABILITIES, (PROBABILITIES * np.log(PROBABILITIES / UNIT)).sum(-1)),
    "sparse-ignored": (losses.SparseCategoricalCrossentropy(ignore_class=-1), 2 * PROBABILITIES, HOLES, np.where(HOLES < 0, 0, -np.log(LABEL_P))),
    "sparse-ignored-logits": (losses.SparseCategoricalCrossentropy(True, 2), LOGITS, LABELS, np.where(LABELS == 2, 0, -np.log(LABEL_P))),
    "binary-focal": (losses.BinaryFocalCrossentropy(), UNIT, ONE_HOT,
                     ((1 - np.where(ONE_HOT, UNIT, 1 - UNIT)) ** 2 * -np.log(np.where(ONE_HOT, UNIT, 1 - UNIT))).mean(-1)),
    "binary-focal-logits": (losses.BinaryFocalCrossentropy(True, 0.75, 0.5, True), LOGITS, ONE_HOT,
                            (np.where(ONE_HOT, 0.75, 0.25) * (1 - sigmoid(SIGNS * LOGITS)) ** 0.5 * -np.log(sigmoid(SIGNS * LOGITS))).mean(-1)),
    "categorical-focal": (losses.CategoricalFocalCrossentropy(0.5, 3.0), 3 * PROBABILITIES, ONE_HOT, -0.5 * (1 - LABEL_P) ** 3 * np.log(LABEL_P)),
    "categorical-focal-logits": (losses.CategoricalFocalCrossentropy([1, 2, 3, 4, 5], 0.5, True), LOGITS, ONE_HOT,
                                 -(1 + LABELS) * (1 - LABEL_P) ** 0.5 * np.log(LABEL_P)),
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
    p = p.copy()
    y = loss.targets(y, p.shape, p.dtype)
    y.flags.writeable = p.flags.writeable = False       # nothing is written to arguments
    assert np.abs(loss.values(y, p) - want).max() < 1e-12
    some = slice(None) if loss.valid(y) is None else loss.valid(y)
    assert abs(loss(CASES[case][2], p) - want[some].mean()) < 1e-12
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


# Predictions at and beyond the ends of what a loss has values for, with targets.
ENDS = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])


PER_VALUE = [kind for kind in losses.CLASSES if kind != "CTC"]      # the values of sequences are in test_ctc.py


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", PER_VALUE)
def test_edges(kind, dtype):
    sparse, p = kind == "SparseCategoricalCrossentropy", ENDS.astype(dtype)
    for y in ENDS[::-1], ENDS:
        loss = losses.CLASSES[kind]()
        q = np.where(p.sum(-1, keepdims=True), p, 0.5).astype(dtype)
        targets = loss.targets(y[:, 0] if sparse else y, q.shape, q.dtype)
        values, d = loss.values(targets, q), loss.gradient(targets, q)
        assert (values.dtype, values.shape, d.dtype, d.shape) == (np.float64, (4,), dtype, q.shape)
        assert np.isfinite(values).all()
        assert np.isfinite(d).all()
    empty = loss.targets(np.zeros((0,) if sparse else (0, 2)), (0, 2), p.dtype)
    assert loss.values(empty, p[:0]).shape == (0,)
    assert loss.gradient(empty, p[:0]).shape == (0, 2)
    assert loss(empty, p[:0]) == 0


@pytest.mark.parametrize("kind", PER_VALUE)
def test_targets_of_any_number_type_and_with_a_last_axis_more_or_less(kind):
    loss, p, y = losses.CLASSES[kind](), PROBABILITIES[:, 0, :2].astype(np.float32), np.array([[1, 0], [0, 1], [1, 0], [1, 0]])
    if kind == "SparseCategoricalCrossentropy":
        y = y[:, :1]
    want = loss(y, p)
    for same in (y.tolist(), y.astype(bool), y.astype(np.uint8), y.astype(float), y.astype(np.float32)):
        assert loss(same, p) == want
    column = p[:, :1]
    if "ategorical" in kind:
        assert loss(y.argmax(-1) if y.shape[1] == 2 and "Sparse" in kind else y, p) == want
    else:
        assert loss(y[:, 0], column) == loss(y[:, :1], column) == loss(y[:, :1], column[:, 0])
        assert losses.get(kind)(y[:, :1], p[:, 0]) == loss(y[:, :1], column)


def test_functions_are_the_classes():
    for function, kind in losses.FUNCTIONS.items():
        if kind is losses.CTC:      # whose values are those of sequences: test_ctc.py
            continue
        y = LABELS if kind is losses.SparseCategoricalCrossentropy else ONE_HOT
        for dtype in ("float32", "float64"):
            found = function(y, PROBABILITIES.astype(dtype))
            assert (found.dtype, found.shape) == (dtype, (4, 3))
            assert np.array_equal(found, kind(reduction="none")(y, PROBABILITIES.astype(dtype)))
        assert function(y.tolist(), PROBABILITIES.tolist()).dtype == np.float32
        for name in (function.__name__, kind.__name__, function, kind):
            assert type(losses.get(name)) is kind
        assert getattr(losses, function.__name__) is function
    for short, function in losses.SHORT.items():
        assert getattr(losses, short) is function
        assert type(losses.get(short)) is losses.FUNCTIONS[function]
    assert losses.mse([1.0, 0.0], [0.0, 0.0]) == 0.5
    assert np.allclose(losses.huber(UNIT, LOGITS, delta=0.7), CASES["huber"][3])
    assert np.allclose(losses.quantile(UNIT, LOGITS, 0.9), pinball(0.9))
    assert np.allclose(losses.binary_crossentropy(ONE_HOT, LOGITS, from_logits=True), CASES["binary-logits"][3])
    assert np.allclose(losses.sparse_categorical_crossentropy(HOLES, PROBABILITIES, ignore_class=-1), CASES["sparse-ignored"][3])
    assert losses.mse([0.0], np.array([1e30], np.float32)) == np.inf      # as in Keras


def test_a_constant_is_least_wrong_at_its_quantile():
    y, at = RNG.standard_normal(999), np.linspace(-2, 2, 401)
    for q in (0.1, 0.5, 0.9):
        best = at[np.argmin([losses.Quantile(q)(y, np.full(999, a)) for a in at])]
        assert abs(best - np.quantile(y, q)) < 0.02
    several = losses.Quantile(quantiles=[0.1, 0.9])
    p = RNG.standard_normal((5, 2))
    want = (losses.quantile(y[:5, None], p[:, :1], 0.1) + losses.quantile(y[:5, None], p[:, 1:], 0.9)) / 2
    for targets in (y[:5], y[:5, None], np.stack([y[:5], y[:5]], -1)):
        assert np.allclose(several(targets, p), want.mean(), 1e-14)


@pytest.mark.parametrize("case", CASES)
def test_settings_survive_a_file(case, tmp_path):
    loss = CASES[case][0]
    again = type(loss)(**json.loads(json.dumps(loss.get_config())))
    assert repr(again) == repr(loss)
    model, *_ = build("last")
    model.compile("sgd", loss)
    model.save(tmp_path / "m.safetensors")
    assert repr(lstmc.load(tmp_path / "m.safetensors").loss) == repr(loss)


def test_what_is_ignored_may_be_anything():
    p = PROBABILITIES.copy()
    p[HOLES < 0] = np.nan
    assert losses.SparseCategoricalCrossentropy(ignore_class=-1)(HOLES, p) == pytest.approx(-np.log(LABEL_P)[HOLES >= 0].mean())


def test_sample_weights():
    p, y = np.array([[1.0], [3.0]]), np.array([0.0, 0.0])
    assert losses.get("mse")(y, p, sample_weight=[1, 0]) == 0.5
    assert losses.get("mse")(y[:, None], p, sample_weight=[[2], [1]]) == 5.5
    assert losses.MeanSquaredError("sum")(y, p, sample_weight=2) == 20
    assert losses.MeanSquaredError(None, dtype="float64")(y, p.astype(np.float32), sample_weight=[1, 2]).tolist() == [1, 18]
    assert losses.MeanSquaredError()(y, np.array([[np.nan], [3.0]]), sample_weight=[0, 1]) == 4.5


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
    ("kl_divergence", [[0.5, 1.5]], (1, 2), "values from 0 to 1 for kl_divergence, received values from 0.5 to 1.5"),
    ("categorical_focal_crossentropy", [[0, 2]], (1, 2), "values from 0 to 1 for categorical_focal_crossentropy"),
    (losses.SparseCategoricalCrossentropy(ignore_class=9), [9, 6], (2, 5), "labels from 0 to 4 for 5 outputs, received values from 6 to 6"),
    (losses.CategoricalFocalCrossentropy([1, 2]), np.eye(3), (3, 3), "alpha: expected 3 numbers, one for each output of the model, received 2"),
    (losses.Quantile(quantiles=[0.1, 0.9]), np.zeros(2), (2, 3), "quantiles: expected 3, one for each output of the model, received 2"),
    (losses.Quantile(quantiles=[0.1, 0.9]), np.zeros((2, 5)), (2, 2), r"y: expected shape \(2, 1\)"),
    ("mse", [0.0, 1.0], (2, 3), r"shape \(2, 3\) of the model's output, received \(2,\)"),
])  # fmt: skip
def test_wrong_targets(loss, y, shape, message):
    with pytest.raises(ValueError, match=message):
        losses.get(loss).targets(y, shape, np.dtype(np.float32))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: losses.get("dice"), r"loss: expected one of mean_squared_error, .*mse"),
    (lambda: losses.get("crossentropy"), "loss: expected one that does not depend on targets, such as 'binary_crossentropy', received 'crossentropy'"),
    (lambda: losses.Huber(0), "delta: expected above 0, received 0"),
    (lambda: losses.Quantile(1.0), "quantile: expected above 0 and below 1, received 1.0"),
    (lambda: losses.Quantile(0.5, [0.5]), "quantiles: expected None together with quantile"),
    (lambda: losses.BinaryCrossentropy(axis=1), r"axis: expected -1, since classes and features are last here; received 1;"),
    (lambda: losses.BinaryFocalCrossentropy(gamma=-1), "gamma: expected at least 0, received -1"),
    (lambda: losses.MeanSquaredError("max"), r"reduction: expected one of sum_over_batch_size, .*, or None; received 'max'"),
    (lambda: losses.MeanSquaredError(dtype="int8"), "dtype: expected 'float32' or 'float64', received 'int8'"),
    (lambda: losses.mse([1.0, 2.0], [1.0]), r"y_true: expected shape \(1,\)"),
    (lambda: losses.mse([1.0], 2.0), "y_pred: expected at least one axis, received a number"),
    (lambda: losses.hinge(np.zeros((2, 3)), np.zeros((2, 2))), r"y_true: expected shape \(2, 2\)"),
    (lambda: losses.MeanSquaredError()(np.zeros(3), np.zeros((3, 1)), sample_weight=np.ones(2)), r"sample_weight: expected shape \(3,\), received \(2,\)"),
])
def test_wrong_losses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_types():
    with pytest.raises(TypeError, match="loss: expected a name or"):
        losses.get(lambda y, p: 0)
    with pytest.raises(TypeError, match="y: expected integer labels, received dtype <U1"):
        losses.get("sparse_categorical_crossentropy").targets(["a", "b"], (2, 5), np.dtype(np.float32))
    with pytest.raises(TypeError, match="y_true: expected integer labels, received dtype <U1"):
        losses.sparse_categorical_crossentropy(["a", "b"], np.ones((2, 5)))
    with pytest.raises(TypeError, match=r"quantiles: expected a sequence of numbers, received 0\.5"):
        losses.Quantile(quantiles=0.5)
