"""nn.LSTM against the law, and the layouts that a call may have."""

import itertools

import numpy as np
import pytest

from cases import Case
from conftest import CASES, DTYPES, TOLERANCE, assert_close, assert_same_bits, expected_of, module_of, named, numbers_of, train
from lstmc import nn

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
    want = train(m, n, **{**zero, "dy": n["dy"]})
    y, state, tape = m.forward(n["x"], lengths=n["lengths"])
    assert_same_bits(named(y, state, m.backward(tape, n["dy"])), want)

    for present in itertools.product((False, True), repeat=3):
        given = {name: n[name] if has else None for name, has in zip(("dy", "dh_n", "dc_n"), present, strict=True)}
        full = {name: zero[name] if a is None else a for name, a in given.items()}
        want = train(m, n, **full)
        y, state, tape = m.forward(n["x"], (n["h0"], n["c0"]), n["lengths"])
        if not any(present):        # an argument that was forgotten, which leaves the tape as it is
            for forgotten in ((), (None, (None, None))):
                with pytest.raises(ValueError, match="dy: expected the gradient of y, or in dstate that of the final state, received neither"):
                    m.backward(tape, *forgotten)
            given = full
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
