"""Arrays in any memory layout give the bits of the contiguous copy, and no argument is written."""

import numpy as np
import pytest

from cases import Case
from conftest import DTYPES, assert_same_bits, module_of, numbers_of, train

ARGUMENTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")
STACK = Case(6, 5, 4, 9, L=2, D=2, P=3, ragged=True)


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
