"""A communicator of threads, for tests of what `lstmc.distributed` computes: what `lstmc.distributed.mpi` does by MPI."""

import contextlib
import threading

import numpy as np

from lstmc.distributed import Pieces
from lstmc.distributed.agreed import Disagreement


class Team:
    """So many ranks; one that fails breaks the barrier for the others."""

    def __init__(self, size):
        self.size, self.barrier, self.values, self.error = size, threading.Barrier(size, timeout=60), [None] * size, None

    def run(self, work):
        """[work(a Pieces-like for `fit`)...] by rank, each in a thread; the first error is raised."""
        found, errors = [None] * self.size, [None] * self.size

        def one(rank):
            try:
                found[rank] = work(lambda size: Shared(size, Rank(self, rank)))
            except BaseException as error:
                errors[rank] = error

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(self.size)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return found, errors


class Shared(Pieces):
    def __init__(self, size, comm):
        super().__init__(size)
        self._comm = comm


class Rank:
    def __init__(self, team, rank):
        self.team, self.rank, self.size = team, rank, team.size

    def gather(self, value):
        self.team.values[self.rank] = value
        self.meet()
        found = list(self.team.values)
        self.meet()
        return found

    def exchange(self, send, sizes, receive, received):
        sent = self.gather((send, sizes))
        parts = []
        for other, counts in sent:
            at = sum(counts[:self.rank])
            parts.append(other[at:at + counts[self.rank]])
        assert [len(p) for p in parts] == list(received)
        found = np.concatenate(parts)
        self.meet()     # until all have read: buffers are used again
        receive[...] = found

    def collect(self, part, whole, sizes):
        parts = [p.copy() for p in self.gather(part)]
        assert [len(p) for p in parts] == list(sizes)
        self.meet()
        whole[...] = np.concatenate(parts)

    def meet(self):
        try:
            self.team.barrier.wait()
        except threading.BrokenBarrierError:
            raise RuntimeError(f"another rank failed: {self.team.error}") from None

    @contextlib.contextmanager
    def guard(self):
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Disagreement):
                self.team.error = self.team.error or error
                self.team.barrier.abort()
            raise
