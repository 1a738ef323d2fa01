"""exp, log, tanh and sigmoid of the kernels on whole arrays, and log(1 + x) and erf made of IEEE operations: no bit depends on the NumPy in use.

log(1 + x) and erf are computed in float64 and rounded to the dtype of x.
"""

import decimal
import functools

import numpy as np

from lstmc.kernels import core


def kernel(name):
    """The kernel's function as one of an array."""
    def of(x):
        y = np.empty(x.shape, x.dtype)
        core.elementary(name, np.ascontiguousarray(x).reshape(-1), y.reshape(-1))
        return y

    return of


exp, log, tanh, sigmoid = kernel("exp"), kernel("log"), kernel("tanh"), kernel("sigmoid")


def _atanh_twice(s):
    """2 atanh(s) = 2 (s + s^3 / 3 + s^5 / 5 ...) for abs(s) <= 1/3."""
    z = s * s
    y = np.full_like(s, 1 / 35)
    for n in range(33, 0, -2):
        y = y * z + 1 / n
    return 2 * s * y


def log1p(x):
    """log(1 + x) for 0 <= x <= 1."""
    x64 = x.astype(np.float64)
    return _atanh_twice(x64 / (2 + x64)).astype(x.dtype, copy=False)


# erf by its Taylor series around the nearest multiple of 1/8, up to 6, from where on it is 1 in float64.
PARTS, DEGREE = 8, 14


@functools.cache
def _erf_series():
    """(DEGREE + 1, 6 * PARTS + 1) coefficients: column k is the series around k / PARTS.

    With g(x) = exp(-x^2), g' = -2 x g: (n + 1) g_(n+1) = -2 (c g_n + g_(n-1)) for the coefficients around c. They are computed in decimals,
    and erf(c) of the series 2 / sqrt(pi) exp(-c^2) sum 2^n c^(2n+1) / (1 3 5 ... (2n+1)), whose terms are all positive.
    """
    table = np.empty((DEGREE + 1, 6 * PARTS + 1))
    with decimal.localcontext(prec=40):
        pi = decimal.Decimal("3.141592653589793238462643383279502884197")
        scale = 2 / pi.sqrt()
        for k in range(table.shape[1]):
            c = decimal.Decimal(k) / PARTS
            g = [(-c * c).exp()]
            for n in range(DEGREE - 1):
                g.append(-2 * (c * g[n] + (g[n - 1] if n else 0)) / (n + 1))
            term, value, n = c, decimal.Decimal(0), 0
            while term > decimal.Decimal("1e-40"):
                value += term
                n += 1
                term *= 2 * c * c / (2 * n + 1)
            table[0, k] = float(scale * g[0] * value)
            table[1:, k] = [float(scale * a / (n + 1)) for n, a in enumerate(g)]
    table.flags.writeable = False
    return table


def erf(x):
    """The error function."""
    series = _erf_series()
    a = np.minimum(np.abs(x.astype(np.float64)), 6.0)
    k = np.rint(np.where(np.isnan(a), 0, a) * PARTS).astype(np.intp)
    h = a - k / PARTS
    y = series[DEGREE].take(k)
    for n in range(DEGREE - 1, -1, -1):
        y = y * h + series[n].take(k)
    return np.copysign(y, x).astype(x.dtype, copy=False)
