"""How layers gain from threads, beside torch's on as many.

    python benchmarks/threads.py [--threads 1,2] [--rounds 5] [--seconds N] [--json FILE]

LSTM and GRU, forward and forward with backward, float32, of two shapes. lstmc and torch (where it is installed) have a process each and take turns; a block is
one call that is not counted and some that are, and whoever has no turn sleeps. Medians over blocks are printed. What lstmc gives is compared, to
the bit, between the numbers of threads. FILE gets all that was measured; one of an earlier run is continued.
"""

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

SHAPES = ((100, 64, 256, 256), (60, 32, 128, 128))      # T, B, I, H
BLOCK = 0.15     # seconds


def of_lstmc(cell, shape):
    """(forward, forward and backward, set the threads, digest of what was computed)"""
    import lstmc
    steps, batch, inputs, units = shape
    m = getattr(lstmc.nn, cell)(inputs, units, seed=0)
    x = np.random.default_rng(0).standard_normal(size=(steps, batch, inputs), dtype=np.float32)
    ones = np.ones((steps, batch, units), np.float32)

    def train():
        y, _, tape = m.forward(x)
        return y, m.backward(tape, ones)

    def digest():
        y, grads = train()
        return hashlib.blake2b(b"".join(a.tobytes() for a in (y, grads.x, *grads.params.values())), digest_size=8).hexdigest()

    return lambda: m(x), train, lstmc.set_num_threads, digest


def of_torch(cell, shape):
    import torch
    steps, batch, inputs, units = shape
    m = getattr(torch.nn, cell)(inputs, units)
    x, ones = torch.randn(steps, batch, inputs, requires_grad=True), torch.ones(steps, batch, units)

    def forward():
        with torch.no_grad():
            m(x)

    def train():
        m.zero_grad()
        x.grad = None
        m(x)[0].backward(ones)

    return forward, train, torch.set_num_threads, lambda: ""


def contender(pipe, make):
    """A process: seconds of a call, and the digest, for each (cell, shape, kind, threads) that comes."""
    made = {}
    pipe.send("ready")
    while told := pipe.recv():
        cell, shape, kind, threads = told
        if (cell, shape) not in made:
            made[cell, shape] = make(cell, shape)
        *calls, set_threads, digest = made[cell, shape]
        set_threads(threads)
        call, count = calls[kind == "train"], 0
        call()
        start = time.perf_counter()
        while count == 0 or time.perf_counter() - start < BLOCK:
            call()
            count += 1
        pipe.send(((time.perf_counter() - start) / count, digest() if kind == "train" else ""))
        time.sleep(0.05)        # until its threads rest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default=",".join(str(n) for n in (1, 2, 4, 8, 16) if n <= (os.cpu_count() or 1)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further round after these")
    parser.add_argument("--json")
    options = parser.parse_args()
    start, counts = time.monotonic(), [int(n) for n in options.threads.split(",")]
    context, pipes = multiprocessing.get_context("spawn"), {}
    for name, make in {"lstmc": of_lstmc, "torch": of_torch}.items():
        if importlib.util.find_spec(name):
            pipes[name], its = context.Pipe()
            context.Process(target=contender, args=(its, make), daemon=True).start()
            pipes[name].recv()
    cases = [(cell, shape, kind) for cell in ("LSTM", "GRU") for shape in SHAPES for kind in ("forward", "train")]
    file, about = Path(options.json or os.devnull), {"cpus": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"about": about, "times": {}}
    times, bits = found["times"], {}        # case and name -> threads -> seconds; case -> digests
    for _ in range(options.rounds):
        for cell, shape, kind in cases:
            case = f"{cell} T{shape[0]} B{shape[1]} I{shape[2]} H{shape[3]} {kind}"
            for threads in counts:
                for name, pipe in pipes.items():
                    pipe.send((cell, shape, kind, threads))
                    seconds, digest = pipe.recv()
                    time.sleep(0.06)
                    times.setdefault(case, {}).setdefault(name, {}).setdefault(str(threads), []).append(seconds)
                    if digest:
                        bits.setdefault(case, set()).add(digest)
        file.write_text(json.dumps(found), encoding="utf-8")
        if time.monotonic() - start > options.seconds:
            break
    for pipe in pipes.values():
        pipe.send(None)
    for case, some in times.items():
        median = {name: {int(n): statistics.median(several) for n, several in by.items()} for name, by in some.items()}
        print(case)
        for n in counts:
            parts = [f"{name} {by[n] * 1e3:8.2f} ms, {by[counts[0]] / by[n]:5.2f} times as fast as on {counts[0]}" for name, by in median.items()]
            ratio = f"; torch / lstmc {median['torch'][n] / median['lstmc'][n]:5.2f}" if "torch" in median else ""
            print(f"  {n:3} threads: {'; '.join(parts)}{ratio}")
    if any(len(digests) > 1 for digests in bits.values()):
        sys.exit(f"other bits with other threads: {bits}")
    print("lstmc: the same bits on any number of threads")


if __name__ == "__main__":
    main()
