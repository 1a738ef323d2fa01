"""What training on ranks of MPI costs, beside threads of one process and torch's DistributedDataParallel.

    python benchmarks/ranks.py [--ranks 2] [--rounds 5] [--parts train,ddp,sums] [--seconds N] [--json FILE]

train: an LSTM of T = 100, B = 64, I = H = 256, sequences per second. For each count R of ranks: one process of R threads, plain and by one piece; R ranks of 1
thread, a piece of B / R each; the same by pieces that are the same whatever R is, whose weights are compared to the bit; and with B sequences
for each rank. ddp: torch's DDP on gloo, R processes of 1 thread, B / R each, where torch is installed. sums: of an LSTM of I = H from 64 to 1024, a step of
32 sequences on every rank, and the sum of its gradients; then latency l and bandwidth b, once of messages to and fro, and once as they fit the sums by
docs/distributed.md's formula. Needs mpi4py and mpiexec. Contenders take turns; medians are printed. FILE gets all that was measured; one of an earlier run is
continued.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

T, B, H, STEPS, EPOCHS = 100, 64, 256, 4, 4
UNITS, SEQUENCES = (64, 128, 256, 512, 1024), 32


def trained(distribute, threads, batch):
    """Seconds of each epoch of STEPS batches, the first left out; and the weights' digest."""
    import lstmc
    lstmc.set_num_threads(threads)
    lstmc.utils.set_random_seed(0)
    model = lstmc.Sequential([lstmc.Input((T, H)), lstmc.layers.LSTM(H), lstmc.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal(size=(batch * STEPS, T, H), dtype=np.float32)
    ends = []
    stamp = lstmc.callbacks.LambdaCallback(on_epoch_begin=lambda *a: ends.append(time.perf_counter()), on_train_end=lambda *a: ends.append(time.perf_counter()))
    model.fit(x, x[:, 0, :1], batch_size=batch, epochs=EPOCHS, verbose=0, callbacks=[stamp], distribute=distribute)
    return np.diff(ends)[1:].tolist(), hashlib.blake2b(b"".join(w.tobytes() for w in model.get_weights()), digest_size=8).hexdigest()


def threads(number):
    """Of one process."""
    from lstmc import distributed
    name = f"1 process of {number} thread{'s' * (number > 1)}"
    return {name: trained(None, number, B), f"{name}, one piece": trained(distributed.Pieces(B), number, B)}


def ranks(smallest):
    """Of ranks of 1 thread; smallest: samples of the pieces that are the same whatever the number of ranks is."""
    from lstmc import distributed
    all_ranks = distributed.MPI()
    number = all_ranks.ranks
    name = f"{number} rank{'s' * (number > 1)}"
    found = {name: trained(distributed.MPI(B // number), 1, B), f"{name}, pieces of {smallest}": trained(distributed.MPI(smallest), 1, B)}
    if number > 1:
        found[f"{name}, B = {B} each"] = trained(distributed.MPI(B), 1, B * number)
    return found if all_ranks.rank == 0 else None


def ddp(rank, world, file):
    """The same in torch."""
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.dense = torch.nn.LSTM(H, H, batch_first=True), torch.nn.Linear(H, 1)

        def forward(self, x):
            return self.dense(self.lstm(x)[0][:, -1])

    net = torch.nn.parallel.DistributedDataParallel(Net())
    optimizer, x, ends = torch.optim.Adam(net.parameters()), torch.randn(B * STEPS, T, H), []
    for _ in range(EPOCHS):
        ends.append(time.perf_counter())
        for n in range(STEPS):
            part = x[n * B + rank * B // world:n * B + (rank + 1) * B // world]
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(part), part[:, 0, :1]).backward()
            optimizer.step()
    ends.append(time.perf_counter())
    torch.distributed.destroy_process_group()
    return {f"torch DDP, {world} processes": (np.diff(ends)[1:].tolist(), "")}


def weights_of(units):
    """Numbers of an LSTM of as many inputs."""
    return 4 * units * (2 * units + 2)


def sums():
    """{"rows": [[H, seconds of a step, seconds of the sum]], "messages": [[bytes, seconds of one]]}"""
    from mpi4py.MPI import COMM_WORLD

    from lstmc import distributed, nn, set_num_threads
    set_num_threads(1)
    distribute, rows = distributed.MPI(SEQUENCES), []

    def timed(call):
        COMM_WORLD.Barrier()
        start = time.perf_counter()
        found = call()
        return found, max(COMM_WORLD.allgather(time.perf_counter() - start))

    for units in UNITS:
        m, x = nn.LSTM(units, units, seed=0), np.random.default_rng(0).standard_normal(size=(T, SEQUENCES, units), dtype=np.float32)

        def step(m=m, x=x):
            y, _, tape = m.forward(x)
            return m.backward(tape, np.ones_like(y)).params

        steps = [timed(step) for _ in range(4 if units < 1024 else 3)]
        grads = steps[-1][0]
        alone = [timed(lambda grads=grads: distributed.all_reduce(grads, distribute))[1] for _ in range(12)]
        rows.append([units, statistics.median(seconds for _, seconds in steps[1:]), statistics.median(alone[2:])])
    messages = []
    for size in (8, 1 << 16, 1 << 20, 1 << 24):
        data, count, seconds = np.zeros(size, np.uint8), 200 if size < 1 << 20 else 10, []
        for _ in range(5):
            COMM_WORLD.Barrier()
            start = time.perf_counter()
            for _ in range(count):
                if COMM_WORLD.rank == 0:
                    COMM_WORLD.Send(data, 1)
                    COMM_WORLD.Recv(data, 1)
                elif COMM_WORLD.rank == 1:
                    COMM_WORLD.Recv(data, 0)
                    COMM_WORLD.Send(data, 0)
            seconds.append((time.perf_counter() - start) / count / 2)
        messages.append([size, statistics.median(seconds)])
    return {"rows": rows, "messages": messages} if COMM_WORLD.rank == 0 else None


def rows_of(runs):
    """[[H, seconds of a step, seconds of the sum]] of some runs of one count of ranks: medians."""
    return np.median([run["rows"] for run in runs], axis=0).tolist()


def fitted(found):
    """(l, b) of the sums of several counts of ranks: least squares of relative errors, of C (1 - 1 / R) + 2 (R - 1) l with C = 8 W / b."""
    lines = [(2 * (int(number) - 1) / seconds, 8 * weights_of(units) * (1 - 1 / int(number)) / seconds)
             for number, runs in found.items() for units, _, seconds in rows_of(runs)]
    latency, slowness = np.linalg.lstsq(np.array(lines), np.ones(len(lines)), rcond=None)[0]
    return latency, 1 / slowness


def child(*arguments, number=0):
    """What a process of this file, or rank 0 of so many, prints."""
    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = [str(beside) if beside.exists() else shutil.which("mpiexec") or "mpiexec", "-n", str(number)] if number else []
    command = [*mpiexec, sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))


def all_of_ddp(number):
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", "ddp"]
        some = [subprocess.Popen([*command, str(rank), str(number), f"{folder}/store"], stdout=subprocess.PIPE, text=True) for rank in range(number)]
        first, *_ = [p.communicate(timeout=600)[0] for p in some]
        return next(json.loads(line) for line in first.splitlines() if line.startswith("{"))


def of_child(kind, more):
    return sums() if kind == "sums" else ddp(int(more[0]), int(more[1]), more[2]) if kind == "ddp" else {"threads": threads, "ranks": ranks}[kind](int(more[0]))


def print_training(times, bits):
    first = statistics.median(next(iter(times.values())))
    print(f"training, T = {T}, B = {B}, I = H = {H}")
    for name, some in times.items():
        seconds, number = statistics.median(some), int(name.split()[0]) if "each" in name else 1
        print(f"  {name:45} {number * B * STEPS / seconds:8.0f} sequences/s {number * first / seconds:7.3f} of the first")
    same = {digest for name, some in bits.items() if "pieces of" in name for digest in some}
    print(f"  weights by the same pieces on all counts of ranks: {'the same bits' if len(same) == 1 else 'DIFFERENT BITS'}")


def print_sums(found):
    print(f"ranks of 1 thread, T = {T}, {SEQUENCES} sequences each: a step of an LSTM of I = H, and the sum of its gradients")
    latency, bandwidth = fitted(found)
    for number, runs in found.items():
        ranks = int(number)
        for units, step, total in rows_of(runs):
            model = 8 * weights_of(units) * (1 - 1 / ranks) / bandwidth + 2 * (ranks - 1) * latency
            print(f"  {ranks:3} ranks, H = {units:5.0f} {step * 1e3:8.1f} ms, {6 * weights_of(units) * T * SEQUENCES / step / 1e9:6.1f} GFLOP/s; "
                  f"sum {total * 1e3:7.2f} ms, {total / step:6.1%} of it; {model * 1e3:7.2f} by l and b")
        print("      messages:", ", ".join(f"{size} bytes {seconds * 1e6:.1f} us" for size, seconds in runs[-1]["messages"]))
    print(f"  fitted to the sums: l = {latency * 1e6:.1f} us, b = {bandwidth / 1e9:.2f} GB/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", default="2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", default="train,ddp,sums")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further round after these")
    parser.add_argument("--json")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        result = of_child(options.child[0], options.child[1:])
        if result:
            print(json.dumps(result), flush=True)
        return
    start, parts, counts = time.monotonic(), options.parts.split(","), [int(n) for n in options.ranks.split(",")]
    file = Path(options.json or os.devnull)
    about = {"cpus": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"about": about, "times": {}, "bits": {}, "sums": {}}

    def keep():
        file.write_text(json.dumps(found), encoding="utf-8")

    if "sums" in parts:
        for number in counts:
            if number > 1:
                found["sums"].setdefault(str(number), []).append(child("sums", number=number))
                keep()
        print_sums(found["sums"])
    contenders = []
    for number in counts:
        if "train" in parts:
            contenders += [lambda number=number: child("threads", number), lambda number=number: child("ranks", B // max(counts), number=number)]
        if "ddp" in parts and number > 1 and importlib.util.find_spec("torch"):
            contenders.append(lambda number=number: all_of_ddp(number))
    for _ in range(options.rounds):
        for run in contenders:
            for name, (seconds, digest) in run().items():
                if seconds:
                    found["times"].setdefault(name, []).extend(seconds)
                    found["bits"].setdefault(name, []).append(digest)
            keep()
        if time.monotonic() - start > options.seconds:
            break
    if contenders:
        print_training(found["times"], found["bits"])


if __name__ == "__main__":
    main()
