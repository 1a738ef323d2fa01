"""Arrays whose shape, strides or dtype a caller sets in place: nothing that the package holds is bent by it."""

import warnings

import numpy as np
import pytest

from cases import Case
from conftest import assert_same_bits, module_of, named, numbers_of, state_in, train
from lstmc import layers, nn

CASE = Case(6, 5, 4, 9, L=2, D=2, P=3)
X = np.random.default_rng(0).standard_normal((4, 3, 6), dtype=np.float32)


def bend(a, how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")         # newer NumPy warns, and does it
        if how == "tall":
            a.shape = (a.size, 1)
        elif how == "wide":
            a.shape = (1, a.size)
        elif how == "flat":
            a.shape = (a.size,)
        elif how == "strides":
            a.strides = (0,) * a.ndim
        elif how == "dtype":
            a.dtype = np.int16
        else:
            a.flags.writeable = False


HOWS = ["tall", "wide", "flat", "strides", "dtype", "read-only"]


@pytest.mark.parametrize("get", [
    lambda m: m.state_dict().values(),
    lambda m: m.parameters(),
    lambda m: dict(m.named_parameters()).values(),
    lambda m: [w.base for w in m.parameters()],
], ids=["state_dict", "parameters", "named_parameters", "base"])
@pytest.mark.parametrize("how", HOWS)
def test_parameters(get, how):
    n, m, other = numbers_of(CASE), module_of(CASE), module_of(CASE, params=module_of(CASE).state_dict())
    want, shapes = train(m, n), {name: w.shape for name, w in m.state_dict().items()}
    for w in list(get(m)):
        bend(w, how)
        assert_same_bits(train(m, n), want)
    assert {name: w.shape for name, w in m.state_dict().items()} == shapes
    m.load_state_dict({name: 2 * w for name, w in m.state_dict().items()})
    for w in other.parameters():
        w *= 2
    assert_same_bits(train(m, n), train(other, n))
    assert_same_bits(m.state_dict(), other.state_dict())


def test_a_lent_array_is_still_the_modules():
    m = nn.LSTM(6, 8, seed=0)
    a, b = m.state_dict()["weight_hh_l0"], m.state_dict()["weight_hh_l0"]
    bend(a, "tall")
    before = m(X)[0]
    a[0] = 3
    assert b[0, 0] == 3
    assert not np.array_equal(m(X)[0], before)


@pytest.mark.parametrize("make", [lambda: layers.LSTM(4, seed=1), lambda: layers.Bidirectional(layers.LSTM(4, seed=1)), lambda: layers.Dense(4, seed=1)],
                         ids=["LSTM", "Bidirectional", "Dense"])
@pytest.mark.parametrize("get", [lambda layer: layer.weights, lambda layer: [v.array for v in layer.variables]], ids=["weights", "variables"])
@pytest.mark.parametrize("how", HOWS)
def test_weights_of_layers(make, get, how):
    layer = make()
    want, weights = layer(X), [w.copy() for w in (layer(X), *layer.get_weights())][1:]
    for w in get(layer):
        bend(w, how)
        assert_same_bits(layer(X), want)
    for w, before in zip(layer.get_weights(), weights, strict=True):
        assert_same_bits(w, before)
    layer.set_weights(weights)
    get(layer)[0][...] = 1
    assert not np.array_equal(layer(X), want)


@pytest.mark.parametrize("how", ["tall", "wide", "strides", "dtype"])
@pytest.mark.parametrize("every", [None, 2])
def test_x_between_forward_and_backward(how, every):
    """x may not be written then, but its shape is not the tape's."""
    n, m = numbers_of(CASE), module_of(CASE)
    x, state = n["x"].copy(), state_in(n)
    y, final, tape = m.forward(x, state, n["lengths"], checkpoint_every=every)
    bend(x, how)
    assert_same_bits(named(y, final, m.backward(tape, n["dy"], state_in(n, "d{}_n"))), train(m, n, how={"checkpoint_every": every}))


@pytest.mark.parametrize("every", [None, 2])
def test_the_initial_state_may_be_written_after_forward(every):
    n, m = numbers_of(CASE), module_of(CASE)
    state = tuple(s.copy() for s in state_in(n))
    y, final, tape = m.forward(n["x"], state, n["lengths"], checkpoint_every=every)
    for s in state:
        s[...] = np.nan
        bend(s, "tall")
    assert_same_bits(named(y, final, m.backward(tape, n["dy"], state_in(n, "d{}_n"))), train(m, n, how={"checkpoint_every": every}))
