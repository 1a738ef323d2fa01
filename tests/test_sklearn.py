"""lstmc.sklearn: scikit-learn's own checks, its tools around the estimators, and the package."""

import doctest
import importlib
import runpy
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, check_sample_weight_equivalence_on_dense_data

import lstmc
from estimators import CLASSIFIERS, LABELS, RAGGED, REGRESSORS, X3, assert_same_model, quick
from lstmc.sklearn import GRURegressor, LSTMClassifier
from processes import printed

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

# scikit-learn's checks that cannot pass, and why.
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data":
        "a sample of weight 2 is one sample of its batch, two samples may be in two; the check passes where a batch holds all (float64)",
}
EXAMPLE = Path(__file__).parents[1] / "examples" / "sklearn_pipeline.py"


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
