"""The multiply-add peak of this machine, measured: what percentages in the benchmarks refer to.

    python benchmarks/peak.py [--threads N] [--dtype float64] [--isa avx2]

Compiles peak.c with the system's compiler (CC, else cc, gcc or clang) into a temporary folder.
"""

import argparse
import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import lstmc

FLAGS = {"avx512": ["-mavx512f"], "avx2": ["-mavx2", "-mfma"], "neon": [], "baseline": []}


class NoCompiler(RuntimeError):
    """There is no C compiler, or it cannot compile the probe."""


class Peak:
    """The probe for one instruction set and type.

    Parameters
    ----------
    isa : str
        As in `lstmc.build_info()["isas"]`.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    best : dict
        Number of threads -> the highest rate that `measure` has found so far.

    Raises
    ------
    NoCompiler
    """

    def __init__(self, isa, dtype="float32"):
        self.isa, self.dtype, self.best = isa, dtype, {}
        with tempfile.TemporaryDirectory() as folder:
            self._library = ctypes.CDLL(compiled(isa, dtype, folder))
        self._library.peak_run.argtypes = [ctypes.c_long]
        self._library.peak_run.restype = ctypes.c_float if dtype == "float32" else ctypes.c_double
        self._flops = self._library.peak_flops()
        self._n = 1000
        while self._timed(self._n) < 0.002:
            self._n *= 2

    def _timed(self, n):
        start = time.perf_counter()
        self._library.peak_run(n)
        return time.perf_counter() - start

    def measure(self, threads, seconds=0.02):
        """GF/s of `threads` cores at once, over about `seconds`."""
        n = max(1, round(self._n * seconds / self._timed(self._n)))
        gate, times = threading.Barrier(threads), []

        def run():
            gate.wait()
            start = time.perf_counter()
            self._library.peak_run(n)       # ctypes releases the interpreter's lock
            times.append((start, time.perf_counter()))

        team = [threading.Thread(target=run) for _ in range(threads)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        elapsed = max(end for _, end in times) - min(start for start, _ in times)
        rate = threads * n * self._flops / elapsed / 1e9
        self.best[threads] = max(rate, self.best.get(threads, 0.0))
        return rate


def compiler():
    """The C compiler's command as a list."""
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            return command
    raise NoCompiler(f"no C compiler: {' '.join(given) or 'cc, gcc, clang'} not found")


def compiled(isa, dtype, folder):
    """Path of the probe as a shared library in `folder`."""
    library = str(Path(folder, "peak.so"))
    real = {"float32": "float", "float64": "double"}[dtype]
    command = [*compiler(), "-O3", "-ffp-contract=fast", f"-DREAL={real}", *FLAGS[isa], "-shared", "-fPIC",
               str(Path(__file__).with_name("peak.c")), "-o", library]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoCompiler(f"{shlex.join(command)} failed:\n{done.stderr}")
    return library


def main():
    isas = lstmc.build_info()["isas"]
    options = argparse.ArgumentParser(description="Measure the multiply-add peak of this machine.")
    options.add_argument("--threads", type=int, default=lstmc.get_num_threads())
    options.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    options.add_argument("--isa", choices=isas, default=isas[0])
    options = options.parse_args()
    peak = Peak(options.isa, options.dtype)
    for threads in sorted({1, options.threads}):
        best = max(peak.measure(threads, 0.2) for _ in range(5))
        print(f"{options.isa} {options.dtype}, {threads} thread{'s' * (threads > 1)}: {best:.0f} GF/s")


if __name__ == "__main__":
    main()
