"""Who runs partitions: processes of this machine, Dask, Ray, Spark. Each gives the outputs in order, and does again what a lost worker had.

An engine is a function of (task, the pickled model, partitions, workers, client): task(pickled model, partition) is to run in a worker.
Few partitions are under way at a time, so that neither data nor outputs pile up.
"""

import collections
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import sys
from concurrent.futures.process import BrokenProcessPool

AHEAD = 2       # partitions under way for each worker
RETRIES = 2     # of a partition


def missing(extra, error):
    return ImportError(f'engine: expected {extra} to be installed: pip install "lstmc[{extra}]" ({error})')


def in_order(parts, most, submit, result):
    """result(submit(part)) of every part, `most` of which are under way."""
    waiting, parts = collections.deque(), iter(parts)
    for part in itertools.islice(parts, most):
        waiting.append(submit(part))
    while waiting:
        yield result(waiting.popleft())
        for part in itertools.islice(parts, 1):
            waiting.append(submit(part))


_blob = None    # of a worker process


def start_worker(blob):
    global _blob
    _blob = blob


def work(task, part):
    return task(_blob, part)


def processes(task, blob, parts, workers, client):
    """A pool of processes, a new one where one of them was lost."""
    def pool():
        return concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start_worker, (blob,))

    running = [pool()]

    def renew(broken):
        if running[0] is broken:
            running[0].shutdown(wait=False)
            running[0] = pool()

    def submit(part):
        where = running[0]
        try:
            return part, where.submit(work, task, part), where
        except BrokenProcessPool:       # a worker was lost meanwhile
            renew(where)
            return part, running[0].submit(work, task, part), running[0]

    def result(sent, left=RETRIES):
        part, future, where = sent
        try:
            return future.result()
        except BrokenProcessPool as error:
            if not left:
                raise RuntimeError(f"predict: {RETRIES + 1} workers were lost with one partition: is there memory for it? Programs need a line "
                                   'if __name__ == "__main__":') from error
            renew(where)
            return result(submit(part), left - 1)

    try:
        yield from in_order(parts, AHEAD * workers, submit, result)
    finally:
        running[0].shutdown(cancel_futures=True)


def dask(task, blob, parts, workers, client):
    """Tasks of Dask's client: the one given or in use, or of a cluster of processes on this machine."""
    try:
        import distributed
    except ImportError as error:
        raise missing("dask", error) from None
    with contextlib.ExitStack() as own:
        if client is None:
            try:
                client = distributed.get_client()
            except ValueError:
                cluster = own.enter_context(distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None))
                client = own.enter_context(distributed.Client(cluster))
        sent = client.scatter(blob, broadcast=True)
        yield from in_order(parts, AHEAD * workers, lambda part: client.submit(task, sent, part, pure=False, retries=RETRIES), lambda future: future.result())


def ray(task, blob, parts, workers, client):
    """Tasks of Ray, which is started on this machine, with so many CPUs, if it is not in use."""
    try:
        import ray as engine
    except ImportError as error:
        raise missing("ray", error) from None
    own = not engine.is_initialized()
    if own:
        engine.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        sent, remote = engine.put(blob), engine.remote(num_cpus=1, max_retries=RETRIES)(call)
        yield from in_order(parts, AHEAD * workers, lambda part: remote.remote(task, sent, part), engine.get)
    finally:
        if own:
            engine.shutdown()


def call(task, blob, part):
    return task(blob, part)


def spark(task, blob, parts, workers, client):
    """Partitions of Spark, a few jobs' worth at a time, with the model as a broadcast variable."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing("spark", error) from None
    session = client or SparkSession.getActiveSession()
    own = session is None
    if own:
        session = (SparkSession.builder.master(f"local[{workers},{RETRIES + 1}]").appName("lstmc").config("spark.ui.enabled", "false")
                   .getOrCreate())
        session.sparkContext.pythonExec = sys.executable
    try:
        sent, parts = session.sparkContext.broadcast(blob), iter(parts)
        while some := list(itertools.islice(parts, AHEAD * workers)):
            yield from session.sparkContext.parallelize(some, len(some)).map(lambda part: task(sent.value, part)).collect()
        sent.destroy()
    finally:
        if own:
            session.stop()


ENGINES = {"processes": processes, "dask": dask, "ray": ray, "spark": spark}
