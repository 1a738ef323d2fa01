"""What training on ranks and prediction by engines cost, beside one process, torch's DistributedDataParallel and plain processes.

    python benchmarks/distributed.py [--rounds N] [--parts train,ddp,traffic,predict]

train: an LSTM of T = 100, B = 64, I = H = 256, sequences per second: one process of 2 threads, plain and by one piece; 2 MPI ranks of 1 thread, a piece
each. ddp: the same on 2 processes with gloo, where torch is installed. traffic: of 2 ranks, the sum of all gradients beside the
step that makes them, for H from 64 to 1024. predict: 20,000 sequences by two plain processes that read a half each from a file and send scores, and by 2
workers of what is installed of `Processes`, Dask and Ray: from functions that read parts of the file, and from a list in this process, which therefore has
to be sent. Either were started before, or are started for the call. Needs mpi4py and mpiexec for ranks. Contenders take turns; medians are printed.
"""

import argparse
import contextlib
import functools
import importlib.util
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]     # this file is not Dask's `distributed`

T, B, H, STEPS = 100, 64, 256, 4
SEQUENCES = 20000


def train(kind, threads):
    """Seconds of each epoch of STEPS batches, the first left out."""
    import lstmc
    from lstmc import distributed
    lstmc.set_num_threads(threads)
    lstmc.utils.set_random_seed(0)
    model = lstmc.Sequential([lstmc.Input((T, H)), lstmc.layers.LSTM(H), lstmc.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(B * STEPS, T, H)).astype(np.float32)
    more = {"plain": {}, "one piece": {"distribute": distributed.Pieces(B)}}
    more = more[kind] if kind in more else {"distribute": distributed.MPI(B // 2)}
    ends = []
    stamp = lstmc.callbacks.LambdaCallback(on_epoch_begin=lambda *a: ends.append(time.perf_counter()))
    model.fit(x, x[:, 0, :1], batch_size=B, epochs=7, verbose=0, callbacks=[stamp], **more)
    return np.diff(ends)[1:].tolist()


def ddp(rank, file):
    """The same in torch on 2 processes."""
    import torch
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.dense = torch.nn.LSTM(H, H, batch_first=True), torch.nn.Linear(H, 1)

        def forward(self, x):
            return self.dense(self.lstm(x)[0][:, -1])

    net = torch.nn.parallel.DistributedDataParallel(Net())
    optimizer, x, ends = torch.optim.Adam(net.parameters()), torch.randn(B * STEPS, T, H), []
    for _ in range(7):
        ends.append(time.perf_counter())
        for n in range(STEPS):
            part = x[n * B + rank * B // 2:n * B + (rank + 1) * B // 2]
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(part), part[:, 0, :1]).backward()
            optimizer.step()
    torch.distributed.destroy_process_group()
    return np.diff(ends)[1:].tolist()


def traffic():
    """[H, seconds of a step of a piece, seconds of the sum over ranks] for each H."""
    from lstmc import distributed, nn, set_num_threads
    set_num_threads(1)
    distribute, found = distributed.MPI(B // 2), []
    for units in (64, 128, 256, 512, 1024):
        m = nn.LSTM(units, units, seed=0)
        x = np.random.default_rng(0).normal(size=(T, B // 2, units)).astype(np.float32)
        times = []
        for _ in range(4):
            start = time.perf_counter()
            y, _, tape = m.forward(x)
            grads = m.backward(tape, np.ones_like(y)).params
            middle = time.perf_counter()
            distributed.all_reduce(grads, distribute)
            times.append((middle - start, time.perf_counter() - middle))
        found.append([units, *(min(column) for column in zip(*times[1:], strict=True))])
    return found


JOBS = {"LSTM(64)": 1, "two bidirectional LSTM(64)": 2}


def job(layers):
    """The model."""
    import lstmc
    lstmc.utils.set_random_seed(0)
    first = [lstmc.layers.LSTM(64)] if layers == 1 else [lstmc.layers.Bidirectional(lstmc.layers.LSTM(64, return_sequences=r)) for r in (True, False)]
    return lstmc.Sequential([lstmc.Input((None, 16)), *first, lstmc.layers.Dense(1)])


def write(folder):
    """The sequences: their steps, and where each begins."""
    rng = np.random.default_rng(0)
    ends = np.cumsum(rng.integers(20, 81, SEQUENCES))
    np.save(Path(folder, "ends.npy"), np.append(0, ends))
    np.save(Path(folder, "steps.npy"), rng.normal(size=(ends[-1], 16)).astype(np.float32))


def read(folder, first, last):
    """Some of them, copied from the file."""
    ends = np.load(Path(folder, "ends.npy"))[first:last + 1]
    steps = np.array(np.load(Path(folder, "steps.npy"), mmap_mode="r")[ends[0]:ends[-1]])
    return [steps[a:b] for a, b in pairwise((ends - ends[0]).tolist())]


def plain(pipe, folder, first, last):
    """A process that reads and predicts its half, whenever it is told a job."""
    import lstmc
    lstmc.set_num_threads(1)
    models = {}
    pipe.send("ready")
    while layers := pipe.recv():
        model = models.setdefault(layers, job(layers))
        pipe.send(model.predict(read(folder, first, last), verbose=0))


class Plain:
    """Two of them."""

    def __init__(self, folder):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.children = zip(*(self.start(context, folder, half) for half in range(2)), strict=True)
        for pipe in self.pipes:
            pipe.recv()

    def start(self, context, folder, half):
        mine, its = context.Pipe()
        child = context.Process(target=plain, args=(its, folder, half * SEQUENCES // 2, (half + 1) * SEQUENCES // 2), daemon=True)
        child.start()
        return mine, child

    def predict(self, layers):
        for pipe in self.pipes:
            pipe.send(layers)
        return np.concatenate([pipe.recv() for pipe in self.pipes])

    def close(self):
        for pipe, process in zip(self.pipes, self.children, strict=True):
            pipe.send(0)
            process.join()


def predict(rounds):
    """Seconds by job and contender, each of which gives all scores; what is started for a call, and what was started before."""
    from lstmc import distributed as by
    found = {}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        write(folder)
        memory = read(folder, 0, SEQUENCES)
        before = Plain(folder)
        stack.callback(before.close)

        def cold(layers):
            both = Plain(folder)
            scores = both.predict(layers)
            both.close()
            return scores

        def files(model, engine):
            parts = (functools.partial(read, folder, i, min(i + 1000, SEQUENCES)) for i in range(0, SEQUENCES, 1000))
            return np.concatenate(list(by.predict(model, parts, engine, workers=2, threads=1, verbose=0)))

        def listed(model, engine):
            return by.predict(model, memory, engine, workers=2, threads=1, partition=1000, verbose=0)

        engines = {"Processes": stack.enter_context(by.Processes(2, 1))}
        if importlib.util.find_spec("distributed"):
            import distributed
            cluster = stack.enter_context(distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
            engines["Dask"] = stack.enter_context(distributed.Client(cluster))
        if importlib.util.find_spec("ray"):
            import ray
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
            stack.callback(ray.shutdown)
            engines["Ray"] = "ray"
        contenders = {"two plain processes, file": lambda layers, model: before.predict(layers)}
        for name, engine in engines.items():
            contenders[f"{name}, file"] = lambda layers, model, engine=engine: files(model, engine)
            contenders[f"{name}, list"] = lambda layers, model, engine=engine: listed(model, engine)
        contenders["started for it: two plain processes, file"] = lambda layers, model: cold(layers)
        contenders["started for it: processes, file"] = lambda layers, model: files(model, "processes")
        contenders["started for it: processes, list"] = lambda layers, model: listed(model, "processes")
        for title, layers in JOBS.items():
            model = job(layers)
            expected = model.predict(memory, verbose=0)
            for n in range(rounds + 1):
                for name, run in contenders.items():
                    start = time.perf_counter()
                    scores = run(layers, model)
                    if n:
                        found.setdefault(title, {}).setdefault(name, []).append(time.perf_counter() - start)
                    elif not np.array_equal(scores, expected):
                        sys.exit(f"{name}: other scores than the model alone gives")
    return found


def child(*arguments, ranks=0):
    """What a process of this file, or rank 0 of so many, prints."""
    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = [str(beside) if beside.exists() else shutil.which("mpiexec") or "mpiexec", "-n", str(ranks)] if ranks else []
    command = [*mpiexec, sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


def ddp_pair():
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", "ddp"]
        pair = [subprocess.Popen([*command, str(rank), f"{folder}/store"], stdout=subprocess.PIPE, text=True) for rank in range(2)]
        first, _ = (p.communicate(timeout=600)[0] for p in pair)
        return json.loads(first)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", default="train,ddp,traffic,predict")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        kind, *more = options.child
        result = traffic() if kind == "traffic" else ddp(int(more[0]), more[1]) if kind == "ddp" else train(kind, int(more[0]))
        if result:      # callbacks are those of rank 0
            print(json.dumps(result), flush=True)
        return
    parts, times = options.parts.split(","), {}
    if "train" in parts or "ddp" in parts:
        contenders = {
            "1 process, 2 threads": lambda: child("plain", 2), "1 process, 2 threads, one piece": lambda: child("one piece", 2),
            "2 ranks, 1 thread": lambda: child("mpi", 1, ranks=2),
        }
        if "ddp" in parts and importlib.util.find_spec("torch"):
            contenders["torch, DDP on gloo, 2 processes, 1 thread"] = ddp_pair
        for _ in range(options.rounds):
            for name, run in contenders.items():
                times.setdefault(name, []).extend(run())
        first = statistics.median(times["1 process, 2 threads"])
        print(f"training, T = {T}, B = {B}, I = H = {H}")
        for name, some in times.items():
            seconds = statistics.median(some)
            print(f"  {name:45} {B * STEPS / seconds:8.0f} sequences/s {first / seconds:6.3f} of the first")
    if "traffic" in parts:
        print(f"2 ranks of 1 thread, T = {T}, B = {B}: a step of an LSTM of I = H, and the sum of its gradients")
        for units, step, total in child("traffic", ranks=2):
            size = 4 * 4 * units * (2 * units + 2)
            print(f"  H = {units:5} {step * 1e3:8.1f} ms {total * 1e3:7.2f} ms, {total / step:6.1%} of it, {2 * size / total / 2 / 1e9:5.1f} GB/s each way, "
                  f"{6 * size / 4 * T * B / 2 / step / 1e9:6.1f} GFLOP/s")
    if "predict" in parts:
        print(f"prediction of {SEQUENCES} sequences of 20 to 80 steps, 16 features, 2 workers of 1 thread; shares are of the plain processes, alike started")
        for title, some in predict(options.rounds).items():
            print(f"  {title}")
            seconds = {name: statistics.median(several) for name, several in some.items()}
            for name, each in seconds.items():
                first = seconds[f"{name.rpartition(':')[0]}{': ' * (':' in name)}two plain processes, file"]
                print(f"    {name:45} {each:6.2f} s {SEQUENCES / each:8.0f} sequences/s {first / each:6.3f}")


if __name__ == "__main__":
    main()
