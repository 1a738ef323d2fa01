"""Dropout between layers: masks, repeatability, and the gradient through it."""

import itertools

import numpy as np
import pytest

from cases import Case
from conftest import DTYPES, assert_same_bits, module_of, named, numbers_of, train
from lstmc import nn
from lstmc.nn.dropout import keep_mask


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_dropout_mask_statistics(p):
    mask = keep_mask(p, (50, 40, 100), np.dtype(np.float64), 3, 0, 1)
    kept = mask != 0
    assert np.all(mask[kept] == 1 / (1 - p))
    spread = np.sqrt(p * (1 - p))
    assert abs(kept.mean() - (1 - p)) < 5 * spread / np.sqrt(mask.size)
    # Neighbours along each axis are independent.
    centred = (kept - kept.mean()) / spread
    for axis in range(3):
        n = centred.shape[axis]
        product = np.take(centred, range(1, n), axis) * np.take(centred, range(n - 1), axis)
        assert abs(product.mean()) < 5 / np.sqrt(product.size)


def test_dropout_mask_is_a_function_of_seed_step_and_layer():
    shape, dtype = (7, 3, 11), np.dtype(np.float32)
    keys = list(itertools.product((0, 1, 2**63, 2**64 - 1), (0, 1, 2**40), (1, 2)))
    masks = [keep_mask(0.5, shape, dtype, *key) for key in keys]
    for key, mask in zip(keys, masks, strict=True):
        assert_same_bits(keep_mask(0.5, shape, dtype, *key), mask)
    assert len({mask.tobytes() for mask in masks}) == len(keys)
    # A longer run starts with the same elements, in every dtype.
    assert np.array_equal(keep_mask(0.5, (9, 3, 11), np.dtype(np.float64), *keys[0])[:7], masks[0])


DROPOUT = Case(5, 4, 3, 7, L=3, D=2)


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
