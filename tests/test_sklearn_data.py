"""What estimators learn from: every kind of X, labels, numbers and weights."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from conftest import assert_same_bits
from estimators import CLASSIFIERS, LABELS, RAGGED, REGRESSORS, X3, Y2, assert_same_model, output, quick, rng, y_of
from lstmc import layers
from lstmc.sklearn import LSTMClassifier, LSTMRegressor

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]


# Every kind of X --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
@pytest.mark.parametrize("more", [{}, {"bidirectional": True, "num_layers": 2, "dropout": 0.2}], ids=["plain", "stack"])
def test_a_sequence_alone_gets_the_bits_that_it_gets_in_company(kind, more):
    model = quick(kind, max_iter=2, **more).fit(RAGGED, y_of(kind))
    together = output(model, RAGGED)
    for i in (0, 5, 17, 59):
        assert_same_bits(output(model, [RAGGED[i]]), together[i:i + 1])
        assert_same_bits(output(model, RAGGED[i][None]), together[i:i + 1])
    assert_same_bits(output(model, RAGGED[::-1])[::-1], together)
    assert model.n_features_in_ == 3
    objects = np.empty(60, object)
    objects[:] = RAGGED
    assert_same_bits(output(model, objects), together)


def test_padding_is_told_from_any_data():
    """A model reads to the end of a sequence, whatever it ends with."""
    model = quick(LSTMClassifier).fit(RAGGED, LABELS)
    for tail in (0.0, 1.0, -1e30, np.finfo(np.float32).max):
        x = np.concatenate((RAGGED[0], np.full((2, 3), tail)))
        assert (model.predict_proba([x, X3[0]])[0] == model.predict_proba(x[None])[0]).all()
        assert (model.predict_proba([x]) != model.predict_proba([RAGGED[0]])).any()


def test_tables_are_sequences_of_one_feature():
    X, y = X3[:, :, 0], X3[:, -1, 0]
    table, array, sequences = (quick(LSTMRegressor).fit(x, y) for x in (X, X[:, :, None], list(X)))
    assert_same_model(table, array)
    assert_same_model(table, sequences)
    assert (table.n_features_in_, array.n_features_in_, sequences.n_features_in_) == (7, 1, 1)
    assert_same_model(table, quick(LSTMRegressor).fit(X.tolist(), y.tolist()))
    for model in (array, sequences):        # any number of steps, if that of features is right
        assert_same_bits(model.predict(X[:, :4]), model.predict([x[:4] for x in X]))
    for x in (X[:, :4], X[:, :4, None], X[:, :4].tolist()):
        with pytest.raises(ValueError, match="4 features, but LSTMRegressor is expecting 7 features"):
            table.predict(x)
    assert_same_bits(table.predict(list(X)), table.predict(X))
    with pytest.raises(ValueError, match="X: expected 7 steps in each sequence"):
        table.predict([X[0], X[1, :4]])


@pytest.mark.parametrize(("X", "error", "message"), [
    ([], ValueError, "Expected 2D array, got 1D array"),
    (np.array([], object), ValueError, "X: expected at least one sequence, received none"),
    ([[1.0], [1.0, 2.0], []], ValueError, r"X\[2\]: expected a sequence .* received shape \(0,\)"),
    ([np.zeros((2, 3)), np.zeros((4, 2))], ValueError, r"X\[1\]: expected 3 features per step, as X\[0\] has, received 2"),
    ([np.zeros(3), np.array([1, np.nan])], ValueError, r"X\[1\]: expected finite values, received NaN"),
    ([np.zeros(3), np.array([1e39])], ValueError, r"X\[1\]: .* too large for float32"),
    ([np.zeros(3), np.array(["a"])], TypeError, r"X\[1\]: expected real numbers, received dtype <U1"),
    ([np.zeros(3), np.array([1j])], TypeError, r"X\[1\]: expected real numbers, received dtype complex128"),
    ([[[1.0], [2.0]], [[1.0, 2.0], [3.0]]], ValueError, "inhomogeneous"),
    ([np.zeros(3), [[1.0, 2.0], [3.0]]], ValueError, r"X\[1\]: expected a sequence"),
    ([np.zeros((2, 3, 1)), np.zeros((4, 3, 1))], ValueError, r"X\[0\]: expected a sequence"),
    ([1.0, 2.0], ValueError, r"X\[0\]: expected a sequence .* received shape \(\)"),
    (np.zeros((2, 3, 4, 5)), ValueError, r"X: expected shape \(N, T\) or \(N, T, F\) .* received \(2, 3, 4, 5\)"),
    (np.zeros((2, 0, 4)), ValueError, r"X: expected shape .* received \(2, 0, 4\)"),
    (np.full((2, 3, 4), np.inf), ValueError, "X contains infinity"),
    (np.full((2, 3), 1e39), ValueError, "X contains infinity or a value too large"),
    (np.zeros((2, 3, 2)), ValueError, "X has 2 features per step, but LSTMRegressor is expecting 3 features per step"),
    (np.ma.masked_equal(np.eye(3), 1), ValueError, "X: expected no masked values, .* received 3 of 9"),
    (np.zeros((2, 7)), ValueError, "X has 1 features per step"),
])
def test_what_is_no_sequence(X, error, message):
    model = quick(LSTMRegressor, max_iter=1).fit(X3, Y2)
    with pytest.raises(error, match=message):
        model.predict(X)


def test_no_mask_is_dropped():
    """scikit-learn's own estimators take what is under a mask."""
    hidden = np.ma.masked_equal(np.arange(len(X3)), 1)
    for y, more, name in ((hidden, {}, "y"), (Y2, {"sample_weight": hidden}, "sample_weight")):
        with pytest.raises(ValueError, match=f"^{name}: expected no masked values"):
            quick(LSTMRegressor).fit(X3, y, **more)


# y and weights ----------------------------------------------------------------------------------------------

def test_labels_and_probabilities():
    for y in (LABELS, LABELS.astype(object), LABELS == "up", X3[:, :, 0].argmax(1) % 4):
        model = quick(LSTMClassifier).fit(X3, y)
        classes = np.unique(y)
        assert model.classes_.tolist() == classes.tolist()
        p = model.predict_proba(X3)
        assert p.shape == (60, len(classes))
        assert np.allclose(p.sum(1), 1)
        assert (model.predict(X3) == classes[p.argmax(1)]).all()
        assert np.array_equal(model.predict_log_proba(X3), np.log(p))
        assert model.score(X3, y) == accuracy_score(y, model.predict(X3))


@pytest.mark.parametrize("kind", REGRESSORS)
def test_shapes_of_numbers(kind):
    for y in (Y2, Y2[:, :1], Y2[:, 0]):
        model = quick(kind, max_iter=60).fit(X3, y)
        assert model.predict(X3).shape == y.shape
        assert model.predict(X3).dtype == np.float64
        assert model.n_outputs_ == (2 if y.shape == (60, 2) else 1)
        assert model.score(X3, y) == r2_score(y, model.predict(X3))
    assert model.score(X3, y) > 0.5
    assert quick(kind, loss="absolute_error").fit(X3, y).loss_ != quick(kind).fit(X3, y).loss_


def test_weights():
    w = rng.integers(1, 4, 60).astype(float)
    plain, ones, four = (quick(LSTMClassifier).fit(X3, LABELS, sample_weight=a) for a in (None, np.ones(60), np.full(60, 4.0)))
    assert_same_model(plain, ones)
    assert_same_model(plain, four)
    weighted = quick(LSTMClassifier).fit(X3, LABELS, w)
    assert (weighted.predict_proba(X3) != plain.predict_proba(X3)).any()
    by_class = quick(LSTMClassifier, class_weight={"up": 4.0, "down": 1.0}).fit(X3, LABELS)
    assert_same_model(by_class, quick(LSTMClassifier).fit(X3, LABELS, np.where(LABELS == "up", 4.0, 1.0)))
    both = quick(LSTMClassifier, class_weight={"up": 4.0}).fit(X3, LABELS, w)
    assert_same_model(both, quick(LSTMClassifier).fit(X3, LABELS, w * np.where(LABELS == "up", 4.0, 1.0)))
    share = {str(name): 30 / n for name, n in zip(*np.unique(LABELS, return_counts=True), strict=True)}
    assert_same_model(quick(LSTMClassifier, class_weight="balanced").fit(X3, LABELS), quick(LSTMClassifier, class_weight=share).fit(X3, LABELS))
    for weight, received in ((0.0, "zeros alone"), (-1.0, "negative ones")):
        with pytest.raises(ValueError, match=f"class_weight: expected weights of at least 0, some of them above, received {received}"):
            quick(LSTMClassifier, class_weight=dict.fromkeys(("up", "down"), weight)).fit(X3, LABELS)
    for wrong in (np.zeros(60), -w, w[:-1], w[:, None]):
        with pytest.raises(ValueError, match=r"(?i)sample[ _.]weight"):
            plain.fit(X3, LABELS, wrong)


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
def test_the_network(kind):
    recurrent = [quick(kind, num_layers=2, max_iter=1).fit(X3, y_of(kind)), quick(kind, num_layers=2, max_iter=1, bidirectional=True).fit(X3, y_of(kind))]
    recurrent = [[layer for layer in model.model_.layers if hasattr(layer, "module")] for model in recurrent]
    want = layers.LSTM if kind in (LSTMClassifier, LSTMRegressor) else layers.GRU
    assert [type(layer) for layer in recurrent[0]] == [want, want]
    assert [type(layer.layer) for layer in recurrent[1]] == [want, want]
