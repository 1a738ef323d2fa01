"""Metrics: weights and masks, state, functions, names, directions, and arguments that are refused."""

import json

import numpy as np
import pytest

import lstmc
from lstmc import losses, metrics
from recipes import LABELS, build

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
LOSS_LIKE = {"MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "LogCoshError",
             "Hinge", "SquaredHinge", "CategoricalHinge", "Poisson", "KLDivergence", "BinaryCrossentropy", "CategoricalCrossentropy",
             "SparseCategoricalCrossentropy"}
COUNTS = {"TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"}
PLAIN = [c for name, c in metrics.CLASSES.items() if name not in ("Mean", "Sum", "MeanMetricWrapper")]


def batch(kind, size=6):
    """Targets and predictions that suit a metric."""
    p = RNG.uniform(0.05, 0.95, (size, 3)).astype(np.float32)
    labels = RNG.integers(0, 3, size)
    return (labels if kind.__name__.startswith("Sparse") else np.eye(3)[labels]), p


def make(kind):
    return kind(k=2) if "TopK" in kind.__name__ else kind()


@pytest.mark.parametrize("kind", PLAIN)
def test_weights_of_0_leave_out_and_of_2_count_twice(kind):
    y, p = batch(kind)
    weights = np.array([0, 1, 2, 1, 0, 1])
    weighted, plain = make(kind), make(kind)
    broken = p.copy()
    broken[weights == 0] = np.nan
    weighted.update_state(y, broken, weights)
    again = np.repeat(np.arange(6), weights)
    plain.update_state(y[again], p[again])
    assert np.allclose(weighted.result(), plain.result(), 1e-12)
    mask = weights > 0
    masked, some = make(kind), make(kind)
    masked.update_state(y, broken, sample_weight=mask)
    some.update_state(y[mask], p[mask])
    if kind is not metrics.R2Score:
        assert np.array_equal(masked.result(), some.result())
    for same in (weights[:, None], weights.tolist(), weights.astype(np.float32)):
        metric = make(kind)
        metric.update_state(y, broken, same)
        assert np.array_equal(metric.result(), weighted.result())
    with pytest.raises(ValueError, match="sample_weight: expected the shape of values"):
        make(kind).update_state(y, p, weights[:5])
    with pytest.raises(TypeError, match="sample_weight: expected real numbers, received dtype <U1"):
        make(kind).update_state(y, p, ["a"] * 6)


@pytest.mark.parametrize("kind", [*PLAIN, metrics.Mean, metrics.Sum])
def test_state_goes_on_in_another_metric(kind):
    values = kind in (metrics.Mean, metrics.Sum)
    batches = [(batch(kind, n)[1],) if values else batch(kind, n) for n in (5, 4)]
    metric = make(kind)
    untouched, before = metric.get_state(), metric.result()
    first = metric(*batches[0])
    state = metric.get_state()
    assert all(a.dtype == np.float64 for a in state.values())
    other = make(kind)
    other.set_state(state)
    assert np.array_equal(other.result(), first)
    metric.update_state(*batches[1])
    other.update_state(*batches[1])
    assert np.array_equal(other.result(), metric.result())
    assert all(np.array_equal(other.get_state()[name], a) for name, a in metric.get_state().items())
    now = metric.get_state()
    assert not all(np.array_equal(state[name], a) for name, a in now.items())        # it was a copy
    wrong = ({**state, "more": np.zeros(1)}, {name: np.zeros((2, 2, 2)) for name in state}, dict([*list(state.items())[1:], ("x", 0.0)]))
    for bad in wrong:
        with pytest.raises(ValueError, match="state: expected arrays of shapes"):
            metric.set_state(bad)
    for bad in ([], dict.fromkeys(state, "a")):
        with pytest.raises(TypeError, match=r"state: expected a dict|state: \w+: expected real numbers"):
            metric.set_state(bad)
    assert all(np.array_equal(metric.get_state()[name], a) for name, a in now.items())
    metric.set_state(untouched)
    assert metric.result() == before
    metric.reset_state()
    assert metric.get_state().keys() == untouched.keys()
    assert metric.result() == 0


def test_state_of_the_mean_loss():
    mean, other = metrics.LossMean(), metrics.LossMean()
    mean.update_state(0.5, 3)
    other.set_state(mean.get_state())
    for m in (mean, other):
        m.update_state(0.25, 1)
        assert m.result() == 1.75 / 4


def test_state_of_several_outputs():
    for make_one in (lambda: metrics.AUC(multi_label=True), metrics.F1Score, metrics.R2Score):
        metric, (y, p) = make_one(), batch(metrics.F1Score)
        want = metric(y, p)
        other = make_one()
        other.set_state({name: a.tolist() for name, a in metric.get_state().items()})
        assert np.array_equal(other.result(), want)
        with pytest.raises(ValueError, match="y_pred: expected as many outputs as before, received 2"):
            metric.update_state(y[:, :2], p[:, :2])
        assert np.array_equal(metric.result(), want)


@pytest.mark.parametrize("kind", PLAIN)
def test_directions_and_settings(kind, tmp_path):
    expected = "down" if kind.__name__ in LOSS_LIKE else None if kind.__name__ in COUNTS else "up"
    metric = make(kind)
    assert metric.direction == expected
    again = kind(**json.loads(json.dumps(metric.get_config())))
    assert repr(again) == repr(metric)
    model, *_ = build("last")
    model.compile("sgd", "mse", metrics=[kind.__name__, kind, metric] if "Accuracy" not in kind.__name__ else [metric])
    model.save(tmp_path / "m.safetensors")
    found = lstmc.load(tmp_path / "m.safetensors")
    assert repr(metrics.get(found._settings["metrics"][-1])) == repr(metric)


def test_settings_that_are_not_the_default():
    for metric in (metrics.AUC(50, "pr", "Minoring", "area", "float64", None, True, 3, [1, 2, 3], True), metrics.AUC(thresholds=[0.5, 0.25]),
                   metrics.Precision([0.25, 0.75], 2, 1), metrics.Recall(0.25), metrics.F1Score("macro", 0.5), metrics.FBetaScore("micro", 2, 0.5, "f2"),
                   metrics.R2Score(None, 2), metrics.BinaryAccuracy("half", threshold=0.25), metrics.TruePositives([0.5], "tp"),
                   metrics.SparseTopKCategoricalAccuracy(3, from_sorted_ids=True), metrics.CategoricalCrossentropy("ce", None, True, 0.25),
                   metrics.MeanMetricWrapper("huber", "h", delta=2.0), metrics.MeanMetricWrapper(metrics.binary_accuracy, threshold=0.25)):
        config = json.loads(json.dumps(metric.get_config()))
        assert type(metric)(**config).get_config() == config
        assert repr(type(metric)(**config)) == repr(metric)


def test_a_mean_counts_every_sample_alike():
    metric = metrics.MeanSquaredError()
    metric.update_state(np.zeros((1, 4, 2)), np.ones((1, 4, 2)))
    metric.update_state(np.zeros((1, 1, 2)), 3 * np.ones((1, 1, 2)))
    assert metric.result() == 5
    mean, total = metrics.Mean(), metrics.Sum()
    for m in (mean, total):
        m.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        m.update_state(4)
        m.update_state(np.zeros((0, 2)))
    assert (mean.result(), total.result()) == (8 / 3, 8)
    steps = metrics.Mean()
    steps.update_state([[1, 2], [3, np.nan]], [[True, True], [True, False]])
    assert steps.result() == 2
    with pytest.raises(ValueError, match=r"sample_weight: expected the shape of values \(2, 2\) or of their first axes, received \(1, 3\)"):
        steps.update_state([[1, 2], [3, 4]], [[1, 1, 1]])


def test_functions():
    y, p = np.array([[1, 0], [0, 1], [1, 0]]), np.array([[0.75, 0.25], [0.75, 0.25], [0.5, 0.5]])
    f = metrics
    for found, want in (
        (f.binary_accuracy(y, p), [[1, 1], [0, 0], [0, 1]]), (f.binary_accuracy(y, p, threshold=0.1), [[1, 0], [0, 1], [1, 0]]),
        (f.binary_accuracy([1, 0], [[0.75], [0.5]]), [[1], [1]]), (f.categorical_accuracy(y, p), [1, 0, 1]),
        (f.sparse_categorical_accuracy([0, 1, 1], p), [1, 0, 0]), (f.sparse_categorical_accuracy([[0], [1], [1]], p), [1, 0, 0]),
        (f.top_k_categorical_accuracy(y, p, k=1), [1, 0, 1]), (f.sparse_top_k_categorical_accuracy([0, 1, 1], p, k=1), [1, 0, 1]),
        (f.sparse_top_k_categorical_accuracy([[0, 1]], np.array([[[9, 8, 0], [9, 8, 1]]]), k=2, from_sorted_ids=True), [[0, 0]]),
        (f.sparse_top_k_categorical_accuracy([1, 0], [[0.5, np.nan], [np.nan, 1]], k=1), [0, 0]),
    ):
        assert found.dtype == np.float32
        assert found.tolist() == want
    named = losses.SHORT | {f.__name__: f for f in losses.FUNCTIONS if f is not losses.ctc}
    assert all(getattr(metrics, name) is function for name, function in named.items())


def test_names_choose():
    p = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])
    labels = np.array([1, 1, 0])
    for y in (labels, labels[:, None], np.eye(2)[labels]):
        for name in ("accuracy", "acc", "Accuracy"):
            m = metrics.get(name, y, p.shape)
            m.update_state(y[:2], p[:2])
            m.update_state(y[2:], p[2:])
            assert (m.name, m.result()) == (name, pytest.approx(2 / 3))
    binary = metrics.get("acc", labels, (3, 1))
    binary.update_state(labels, np.array([[0.7], [0.4], [0.5]]))
    assert (binary.name, binary.result()) == ("acc", pytest.approx(2 / 3))
    for name, want in (("mse", 2.5), ("MAE", 1.5)):
        m = metrics.get(name, np.zeros(2), (2, 1))
        m.update_state(np.zeros(2), np.array([[1.0], [2.0]]))
        assert (m.name, m.result()) == (name, want)
    own = metrics.get(lambda y, p: y + p)
    assert own(np.array([1, 2]), np.array([3, 4])) == 5
    assert (own.name, own.direction) == ("<lambda>", None)
    wrapped = metrics.get(losses.huber)
    assert (wrapped.name, wrapped.direction, metrics.get(metrics.binary_accuracy).direction) == ("huber", "down", "up")
    assert wrapped([[1.0]], [[2.0]]) == 0.5
    cosine = metrics.get("cosine_similarity")
    assert cosine([[1.0, 0.0]], [[2.0, 0.0]]) == 1
    assert metrics.SparseCategoricalCrossentropy(ignore_class=-1)([0, -1], [[0.5, 0.5], [0.9, 0.1]]) == pytest.approx(np.log(2))
    assert metrics.SparseCategoricalCrossentropy(ignore_class=-1)([0, -1, 1], np.full((3, 2), 0.5), [1, 1, 0]) == pytest.approx(np.log(2))


def test_predictions_and_targets_at_the_ends():
    y, p = np.array([0, 1, 0, 1]), np.array([0.25, np.nan, 0.75, 1.0])
    assert (metrics.Precision()(y, p), metrics.Recall()(y, p), metrics.FalseNegatives()(y, p)) == (0.5, 0.5, 1)       # what is not a number is not positive
    assert metrics.AUC()(y[[0, 2, 3]], p[[0, 2, 3]] + [-1, 0.5, 1]) == metrics.AUC()(y[[0, 2, 3]], [0, 1.0, 1.0]) == 0.75       # clipped
    score = metrics.F1Score("micro")
    score.update_state([[1, 0], [0, 1]], [[0, 0], [0, 1]])                                      # of two zeros none is the largest
    assert (score.true_positives, score.false_positives, score.false_negatives) == (1, 0, 1)
    assert metrics.R2Score()([[2.0], [2.0]], [[2.0], [3.0]]) == 0                               # as in Keras, not minus infinity


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: metrics.get("f1", np.zeros(3), (3, 2)), ValueError, "metrics: expected names from accuracy, acc, binary_accuracy, .*received 'f1'"),
    (lambda: metrics.get("accuracy"), ValueError, "y: expected targets, which 'accuracy' depends on, received None"),
    (lambda: metrics.check(metrics.Mean()), TypeError, "metrics: expected metrics of targets and predictions, received Mean"),
    (lambda: build("last")[0].compile("sgd", "mse", metrics=[metrics.Sum]), TypeError, "metrics: expected metrics of targets and predictions"),
    (lambda: metrics.MeanMetricWrapper("elephant"), TypeError, "fn: expected a function of"),
    (lambda: metrics.MeanMetricWrapper("huber", gamma=1), TypeError, "gamma"),
    (lambda: metrics.MeanMetricWrapper(np.hypot).get_config(), ValueError, "metric: expected one of the functions binary_accuracy, .* which a file can name"),
    (lambda: metrics.AUC(curve="lift"), ValueError, "curve: expected one of ROC, PR, received 'lift'"),
    (lambda: metrics.AUC(num_labels=2), ValueError, "num_labels: expected None without multi_label=True, received 2"),
    (lambda: metrics.AUC(multi_label=True, num_labels=2)(np.ones((2, 3)), np.ones((2, 3))), ValueError, "num_labels: expected the 3 outputs, received 2"),
    (lambda: metrics.AUC(multi_label=True)(np.ones(2), np.ones(2)), ValueError, r"y_pred: expected shape \(B, C\) with multi_label=True, received \(2,\)"),
    (lambda: metrics.AUC(label_weights=[1, 2])(np.ones((2, 3)), np.ones((2, 3))), ValueError, "label_weights: expected one for each of the 3 outputs"),
    (lambda: metrics.Precision(1.5), ValueError, "thresholds: expected 0 to 1, received 1.5"),
    (lambda: metrics.Precision([]), ValueError, "thresholds: expected at least one, received none"),
    (lambda: metrics.Precision(top_k=4)(np.ones((2, 3)), np.ones((2, 3))), ValueError, "top_k: expected at most the 3 outputs, received 4"),
    (lambda: metrics.Recall(class_id=3)(np.ones((2, 3)), np.ones((2, 3))), ValueError, r"class_id: expected below the number of outputs, received 3"),
    (lambda: metrics.Recall()(LABELS, np.ones((11, 4))), ValueError, r"y_true: expected the shape of y_pred \(11, 4\), received \(11,\)"),
    (lambda: metrics.F1Score()(np.ones(2), np.ones(2)), ValueError, r"y_pred: expected shape \(B, C\), received \(2,\)"),
    (lambda: metrics.FBetaScore(beta=0), ValueError, "beta: expected above 0, received 0"),
    (lambda: metrics.F1Score("mean"), ValueError, "average: expected one of micro, macro, weighted, or None; received 'mean'"),
    (lambda: metrics.SparseCategoricalAccuracy()(np.ones((2, 3)), np.ones((2, 3))), ValueError, r"y_true: expected labels of shape \(2,\), received \(2, 3\)"),
    (lambda: metrics.sparse_top_k_categorical_accuracy([5], [[1.0, 2.0]], 1), ValueError, "y_true: expected labels from 0 to 1, received others"),
    (lambda: metrics.BinaryAccuracy()(["a"], [1.0]), TypeError, "y_true: expected numbers, received dtype <U1"),
    (lambda: metrics.MeanSquaredError()([[1.0]], [[1.0, 2.0]]), ValueError, r"y_true: expected shape \(1, 2\)"),
    (lambda: metrics.get(lambda y, p: None)([1], [1]), TypeError, "metric <lambda>: expected numbers, received None"),
])
def test_wrong_metrics(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_few_values_for_the_regressors():
    metric = metrics.R2Score(num_regressors=5)
    metric.update_state(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    with pytest.warns(UserWarning, match="R2Score: 3 values are too few for 5 regressors; the score is not adjusted"):
        assert metric.result() == pytest.approx(1 - 3 / 14)
