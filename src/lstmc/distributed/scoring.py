"""`predict` by the workers of an engine: what a worker does and keeps, and how outputs come together again."""

import hashlib
import pickle

import numpy as np

from lstmc import received, runtime
from lstmc.console import verbosity
from lstmc.distributed import engines
from lstmc.distributed.parts import given, joined, packed, unpacked
from lstmc.distributed.processes import Processes, shares
from lstmc.nn import checks
from lstmc.training import ragged
from lstmc.training.batches import gives_batches
from lstmc.training.progress import Progress

PARTITION = 1024        # samples
_kept = {}      # of a worker: the digest of a pickled model -> the model


def predict(model, source, engine="processes", *, workers=None, threads=None, partition=PARTITION, batch_size=32, verbose="auto"):
    """The model's output for a data set that the workers of an engine share, bit for bit that of `model.predict`, in the order of the data.

    The model is sent to a worker once and stays there. Few partitions are under way for each worker, so memory does not grow with the data.

    Parameters
    ----------
    model : lstmc.Sequential or lstmc.Model
        Of one input; it need not be compiled.
    source : (N, ...) array, list of arrays, or iterable of these
        As for `model.predict`. An iterable gives the partitions. A partition may also be a function without arguments, which a worker calls to read it, a
        row group of a Parquet file for instance, so that data do not pass through this process; for processes it is one that pickle knows. To Dask and
        Ray, futures and references stand for what they will be.
    engine : {"processes", "dask", "ray", "spark"} or object
        What lives already: `Processes`, an executor of `concurrent.futures`' kind whose workers are processes, Dask's Client, Spark's SparkSession. By
        name: processes that are started for this call, so that a program has its calls below ``if __name__ == "__main__":``; or Dask's client, Ray or
        Spark's session in use, or else one that is started on this machine for this call. Extras are `dask`, `ray` and `spark`. A partition whose
        worker was lost is done again, but by an executor.
    workers : int, optional
        That are used at once, and that what is started for this call has. If None, all there are, and as many as CPUs, divided by threads, where they are
        started or an executor does not tell.
    threads : int, optional
        Of each worker: if None, those of `Processes`; or the CPUs divided by workers, or 1. Workers of other machines need it said.
    partition : int
        Samples of a partition, a multiple of batch_size (or made one).
    batch_size : int
        As in `model.predict`.
    verbose : {"auto", 0, 1, 2}
        As in `fit`.

    Returns
    -------
    array, list or dict of arrays, or iterator
        As `model.predict` gives; for an iterable of partitions an iterator of their outputs.
    """
    if isinstance(model, type) or not hasattr(model, "predict") or not hasattr(model, "accept"):
        raise TypeError(f"model: expected an lstmc.Sequential or lstmc.Model, received {received.whole_kind(model)}")
    workers = None if workers is None else checks.integer(workers, "workers", 1)
    here, share = shares(workers, threads)
    if isinstance(engine, Processes) and threads is None:
        share = engine.threads
    batch_size, verbose = checks.integer(batch_size, "batch_size", 1), verbosity(verbose)
    size = -(-checks.integer(partition, "partition", 1) // batch_size) * batch_size
    run = engines.chosen(engine)
    model.build()
    if len(model.inputs) > 1:
        raise ValueError(f"source: expected a model of one input, received one of {len(model.inputs)}; predict it with model.predict")
    blob = pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL)
    task = Task(hashlib.blake2b(blob).hexdigest(), share, batch_size)
    if gives_batches(source):
        found = reported(run(task, blob, map(packed, source), workers, here), None, verbose)
        return (model.arranged(outputs) for outputs in found)
    (x,), _ = model.accept(source)        # which raises here what a worker would
    if not len(x):
        return model.predict(source, batch_size, 0)
    parts = (piece(x, slice(i, i + size)) for i in range(0, len(x), size))
    found = reported(run(task, blob, parts, workers, here), -(-len(x) // size), verbose)
    return model.arranged([together(outputs) for outputs in zip(*found, strict=True)])


def piece(x, rows):
    """A partition of an accepted input."""
    if isinstance(x, ragged.Sequences):
        return joined(x.parts[rows], x.lengths[rows])
    return x.array[rows] if isinstance(x, ragged.Lazy) else x[rows]


class Task:
    """What a worker does: called with the pickled model, or a function that reads it, and a partition, gives a list of the outputs.

    None if it has neither the model nor a pickled one.
    """

    def __init__(self, digest, threads, batch_size):
        self.digest, self.threads, self.batch_size = digest, threads, batch_size

    def __call__(self, blob, part):
        model = _kept.get(self.digest)
        if model is None:
            if blob is None:
                return None
            _kept.clear()
            model = _kept[self.digest] = pickle.loads(blob() if callable(blob) else blob)
        with runtime.threads(self.threads):
            found = model.predict(given(part, model.graph.caster(0)), self.batch_size, 0)
        several = len(model.outputs) > 1 or model.output_keys is not None
        return [packed(a) for a in ((found.values() if isinstance(found, dict) else found) if several else [found])]


def reported(found, count, verbose):
    """The outputs of every part, with a progress line."""
    progress, n = Progress(verbose, count), 0
    for n, outputs in enumerate(found, 1):
        progress.update(n, {})
        yield [unpacked(a) for a in outputs]
    progress.end(n, {})


def together(outputs):
    """An output of all partitions: where some have sequences of unequal lengths, a list."""
    if all(isinstance(a, np.ndarray) for a in outputs) and len({a.shape[1:] for a in outputs}) == 1:
        return np.concatenate(outputs)
    return [a for part in outputs for a in part]
