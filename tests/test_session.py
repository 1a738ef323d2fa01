"""nn.Session: what a step takes and gives, `out=`, states, and that it allocates nothing per step. Equal bits with the
whole sequence are in test_bits.py.
"""

import tracemalloc

import numpy as np
import pytest

from cases import Case
from conftest import DTYPES, assert_same_bits, module_of, numbers_of, train
from lstmc import nn
from lstmc.nn import Session, step_many

CASE = Case(6, 3, 4, 9, L=2, P=2)


def stepped(session, x):
    return np.stack([session.step(x_t) for x_t in x])


@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes_and_default_state(dtype, isa):
    n, m = numbers_of(CASE, dtype), module_of(CASE, dtype)
    s = m.session(3)
    assert isinstance(s, Session)
    assert s.batch_size == 3
    h, c = s.state
    assert (h.shape, c.shape, h.dtype, c.dtype) == ((2, 3, 2), (2, 3, 9), dtype, dtype)
    assert not h.any()
    assert not c.any()
    y = s.step(n["x"][0])
    assert (y.shape, y.dtype) == ((3, 2), dtype)
    assert_same_bits(y, s.state[0][1])
    assert m.session().step(n["x"][0, :1]).shape == (1, 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_out(dtype, isa):
    n, m = numbers_of(CASE, dtype), module_of(CASE, dtype)
    want = stepped(m.session(3), n["x"])
    s, guarded = m.session(3), np.full((5, 2), 7, dtype)
    for x_t, w in zip(n["x"], want, strict=True):
        out = guarded[1:4]
        assert s.step(x_t, out=out) is out
        assert_same_bits(out, w)
        assert np.all(guarded[[0, 4]] == 7)
    # One step's result is not touched by the next one.
    fresh = m.session(3)
    first = fresh.step(n["x"][0])
    fresh.step(n["x"][1])
    assert_same_bits(first, want[0])


def test_any_strides_and_nothing_written(isa):
    n, m = numbers_of(CASE), module_of(CASE)
    want = stepped(m.session(3), n["x"])
    views = {
        "fortran": np.asfortranarray(n["x"]),
        "negative": n["x"][:, ::-1, ::-1].copy()[:, ::-1, ::-1],
        "stride 2": np.repeat(n["x"], 2, axis=2)[:, :, ::2],
        "byte-swapped": n["x"].astype(n["x"].dtype.newbyteorder()),
        "read-only": n["x"],
    }
    for name, x in views.items():
        before = x.tobytes()
        assert_same_bits(stepped(m.session(3), x), want)
        assert_same_bits(m.session(3).run(x), want)
        assert x.tobytes() == before, name


def test_run_is_laid_out_like_the_module(isa):
    n = numbers_of(CASE)
    want = module_of(CASE).session(3).run(n["x"])
    y = module_of(CASE, batch_first=True).session(3).run(n["x"].swapaxes(0, 1))
    assert y.flags.c_contiguous
    assert_same_bits(y.swapaxes(0, 1).copy(), want)
    empty = module_of(CASE).session(3)
    assert empty.run(n["x"][:0]).shape == (0, 3, 2)
    assert not empty.state[1].any()


def test_state_is_a_copy_and_may_be_set(isa):
    n, m = numbers_of(CASE), module_of(CASE)
    s = m.session(3)
    stepped(s, n["x"][:3])
    h, c = s.state
    want_h, want_c = h.copy(), c.copy()
    h[...] = np.nan
    c[...] = np.nan
    assert_same_bits(dict(enumerate(s.state)), {0: want_h, 1: want_c})
    other = m.session(3)
    given = want_h.copy(), want_c.copy()
    other.state = given
    given[0][...] = np.nan
    assert_same_bits(stepped(other, n["x"][3:]), stepped(s, n["x"][3:]))
    # A state in any layout, and the one a call returned.
    other.state = [np.asfortranarray(want_h), np.repeat(want_c, 2, axis=2)[..., ::2]]
    assert_same_bits(dict(enumerate(other.state)), {0: want_h, 1: want_c})
    other.state = m(n["x"])[1]
    assert_same_bits(other.state[0], m(n["x"])[1][0])


def test_reset_snapshot_restore(isa):
    n, m = numbers_of(CASE), module_of(CASE)
    s = m.session(3)
    want = stepped(s, n["x"])
    s.reset()
    assert not any(a.any() for a in s.state)
    assert_same_bits(stepped(s, n["x"][:2]), want[:2])
    snap = s.snapshot()
    for _ in range(2):      # a snapshot serves any number of times, at either parity of the step count
        assert_same_bits(stepped(s, n["x"][2:5]), want[2:5])
        s.restore(snap)
    other = m.session(3)
    other.step(n["x"][0])
    other.restore(snap)
    assert_same_bits(stepped(other, n["x"][2:]), want[2:])


def test_fork_is_independent(isa):
    n, m = numbers_of(CASE), module_of(CASE)
    s = m.session(3)
    want = stepped(s, n["x"])
    s.reset()
    s.step(n["x"][0])
    twins = [s.fork(), s.fork()]
    twins[0].step(n["x"][0] * 3)
    twins[0].reset()
    assert_same_bits(stepped(s, n["x"][1:]), want[1:])
    assert_same_bits(stepped(twins[1], n["x"][1:]), want[1:])
    assert_same_bits(stepped(twins[0], n["x"]), want)


def test_a_session_keeps_its_weights(isa):
    n, m = numbers_of(CASE), module_of(CASE)
    s = m.session(3)
    want = stepped(s, n["x"])
    for w in m.parameters():
        w[...] = 0
    s.reset()
    assert_same_bits(stepped(s, n["x"]), want)
    assert_same_bits(s.fork().run(n["x"] * 0), s.run(n["x"] * 0))
    assert not np.array_equal(stepped(m.session(3), n["x"]), want)


def test_training_between_sessions(isa):
    """Sessions of one module with unchanged weights step together, whatever the module did between their openings."""
    n, m = numbers_of(CASE), module_of(CASE)
    first = m.session(3)
    train(m, n)
    second = m.session(3)
    got = step_many([first, second], [n["x"][0], n["x"][1]])
    assert_same_bits(got[0], m(n["x"][:1])[0][0])
    assert_same_bits(got[1], m(n["x"][1:2])[0][0])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_step_with_out_allocates_nothing(dtype, threads, isa):
    case = Case(1, 2, 3, 40, L=2, P=33)
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    s, x, out = m.session(2), n["x"][0], np.empty((2, 33), dtype)
    step = s.step
    for _ in range(10):
        step(x, out, threads=threads)
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            step(x, out, threads=threads)
        tracemalloc.reset_peak()
        middle = tracemalloc.get_traced_memory()[0]
        for _ in range(1000 // threads**3):
            step(x, out, threads=threads)
        end, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Argument checks make and drop a few tuples; a (2, 33) array alone would be 264 bytes more at any moment.
    assert abs(end - middle) <= 64
    assert peak - start < 2048


def test_workspaces_do_not_pile_up(isa):
    """Opening, running and dropping sessions reuses memory."""
    n, m = numbers_of(CASE), module_of(CASE)

    def use():
        s = m.session(3)
        s.run(n["x"])
        s.fork().step(n["x"][0])
        step_many([s], [n["x"][1]])

    for _ in range(5):
        use()
    tracemalloc.start()
    try:
        use()
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(50):
            use()
        end = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert end - start < 100 * 1024     # without the GIL some memory is freed later; the smallest workspace, left behind once a round, would be 200 KiB


@pytest.mark.parametrize(("error", "text", "call"), [
    (ValueError, r"x_t: expected shape \(B, I\) = \(3, 4\), received \(2, 4\)", lambda s, x: s.step(x[0, :2])),
    (ValueError, r"x_t: expected shape \(B, I\) = \(3, 4\), received \(6, 3, 4\)", lambda s, x: s.step(x)),
    (ValueError, r"x_t: expected shape \(B, I\) = \(3, 4\), received \(4,\)", lambda s, x: s.step(x[0, 0])),
    (TypeError, "x_t: expected dtype float64, received float32", lambda s, x: s.step(x[0].astype(np.float32))),
    (TypeError, "x_t: expected dtype float64, received None", lambda s, x: s.step(None)),
    (TypeError, "out: expected an ndarray of float64, received float32", lambda s, x: s.step(x[0], np.empty((3, 2), np.float32))),
    (TypeError, "out: expected an ndarray of float64, received list", lambda s, x: s.step(x[0], [[0.0] * 2] * 3)),
    (TypeError, "out: expected an ndarray of float64, received >f8|out: expected an ndarray of float64, received <f8",
     lambda s, x: s.step(x[0], np.empty((3, 2), np.dtype(float).newbyteorder()))),
    (ValueError, r"out: .* \(B, R\) = \(3, 2\), received shape \(3, 9\)", lambda s, x: s.step(x[0], np.empty((3, 9)))),
    (ValueError, r"out: .* \(B, R\) = \(3, 2\), received shape \(6,\)", lambda s, x: s.step(x[0], np.empty(6))),
    (ValueError, r"out: .* C-contiguous .* received shape \(3, 2\), strides \(8, 24\)", lambda s, x: s.step(x[0], np.empty((2, 3)).T)),
    (ValueError, "out: expected a writable C-contiguous", lambda s, x: s.step(x[0], np.broadcast_to(0.0, (3, 2)))),
    (ValueError, "out: expected a writable C-contiguous", lambda s, x: s.step(x[0], np.frombuffer(bytes(48)).reshape(3, 2))),
    (ValueError, "out: expected a writable C-contiguous", lambda s, x: s.step(x[0], np.zeros(49, "u1")[1:].view(float).reshape(3, 2))),
    (ValueError, "out: expected memory apart from x_t", lambda s, x: overlapping(s)),
    (ValueError, "threads: expected 1 to 1024, received 0", lambda s, x: s.step(x[0], threads=0)),
    (ValueError, r"x: expected shape \(T, B, I\) with B = 3, I = 4, received \(6, 2, 4\)", lambda s, x: s.run(x[:, :2])),
    (ValueError, r"x: expected shape \(T, B, I\) with B = 3, I = 4, received \(3, 4\)", lambda s, x: s.run(x[0])),
    (TypeError, "x: expected dtype float64, received float32", lambda s, x: s.run(x.astype(np.float32))),
    (ValueError, r"state: expected a pair \(h, c\), received ndarray", lambda s, x: setattr(s, "state", x)),
    (ValueError, r"state: h: expected shape \(L\*D, B, P\) = \(2, 3, 2\), received \(2, 3, 9\)", lambda s, x: setattr(s, "state", s.state[::-1])),
    (TypeError, "state: c: expected dtype float64, received float32",
     lambda s, x: setattr(s, "state", (s.state[0], s.state[1].astype(np.float32)))),
    (ValueError, r"state: expected a pair \(h, c\), received a tuple of 1", lambda s, x: setattr(s, "state", (s.state[0],))),
    (TypeError, "snapshot: expected what snapshot.. returned, received tuple", lambda s, x: s.restore(s.state)),
    (ValueError, r"h: expected shape .* received \(2, 1, 2\)", lambda s, x: s.restore(s.module.session(1).snapshot())),
])
def test_refusals_change_nothing(error, text, call):
    n, m = numbers_of(CASE), module_of(CASE)
    s = m.session(3)
    want = stepped(m.session(3), n["x"])
    s.step(n["x"][0])
    with pytest.raises(error, match=text):
        call(s, n["x"])
    assert_same_bits(stepped(s, n["x"][1:]), want[1:])


def overlapping(s):
    memory = np.zeros(12)
    return s.step(memory.reshape(3, 4), memory[6:].reshape(3, 2))


@pytest.mark.parametrize(("error", "text", "batch_size"), [
    (ValueError, "batch_size: expected at least 1, received 0", 0),
    (TypeError, "batch_size: expected an int, received float", 1.0),
    (TypeError, "batch_size: expected an int, received bool", True),
])
def test_batch_size_refusals(error, text, batch_size):
    with pytest.raises(error, match=text):
        module_of(CASE).session(batch_size)


def test_a_bidirectional_module_has_no_session():
    with pytest.raises(ValueError, match="session: expected a unidirectional module, received a bidirectional one"):
        nn.LSTM(3, 4, bidirectional=True).session()


def test_step_many_refusals():
    n, m = numbers_of(CASE), module_of(CASE)
    a, b, x = m.session(3), m.session(3), n["x"][0]
    other = module_of(CASE).session(3)
    assert step_many([], []) == []
    for error, text, sessions, xs in (
        (ValueError, "xs: expected one input for each of 2 sessions, received 1", [a, b], [x]),
        (TypeError, "sessions: expected Session objects, received LSTM", [a, m], [x, x]),
        (ValueError, "sessions: expected sessions of one module opened with the same weights", [a, other], [x, x]),
        (ValueError, "sessions: expected each session once, received one twice", [a, b, a], [x, x, x]),
        (ValueError, r"xs\[1\]: expected shape \(B, I\) = \(3, 4\), received \(2, 4\)", [a, b], [x, x[:2]]),
        (TypeError, r"xs\[0\]: expected dtype float64, received float32", [a, b], [x.astype(np.float32), x]),
        (ValueError, "threads: expected 1 to 1024, received 0", [a, b], None),
    ):
        with pytest.raises(error, match=text):
            step_many(sessions, [x, x] if xs is None else xs, threads=0 if xs is None else None)
    assert not any(state.any() for s in (a, b) for state in s.state)
