"""lstmc.sklearn: scikit-learn's own checks, its tools around the estimators, every kind of X, and equal bits."""

import doctest
import importlib
import pickle
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, check_sample_weight_equivalence_on_dense_data

import lstmc
from conftest import assert_same_bits
from lstmc import layers
from lstmc.sklearn import GRUClassifier, GRURegressor, LSTMClassifier, LSTMRegressor
from processes import printed

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

# scikit-learn's checks that cannot pass, and why.
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data":
        "a sample of weight 2 is one sample of its batch, two samples may be in two; the check passes where a batch holds all (float64)",
}
EXAMPLE = Path(__file__).parents[1] / "examples" / "sklearn_pipeline.py"
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


# scikit-learn's own -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
def test_scikit_learns_checks(kind):
    model = kind(8, learning_rate_init=0.05, max_iter=30)
    found = check_estimator(model, expected_failed_checks=EXPECTED_FAILED_CHECKS, on_skip=None)
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == set(EXPECTED_FAILED_CHECKS)
    assert sum(one["status"] == "passed" for one in found) > 50


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
def test_weights_are_repetitions_where_a_batch_holds_all_samples(kind):
    check_sample_weight_equivalence_on_dense_data(kind.__name__, quick(kind, dtype="float64", batch_size=500))


def test_in_a_pipeline_with_cross_validation_and_a_search():
    X = X3[:, :, 0]
    model = make_pipeline(StandardScaler(), quick(LSTMClassifier, max_iter=40))
    scores = cross_val_score(model, X, LABELS, cv=3)
    assert scores.mean() > 0.8
    grid = {"lstmclassifier__units": [2, 4], "lstmclassifier__num_layers": [1, 2]}
    search = GridSearchCV(clone(model).set_params(lstmclassifier__max_iter=3), grid, cv=2).fit(X, LABELS)
    assert search.best_params_.keys() == grid.keys()
    assert search.best_estimator_.n_features_in_ == 7
    assert search.predict(X).shape == (60,)
    with parallel_config("threading", n_jobs=2):
        again = clone(search).fit(X, LABELS)
    assert np.array_equal(again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    assert_same_model(again.best_estimator_[-1], search.best_estimator_[-1])


def test_cross_validation_of_lists():
    y = [len(x) for x in RAGGED]
    assert cross_val_score(quick(GRURegressor, max_iter=60), RAGGED, y, cv=3).mean() > 0.5


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


# Randomness and copies --------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [LSTMClassifier, GRURegressor])
def test_one_seed_gives_one_model_on_any_number_of_threads(kind):
    settings = {"units": 40, "num_layers": 2, "bidirectional": True, "dropout": 0.2, "recurrent_dropout": 0.1, "early_stopping": True, "max_iter": 2}
    found = []
    for threads in (1, 2, 3):
        with lstmc.threads(threads):
            found.append(quick(kind, **settings).fit(RAGGED, y_of(kind)))
    for model in found[1:]:
        assert_same_model(model, found[0])
        assert model.validation_scores_ == found[0].validation_scores_


def test_random_state():
    def trained(state, **more):
        return quick(LSTMClassifier, dropout=0.2, random_state=state, **more).fit(X3, LABELS)

    assert_same_model(trained(1), trained(np.random.RandomState(1)))
    assert trained(1).loss_ != trained(2).loss_
    state = np.random.RandomState(1)
    assert trained(state).loss_ != trained(state).loss_
    assert trained(None).loss_ != trained(None).loss_
    assert trained(1).loss_ != trained(1, shuffle=False).loss_


@pytest.mark.parametrize("kind", [LSTMClassifier, GRURegressor])
def test_a_pickle_predicts_and_goes_on_as_the_original(kind):
    model = quick(kind, num_layers=2, dropout=0.2, bidirectional=True).fit(RAGGED, y_of(kind))
    other = pickle.loads(pickle.dumps(model))
    assert_same_bits(output(other, RAGGED), output(model, RAGGED))
    before = output(model, RAGGED)
    other.partial_fit(RAGGED, y_of(kind))
    assert_same_bits(output(model, RAGGED), before)
    assert_same_model(model.partial_fit(RAGGED, y_of(kind)), other)
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(RAGGED)


def test_the_model_inside_can_be_saved(tmp_path):
    model = quick(LSTMClassifier).fit(X3, LABELS)
    model.model_.save(tmp_path / "model.safetensors")
    again = lstmc.load(tmp_path / "model.safetensors")
    assert_same_bits(again.predict(X3, verbose=0), model.predict_proba(X3))


# Training that goes on, and that ends -----------------------------------------------------------------------

@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
def test_passes_one_by_one_are_one_training(kind):
    y, settings = y_of(kind), {"num_layers": 2, "dropout": 0.2, "recurrent_dropout": 0.2}
    whole = quick(kind, **settings).fit(X3, y)
    warm, parts = quick(kind, max_iter=1, warm_start=True, **settings), quick(kind, **settings)
    for _ in range(3):
        warm.fit(X3, y)
        parts.partial_fit(X3, y, **{"classes": ["up", "down"]} if kind in CLASSIFIERS else {})
    for model in (warm, parts):
        assert_same_model(model, whole)
        assert model.loss_curve_ == whole.loss_curve_
        assert model.n_iter_ == 1
    assert (len(whole.loss_curve_), whole.n_iter_) == (3, 3)
    assert warm.set_params(warm_start=False).fit(X3, y).loss_curve_ == whole.loss_curve_[:1]


def test_partial_fit_knows_the_classes_from_its_first_call():
    model = quick(LSTMClassifier, class_weight={"up": 2.0, "other": 5.0})
    with pytest.raises(ValueError, match="classes: expected all labels in the first call"):
        model.partial_fit(X3, LABELS)
    up = LABELS == "up"
    model.partial_fit(X3[up], LABELS[up], classes=["up", "other", "down"]).partial_fit(X3[~up], LABELS[~up])
    assert model.predict_proba(X3).shape == (60, 3)
    with pytest.raises(ValueError, match=r"y: expected labels among \['down', 'other', 'up'\], received \['left'\]"):
        model.partial_fit(X3[:1], ["left"])
    with pytest.raises(ValueError, match=r"classes: expected .* as in the first call"):
        model.partial_fit(X3, LABELS, classes=["up", "down"])
    with pytest.raises(ValueError, match="class_weight: expected a dict or None for partial_fit"):
        quick(LSTMClassifier, class_weight="balanced").partial_fit(X3, LABELS, classes=["up", "down"])
    with pytest.raises(ValueError, match="early_stopping: expected False for partial_fit"):
        quick(LSTMRegressor, early_stopping=True).partial_fit(X3, Y2)
    with pytest.raises(ValueError, match=r"y: expected shape \(N, 2\)"):
        quick(LSTMRegressor).partial_fit(X3, Y2).partial_fit(X3, Y2[:, 0])


def test_what_may_change_where_training_goes_on():
    model = quick(LSTMClassifier, warm_start=True).fit(X3, LABELS)
    before = model.model_.get_weights()
    model.set_params(learning_rate_init=1e-30, batch_size=7).fit(X3, LABELS)
    for w, v in zip(model.model_.get_weights(), before, strict=True):
        assert_same_bits(w, v)
    for changed in ({"units": 5}, {"solver": "sgd"}, {"dtype": "float64"}):
        with pytest.raises(ValueError, match=f"{next(iter(changed))}: expected .* as in the training that goes on here"):
            pickle.loads(pickle.dumps(model)).set_params(**changed).fit(X3, LABELS)


@pytest.mark.parametrize("kind", [LSTMClassifier, GRURegressor])
def test_early_stopping_ends_with_the_best_weights(kind):
    y = y_of(kind)
    model = quick(kind, max_iter=200, learning_rate_init=0.1, early_stopping=True, validation_fraction=0.3, n_iter_no_change=4, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X3, y)
    scores = model.validation_scores_
    assert len(scores) == len(model.loss_curve_) == model.n_iter_ < 200
    assert model.best_validation_score_ == max(scores)
    assert model.best_loss_ is None
    assert max(scores[-5:]) < max(scores[:-5]) + 1e-4
    # Trained for as many epochs as the best score took, without the rest, it has the same weights.
    shorter = clone(model).set_params(max_iter=scores.index(max(scores)) + 1).fit(X3, y)
    assert shorter.validation_scores_ == scores[:len(shorter.validation_scores_)]
    assert_same_model(shorter, model)
    # A training that goes on without luck leaves the best there was.
    shorter.set_params(learning_rate_init=10.0, max_iter=2).fit(X3, y)
    assert max(shorter.validation_scores_[-2:]) <= max(scores) == shorter.best_validation_score_
    assert_same_model(shorter, model)


def test_training_ends_when_the_loss_stays():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(LSTMRegressor, max_iter=50, tol=10.0, n_iter_no_change=3).fit(X3, Y2)
    assert model.n_iter_ == 5       # the first, and more than three that are not better by 10
    assert model.validation_scores_ is None
    assert model.best_loss_ == min(model.loss_curve_)
    with pytest.warns(ConvergenceWarning, match="max_iter=4"):
        model.set_params(max_iter=4).fit(X3, Y2)


def test_what_verbose_prints(capsys):
    quick(LSTMClassifier).fit(X3, LABELS)
    assert capsys.readouterr().out == ""
    model = quick(LSTMClassifier, verbose=True, early_stopping=True, max_iter=50, n_iter_no_change=1, tol=2.0).fit(X3, LABELS)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [*(f"Iteration {n}, loss = {loss:.8f}, validation score = {score:.6f}"
                       for n, (loss, score) in enumerate(zip(model.loss_curve_, model.validation_scores_, strict=True), 1)),
                     "Validation score did not improve more than tol=2.0 for 1 consecutive epochs. Stopping."]


# Errors -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("changed", "error"), [
    ({"units": 0}, ValueError), ({"units": "many"}, TypeError), ({"num_layers": 0}, ValueError), ({"dropout": 1.0}, ValueError),
    ({"recurrent_dropout": -0.1}, ValueError), ({"bidirectional": "yes"}, TypeError), ({"solver": "lbfgs"}, ValueError),
    ({"learning_rate_init": 0}, ValueError), ({"learning_rate_init": "fast"}, TypeError), ({"solver": "sgd", "momentum": 1.0}, ValueError),
    ({"weight_decay": -1}, ValueError), ({"global_clipnorm": 0}, ValueError), ({"batch_size": 0}, ValueError), ({"max_iter": 0}, ValueError),
    ({"shuffle": "no"}, TypeError), ({"early_stopping": "no"}, TypeError), ({"early_stopping": True, "validation_fraction": 1}, ValueError),
    ({"early_stopping": True, "validation_fraction": 0.01}, ValueError), ({"tol": "small"}, TypeError), ({"n_iter_no_change": 0}, ValueError),
    ({"dtype": "float16"}, ValueError), ({"random_state": "seed"}, ValueError), ({"loss": "poisson"}, ValueError), ({"warm_start": 1}, TypeError),
    ({"verbose": "loud"}, TypeError),
])
def test_a_wrong_parameter_is_named(changed, error):
    with pytest.raises(error, match=list(changed)[-1] if "random_state" not in changed else "seed"):
        quick(LSTMRegressor, **changed).fit(X3, Y2)


@pytest.mark.parametrize("solver", ["adam", "rmsprop", "sgd"])
def test_solvers(solver):
    one = quick(GRUClassifier, solver=solver, max_iter=10, weight_decay=0.01, global_clipnorm=None).fit(X3, LABELS)
    assert one.loss_curve_[-1] < one.loss_curve_[0]
    assert one.loss_ != quick(GRUClassifier, solver=solver, max_iter=10).fit(X3, LABELS).loss_


def test_large_values_are_reported():
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="the training loss has become"):
        quick(LSTMRegressor, dtype="float64").fit(X3, Y2 * 1e200)
    with pytest.raises(ValueError, match="y contains infinity or a value too large"):
        quick(LSTMRegressor).fit(X3, Y2 * 1e40)


# The package ------------------------------------------------------------------------------------------------

def test_scikit_learn_is_optional():
    found = printed("""
        import sys
        import lstmc
        assert not {name for name in sys.modules if name.partition(".")[0] in ("sklearn", "scipy", "joblib")}
        sys.modules["sklearn"] = None
        for way in ("lstmc.sklearn", "import lstmc.sklearn", "from lstmc import sklearn"):
            try:
                exec(way)
            except ImportError as error:
                print(error)
        assert all(hasattr(lstmc, name) for name in dir(lstmc))
    """)
    assert found.splitlines() == ['lstmc.sklearn needs scikit-learn 1.6 or later: pip install "lstmc[sklearn]"'] * 3
    with pytest.raises(AttributeError, match=r"module 'lstmc.sklearn' has no attribute 'elephant'"):
        lstmc.sklearn.elephant  # noqa: B018
    assert dir(lstmc.sklearn) == ["GRUClassifier", "GRURegressor", "LSTMClassifier", "LSTMRegressor"]


def test_the_docstrings_example():
    found = doctest.testmod(importlib.import_module(LSTMClassifier.__module__))
    assert found.attempted >= 6
    assert not found.failed


def test_the_example_runs(capsys):
    main = runpy.run_path(str(EXAMPLE))["main"]
    assert main(images=300, epochs=2) > 0.2
    assert "test accuracy" in capsys.readouterr().out


def test_scikit_learns_threadpoolctl_limits_the_threads():
    before = lstmc.get_num_threads()
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert lstmc.get_num_threads() == 1
    assert lstmc.get_num_threads() == before
