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
        self.changed, self.posted = threading.Condition(), {}       # posted: (number, which time) -> rank -> what it sends

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
        self.team, self.rank, self.size, self.calls = team, rank, team.size, {}

    def gather(self, value):
        self.team.values[self.rank] = value
        self.meet()
        found = list(self.team.values)
        self.meet()
        return found

    def begin(self, number, sent, take):
        """What is posted, and what is done with what all have posted."""
        key = number, self.calls.setdefault(number, 0)
        self.calls[number] += 1
        with self.team.changed:
            self.team.posted.setdefault(key, {})[self.rank] = sent
            self.team.changed.notify_all()
        return key, take

    def exchange(self, number, send, sizes, receive, received):
        def take(posted):
            at = 0
            for r in range(self.size):
                other, counts = posted[r]
                first, count = sum(counts[:self.rank]), counts[self.rank]
                assert count == received[r]
                receive[at:at + count] = other[first:first + count]
                at += count

        return self.begin(number, (send.copy(), sizes), take)

    def collect(self, number, part, whole, sizes):
        def take(posted):
            assert [len(posted[r]) for r in range(self.size)] == list(sizes)
            whole[...] = np.concatenate([posted[r] for r in range(self.size)])

        return self.begin(number, part.copy(), take)

    def test(self, request):
        key, take = request
        with self.team.changed:
            posted = self.team.posted[key]
            if len(posted) < self.size:
                return False
        take(posted)
        return True

    def wait(self, request):
        with self.team.changed:
            self.team.changed.wait_for(lambda: len(self.team.posted[request[0]]) == self.size or self.team.error, timeout=60)
        if not self.test(request):
            raise RuntimeError(f"another rank failed: {self.team.error}")
        return True

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
                with self.team.changed:
                    self.team.changed.notify_all()
            raise
