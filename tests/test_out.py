"""`out=` of a call: the same bits, in the caller's memory, and what it refuses."""

import numpy as np
import pytest

from cases import Case
from conftest import DTYPES, assert_same_bits, module_of, named, numbers_of
from lstmc import nn

CASES = [Case(5, 3, 4, 9), Case(6, 5, 4, 9, L=2, D=2, P=3, ragged=True), Case(3, 70, 4, 17, D=2), Case(0, 3, 4, 9), Case(4, 0, 4, 9),
         Case(5, 1, 4, 1, ragged=True)]


def guarded(shape, dtype):
    """(buffer of NaN, view of that shape in its middle with room between rows and only the last axis contiguous)."""
    buffer = np.full([n + 2 for n in shape], np.nan, dtype)
    return buffer, buffer[tuple(slice(1, n + 1) for n in shape)]


@pytest.mark.parametrize("place", ["contiguous", "strided", "reversed", "transposed"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_y_is_written_to_out(case, dtype, batch_first, place, isa):
    n, m = numbers_of(case, dtype), module_of(case, dtype, batch_first=batch_first)
    x = n["x"].swapaxes(0, 1) if batch_first else n["x"]
    want = named(*m(x, (n["h0"], n["c0"]), n["lengths"]))
    shape = want["y"].shape
    buffer, out = guarded(shape, m.dtype)
    if place == "contiguous":
        buffer = out = np.full(shape, np.nan, m.dtype)
    elif place == "reversed":
        out = out[::-1, ::-1]
    elif place == "transposed":
        buffer = np.full((shape[1], shape[0], shape[2]), np.nan, m.dtype)
        out = buffer.swapaxes(0, 1)
    y, state = m(x, (n["h0"], n["c0"]), n["lengths"], out=out)
    assert y is out
    assert_same_bits(named(y, state), want)
    assert np.count_nonzero(~np.isnan(buffer)) == out.size


def test_unbatched(isa):
    n, m = numbers_of(Case(5, 1, 4, 9)), module_of(Case(5, 1, 4, 9))
    for lengths in (None, 3):
        want = named(*m(n["x"][:, 0], lengths=lengths))
        out = np.full((5, 9), np.nan)
        assert_same_bits(named(*m(n["x"][:, 0], lengths=lengths, out=out)), want)


def test_x_and_out_may_be_interleaved():
    n, m = numbers_of(CASES[0]), module_of(CASES[0])
    both = np.full((5, 3, 4 + 9), np.nan)
    both[..., :4] = n["x"]
    m(both[..., :4], out=both[..., 4:])
    assert_same_bits(both[..., 4:].copy(), m(n["x"])[0])


X = np.zeros((4, 3, 6), np.float32)
BUFFER = np.zeros(4 * 3 * 6 + 18, np.float32)
H = np.zeros((1, 3, 6), np.float32)
LENGTHS = np.zeros(2 * 3 * 12, np.int64)
MISPLACED = np.zeros(4 * 72 + 1, np.uint8)[1:].view(np.float32).reshape(4, 3, 6)


@pytest.mark.parametrize(("error", "text", "arguments"), [
    (TypeError, "out: expected an ndarray of float32, received list", {"out": [[[0.0] * 6] * 3] * 4}),
    (TypeError, "out: expected an ndarray of float32, received float64", {"out": X.astype(float)}),
    (TypeError, "out: expected an ndarray of float32, received [<>]f4", {"out": X.astype(X.dtype.newbyteorder())}),
    (ValueError, r"out: expected shape \(T, B, D\*R\) = \(4, 3, 6\), received \(4, 3, 5\)", {"out": X[..., 1:].copy()}),
    (ValueError, r"out: expected shape \(T, B, D\*R\) = \(4, 3, 6\), received \(72,\)", {"out": X.ravel()}),
    (ValueError, r"out: expected shape \(T, D\*R\) = \(4, 6\), received \(4, 1, 6\)", {"x": X[:, 0], "out": X[:, :1].copy()}),
    (ValueError, "out: expected a writable, aligned array, received a read-only one",
     {"out": np.broadcast_to(np.float32(0), (4, 3, 6))}),
    (ValueError, "out: expected a writable, aligned array, received an unaligned one", {"out": MISPLACED}),
    (ValueError, r"out: expected features one after the other \(a last stride of 4 bytes\), received strides \(12, 4, 48\)",
     {"out": np.zeros((6, 4, 3), np.float32).transpose(1, 2, 0)}),
    (ValueError, "out: expected memory apart from x, received an overlapping array", {"out": X}),
    (ValueError, "out: expected memory apart from x, received an overlapping array",
     {"x": BUFFER[:72].reshape(4, 3, 6), "out": BUFFER[18:].reshape(4, 3, 6)}),
    (ValueError, "out: expected memory apart from x, received an overlapping array",
     {"x": BUFFER[:72].reshape(4, 6, 3).swapaxes(1, 2), "out": BUFFER[18:].reshape(4, 3, 6)}),
    (ValueError, "out: expected memory apart from hx: c_0, received an overlapping array",
     {"x": X.copy(), "hx": (H, BUFFER[72:].reshape(1, 3, 6)), "out": BUFFER[18:].reshape(4, 3, 6)}),
    (ValueError, "out: expected memory apart from lengths, received an overlapping array",
     {"lengths": LENGTHS[:3], "out": LENGTHS.view(np.float32)[:72].reshape(4, 3, 6)}),
    (ValueError, "lengths: expected values from 0 to T = 4, received 5", {"lengths": [1, 5, 2], "out": X + 7}),
    (ValueError, "threads: expected 1 to 1024, received 0", {"lengths": [1, 1, 1], "threads": 0, "out": X + 7}),
])
def test_what_out_refuses(error, text, arguments):
    out = arguments["out"]
    before = np.array(out)
    with pytest.raises(error, match=text):
        nn.LSTM(6, 6, seed=0)(**{"x": X} | arguments)
    assert np.array_equal(out, before)


# What lies where, whatever type says so ------------------------------------------------------------------------

class Foreign:
    """Another library's array, which NumPy reads in place by `__array_interface__`."""

    def __init__(self, array):
        self.array, self.__array_interface__ = array, array.__array_interface__


class Converted:
    """One that gives NumPy an array of its memory."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


FOREIGN = {"interface": Foreign, "converted": Converted, "memoryview": memoryview, "subclass": lambda a: a.view(np.recarray)}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("place", ["the-same", "shifted"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_memory_decides_on_overlap(kind, place, foreign):
    """A network of several layers, a long sequence: y would be written where x is still to be read."""
    m, rng = kind(6, 6, 2, seed=0), np.random.default_rng(0)
    buffer = rng.standard_normal(90 * 18 + 18, dtype=np.float32)
    x = buffer[:90 * 18].reshape(90, 3, 6)
    out = x if place == "the-same" else buffer[18:].reshape(90, 3, 6)
    before, want = buffer.copy(), m(x)[0]
    assert_same_bits(m(foreign(x))[0], want)
    with pytest.raises(ValueError, match="out: expected memory apart from x, received an overlapping array"):
        m(foreign(x), out=out)
    assert_same_bits(buffer, before)
    far = np.empty_like(x)
    assert_same_bits(m(foreign(x), out=far)[0], want)
    with pytest.raises(ValueError, match="out: expected memory apart from x_t, received an overlapping array"):
        m.session(3).step(foreign(x[0]), out[0] if place == "the-same" else buffer[6:24].reshape(3, 6))
    assert_same_bits(buffer, before)


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_memory_decides_on_states_and_lengths(foreign):
    m, x = nn.GRU(6, 6, seed=0), np.ones((1, 3, 6), np.float32)
    h = np.ones((1, 3, 6), np.float32)
    with pytest.raises(ValueError, match="out: expected memory apart from hx: h_0, received an overlapping array"):
        m(x, foreign(h), out=h)
    memory = np.zeros(18, np.float32)
    lengths = memory.view(np.int64)[:3]
    with pytest.raises(ValueError, match="out: expected memory apart from lengths, received an overlapping array"):
        m(x, lengths=foreign(lengths), out=memory.reshape(1, 3, 6))
    mask = memory.view(np.bool_)[:3].reshape(1, 3)
    with pytest.raises(ValueError, match="out: expected memory apart from lengths, received an overlapping array"):
        m(x, mask=foreign(mask), out=memory.reshape(1, 3, 6))
    assert not memory.any()
    assert h.all()


def test_a_step_between_the_rows_of_another_array():
    """x_t and out may lie among each other if they have no element in common."""
    m = nn.LSTM(6, 6, seed=0)
    memory = np.random.default_rng(0).standard_normal((5, 6), dtype=np.float32)
    x, out = memory[::4], memory[2:4]
    want = m.session(2).step(x.copy())
    assert_same_bits(m.session(2).step(x, out), want)
    with pytest.raises(ValueError, match="out: expected memory apart from x_t"):
        m.session(2).step(memory[::-2][:2], memory[1:3])


@pytest.mark.parametrize(("shape", "strides"), [
    ((4, 3, 6), (0, 24, 4)),
    ((4, 3, 6), (72, 0, 4)),
    ((4, 3, 6), (0, 0, 4)),
    ((4, 3, 6), (72, 20, 4)),
    ((4, 3, 6), (24, 24, 4)),
    ((4, 3, 6), (48, 24, 4)),
    ((4, 3, 6), (-48, 24, 4)),
    ((4, 3, 6), (36, 48, 4)),
    ((4, 1, 6), (20, 0, 4)),
])
def test_out_may_not_overlap_itself(shape, strides):
    m, x = nn.LSTM(6, 6, seed=0), np.ones((*shape[:2], 6), np.float32)
    memory = np.zeros(400, np.float32)
    out = np.lib.stride_tricks.as_strided(memory[200:], shape, strides)
    with pytest.raises(ValueError, match="out: expected elements that have memory of their own each"):
        m(x, out=out)
    assert not memory.any()


@pytest.mark.parametrize(("shape", "strides"), [
    ((4, 3, 6), (72, 24, 4)),
    ((4, 3, 6), (24, 96, 4)),
    ((4, 3, 6), (-24, -96, 4)),
    ((2, 2, 6), (48, 72, 4)),           # neither axis steps over all of the other, and yet no two elements are one
    ((1, 3, 6), (0, 24, 4)),
    ((4, 1, 6), (24, 0, 4)),
])
def test_other_strides_are_welcome(shape, strides):
    m, x = nn.LSTM(6, 6, seed=0), np.random.default_rng(0).standard_normal((*shape[:2], 6), dtype=np.float32)
    out = np.lib.stride_tricks.as_strided(np.zeros(800, np.float32)[400:], shape, strides)
    want = m(x)[0]
    m(x, out=out)
    assert_same_bits(np.array(out), want)


def test_out_may_not_have_a_mask():
    m, x = nn.LSTM(6, 6, seed=0), np.ones((4, 3, 6), np.float32)
    out = np.ma.masked_array(np.zeros((4, 3, 6), np.float32), np.eye(3, 6) * np.ones((4, 1, 1)))
    for refused in (lambda: m(x, out=out), lambda: m.session(3).step(x[0], out[0])):
        with pytest.raises(TypeError, match=r"out: expected an ndarray without a mask, received \d+ masked values"):
            refused()
    assert not out.data.any()
