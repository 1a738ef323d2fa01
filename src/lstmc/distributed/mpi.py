"""The communicator by MPI. Whoever waits looks for the message of a rank that failed, and lets Python handle signals."""

import contextlib
import pickle
import sys
import time

import numpy as np

from lstmc.distributed.agreed import Disagreement

FAILED = 1      # the tag of that message
PATIENCE = 2.0      # seconds that others have to say that a rank failed, before the job is ended


class Communicator:
    """See `communicator.Alone`.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        Of which a copy is used; MPI.COMM_WORLD if None.
    """

    def __init__(self, comm=None):
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError('lstmc.distributed.MPI needs mpi4py and an MPI library: pip install "lstmc[mpi]"') from error
        if comm is not None and not isinstance(comm, MPI.Intracomm):
            raise TypeError(f"comm: expected an mpi4py.MPI.Intracomm, received {type(comm).__name__}")
        self._mpi, comm = MPI, MPI.COMM_WORLD if comm is None else comm
        self._comm, self._alarm = comm.Dup(), comm.Dup()
        self.rank, self.size = comm.rank, comm.size
        self._failed = None

    def gather(self, value):
        if self.size == 1:
            return [value]
        mine = np.frombuffer(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self._wait(self._comm.Iallgather(np.array([len(mine)]), sizes))
        found = np.empty(sizes.sum(), np.uint8)
        self._wait(self._comm.Iallgatherv(mine, [found, sizes.tolist()]))
        return [pickle.loads(part.tobytes()) for part in np.split(found, np.cumsum(sizes)[:-1])]

    def exchange(self, send, sizes, receive, received):
        self._wait(self._comm.Ialltoallv([send, sizes], [receive, received]))

    def collect(self, part, whole, sizes):
        self._wait(self._comm.Iallgatherv(part, [whole, sizes]))

    def _wait(self, request):
        start, polls = time.monotonic(), 0
        while not request.Test():
            polls += 1
            if polls % 16 == 0:
                self._listen()
                if time.monotonic() - start > 0.002:
                    time.sleep(5e-5)
        return request

    def _listen(self):
        status = self._mpi.Status()
        if self._alarm.Iprobe(source=self._mpi.ANY_SOURCE, tag=FAILED, status=status):
            text = bytearray(status.Get_count(self._mpi.BYTE))
            self._alarm.Recv([text, self._mpi.BYTE], source=status.Get_source(), tag=FAILED)
            self._failed = RuntimeError(f"rank {status.Get_source()} of {self.size} ended training: {text.decode()}")
            raise self._failed

    @contextlib.contextmanager
    def guard(self):
        """See `communicator.Alone.guard`. A program that ends by the error ends the whole job."""
        try:
            yield
        except BaseException as error:
            if self.size > 1:
                if error is not self._failed and not isinstance(error, Disagreement):
                    text = f"{type(error).__name__}: {error}".encode()
                    self._requests = [self._alarm.Isend([text, self._mpi.BYTE], dest=r, tag=FAILED) for r in range(self.size) if r != self.rank]
                    self._text = text       # which is being sent
                self._end_job_at_exit()
            raise

    def _end_job_at_exit(self):
        """Where nobody handles the error: MPI's own end would wait for operations that nobody completes."""
        before = sys.excepthook

        def hook(*error):
            before(*error)
            sys.stderr.flush()
            time.sleep(PATIENCE)
            self._comm.Abort(1)

        sys.excepthook = hook
