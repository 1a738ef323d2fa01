"""The bound of a case: the least time that its arithmetic and its reading of weights can take on a machine of given peaks.

For one layer in one direction of G gates, with n threads that have a peak of P flop/s together, s bytes an item, and N live
pairs of step and sequence, so that a step has b = N / T rows (B unless the batch is ragged)::

    a step is either split by rows,  each thread having b/n rows and all weights,   w = GH(R + [I if T = 1]) s bytes
    or by units,                     each thread having b rows and 1/n of them,     w / n, and a meeting per step
    passes     = ceil(rows / rows of a register tile)           each reads the weights of a thread once
    stream     = T (w / read(w) + (passes - 1) w / read(panel)) the first from where w fits, the others from where a panel fits
    products   = 2 N GH I / P + max(2 N GH R / P, stream)
    backward   = 2 N GH (2I + R) / P + max(2 N GH R / P, stream)
    training   = max(products + backward, activations / read),  activations = 2 S N H s + (3 I + H) N s bytes

S is the values that a step saves for each unit: 6 of an LSTM, 5 of a GRU, 1 of an RNN; a checkpointed tape need not move them.
A projection's P H weights count as recurrent ones. The input's product does not wait for the state, so its weights are read
once for many steps unless T = 1. Element-wise work is not counted. The bound is the least over both splits and over one and
all threads. read(w) is the measured rate at which a thread reads a buffer of w bytes while the others do the same.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

SAVED = {"lstm": 6, "gru": 5, "rnn": 1}
LEVELS = ("L1", "L2", "L3", "dram")


class Bound(NamedTuple):
    """seconds: the bound; binds: "fma" or a cache level; bytes: of weights, read by all threads in the split that is bound least."""

    seconds: float
    binds: str
    bytes: float


@dataclass
class Peaks:
    """Measured limits for one instruction set and type.

    fma: threads -> flop/s of all; read: threads -> {bytes: bytes/s of each}; meet: seconds for threads to wait for each other.
    """

    fma: dict
    read: dict
    meet: float
    tile_rows: int
    itemsize: int
    caches: dict = field(default_factory=dict)

    def rate(self, size, threads):
        """Bytes/s at which each of `threads` threads reads `size` bytes of its own.

        A smaller buffer is never slower than a larger one, whatever a single measurement says; between two sizes the
        rate is interpolated in the logarithms.
        """
        table = sorted(self.read[threads].items())
        best = [max(rate for _, rate in table[i:]) for i in range(len(table))]
        sizes = [s for s, _ in table]
        if size <= sizes[0]:
            return best[0]
        for i in range(1, len(sizes)):
            if size <= sizes[i]:
                part = math.log(size / sizes[i - 1]) / math.log(sizes[i] / sizes[i - 1])
                return best[i - 1] ** (1 - part) * best[i] ** part
        return best[-1]

    def level(self, size, threads=1):
        """The name of the smallest cache that holds `size` bytes of each of `threads` threads; the third level is shared."""
        for name, key, sharers in (("L1", "L1d", 1), ("L2", "L2", 1), ("L3", "L3", threads)):
            if key in self.caches and size * sharers <= self.caches[key]:
                return name
        return "dram" if self.caches else "memory"


def bound(case, peaks):
    """The Bound of a `cases.Case` on a machine of these `Peaks`."""
    splits = [(1, False)] + [(n, units) for n in peaks.fma if n > 1 for units in (False, True) if units or n <= case.B]
    return min((_split(case, peaks, n, units) for n, units in splits), key=lambda found: found.seconds)


def _split(case, peaks, n, units):
    T, N, H, G, s, peak = case.T, case.live, case.H, case.gates, peaks.itemsize, peaks.fma[n]
    rows = N / T if units else math.ceil(N / T / n)
    passes = math.ceil(rows / peaks.tile_rows)
    train = case.kind == "train"
    seconds, weights, binds = 0.0, 0.0, "fma"
    for I in case.inputs:
        K = case.R + I if T == 1 else case.R            # rows of the weights that a step reads
        w = H * (G * K + case.P) * s / (n if units else 1)
        panel = min(w, G * 64 * K)                      # the gates of one block of units, 64 bytes wide
        stream = T * (w / peaks.rate(w, n) + (passes - 1) * w / peaks.rate(panel, n))
        inputs, recurrent = (2 * N * H * width / peak for width in (G * I, G * case.R + case.P))
        if T == 1:
            inputs, recurrent = 0.0, inputs + recurrent
        seconds += case.D * (inputs + max(recurrent, stream))
        weights += case.D * n * T * w
        if train:
            seconds += case.D * (2 * inputs + recurrent + max(recurrent, stream))
            weights += case.D * n * T * w
        if stream > recurrent:
            binds = peaks.level(w, n)
    if units:
        seconds += T * case.L * case.D * (2 if train else 1) * peaks.meet
    if train and not case.checkpoint:
        moved = sum(case.D * N * ((2 * SAVED[case.cell] + 1) * H + 3 * I) * s for I in case.inputs)
        share = moved / n
        if share / peaks.rate(share, n) > seconds:
            return Bound(share / peaks.rate(share, n), peaks.level(share, n), moved)
    return Bound(seconds, binds, weights)
