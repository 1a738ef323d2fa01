"""Dropout between layers: masks, repeatability, and the gradient through it."""

import numpy as np
import pytest

from cases import Case
from conftest import DTYPES, assert_same_bits, module_of, named, numbers_of, train
from lstmc import nn
from lstmc.kernels import random
from lstmc.nn.dropout import keep_mask, layer_mask
from lstmc.reference import random as reference_random

DROPOUT = Case(5, 4, 3, 7, L=3, D=2)


def test_dropout_masks_are_those_of_the_law():
    for dtype in DTYPES:
        assert_same_bits(keep_mask(0.3, (7, 3, 11), np.dtype(dtype), 5, 9, 2),
                         reference_random.keep_mask(0.3, (7, 3, 11), dtype, 5, 9, 2, random.Purpose.DROPOUT))


@pytest.mark.parametrize("shape", [(6,), (6, 5), (6, 4, 5), (6, 4, 5, 3), (0, 4, 5), (6, 0, 5), (6, 4, 0), (6, 0, 2, 3)])
def test_the_mask_of_a_dropout_layer(shape):
    """Sequences come first, times second where there are three axes, and everything else is units."""
    T = shape[1] if len(shape) == 3 else 1
    units = int(np.prod(shape[2:] if len(shape) == 3 else shape[1:]))
    want = reference_random.keep_mask(0.3, (T, shape[0], units), "float32", 5, 9, 0, random.Purpose.LAYER)
    assert_same_bits(layer_mask(0.3, shape, np.dtype(np.float32), 5, 9), want.transpose(1, 0, 2).reshape(shape))


def test_the_mask_of_a_sequence_does_not_depend_on_the_others():
    n = numbers_of(DROPOUT, "float32")
    m = module_of(DROPOUT, "float32", dropout=0.4)
    whole = m.forward(n["x"])[2].layers
    m.step = 0
    short = m.forward(n["x"][:3, :2])[2].layers
    for a, b in zip(whole[1:], short[1:], strict=True):
        assert_same_bits(np.ascontiguousarray(a.mask[:3, :2]), b.mask)


@pytest.mark.parametrize("beyond", [np.inf, np.nan, 3e38])
def test_what_is_past_the_end_disturbs_no_dropout(beyond):
    """Neither a result nor by a warning."""
    case = Case(7, 5, 4, 9, L=2, ragged=True)
    n, m = numbers_of(case, "float32"), module_of(case, "float32", dropout=0.4, input_dropout=0.4)
    want = train(m, n)
    x = n["x"].copy()
    x[np.arange(7)[:, None] >= n["lengths"]] = beyond
    m.step = 0
    assert_same_bits(train(m, n, x=x), want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout_acts_between_layers(dtype, isa):
    """The stack is its layers one by one with a mask between them, forward and backward, bit for bit."""
    n = numbers_of(DROPOUT, dtype)
    m = module_of(DROPOUT, dtype, dropout=0.4)
    m.step = 11
    got = train(m, n)
    layers, masks, tapes, x, want = [], [None], [], n["x"], {"h_n": [], "c_n": [], "dh0": [], "dc0": []}
    for k in range(3):
        layers.append(nn.LSTM(x.shape[2], 7, bidirectional=True, dtype=dtype))
        layers[k].load_state_dict({name.replace(f"l{k}", "l0"): w for name, w in n["params"].items() if f"l{k}" in name})
        if k:
            masks.append(keep_mask(0.4, x.shape, np.dtype(dtype), m.seed, 11, k))
            x = x * masks[k]
        x, state, tape = layers[k].forward(x, (n["h0"][2 * k:2 * k + 2], n["c0"][2 * k:2 * k + 2]))
        tapes.append(tape)
        want["h_n"].append(state[0])
        want["c_n"].append(state[1])
    want["y"], dy = x, n["dy"]
    for k in (2, 1, 0):
        grads = layers[k].backward(tapes[k], dy, (n["dh_n"][2 * k:2 * k + 2], n["dc_n"][2 * k:2 * k + 2]))
        dy = grads.x if k == 0 else grads.x * masks[k]
        want["dh0"].insert(0, grads.hx[0])
        want["dc0"].insert(0, grads.hx[1])
        want |= {f"d{name.replace('l0', f'l{k}')}": g for name, g in grads.params.items()}
    want["dx"] = dy
    assert_same_bits(got, {name: np.concatenate(a) if isinstance(a, list) else a for name, a in want.items()})


def test_dropout_repeats_by_seed_and_step_and_is_absent_in_inference(isa):
    n = numbers_of(DROPOUT)
    a, b = (module_of(DROPOUT, dropout=0.4) for _ in range(2))
    first, second = train(a, n), train(a, n)
    assert a.step == 2
    assert not np.array_equal(first["y"], second["y"])
    assert_same_bits(train(b, n), first)
    assert_same_bits(train(b, n, threads=3), second)
    a.step = 0
    assert_same_bits(train(a, n), first)
    b.seed += 1
    b.step = 0
    assert not np.array_equal(train(b, n)["y"], first["y"])
    plain = module_of(DROPOUT)
    before = a.step
    assert_same_bits(named(*a(n["x"])), named(*plain(n["x"])))
    assert a.step == before


def test_backward_through_dropout_by_central_differences(isa):
    n = numbers_of(DROPOUT)
    rng = np.random.default_rng(0)
    along = {name: rng.standard_normal(n[name].shape) for name in ("x", "h0", "c0")}
    along_params = {name: rng.standard_normal(w.shape) for name, w in n["params"].items()}

    def loss(step):
        params = {name: w + step * along_params[name] for name, w in n["params"].items()}
        m = module_of(DROPOUT, params=params, dropout=0.4)
        m.step = 4
        moved = {name: n[name] + step * v for name, v in along.items()}
        y, (h, c), _ = m.forward(moved["x"], (moved["h0"], moved["c0"]))
        return (n["dy"] * y).sum() + (n["dh_n"] * h).sum() + (n["dc_n"] * c).sum()

    m = module_of(DROPOUT, dropout=0.4)
    m.step = 4
    got = train(m, n)
    want = sum((got[f"d{name}"] * v).sum() for name, v in (along | along_params).items())
    e = 1e-3
    numeric = (8 * (loss(e) - loss(-e)) - (loss(2 * e) - loss(-2 * e))) / (12 * e)
    size = np.sqrt(sum((got[f"d{name}"] ** 2).sum() for name in along | along_params))
    assert abs(numeric - want) <= 1e-8 * size


def test_one_layer_warns_as_in_torch():
    with pytest.warns(UserWarning, match=r"dropout=0.5 has no effect with num_layers=1"):
        m = nn.LSTM(3, 4, dropout=0.5, seed=0)
    x = np.ones((5, 2, 3), np.float32)
    assert_same_bits(m.forward(x)[0], m(x)[0])
