"""How estimators are trained: equal bits from one seed, copies, training that goes on or ends early, and parameters that are wrong."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import lstmc
from conftest import assert_same_bits
from estimators import CLASSIFIERS, LABELS, RAGGED, REGRESSORS, X3, Y2, assert_same_model, output, quick, y_of
from lstmc.sklearn import GRUClassifier, GRURegressor, LSTMClassifier, LSTMRegressor, stopping

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]


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


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_ends_training_in_order(early_stopping, monkeypatch):
    told = []

    def say(text):
        told.append(text)
        if len(told) == ends:
            raise KeyboardInterrupt

    monkeypatch.setattr(stopping, "say", say)
    ends, settings = 3, {"max_iter": 9, "verbose": True, "early_stopping": early_stopping}
    model = quick(LSTMClassifier, **settings)
    with pytest.warns(UserWarning, match=r"^Training interrupted by user\.$") as warned:
        model.fit(X3, LABELS)
    assert len(warned) == 1
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert model.predict(X3).shape == LABELS.shape
    monkeypatch.setattr(LSTMClassifier, "_score", lambda *arguments: say("") or 0.0)
    model, ends = quick(LSTMClassifier, **settings), len(told) + 1
    if early_stopping:      # before the first score
        with pytest.raises(KeyboardInterrupt):
            model.fit(X3, LABELS)
        assert not hasattr(model, "model_")
