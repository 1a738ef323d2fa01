"""The largest error of exp, sigmoid, tanh and log over all 2^32 float32 inputs.

    python benchmarks/ulp.py [--isa avx2] [--stride 7] [--function tanh] [--processes N]

Two figures a function: how many floats lie between the result and the correctly rounded value at most (the contract is 2;
subnormal results and signed zeros count as floats), and the distance from the exact value in units in the last place of
the correctly rounded one. The exact value is NumPy's in float64, whose own error is below 1e-7 of a float32's unit. A NaN must
stay one, and no other input may give one but where the function has no value.
"""

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from lstmc.kernels import core

CHUNK = 2**17           # fits the second-level cache with its temporaries
BLOCK = 2**26           # inputs a job


class Worst(NamedTuple):
    """Of a set of inputs."""

    floats: int         # between the result and the correctly rounded value
    units: float        # from the exact value
    x: float            # where
    got: float
    nans: int           # inputs with a NaN where a number belongs, or the other way round
    inputs: int


EXACT = {
    "exp": np.exp,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "log": np.log,
}


def examine(function, isa, start, stride):
    """The worst of the bit patterns start, start + stride, ... below start + BLOCK."""
    core.use_isa(isa)
    worst = Worst(-1, 0.0, np.nan, np.nan, 0, 0)
    first = -(-start // stride) * stride
    for at in range(first, start + BLOCK, CHUNK * stride):
        patterns = np.arange(at, min(at + CHUNK * stride, start + BLOCK), stride, dtype=np.uint64)
        worst = worse(worst, compare(function, patterns.astype(np.uint32).view(np.float32)))
    return worst


def compare(function, x):
    """The worst of the inputs x."""
    got = np.empty_like(x)
    core.elementary(function, x, got)
    with np.errstate(all="ignore"):
        exact = EXACT[function](x.astype(np.float64))
        rounded = exact.astype(np.float32)
    nan = np.isnan(exact)
    wrong = int(np.count_nonzero(np.isnan(got) != nan))
    floats = np.abs(order(got) - order(rounded))
    floats[nan | np.isnan(got)] = 0
    most = int(floats.max())
    candidates = np.flatnonzero(floats == most)
    with np.errstate(all="ignore"):
        units = np.abs(got[candidates] - exact[candidates]) / np.spacing(np.abs(rounded[candidates])).astype(np.float64)
    units = np.nan_to_num(units, nan=0.0)       # infinity for infinity
    best = candidates[units.argmax()]
    return Worst(most, float(units.max()), float(x[best]), float(got[best]), wrong, len(x))


def order(x):
    """Floats numbered in their order, -0 just before +0."""
    i = x.view(np.int32)
    return (i ^ ((i >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)


def worse(a, b):
    """The worse of two, with their inputs together."""
    return max(a, b, key=lambda w: w[:2])._replace(nans=a.nans + b.nans, inputs=a.inputs + b.inputs)


def main():
    parser = argparse.ArgumentParser(description="Largest error of exp, sigmoid, tanh and log over the float32 inputs.")
    parser.add_argument("--isa", choices=core.usable_isas(), default=core.isa())
    parser.add_argument("--stride", type=int, default=1, metavar="N", help="only every Nth bit pattern; odd, so that all signs and exponents occur")
    parser.add_argument("--function", choices=list(EXACT), action="append", help="may be given several times; default: all")
    parser.add_argument("--processes", type=int, default=core.available_cpus(), metavar="N")
    options = parser.parse_args()
    blocks = range(0, 2**32, BLOCK)
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for function in options.function or EXACT:
            start = time.perf_counter()
            jobs = [pool.submit(examine, function, options.isa, block, options.stride) for block in blocks]
            worst = jobs[0].result()
            for job in jobs[1:]:
                worst = worse(worst, job.result())
            x = np.float32(worst.x)
            print(f"{function:<8} {options.isa:<8} {worst.inputs} inputs: at most {worst.floats} floats from the correctly rounded value, "
                  f"{worst.units:.3f} ULP from the exact one, at x = {x!s} ({float(x).hex()}), where it is {np.float32(worst.got)!s}; "
                  f"NaN wrong {worst.nans} times  [{time.perf_counter() - start:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
