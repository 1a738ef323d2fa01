"""The normal distribution's quantile, by which words become normal numbers: IEEE operations and the kernels' log, so that no bit depends on the machine.

Algorithm AS 241, PPND7 (Wichura 1988): rational functions of q = p - 1/2 in the middle and of r = sqrt(-log(min(p, 1 - p))) beyond it, to
about 1 part in 10^7.
"""

import numpy as np

from lstmc.layers.elementary import log

SPLIT = 0.425
MIDDLE = (59.109374720, 159.29113202, 50.434271938, 3.3871327179), (67.187563600, 78.757757664, 17.895169469, 1.0)
TAIL = (0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777), (0.12021132975, 0.73700164250, 1.0)


def _ratio(coefficients, x):
    top, bottom = coefficients
    found = []
    for c in (top, bottom):
        y = np.full_like(x, c[0])
        for a in c[1:]:
            y *= x
            y += a
        found.append(y)
    return found[0] / found[1]


def quantile(p):
    """The z below which a normal number is with probability p, for float64 p from 2**-33 to 1 - 2**-33: beyond r = 5 it would be another function."""
    q = p - 0.5
    z = _ratio(MIDDLE, SPLIT * SPLIT - q * q) * q
    outside = np.abs(q) > SPLIT
    r = np.sqrt(-log(np.minimum(p[outside], 1 - p[outside])))
    z[outside] = np.copysign(_ratio(TAIL, r - 1.6), q[outside])
    return z
