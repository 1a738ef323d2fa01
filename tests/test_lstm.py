"""nn.LSTM: results and gradients against the reference, and everything its face promises about arguments and weights."""

import itertools

import numpy as np
import pytest

from cases import Case
from conftest import CASES, DTYPES, ISAS, TOLERANCE, assert_close, assert_same_bits, expected_of, module_of, named, numbers_of, train
from lstmc import build_info, nn
from lstmc.nn.dropout import keep_mask

ARGUMENTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")
STACK = Case(6, 5, 4, 9, L=2, D=2, P=3, ragged=True)


def case_id(case):
    return case.id


# Against the law ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_results_and_gradients(case, dtype, isa):
    n = numbers_of(case, dtype)
    m = module_of(case, dtype)
    results = train(m, n)
    assert all(a.dtype == dtype for a in results.values())
    assert_close(results, expected_of(case, dtype), TOLERANCE[dtype])
    inference = named(*m(n["x"], (n["h0"], n["c0"]), n["lengths"]))
    assert_same_bits(inference, {name: results[name] for name in inference})


def test_forward_without_train_is_a_call(isa):
    n, m = numbers_of(STACK), module_of(STACK)
    y, state, tape = m.forward(n["x"], None, n["lengths"], train=False)
    assert tape is None
    assert m.step == 0
    assert_same_bits(named(y, state), named(*m(n["x"], None, n["lengths"])))


def test_nothing_is_written_past_a_length(isa):
    n, m = numbers_of(STACK), module_of(STACK)
    results = train(m, n)
    for b, length in enumerate(n["lengths"]):
        for name in ("y", "dx"):
            past = results[name][length:, b]
            assert past.tobytes() == np.zeros_like(past).tobytes()
    empty = int(np.flatnonzero(n["lengths"] == 0)[0])
    for got, want in (("h_n", "h0"), ("c_n", "c0"), ("dh0", "dh_n"), ("dc0", "dc_n")):
        assert_same_bits(results[got][:, empty].copy(), n[want][:, empty].copy())


@pytest.mark.parametrize(("case", "lengths"), [
    (Case(0, 3, 5, 7, L=2, D=2, P=3), None),
    (Case(0, 3, 5, 7), [0, 0, 0]),
    (Case(4, 0, 5, 7, D=2), None),
    (Case(4, 0, 5, 7), []),
    (Case(0, 0, 5, 7), None),
    (Case(5, 3, 4, 9, D=2, P=2), [0, 0, 0]),
], ids=str)
def test_empty_runs_return_the_initial_state_and_zero_gradients(case, lengths, isa):
    n = numbers_of(case)
    results = train(module_of(case), n, lengths=lengths)
    assert not results["y"].any()
    assert results["y"].shape == (case.T, case.B, case.D * case.R)
    for got, want in (("h_n", "h0"), ("c_n", "c0"), ("dh0", "dh_n"), ("dc0", "dc_n")):
        assert_same_bits(results[got], n[want])
    assert not results["dx"].any()
    assert not any(results[f"d{name}"].any() for name in n["params"])


# Layouts of a call ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", [Case(5, 3, 4, 9, L=2, D=2, P=2), Case(5, 3, 4, 9, ragged=True), Case(4, 0, 3, 2)], ids=case_id)
def test_batch_first(case, isa):
    n = numbers_of(case)
    want = train(module_of(case), n)
    got = train(module_of(case, batch_first=True), n, x=n["x"].swapaxes(0, 1), dy=n["dy"].swapaxes(0, 1))
    for name in ("y", "dx"):
        assert got[name].flags.c_contiguous
        got[name] = np.ascontiguousarray(got[name].swapaxes(0, 1))
    assert_same_bits(got, want)


@pytest.mark.parametrize("batch_first", [False, True])
def test_unbatched(batch_first, isa):
    case = Case(5, 1, 4, 9, L=2, D=2, P=2)
    n = numbers_of(case)
    want = train(module_of(case), n)
    one = {name: n[name][:, 0] for name in ARGUMENTS}
    got = train(module_of(case, batch_first=batch_first), n, **one)
    assert got["y"].shape == (5, 4)
    assert got["h_n"].shape == (4, 2)
    for name in ("y", "h_n", "c_n", "dx", "dh0", "dc0"):
        got[name] = got[name][:, None].copy()
    assert_same_bits(got, want)


@pytest.mark.parametrize("lengths", [3, [3], np.array(3), np.array([3], np.uint8)], ids=repr)
def test_unbatched_length(lengths, isa):
    case = Case(5, 1, 4, 9, D=2)
    n, m = numbers_of(case), module_of(case)
    y, state = m(n["x"][:, 0], lengths=lengths)
    want = named(*m(n["x"][:3, 0]))
    assert not y[3:].any()
    assert_same_bits(named(y[:3].copy(), state), want)


def test_absent_arguments_are_zeros(isa):
    n, m = numbers_of(STACK), module_of(STACK)
    zero = {name: np.zeros_like(n[name]) for name in ("h0", "c0", "dy", "dh_n", "dc_n")}
    want = train(m, n, **zero)
    y, state, tape = m.forward(n["x"], lengths=n["lengths"])
    assert_same_bits(named(y, state, m.backward(tape)), want)

    for present in itertools.product((False, True), repeat=3):
        given = {name: n[name] if has else None for name, has in zip(("dy", "dh_n", "dc_n"), present, strict=True)}
        full = {name: zero[name] if a is None else a for name, a in given.items()}
        want = train(m, n, **full)
        y, state, tape = m.forward(n["x"], (n["h0"], n["c0"]), n["lengths"])
        got = m.backward(tape, given["dy"], (given["dh_n"], given["dc_n"]))
        assert_same_bits(named(y, state, got), want)


@pytest.mark.parametrize("case", [STACK, Case(5, 3, 4, 9), Case(5, 3, 4, 9, D=2)], ids=case_id)
def test_without_dx(case, isa):
    n, m = numbers_of(case), module_of(case)
    want = train(m, n)
    y, state, tape = m.forward(n["x"], (n["h0"], n["c0"]), n["lengths"])
    grads = m.backward(tape, n["dy"], (n["dh_n"], n["dc_n"]), need_dx=False)
    assert grads.x is None
    del want["dx"]
    assert_same_bits(named(y, state, grads), want)


def test_gradients_are_structured_like_what_they_belong_to():
    n, m = numbers_of(STACK), module_of(STACK)
    _, state, tape = m.forward(n["x"], lengths=n["lengths"])
    grads = m.backward(tape, n["dy"])
    assert grads.x.shape == n["x"].shape
    assert isinstance(grads.hx, tuple)
    assert [g.shape for g in grads.hx] == [s.shape for s in state]
    assert {k: g.shape for k, g in grads.params.items()} == {k: w.shape for k, w in m.state_dict().items()}
    assert list(grads.params) == list(m.state_dict())


def test_python_numbers_are_taken():
    m = nn.LSTM(1, 2, seed=0)
    want = m(np.array([[1], [2], [-3]], np.float32))
    for x in ([[1], [2], [-3]], [[1.0], [2.0], [-3.0]], ((1,), (2,), (-3,))):
        assert_same_bits(named(*m(x)), named(*want))


# Any memory layout, never written ---------------------------------------------------------------------------

def _spread(a, step):
    big = np.full([n * s for n, s in zip(a.shape, step, strict=True)], np.nan if a.dtype.kind == "f" else 99, a.dtype)
    view = big[tuple(slice(None, None, s) for s in step)]
    view[...] = a
    return view


def _packed_field(a):
    records = np.zeros(a.shape, [("pad", "u1"), ("value", a.dtype)])
    records["value"] = a
    return records["value"]


def _misaligned(a, path):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    view = raw[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _memmap(a, path):
    if a.size == 0:
        return a
    np.save(path, a)
    return np.load(path, mmap_mode="r")


def _read_only(a, path):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "negative": lambda a, path: a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "transposed": lambda a, path: a.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    "batch-major": lambda a, path: a.swapaxes(0, 1).copy().swapaxes(0, 1),
    "fortran": lambda a, path: np.asfortranarray(a),
    "feature-stride-2": lambda a, path: _spread(a, (1, 1, 2)),
    "every-stride": lambda a, path: _spread(a, (2, 3, 5)),
    "time-stride-3": lambda a, path: _spread(a, (3, 1, 1)),
    "misaligned": _misaligned,
    "packed-field": lambda a, path: _packed_field(a),
    "byte-swapped": lambda a, path: a.astype(a.dtype.newbyteorder()),
    "read-only": _read_only,
    "memmap": _memmap,
}


def owner(a):
    """The array whose memory `a` is a view of."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_gives_the_same_bits_and_is_not_written(layout, dtype, isa, tmp_path):
    n, m = numbers_of(STACK, dtype), module_of(STACK, dtype)
    want = train(m, n)
    views = {name: LAYOUTS[layout](n[name], tmp_path / f"{name}.npy") for name in ARGUMENTS}
    bytes_before = {name: owner(v).tobytes() for name, v in views.items()}
    for name in ARGUMENTS:
        assert np.array_equal(views[name], n[name])
        assert_same_bits(train(m, n, **{name: views[name]}), want)
    assert_same_bits(train(m, n, **views), want)
    assert {name: owner(v).tobytes() for name, v in views.items()} == bytes_before


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (0, 1, 2)], ids=str)
def test_zero_strides(axis, isa):
    """Arrays made by broadcasting along any axis."""
    n, m = numbers_of(STACK), module_of(STACK)
    axes = (axis,) if isinstance(axis, int) else axis
    first = tuple(slice(0, 1) if k in axes else slice(None) for k in range(3))
    views = {name: np.broadcast_to(n[name][first], n[name].shape) for name in ARGUMENTS}
    assert all(v.strides[k] == 0 for v in views.values() for k in axes)
    assert_same_bits(train(m, n, **views), train(m, n, **{name: v.copy() for name, v in views.items()}))


@pytest.mark.parametrize("layout", ["negative", "batch-major", "feature-stride-2", "byte-swapped"])
def test_lengths_in_any_layout(layout):
    n, m = numbers_of(STACK), module_of(STACK)
    want = train(m, n)
    for dtype in (np.int8, np.int32, np.int64, np.uint8, np.uint64):
        lengths = LAYOUTS[layout](n["lengths"].astype(dtype)[None, :, None], None)[0, :, 0]
        before = owner(lengths).tobytes()
        assert_same_bits(train(m, n, lengths=lengths), want)
        assert owner(lengths).tobytes() == before
    assert_same_bits(train(m, n, lengths=n["lengths"].tolist()), want)
    assert_same_bits(train(m, n, lengths=tuple(n["lengths"])), want)


def test_weights_are_not_written_by_a_run(isa):
    n, m = numbers_of(STACK), module_of(STACK)
    before = {name: w.tobytes() for name, w in m.state_dict().items()}
    train(m, n)
    assert {name: w.tobytes() for name, w in m.state_dict().items()} == before


def test_results_are_independent_of_each_other(isa):
    """No result shares memory with another call's, with an argument, or with the weights."""
    n, m = numbers_of(STACK), module_of(STACK)
    first, second = train(m, n), train(m, n)
    arrays = [*first.values(), *second.values(), *(n[name] for name in ARGUMENTS), *m.state_dict().values()]
    owners = [a for a in first.values() if a.size]
    for a in owners:
        assert not any(np.shares_memory(a, b) for b in arrays if b is not a and b.size)


# Weights ----------------------------------------------------------------------------------------------------

def test_state_dict_has_torchs_names_and_shapes():
    m = nn.LSTM(4, 9, 2, bidirectional=True, proj_size=3)
    shapes = {name: w.shape for name, w in m.state_dict().items()}
    assert shapes == {
        "weight_ih_l0": (36, 4), "weight_hh_l0": (36, 3), "bias_ih_l0": (36,), "bias_hh_l0": (36,), "weight_hr_l0": (3, 9),
        "weight_ih_l0_reverse": (36, 4), "weight_hh_l0_reverse": (36, 3), "bias_ih_l0_reverse": (36,),
        "bias_hh_l0_reverse": (36,), "weight_hr_l0_reverse": (3, 9),
        "weight_ih_l1": (36, 6), "weight_hh_l1": (36, 3), "bias_ih_l1": (36,), "bias_hh_l1": (36,), "weight_hr_l1": (3, 9),
        "weight_ih_l1_reverse": (36, 6), "weight_hh_l1_reverse": (36, 3), "bias_ih_l1_reverse": (36,),
        "bias_hh_l1_reverse": (36,), "weight_hr_l1_reverse": (3, 9),
    }
    assert list(nn.LSTM(4, 9, bias=False).state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert [w.shape for w in m.parameters()] == list(shapes.values())
    assert dict(m.named_parameters()).keys() == shapes.keys()


@pytest.mark.parametrize("index", [0, -1])
def test_a_written_weight_is_noticed(index, isa):
    """The arrays are live: one changed value in any of them changes the next call, inference and training alike."""
    n, m = numbers_of(STACK), module_of(STACK)
    train(m, n)
    m(n["x"])
    for name in m.state_dict():
        params = {k: w.copy() for k, w in m.state_dict().items()}
        params[name].flat[index] += 0.5
        m.state_dict()[name].flat[index] += 0.5
        fresh = module_of(STACK, params=params)
        assert_same_bits(named(*m(n["x"])), named(*fresh(n["x"])))
        assert_same_bits(train(m, n), train(fresh, n))


def test_a_tape_keeps_the_weights_it_was_made_with(isa):
    n, m = numbers_of(STACK), module_of(STACK)
    want = train(m, n)
    y, state, tape = m.forward(n["x"], (n["h0"], n["c0"]), n["lengths"])
    for w in m.parameters():
        w[...] = 0
    m(n["x"])
    assert_same_bits(named(y, state, m.backward(tape, n["dy"], (n["dh_n"], n["dc_n"]))), want)


def test_several_tapes_at_once_in_any_order(isa):
    n, m = numbers_of(STACK), module_of(STACK)
    runs = [{**n, "x": n["x"] * k} for k in (1, -1, 2)]
    want = [train(m, r) for r in runs]
    done = [m.forward(r["x"], (r["h0"], r["c0"]), r["lengths"]) for r in runs]
    for k in (1, 2, 0):
        y, state, tape = done[k]
        assert_same_bits(named(y, state, m.backward(tape, n["dy"], (n["dh_n"], n["dc_n"]))), want[k])


def test_load_state_dict_copies():
    a, b = nn.LSTM(3, 4, seed=1), nn.LSTM(3, 4, seed=2)
    result = b.load_state_dict(a.state_dict())
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    assert_same_bits(b.state_dict(), a.state_dict())
    a.state_dict()["weight_ih_l0"][0, 0] = 7
    assert b.state_dict()["weight_ih_l0"][0, 0] != 7
    swapped = {name: np.asfortranarray(w.astype(w.dtype.newbyteorder())) for name, w in a.state_dict().items()}
    b.load_state_dict(swapped)
    assert_same_bits(b.state_dict(), a.state_dict())
    double = nn.LSTM(3, 4, dtype="float64")
    double.load_state_dict(a.state_dict())
    assert all(np.array_equal(w, a.state_dict()[name]) for name, w in double.state_dict().items())


def test_load_state_dict_strict_and_not():
    m = nn.LSTM(3, 4, seed=1)
    before = {name: w.copy() for name, w in m.state_dict().items()}
    part = {"weight_hh_l0": np.ones((16, 4), np.float32), "other": np.ones(3, np.float32)}
    with pytest.raises(ValueError, match=r"missing \['weight_ih_l0', 'bias_ih_l0', 'bias_hh_l0'\], unexpected \['other'\]"):
        m.load_state_dict(part)
    assert_same_bits(m.state_dict(), before)
    result = m.load_state_dict(part, strict=False)
    assert result == (["weight_ih_l0", "bias_ih_l0", "bias_hh_l0"], ["other"])
    assert_same_bits(m.state_dict(), before | {"weight_hh_l0": part["weight_hh_l0"]})


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("bad", "error", "text"), [
    (np.ones((16, 5), np.float32), ValueError, r"weight_hh_l0: expected shape \(16, 4\), received \(16, 5\)"),
    (np.ones((16, 4)), TypeError, "weight_hh_l0: expected dtype float32, received float64"),
    (np.ones((16, 4), np.int64), TypeError, "weight_hh_l0: expected dtype float32, received int64"),
    (np.ones((16, 4), complex), TypeError, "weight_hh_l0: expected dtype float32, received complex128"),
    (np.ones((16, 4), object), TypeError, "weight_hh_l0: expected dtype float32, received object"),
], ids=["shape", "float64", "int", "complex", "object"])
def test_load_state_dict_is_all_or_nothing(bad, error, text, strict):
    m = nn.LSTM(3, 4, seed=1)
    before = {name: w.copy() for name, w in m.state_dict().items()}
    good = {name: np.zeros_like(w) for name, w in before.items()}
    with pytest.raises(error, match=text):
        m.load_state_dict(good | {"weight_hh_l0": bad}, strict)
    assert_same_bits(m.state_dict(), before)


def test_seeds_and_initial_range():
    one, same, other = (nn.LSTM(30, 50, 2, seed=s).state_dict() for s in (7, 7, 8))
    assert_same_bits(one, same)
    assert all(not np.array_equal(one[name], other[name]) for name in one)
    values = np.concatenate([w.ravel() for w in one.values()])
    bound = 1 / np.sqrt(50)
    assert 0.99 * bound < np.abs(values).max() <= bound
    assert abs(values.mean()) < 5 * bound / np.sqrt(3 * values.size)
    assert abs(values.std() - bound / np.sqrt(3)) < 0.01 * bound
    assert not np.array_equal(nn.LSTM(3, 4).state_dict()["weight_ih_l0"], nn.LSTM(3, 4).state_dict()["weight_ih_l0"])
    m = nn.LSTM(3, 4)
    assert_same_bits(m.state_dict(), nn.LSTM(3, 4, seed=m.seed).state_dict())
    assert nn.LSTM(3, 4, seed=2**64 - 1).seed == 2**64 - 1


def test_numpys_global_generator_is_left_alone():
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    m = nn.LSTM(3, 4, 2, dropout=0.5)
    m.forward(np.ones((2, 3, 3), np.float32))
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


# What it says about itself ----------------------------------------------------------------------------------

def test_repr():
    assert repr(nn.LSTM(3, 4)) == "LSTM(3, 4)"
    full = nn.LSTM(3, 4, 2, False, True, 0.25, True, 2, dtype="float64")
    assert repr(full) == ("LSTM(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.25, bidirectional=True, proj_size=2, "
                          "dtype='float64')")


def test_explain(isa):
    text = nn.LSTM(3, 4, bidirectional=True, proj_size=2).explain()
    assert f"instruction set: {isa} " in text
    assert all(name in text for name in ISAS)
    assert f"threads: up to {build_info()['threads']}" in text
    assert "float32" in text
    assert "projection" in text
    assert "2 fused LSTM kernel(s)" in text
    assert ("slow path" in text) == (isa == "baseline")
    assert "projection" not in nn.LSTM(3, 4).explain()


# Dropout ----------------------------------------------------------------------------------------------------

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
