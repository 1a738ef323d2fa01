"""The weights of nn.LSTM: names, live arrays, loading, seeds; and what a module says about itself."""

import weakref

import numpy as np
import pytest

from cases import Case
from conftest import ISAS, assert_same_bits, module_of, named, numbers_of, train
from lstmc import build_info, nn
from lstmc.kernels import core
from lstmc.nn.params import COUNTS_ARE_EXACT

STACK = Case(6, 5, 4, 9, L=2, D=2, P=3, ragged=True)


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


def by_dictionary(m):
    return m.state_dict()["weight_hh_l0"]


def by_iterator(m):
    return dict(m.named_parameters())["weight_hh_l0"]


def by_list(m):
    return list(m.parameters())[1]


@pytest.mark.parametrize("get", [by_dictionary, by_iterator, by_list])
@pytest.mark.parametrize("hold", [
    lambda a: a,
    lambda a: a[1:],
    lambda a: a[1:].T,
    memoryview,
    lambda a: iter([a]),
    lambda a: np.asarray(memoryview(a)),
    lambda a: np.from_dlpack(a),
    lambda a: a.base,
    lambda a: a.ctypes,
    lambda a: a.view(np.recarray),
], ids=["array", "view", "view-of-view", "memoryview", "iterator", "foreign-view", "dlpack", "base", "ctypes", "subclass"])
def test_a_write_is_noticed_whoever_holds_the_array(get, hold):
    """Also the second one, after calls in which nothing had changed, and one through what is dropped before the call."""
    m, x = nn.LSTM(3, 4, seed=0), np.ones((2, 1, 3), np.float32)
    held = hold(get(m))
    for value in (1, 2):
        for _ in range(2):
            before = m(x)[0]
        get(m)[...] = value
        assert not np.array_equal(m(x)[0], before)
    del held
    before = m(x)[0]
    for value in (3, 4):
        a = get(m)
        for _ in range(2):
            assert np.array_equal(m(x)[0], before)
        a[...] = value
        del a
        after = m(x)[0]
        assert not np.array_equal(after, before)
        before = after


@pytest.mark.parametrize("late", [
    lambda m: m.parameters(),
    lambda m: (w for _, w in m.named_parameters()),
    lambda m: map(weakref.ref, m.parameters()),
    lambda m: [weakref.ref(w.base) for w in m.parameters()],
    lambda m: [w[:1] for w in m.parameters()],
    lambda m: [memoryview(w) for w in m.parameters()],
], ids=["parameters", "named_parameters", "lazy-weakrefs", "weakrefs", "views", "memoryviews"])
def test_a_write_long_after_the_loan_is_noticed(late):
    m, x = nn.LSTM(3, 4, seed=0), np.ones((2, 1, 3), np.float32)
    loan = late(m)
    for _ in range(3):
        before = m(x)[0]
    for w in loan:
        np.asarray(w() if isinstance(w, weakref.ref) else w)[...] = 0.5
        del w
    assert not np.array_equal(m(x)[0], before)


def test_loading_is_noticed():
    m, other, x = nn.LSTM(3, 4, seed=0), nn.LSTM(3, 4, seed=1), np.ones((2, 1, 3), np.float32)
    for source in (other, nn.LSTM(3, 4, seed=0), other):
        for _ in range(2):
            m(x)
        m.load_state_dict(source.state_dict())
        assert_same_bits(named(*m(x)), named(*source(x)))


def test_weights_are_read_again_only_if_someone_may_have_written(monkeypatch):
    m, x, read = nn.LSTM(3, 4, seed=0), np.ones((2, 1, 3), np.float32), []
    real = core.fingerprint
    monkeypatch.setattr(core, "fingerprint", lambda a: read.append(1) or real(a))

    def reads(n=3):
        read.clear()
        for _ in range(n):
            m(x)
        return len(read)

    alone = 1 if COUNTS_ARE_EXACT else 3
    assert reads() == alone
    assert reads() == (0 if COUNTS_ARE_EXACT else 3)
    weight = m.state_dict()["weight_ih_l0"]
    assert reads() == 3
    del weight
    assert reads() == alone
    m.load_state_dict(nn.LSTM(3, 4, seed=1).state_dict())
    assert reads() == alone


def test_training_reads_weights_only_if_someone_may_have_written(monkeypatch):
    m, x, read = nn.LSTM(3, 4, seed=0), np.ones((2, 1, 3), np.float32), []
    real, other = core.fingerprint, nn.LSTM(3, 4, seed=1)
    monkeypatch.setattr(core, "fingerprint", lambda a: read.append(1) or real(a))
    before = [m.forward(x)[0] for _ in range(3)]
    assert len(read) == (0 if COUNTS_ARE_EXACT else 3)
    weight = m.state_dict()["weight_ih_l0"]
    for value in (0.5, 0.25):
        assert np.array_equal(m.forward(x)[0], before[-1])
        weight[...] = value
        before.append(m.forward(x)[0])
        assert not np.array_equal(*before[-2:])
    del weight
    assert np.array_equal(m.forward(x)[0], before[-1])
    m.load_state_dict(other.state_dict())
    assert_same_bits(named(*m.forward(x)[:2]), named(*other(x)))


def test_sessions_opened_before_and_after_training_have_the_same_weights():
    m, x = nn.LSTM(3, 4, seed=0), np.ones((2, 1, 3), np.float32)
    first = m.session()
    m.forward(x)
    second = m.session()
    m.state_dict()
    y = nn.step_many([first, second, m.session()], [x[0]] * 3)
    assert_same_bits(y[0], y[1])
    assert_same_bits(y[0], y[2])


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
