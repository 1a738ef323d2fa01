"""Worker processes of this machine, which stay until they are closed: partitions and outputs pass through files in memory, models are read once.

The pool is `concurrent.futures`'. A worker that is lost takes its pool with it; another is started, and does again what was under way.
"""

import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import weakref
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from lstmc import runtime
from lstmc.distributed.ordered import AHEAD, RETRIES, in_order
from lstmc.distributed.parts import brought, stowed
from lstmc.locks import Lock
from lstmc.nn import checks

MEMORY = "/dev/shm"     # a file system in memory, on Linux
_starting = Lock()
_inherited = []     # pools of a parent, whose threads a child of a fork does not have: nothing of them may run there, nor end


def shares(workers, threads):
    """(workers, threads of each), which share this machine's CPUs if they are None."""
    cpus = runtime.get_num_threads()
    threads = None if threads is None else checks.integer(threads, "threads", 1)
    workers = max(cpus // (threads or 1), 1) if workers is None else checks.integer(workers, "workers", 1)
    return workers, threads or max(cpus // workers, 1)


class Processes:
    """Workers for `predict(model, source, engine)` that are started once and serve many calls, of any models; threads may call at the same time.

    They start when a `with` block is entered, or a first call made, and end with the block, by `close`, when no one holds the object any more, or with the
    program, however that ends. Programs have their calls below ``if __name__ == "__main__":``, for workers import them.

    Parameters
    ----------
    workers : int, optional
        As many as CPUs, divided by threads, if None.
    threads : int, optional
        Of each worker: the CPUs divided by workers if None.

    Examples
    --------
    >>> with lstmc.distributed.Processes(2) as engine:          # doctest: +SKIP
    ...     scores = lstmc.distributed.predict(model, x, engine)
    """

    def __init__(self, workers=None, threads=None):
        self.workers, self.threads = shares(workers, threads)
        self._pool = self._folder = self._process = self._removing = None

    def __repr__(self):
        return f"Processes(workers={self.workers}, threads={self.threads})"

    def __enter__(self):
        with contextlib.suppress(BrokenProcessPool):
            self._running().submit(int)
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """End the workers; another call would start new ones."""
        with _starting.now:
            pool, self._pool = self._pool, None
            if pool is None or self._process != os.getpid():
                return
        pool.shutdown(cancel_futures=True)
        self._removing()

    def _running(self, broken=None):
        """The pool: another one if there is none, or it is broken, or a parent's."""
        with _starting.now:
            if self._pool is not None and self._process != os.getpid():
                _inherited.append((self._pool, self._removing))
                self._pool = None
            if self._pool is not None and self._pool is broken:
                self._pool.shutdown()       # its workers are gone then
                self._pool = None
            if self._pool is None:
                if self._process != os.getpid() or not os.path.isdir(self._folder):
                    self._process, self._folder = os.getpid(), tempfile.mkdtemp(prefix="lstmc-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
                    self._removing = weakref.finalize(self, remove, self._folder, self._process)
                self._pool = concurrent.futures.ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), begin, (self._folder,))
            return self._pool

    def _run(self, task, blob, parts, workers, here):
        """As an engine (`engines.py`)."""
        most = AHEAD * min(workers or self.workers, self.workers)
        self._running()
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as folder:
            model = Path(folder, "model")
            model.write_bytes(blob)
            free = collections.deque(os.path.join(folder, str(n)) for n in range(most))

            def submit(part):
                place = free.popleft()
                return self._sent(task, model, stowed(part, place), place)

            def result(sent):
                found = self._done(sent)
                free.append(sent.place)
                return found

            yield from in_order(parts, most, submit, result, lambda sent: sent.future.cancel())

    def _sent(self, task, model, part, place):
        while True:
            pool = self._running()
            with contextlib.suppress(BrokenProcessPool):
                return Sent(pool, pool.submit(work, task, model, part, place + ".out"), task, model, part, place)
            self._running(broken=pool)

    def _done(self, sent, left=RETRIES):
        """The output: of a partition whose worker was lost, by another."""
        try:
            return brought(sent.future.result(), copy=True)
        except BrokenProcessPool as error:
            if not left:
                raise RuntimeError(f"predict: {RETRIES + 1} workers were lost with one partition: is there memory for it? Programs need a line "
                                   'if __name__ == "__main__":') from error
            self._running(broken=sent.pool)
            return self._done(self._sent(*sent[2:]), left - 1)


class Sent(NamedTuple):
    """A partition under way: where, and what is needed to send it once more."""

    pool: Any
    future: Any
    task: Any
    model: Any
    part: Any
    place: str


def work(task, model, part, place):
    """In a worker: the output of a partition."""
    return stowed(task(model.read_bytes, brought(part)), place)


def begin(folder):
    """In a worker: Ctrl-C is the program's to take, and where that is gone, so are the worker and the files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_the_program, args=(folder,), daemon=True).start()


def end_with_the_program(folder):
    multiprocessing.parent_process().join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def remove(folder, process):
    """The files, by the process that made them."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
