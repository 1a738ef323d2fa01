"""What prediction by engines costs, beside as many plain processes.

    python benchmarks/engines.py [--workers 2] [--engines processes,dask,ray] [--layers 1,2] [--rounds 5] [--seconds N] [--json FILE]

20,000 sequences of 20 to 80 steps, scored by W plain processes that read their share from a file and send scores, and by W workers of what is installed of
`Processes`, Dask and Ray: from functions that read parts of the file, and from a list in this process, which therefore has to be sent. They were started
before; with `--cold`, plain processes and `Processes` that are started for the call take part as well. Contenders take turns; medians are printed, and
the shares of the speed of plain processes, alike started. All scores are compared with what the model alone gives.
`--memory` prints the most memory that a worker of `Processes` ever had.
"""

import argparse
import contextlib
import functools
import importlib.util
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

SEQUENCES = 20000
JOBS = {"LSTM(64)": 1, "two bidirectional LSTM(64)": 2}


def job(layers):
    """The model."""
    import lstmc
    lstmc.utils.set_random_seed(0)
    first = [lstmc.layers.LSTM(64)] if layers == 1 else [lstmc.layers.Bidirectional(lstmc.layers.LSTM(64, return_sequences=r)) for r in (True, False)]
    model = lstmc.Sequential([lstmc.Input((None, 16)), *first, lstmc.layers.Dense(1)])
    model.build()       # which draws the weights
    return model


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
    """A process that reads and predicts its share, whenever it is told a job."""
    import lstmc
    lstmc.set_num_threads(1)
    models = {}
    pipe.send("ready")
    while layers := pipe.recv():
        model = models.setdefault(layers, job(layers))
        pipe.send(model.predict(read(folder, first, last), verbose=0))


class Plain:
    """Some of them."""

    def __init__(self, folder, workers):
        context = multiprocessing.get_context("spawn")
        ends = [SEQUENCES * n // workers for n in range(workers + 1)]
        self.pipes, self.children = zip(*(self.start(context, folder, *share) for share in pairwise(ends)), strict=True)
        for pipe in self.pipes:
            pipe.recv()

    def start(self, context, folder, first, last):
        mine, its = context.Pipe()
        child = context.Process(target=plain, args=(its, folder, first, last), daemon=True)
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


def contenders(stack, folder, memory, workers, engines, partition, cold):
    """Name -> function of (layers, model), which gives all scores."""
    from lstmc import distributed as by

    def files(model, engine):
        parts = (functools.partial(read, folder, i, min(i + partition, SEQUENCES)) for i in range(0, SEQUENCES, partition))
        return np.concatenate(list(by.predict(model, parts, engine, workers=workers, threads=1, verbose=0)))

    def listed(model, engine):
        return by.predict(model, memory, engine, workers=workers, threads=1, partition=partition, verbose=0)

    def started(layers):
        some = Plain(folder, workers)
        scores = some.predict(layers)
        some.close()
        return scores

    before = Plain(folder, workers)
    stack.callback(before.close)
    live, found = {}, {f"{workers} plain processes, file": lambda layers, model: before.predict(layers)}
    if "processes" in engines:
        live["Processes"] = stack.enter_context(by.Processes(workers, 1))
    if "dask" in engines and importlib.util.find_spec("distributed"):
        import dask
        import distributed
        stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}))      # as docs/distributed.md says
        cluster = stack.enter_context(distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None))
        live["Dask"] = stack.enter_context(distributed.Client(cluster))
    if "ray" in engines and importlib.util.find_spec("ray"):
        import ray
        os.environ.setdefault("RAY_worker_niceness", "0")      # as the others have; on a busy machine Ray's 15 measures who else is there
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        stack.callback(ray.shutdown)
        live["Ray"] = "ray"
    for name, engine in live.items():
        found[f"{workers} {name}, file"] = lambda layers, model, engine=engine: files(model, engine)
        found[f"{workers} {name}, list"] = lambda layers, model, engine=engine: listed(model, engine)
    if cold:
        found[f"started for it: {workers} plain processes, file"] = lambda layers, model: started(layers)
        found[f"started for it: {workers} processes, file"] = lambda layers, model: files(model, "processes")
        found[f"started for it: {workers} processes, list"] = lambda layers, model: listed(model, "processes")
    return found


def measured(options, folder):
    """Seconds by job and contender."""
    write(folder)
    memory, found, start = read(folder, 0, SEQUENCES), {}, time.monotonic()
    models = {title: job(layers) for title, layers in JOBS.items() if str(layers) in options.layers.split(",")}
    expected = {title: model.predict(memory, verbose=0) for title, model in models.items()}
    for workers in map(int, options.workers.split(",")):
        with contextlib.ExitStack() as stack:
            some = contenders(stack, folder, memory, workers, options.engines.split(","), options.partition, options.cold)
            for title, model in models.items():
                for n in range(options.rounds + 1):
                    if n > 1 and time.monotonic() - start > options.seconds:
                        break
                    for name, run in some.items():
                        begun = time.perf_counter()
                        scores = run(JOBS[title], model)
                        if n:
                            found.setdefault(title, {}).setdefault(name, []).append(time.perf_counter() - begun)
                        elif not np.array_equal(scores, expected[title]):
                            sys.exit(f"{name}: other scores than the model alone gives")
    return found


def read_and_tell(folder, first, last):
    """As `read`; the most memory that the process has had so far is in a file."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    Path(folder, f"peak-{os.getpid()}").write_text(re.search(r"VmHWM:\s*(\d+) kB", status)[1], encoding="utf-8")
    return read(folder, first, last)


def print_memory(folder):
    """The most memory of a worker of `Processes`, by partition and number of sequences; where there is /proc."""
    from lstmc import distributed as by
    write(folder)
    for partition in (250, 1000, 4000):
        for count in (SEQUENCES // 2, SEQUENCES, 5 * SEQUENCES):
            with by.Processes(2, 1) as engine:
                parts = (functools.partial(read_and_tell, folder, i % SEQUENCES, i % SEQUENCES + partition) for i in range(0, count, partition))
                for _ in by.predict(job(1), parts, engine, verbose=0):
                    pass
            files = list(Path(folder).glob("peak-*"))
            most = max(int(file.read_text(encoding="utf-8")) for file in files) / 1024
            print(f"partitions of {partition:5}, {count:6} sequences: {most:6.1f} MB a worker", flush=True)
            for file in files:
                file.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="2")
    parser.add_argument("--engines", default="processes,dask,ray")
    parser.add_argument("--layers", default="1,2", help="of the jobs: 1 is an LSTM(64), 2 two bidirectional ones")
    parser.add_argument("--partition", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="one round each after these")
    parser.add_argument("--json")
    parser.add_argument("--memory", action="store_true", help="print the most memory of a worker, and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.memory:
            print_memory(folder)
            return
        found = measured(options, folder)
    if options.json:
        Path(options.json).write_text(json.dumps(found), encoding="utf-8")
    print(f"prediction of {SEQUENCES} sequences of 20 to 80 steps, 16 features, workers of 1 thread; shares are of the plain processes, alike started")
    for title, some in found.items():
        print(f"  {title}")
        for name, several in some.items():
            number = next(n for n in name.split() if n.isdigit())
            first = next(v for k, v in some.items() if f"{number} plain" in k and k.startswith("started") == name.startswith("started"))
            seconds = statistics.median(several)
            print(f"    {name:45} {seconds:6.2f} s {SEQUENCES / seconds:8.0f} sequences/s {statistics.median(first) / seconds:6.3f}")


if __name__ == "__main__":
    main()
