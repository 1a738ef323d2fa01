"""`predict` by the workers of an engine: what a partition is, what a worker keeps, and how outputs come together again."""

import hashlib
import pickle
from typing import NamedTuple

import numpy as np

from lstmc import runtime
from lstmc.console import verbosity
from lstmc.distributed import engines
from lstmc.nn import checks
from lstmc.training.batches import gives_batches
from lstmc.training.network import one_or_all
from lstmc.training.progress import Progress

PARTITION = 1024        # samples
_kept = {}      # of a worker: the digest of a pickled model -> the model


def predict(model, source, engine="processes", *, workers=None, threads=None, partition=PARTITION, batch_size=32, verbose="auto", client=None):
    """The model's output for a data set that the workers of an engine share, bit for bit that of `model.predict`, in the order of the data.

    The model is sent to a worker once and stays there. Few partitions are under way for each worker, so memory does not grow with the data.

    Parameters
    ----------
    model : lstmc.Sequential or lstmc.Model
        Of one input; it need not be compiled.
    source : (N, ...) array, list of arrays, or iterable of these
        As for `model.predict`. An iterable, such as the row groups of a Parquet file, gives the partitions.
    engine : {"processes", "dask", "ray", "spark"}
        Processes of this machine, started anew, so that a program has its calls below ``if __name__ == "__main__":``; or a cluster: Dask's client, Ray's
        and Spark's session in use, or else one of this machine. Extras are `dask`, `ray` and `spark`. A partition whose worker was lost is done again.
    workers : int, optional
        That the machine's own cluster has, or at most so many at once; as many as CPUs, divided by threads, if None.
    threads : int, optional
        Of each worker: the CPUs divided by workers, or 1, if None. Workers of other machines need it said.
    partition : int
        Samples of a partition, a multiple of batch_size (or made one).
    batch_size : int
        As in `model.predict`.
    verbose : {"auto", 0, 1, 2}
        As in `fit`.
    client : optional
        Dask's Client or Spark's SparkSession.

    Returns
    -------
    array, list of arrays, or iterator
        As `model.predict` gives; for an iterable of partitions an iterator of their outputs.
    """
    if isinstance(model, type) or not hasattr(model, "predict") or not hasattr(model, "accept"):
        raise TypeError(f"model: expected an lstmc.Sequential or lstmc.Model, received {checks.kind_text(model)}")
    cpus = runtime.get_num_threads()
    threads = None if threads is None else checks.integer(threads, "threads", 1)
    workers = max(cpus // (threads or 1), 1) if workers is None else checks.integer(workers, "workers", 1)
    threads = threads or max(cpus // workers, 1)
    batch_size, verbose = checks.integer(batch_size, "batch_size", 1), verbosity(verbose)
    size = -(-checks.integer(partition, "partition", 1) // batch_size) * batch_size
    if not isinstance(engine, str) or engine not in engines.ENGINES:
        raise ValueError(f"engine: expected one of {', '.join(engines.ENGINES)}, received {engine!r}")
    model.build()
    if len(model.inputs) > 1:
        raise ValueError(f"source: expected a model of one input, received one of {len(model.inputs)}; predict it with model.predict")
    blob = pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL)
    task = Task(hashlib.blake2b(blob).hexdigest(), threads, batch_size)
    run = engines.ENGINES[engine]
    if gives_batches(source):
        return reported(run(task, blob, map(packed, source), workers, client), None, verbose)
    model.accept(source)        # which raises here what a worker would
    if not len(source):
        return model.predict(source, batch_size, 0)
    parts = (packed(source[i:i + size]) for i in range(0, len(source), size))
    found = list(reported(run(task, blob, parts, workers, client), -(-len(source) // size), verbose))
    several = [f if isinstance(f, list) and len(model.outputs) > 1 else [f] for f in found]
    return one_or_all([joined(outputs) for outputs in zip(*several, strict=True)])


class Packed(NamedTuple):
    """A list of arrays on its way: one after the other, and how long each is. Thousands of small arrays take longer to send than to predict."""

    values: np.ndarray
    lengths: list


def packed(part):
    """A part, or an output, as `Packed` if it is a list of arrays that fit together."""
    if not isinstance(part, (list, tuple)) or not part or not all(isinstance(a, np.ndarray) and a.ndim for a in part):
        return part
    if len({(a.dtype, a.shape[1:]) for a in part}) > 1:
        return part
    return Packed(np.concatenate(part), [len(a) for a in part])


def unpacked(part):
    """The list again."""
    return np.split(part.values, np.cumsum(part.lengths)[:-1]) if isinstance(part, Packed) else part


class Task:
    """What a worker does: called with the pickled model and a partition, gives the output."""

    def __init__(self, digest, threads, batch_size):
        self.digest, self.threads, self.batch_size = digest, threads, batch_size

    def __call__(self, blob, part):
        model = _kept.get(self.digest)
        if model is None:
            _kept.clear()
            model = _kept[self.digest] = pickle.loads(blob)
        with runtime.threads(self.threads):
            return packed(model.predict(unpacked(part), self.batch_size, 0))


def reported(outputs, count, verbose):
    """The outputs, with a progress line."""
    progress, n = Progress(verbose, count), 0
    for n, output in enumerate(outputs, 1):
        progress.update(n, {})
        yield unpacked(output)
    progress.end(n, {})


def joined(outputs):
    """Outputs of partitions as one: where some have sequences of unequal lengths, a list."""
    if all(isinstance(a, np.ndarray) for a in outputs) and len({a.shape[1:] for a in outputs}) == 1:
        return np.concatenate(outputs)
    return [a for part in outputs for a in part]
