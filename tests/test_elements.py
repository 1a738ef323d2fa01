"""Elementwise work of a step of training: NumPy's bits, for every layout and dtype."""

import numpy as np
import pytest

from lstmc.kernels.train import times, total


def layouts(a):
    """The array as it is, and its values in other layouts."""
    yield a
    if a.ndim > 1:
        yield from (a.T, a[:, ::2], a[::2], a[::-1], np.asfortranarray(a), a[None, None, None, None])


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (129,), (5000,), (32, 50), (0, 3), (7, 300), (3, 4, 5), (40, 6, 50)])
def test_bits_are_numpys(isa, shape):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=shape), rng.normal(size=shape)
    for dtype in (np.float32, np.float64):
        for x, y in zip(layouts(a.astype(dtype)), layouts(b.astype(dtype)), strict=True):
            for other in (y, dtype(0.3), np.asarray(y, np.float64), x[..., :1]):
                found, expected = times(x, other), x * other
                assert found is not x
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(times(np.arange(4), np.arange(4)), [0, 1, 4, 9])
    masked = np.ma.masked_greater(a, 0)
    assert isinstance(times(masked, a), np.ma.MaskedArray)
    for values in layouts(a):
        found = total(values, 1 / 3)
        assert type(found) is float
        assert found == float(np.add.reduce(values * (1 / 3), None))
    assert total(a.astype(np.float32), 1 / 3) == float(np.add.reduce(a.astype(np.float32) * (1 / 3), None))
