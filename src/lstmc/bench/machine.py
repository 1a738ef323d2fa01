"""What this machine can do, measured with the package's own probes: the figures that `roofline` computes bounds from.

Clock rates drift and neighbours come and go, so the probes run again in every round, and the best figure so far counts.
"""

import math
import time

from lstmc.bench.contenders import using
from lstmc.bench.roofline import LEVELS, Peaks
from lstmc.cli.info import caches
from lstmc.kernels import core, probe

SIZES = [2**n for n in range(14, 24)] + [2**24, 2**26]      # of a thread's buffer: 16 KiB to 64 MiB
MOST = 2**30                                                # of all buffers together
ITEMSIZE = {"float32": 4, "float64": 8}
BLOCK = 64                                                  # bytes of a block of units, on every instruction set


class Machine:
    """Peaks of this machine on one thread and on `threads`, for some instruction sets.

    Parameters
    ----------
    isas : list of str
    threads : int

    Attributes
    ----------
    fma : dict
        (isa, dtype, threads) -> best flop/s.
    read : dict
        (isa, threads) -> {bytes of a thread's buffer: best bytes/s of one thread}.
    """

    def __init__(self, isas, threads):
        self.isas, self.threads = isas, threads
        self.counts = sorted({1, threads})
        self.fma, self.read, self.rows, self.meet = {}, {}, {}, math.inf
        self.caches = caches()
        self._turn = 0

    def measure(self):
        """Every figure, three times: about a second for each instruction set."""
        for isa in self.isas:
            with using(isa):
                self.rows[isa] = core.tile_rows()
                for _ in range(3):
                    for dtype in ITEMSIZE:
                        self._fma(isa, dtype)
                    for size in SIZES:
                        self._read(isa, size)
        self.meet = min(probe.meet(self.threads) for _ in range(5))

    def again(self, isa, dtype):
        """The rates of multiply-adds once more, and reads of the next size; returns flop/s on all threads."""
        with using(isa):
            rate = self._fma(isa, dtype)
            self._read(isa, SIZES[self._turn % len(SIZES)])
        self._turn += 1
        self.meet = min(self.meet, probe.meet(self.threads))
        return rate

    def _fma(self, isa, dtype):
        for n in self.counts:
            rate = probe.fma(ITEMSIZE[dtype], n, 0.004)
            self.fma[isa, dtype, n] = max(rate, self.fma.get((isa, dtype, n), 0.0))
        return rate

    def _read(self, isa, size):
        for n in self.counts:
            if size * n <= MOST:
                best = self.read.setdefault((isa, n), {})
                best[size] = max(probe.read(size, n, 0.003) / n, best.get(size, 0.0))

    def peaks(self, isa, dtype):
        """The Peaks that a case of this type is bound by."""
        return Peaks(
            fma={n: self.fma[isa, dtype, n] for n in self.counts},
            read={n: self.read[isa, n] for n in self.counts},
            meet=self.meet, tile_rows=self.rows[isa], itemsize=ITEMSIZE[dtype], caches=self.caches)

    def about(self):
        """One line for people for each instruction set."""
        lines = {}
        for isa in self.isas:
            peaks, n = self.peaks(isa, "float32"), self.threads
            rates = ", ".join(f"{peaks.fma[m] / 1e9:.0f} on {m}" for m in self.counts)
            reads = {}
            for size in SIZES:
                if size * n <= MOST:
                    reads.setdefault(peaks.level(size, n), peaks.rate(size, n) * n / 1e9)
            text = ", ".join(f"{level} {reads[level]:.0f}" for level in LEVELS if level in reads)
            lines[f"peak {isa}"] = f"{rates} GF/s in float32; reads on {n}: {text} GB/s"
        return lines

    def facts(self):
        """Everything measured, JSON types only."""
        return {
            "fma_gflops": [{"isa": isa, "dtype": dtype, "threads": n, "best": rate / 1e9} for (isa, dtype, n), rate in self.fma.items()],
            "read_gbytes_per_thread": [{"isa": isa, "threads": n, "best": {str(size): rate / 1e9 for size, rate in best.items()}}
                                       for (isa, n), best in self.read.items()],
            "meet_ns": self.meet * 1e9 if math.isfinite(self.meet) else None,
            "caches": self.caches,
        }


def settle(longest=1.0):
    """Wait until the thread pool of whoever ran before has gone to sleep: the process uses next to no CPU.

    Some pools look for work for 40 ms and more, on every core, and would be measured by whoever comes next.
    """
    deadline = time.perf_counter() + longest
    while time.perf_counter() < deadline:
        start, used = time.perf_counter(), time.process_time()
        time.sleep(0.004)
        if time.process_time() - used < 0.2 * (time.perf_counter() - start):
            return
