"""The names that people know from Keras: what is shown, and what is said about those that are not there."""

import importlib
import pydoc
import re

import numpy as np
import pytest

import lstmc
from lstmc import names
from lstmc.layers import Activation, Dense
from processes import printed

NAMESPACES = ("activations", "callbacks", "initializers", "datasets", "layers", "losses", "metrics", "models", "nn", "optimizers", "optimizers.schedules",
              "regularizers", "utils")


@pytest.mark.parametrize("where", ["", *NAMESPACES])
def test_dir_shows_public_names_that_exist(where):
    module = importlib.import_module(f"lstmc.{where}" if where else "lstmc")
    shown = dir(module)
    assert set(module.__all__) <= set(shown)
    assert all(not name.startswith("_") or name == "__version__" for name in shown)
    for name in shown:
        assert getattr(module, name) is not None
    assert not {"np", "math", "names", "checks"} & set(shown)


def test_what_is_missing_names_an_alternative():
    for where, missing, instead in names.MISSING:
        if where == "nn.Module":
            has, what = lstmc.nn.LSTM(2, 2), "'LSTM' object"
        else:
            has = importlib.import_module(f"lstmc.{where}" if where else "lstmc")
            what = f"module {has.__name__!r}"
        for name in missing.split():
            with pytest.raises(AttributeError) as error:
                getattr(has, name)
            assert str(error.value) == f"{what} has no attribute {name!r}; {instead}"
    with pytest.raises(AttributeError, match=r"^module 'lstmc.layers' has no attribute 'LSTN'$"):
        lstmc.layers.LSTN   # noqa: B018


@pytest.mark.once
def test_torch_is_optional():
    found = printed("""
        import sys
        import lstmc
        assert not {name for name in sys.modules if name.partition(".")[0] == "torch"}
        sys.modules["torch"] = None
        for way in ("lstmc.torch", "import lstmc.torch", "from lstmc import torch"):
            try:
                exec(way)
            except ImportError as error:
                print(error)
        assert "torch" not in dir(lstmc)
    """)
    assert found.splitlines() == ['lstmc.torch needs PyTorch: pip install "lstmc[torch]"'] * 3


def test_the_names_of_models():
    assert lstmc.models.Sequential is lstmc.Sequential
    assert lstmc.models.load_model is lstmc.load
    assert lstmc.Input is lstmc.layers.Input
    assert lstmc.utils.set_random_seed is lstmc.training.set_random_seed


# What Keras 3.15 gives at X.
X = np.array([-3.5, -2.0, -0.75, -1e-3, 0.0, 0.5, 2.0, 4.0])
KERAS = {
    "elu": [-0.9698026165776815, -0.8646647167633873, -0.5276334472589853, -0.0009995001666250082, 0, 0.5, 2, 4],
    "exponential": [0.0301973834223185, 0.1353352832366127, 0.4723665527410147, 0.999000499833375, 1, 1.6487212707001282, 7.38905609893065,
                    54.598150033144236],
    "hard_sigmoid": [0, 1 / 6, 0.375, 0.49983333333333335, 0.5, 0.5833333333333333, 0.8333333333333333, 1],
    "leaky_relu": [-0.7, -0.4, -0.15, -0.0002, 0, 0.5, 2, 4],
    "linear": X,
    "relu": [0, 0, 0, 0, 0, 0.5, 2, 4],
    "sigmoid": [0.02931223075135632, 0.11920292202211755, 0.320821300824607, 0.4997500000208333, 0.5, 0.6224593312018546, 0.8807970779778823,
                0.9820137900379085],
    "softmax": np.exp(X) / np.exp(X).sum(),
    "softsign": [-7 / 9, -2 / 3, -3 / 7, -0.0009990009990009992, 0, 1 / 3, 2 / 3, 0.8],
    "tanh": np.tanh(X),
}


@pytest.mark.parametrize("name", KERAS)
def test_activations(name):
    function = getattr(lstmc.activations, name)
    for dtype, tolerance in (("float32", 3e-7), ("float64", 1e-14)):
        y = function(X.astype(dtype))
        assert y.dtype == dtype
        assert np.allclose(y, KERAS[name], tolerance, 1e-18)
    assert function([1, 2]).dtype == np.float32
    assert lstmc.activations.get(name) is function
    assert Activation(function).activation is Activation(name).activation
    assert Dense(2, activation=function).get_config()["activation"] == name


def test_arguments_of_activations():
    f = lstmc.activations
    assert np.array_equal(f.relu(X, negative_slope=0.5, max_value=3.0, threshold=1.0), [-2.25, -1.5, -0.875, -0.5005, -0.5, -0.25, 2, 3])
    assert np.allclose(f.elu(X, alpha=2.0)[:4], 2 * np.expm1(X[:4]), 1e-15)
    assert np.allclose(f.softmax(np.ones((2, 4)), axis=0), 0.5)
    assert f.get(None) is f.linear
    assert f.get(np.sin) is np.sin
    with pytest.raises(ValueError, match="identifier: expected one of linear, relu"):
        f.get("glu")
    with pytest.raises(ValueError, match=r"axis: expected -1 to 0, received 1"):
        f.softmax(X, axis=1)
    for function in (f.relu, f.elu, f.tanh, f.hard_sigmoid):
        assert np.isnan(function([np.nan])).all()


def test_help_and_dir_of_a_module_do_not_offer_what_it_has_not():
    assert "cuda" not in dir(lstmc.nn.GRU(1, 1))
    assert re.search(r"cuda\n +\| +Not here: modules compute on the CPU\.", pydoc.render_doc(lstmc.nn.GRU, renderer=pydoc.plaintext))
