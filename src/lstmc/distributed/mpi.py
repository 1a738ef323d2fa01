"""The communicator by MPI. Whoever waits looks for the message of a rank that failed, and for ranks that are gone, and lets Python handle signals."""

import atexit
import contextlib
import os
import pickle
import sys
import time
from itertools import accumulate, pairwise

import numpy as np

from lstmc.distributed.agreed import Disagreement
from lstmc.distributed.watch import Watch

KEY = []        # the key of an MPI communicator's attribute, where it has one of these
FAILED, TAG = 0, 1      # tags: of that message, and of the first of numbers
PATIENCE = 2.0      # seconds that others have to say that a rank failed, before the job is ended
LEFT = 5.0      # seconds that one waits for others after a program has ended on one of them: what that one had sent comes sooner
LAST = 8.0      # seconds after which who has not waited for a rank that is gone is ended


def communicator(comm=None):
    """The `Communicator` of an mpi4py.MPI.Comm, MPI.COMM_WORLD if None; one each, but for a new one after training failed."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError('lstmc.distributed.MPI needs mpi4py and an MPI library: pip install "lstmc[mpi]"') from error
    if comm is not None and not isinstance(comm, MPI.Intracomm):
        raise TypeError(f"comm: expected an mpi4py.MPI.Intracomm, received {type(comm).__name__}")
    comm = MPI.COMM_WORLD if comm is None else comm
    if not KEY:
        KEY.append(MPI.Comm.Create_keyval())
    found = comm.Get_attr(KEY[0])
    if found is None or found.failed:
        found = Communicator(MPI, comm)
        comm.Set_attr(KEY[0], found)
    return found


class Communicator:
    """See `communicator.Alone`.

    Parameters
    ----------
    mpi : module
    comm : mpi4py.MPI.Comm
        Of which a copy is used.
    """

    def __init__(self, mpi, comm):
        self._mpi, self._comm = mpi, comm.Dup()
        self.rank, self.size = comm.rank, comm.size
        self._begun = {}        # lists of requests that are not complete: they keep their buffers
        self.doing = ""
        self._failed, self._gone, self._guards = None, False, 0
        self._left = None       # (rank, when) of a program that has ended
        if self.size > 1:
            self._watch = Watch(self, self._miss, self._leave)
            atexit.register(self._end)

    def gather(self, value):
        if self.size == 1:
            return [value]
        mine = np.frombuffer(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self.wait([self._comm.Iallgather(np.array([len(mine)]), sizes)])
        found = np.empty(sizes.sum(), np.uint8)
        self.wait([self._comm.Iallgatherv(mine, [found, sizes.tolist()])])
        return [pickle.loads(part.tobytes()) for part in np.split(found, np.cumsum(sizes)[:-1])]

    def exchange(self, number, send, sizes, receive, received):
        """Begin to send numbers to, and receive them from, each rank: flat arrays of one dtype in which those of rank r follow those of r - 1; so many each.

        All that a batch begins under one number is of one kind.
        """
        to, by = (list(pairwise(accumulate(some, initial=0))) for some in (sizes, received))
        return self._begin(number, [send[slice(*place)] for place in to], [receive[slice(*place)] for place in by])

    def collect(self, number, part, whole, sizes):
        """Begin to bring the parts of all ranks, of these sizes, one after the other into `whole`."""
        return self._begin(number, [part] * self.size, [whole[slice(*place)] for place in pairwise(accumulate(sizes, initial=0))])

    def _begin(self, number, to, by):
        """To and from each rank, in messages: an MPI library's own operations on vectors were many times slower."""
        others = [(self.rank + r) % self.size for r in range(1, self.size)]
        requests = [self._comm.Irecv(by[r], r, TAG + number) for r in others if by[r].size]
        requests += [self._comm.Isend(to[r], r, TAG + number) for r in others if to[r].size]
        by[self.rank][...] = to[self.rank]
        self._begun[id(requests)] = requests
        return requests

    def test(self, requests):
        """Whether what was begun is complete."""
        done = self._mpi.Request.Testall(requests)
        if done:
            self._begun.pop(id(requests), None)
        return done

    def wait(self, requests):
        """True as soon as it is complete."""
        start, polls = time.monotonic(), 0
        while not self.test(requests):
            polls += 1
            if polls % 16 == 0:
                self._listen()
                if self._left is not None and time.monotonic() - max(start, self._left[1]) > LEFT:
                    raise RuntimeError(f"rank {self._left[0]} of {self.size} is not there: its program has ended")
                if time.monotonic() - start > 0.002:
                    time.sleep(5e-5)
        return True

    def _listen(self):
        if self._failed is not None:
            raise self._failed
        status = self._mpi.Status()
        if self._comm.Iprobe(source=self._mpi.ANY_SOURCE, tag=FAILED, status=status):
            text = bytearray(status.Get_count(self._mpi.BYTE))
            self._comm.Recv([text, self._mpi.BYTE], source=status.Get_source(), tag=FAILED)
            self._failed = RuntimeError(f"rank {status.Get_source()} of {self.size} ended training: {text.decode()}")
            raise self._failed

    @property
    def failed(self):
        """Whether training failed; RuntimeError if a rank is gone, without whom nothing can be begun."""
        if self._failed is not None and self._gone:
            raise self._failed
        return self._failed is not None

    def _miss(self, rank):
        """In a thread: a rank is gone. Said at once, since the launcher may end this process in some milliseconds."""
        if self._failed is None:
            text = f"rank {rank} of {self.size} is gone: it was killed, or its machine was lost"
            self._failed, self._gone = RuntimeError(text), True
            if self._guards:
                sys.stderr.write(f"lstmc: {text}; noticed by rank {self.rank}{self.doing and f' in {self.doing}'}\n")
                time.sleep(LAST)
                if self._guards:
                    os._exit(1)

    def _leave(self, rank):
        """In a thread."""
        self._left = rank, time.monotonic()

    @contextlib.contextmanager
    def guard(self):
        """See `communicator.Alone.guard`. A program in which training failed ends the whole job."""
        if self._failed is not None:
            raise RuntimeError(f"distribute: expected ranks that all train, received an MPI job in which {self._failed}")
        self._guards += 1
        try:
            yield
        except BaseException as error:
            if self.size > 1 and not isinstance(error, Disagreement) and self._failed is None:
                text = f"{type(error).__name__}: {error}".encode()
                self._requests = [self._comm.Isend([text, self._mpi.BYTE], dest=r, tag=FAILED) for r in range(self.size) if r != self.rank]
                self._text = text       # which is being sent
                self._failed = RuntimeError(f"rank {self.rank} of {self.size} ended training: {text.decode()}")
            raise
        finally:
            self._guards -= 1

    def _end(self):
        """At exit. MPI's own end would wait for operations that nobody completes."""
        if self._failed is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(PATIENCE)
            self._watch.leave()
            self._comm.Abort(1)
        self._watch.leave()
