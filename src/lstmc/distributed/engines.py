"""Who runs partitions: processes of this machine, executors, Dask, Ray, Spark. Each gives the outputs in order, and does again what a lost worker had.

An engine is a function of (task, blob, parts, workers, here): task(blob, part) is to run in a worker, for each of the parts; blob is the pickled model;
so many workers are used at once, all that there are if None; a cluster that is started for the call has as many as `here` says.
"""

import concurrent.futures
import contextlib
import functools
import itertools
import sys

from lstmc import received
from lstmc.distributed.ordered import AHEAD, RETRIES, in_order
from lstmc.distributed.processes import Processes

# By this setting of its own a worker of Dask gives memory back at every chance, and gets it again from the system: a small model takes half as long again.
TRIM = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"


def missing(extra, error):
    return ImportError(f'engine: expected {extra} to be installed: pip install "lstmc[{extra}]" ({error})')


def processes(task, blob, parts, workers, here):
    """Processes that end with the call."""
    with Processes(here, task.threads) as own:
        yield from own._run(task, blob, parts, workers, here)


def futures(executor, task, blob, parts, workers, here):
    """Any executor of `concurrent.futures`' kind, which cannot say who runs what: a worker that has not had the model says so by None."""
    most, sent = AHEAD * (workers or here), itertools.count()

    def submit(part):
        return part, executor.submit(task, blob if next(sent) < most else None, part)

    def result(sent):
        part, future = sent
        found = future.result()
        return executor.submit(task, blob, part).result() if found is None else found

    return in_order(parts, most, submit, result, lambda sent: sent[1].cancel())


def dask(task, blob, parts, workers, here, client=None):
    """Tasks of Dask's client: the one given or in use, or of a cluster of processes on this machine."""
    try:
        import dask as settings
        import distributed
    except ImportError as error:
        raise missing("dask", error) from None
    with contextlib.ExitStack() as own:
        if client is None:
            try:
                client = distributed.get_client()
            except ValueError:
                own.enter_context(settings.config.set({TRIM: None}))
                cluster = own.enter_context(distributed.LocalCluster(n_workers=here, threads_per_worker=1, processes=True, dashboard_address=None))
                client = own.enter_context(distributed.Client(cluster))
        sent = client.scatter(blob, broadcast=True, hash=False)
        workers = workers or sum(client.nthreads().values()) or here
        yield from in_order(parts, AHEAD * workers, lambda part: client.submit(task, sent, part, pure=False, retries=RETRIES), lambda future: future.result(),
                            lambda future: future.cancel())


def ray(task, blob, parts, workers, here):
    """Tasks of Ray, which is started on this machine, with so many CPUs, if it is not in use."""
    try:
        import ray as engine
    except ImportError as error:
        raise missing("ray", error) from None
    own = not engine.is_initialized()
    if own:
        engine.init(num_cpus=here, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        sent, remote = engine.put(blob), engine.remote(num_cpus=1, max_retries=RETRIES)(call)
        workers = workers or int(engine.cluster_resources().get("CPU", here))
        yield from in_order(parts, AHEAD * workers, lambda part: remote.remote(task, sent, part), engine.get)
    finally:
        if own:
            engine.shutdown()


def call(task, blob, part):
    return task(blob, part)


def spark(task, blob, parts, workers, here, session=None):
    """Partitions of Spark, a few jobs' worth at a time, with the model as a broadcast variable."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing("spark", error) from None
    session = session or SparkSession.getActiveSession()
    own = session is None
    if own:
        session = (SparkSession.builder.master(f"local[{here},{RETRIES + 1}]").appName("lstmc").config("spark.ui.enabled", "false")
                   .getOrCreate())
        session.sparkContext.pythonExec = sys.executable
    try:
        sent, parts = session.sparkContext.broadcast(blob), iter(parts)
        most = AHEAD * (workers or session.sparkContext.defaultParallelism)
        while some := list(itertools.islice(parts, most)):
            yield from session.sparkContext.parallelize(some, len(some)).map(lambda part: task(sent.value, part)).collect()
        sent.destroy()
    finally:
        if own:
            session.stop()


ENGINES = {"processes": processes, "dask": dask, "ray": ray, "spark": spark}


def chosen(engine):
    """The engine of a name, or of an object in use."""
    if isinstance(engine, str) and engine in ENGINES:
        return ENGINES[engine]
    if isinstance(engine, Processes):
        return engine._run
    if isinstance(engine, concurrent.futures.ThreadPoolExecutor):
        raise TypeError("engine: expected workers that are processes, received a ThreadPoolExecutor; threads may call model.predict at the same time")
    if isinstance(engine, concurrent.futures.Executor):
        return functools.partial(futures, engine)
    if is_a("distributed", "Client", engine):
        return functools.partial(dask, client=engine)
    if is_a("pyspark.sql", "SparkSession", engine):
        return functools.partial(spark, session=engine)
    names = ", ".join(ENGINES)
    if isinstance(engine, str):
        raise ValueError(f"engine: expected one of {names}, received {engine!r}")
    raise TypeError(f"engine: expected one of {names}, distributed.Processes, an executor, Dask's Client or Spark's session, "
                    f"received {received.whole_kind(engine)}")


def is_a(module, name, value):
    """Whether a value is of a class of a module, which is then there."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name, ()))
