"""exp, sigmoid, tanh and log of the core: error, exact limits, special values, equal bits.

The error is counted in floats: how many representable numbers lie between the result and the correctly rounded
value, subnormal ones included. The contract is at most 2 on every instruction set.
"""

from functools import cache

import numpy as np
import pytest

from conftest import DTYPES, FMA_ISAS, assert_same_bits
from lstmc.kernels import core

FUNCTIONS = ("exp", "sigmoid", "tanh", "log")
ULP = 2
# NumPy's own long double is no wider than double on some platforms; then its error is allowed for.
EXTRA = 0 if np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant + 8 else 1
INTS = {"float32": np.int32, "float64": np.int64}
# Where the functions change their course, saturate or become subnormal.
SPECIAL = {
    "float32": [0, 1e-45, 1.2e-38, 2**-100, 1e-20, 1e-4, 0.35, 0.5, 0.69, 0.5**0.5, 1, 2**0.5, 9, 9.01, 16.6, 17, 17.3, 20, 40, 87.3, 87.34, 88, 88.72, 89,
                103.97, 104, 110, 3.4e38],
    "float64": [0, 5e-324, 2.2e-308, 2**-1000, 1e-200, 1e-8, 0.35, 0.5, 0.69, 0.5**0.5, 1, 2**0.5, 18, 19.1, 22, 36.7, 37, 60, 120, 708.4, 709.78,
                710, 744.4, 745.2, 746, 750, 1.7e308],
}


def apply(name, x):
    out = np.full_like(x, 0.125)
    core.elementary(name, x, out)
    return out


def exact(name, x):
    """The function in the widest arithmetic there is."""
    with np.errstate(all="ignore"):
        if name != "sigmoid":
            return getattr(np, name)(x)
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1) / (1 + e)


def ordinal(x):
    """Floats numbered in their order, both zeros 0."""
    i = x.view(INTS[x.dtype.name]).astype(np.int64)
    return np.where(i < 0, np.iinfo(INTS[x.dtype.name]).min - i, i)


@cache
def sample(dtype):
    """Finite numbers and infinities of a dtype: over all bit patterns, and 600 neighbours of each special point."""
    if dtype == "float32":
        patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)
        dense = np.linspace(-110, 110, 100_003, dtype=np.float32)
    else:
        patterns = np.arange(0, 2**64 - 2**46, 2**46 + 12345, dtype=np.uint64).view(np.float64)
        dense = np.concatenate([np.linspace(-40, 40, 50_021), np.linspace(-750, 712, 50_021), np.linspace(-1, 1, 50_021)])
    int_ = INTS[dtype]
    at = np.abs(np.array(SPECIAL[dtype], dtype)).view(int_)
    near = np.maximum(at[:, None] + np.arange(-300, 301, dtype=int_), 0).ravel().view(dtype)
    x = np.concatenate([patterns, dense, near, -near, np.array([np.inf, -np.inf], dtype)])
    return x[~np.isnan(x)]


def inputs(name, dtype):
    """The sample, as far as the function has values."""
    x = sample(dtype)
    return x[x >= 0] if name == "log" else x


@cache
def rounded(name, dtype):
    """The correctly rounded values of the inputs."""
    x = inputs(name, dtype)
    with np.errstate(all="ignore"):
        return exact(name, x.astype(np.float64 if dtype == "float32" else np.longdouble)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_ulp(name, dtype, isa):
    x, want = inputs(name, dtype), rounded(name, dtype)
    got = apply(name, x)
    assert not np.isnan(got).any()
    error = np.abs(ordinal(got) - ordinal(want))
    worst = int(error.argmax())
    assert error[worst] <= ULP + (EXTRA if dtype == "float64" else 0), f"{name}({x[worst]!r}) = {got[worst]!r}, not {want[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_limits(dtype, isa):
    info = np.finfo(dtype)
    x = np.array([-np.inf, -info.max, -0.0, 0.0, info.max, np.inf], dtype)
    assert_same_bits(apply("exp", x), np.array([0, 0, 1, 1, np.inf, np.inf], dtype))
    assert_same_bits(apply("sigmoid", x), np.array([0, 0, 0.5, 0.5, 1, 1], dtype))
    assert_same_bits(apply("tanh", x), np.array([-1, -1, -0.0, 0.0, 1, 1], dtype))
    assert_same_bits(apply("log", np.array([-0.0, 0.0, 1, np.inf], dtype)), np.array([-np.inf, -np.inf, 0, np.inf], dtype))
    assert np.isnan(apply("log", np.array([-np.inf, -info.max, -1, -info.smallest_subnormal], dtype))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_propagates(name, dtype, isa):
    int_ = INTS[dtype]
    infinity = int(np.array(np.inf, dtype).view(int_))
    payloads = infinity + np.unique(np.geomspace(1, np.iinfo(int_).max - infinity, 60).astype(np.int64))
    nan = payloads.astype(int_).view(dtype)
    x = np.zeros(len(nan) * 2 + 1, dtype)
    x[1::2] = nan
    for sign in (x, np.negative(x)):
        result = apply(name, sign)
        assert np.array_equal(np.isnan(result), np.isnan(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals_are_neither_flushed_nor_read_as_zero(dtype, isa):
    tiny = np.finfo(dtype).smallest_subnormal
    small = np.array([tiny, 3 * tiny, 1000 * tiny, -tiny, -77 * tiny], dtype)
    assert_same_bits(apply("tanh", small), small)
    deep = np.array([-88, -90, -95, -100, -103] if dtype == "float32" else [-709, -715, -725, -735, -744.4], dtype)
    for name in ("exp", "sigmoid"):
        result = apply(name, deep)
        assert np.all((result > 0) & (result < np.finfo(dtype).smallest_normal))
    few = tiny * np.array([1, 2, 3, 1000], dtype)
    assert np.abs(ordinal(apply("log", few)) - ordinal(np.log(few.astype(np.longdouble)).astype(dtype))).max() <= ULP


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_symmetries_and_bounds(name, dtype, isa):
    x = inputs(name, dtype)
    result = apply(name, x)
    if name == "log":
        assert np.array_equal(np.sign(result), np.sign(x - 1))
    elif name == "tanh":
        assert_same_bits(apply(name, -x), -result)
        assert np.all(np.abs(result) <= 1)
    elif name == "sigmoid":
        assert np.all((result >= 0) & (result <= 1))
    else:
        assert np.all(result >= 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_the_instruction_set(name, dtype, any_isa):
    x = inputs(name, dtype)
    any_isa(FMA_ISAS[0])
    first = apply(name, x)
    for other in FMA_ISAS[1:]:
        any_isa(other)
        assert_same_bits(apply(name, x), first)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_position_or_length(name, dtype, isa):
    x = np.concatenate([np.random.default_rng(0).uniform(-6, 6, 60), [np.nan, np.inf, -np.inf, -0.0]]).astype(dtype)
    whole = apply(name, x)
    for start in range(9):
        for n in range(len(x) - start + 1):
            out = np.full(n + 2, 7, dtype)      # one guard on either side
            core.elementary(name, x[start:start + n], out[1:n + 1])
            assert_same_bits(out[1:n + 1], whole[start:start + n])
            assert out[0] == out[-1] == 7


def test_an_unknown_name_is_refused():
    x = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="exp, sigmoid, tanh or log, received 'cos'"):
        core.elementary("cos", x, x.copy())
