"""What processes need of each other in data-parallel training: three operations, which all of them call in the same order.

`lstmc.distributed.mpi.Communicator` has them by MPI.
"""

import contextlib


class Alone:
    """The communicator of one process; and what others are like.

    Attributes
    ----------
    rank, size : int
    """

    rank, size = 0, 1

    def gather(self, value):
        """The values, Python objects, of all ranks, by rank."""
        return [value]

    def exchange(self, send, sizes, receive, received):
        """Numbers to and from each rank: flat arrays of one dtype in which those for, and from, rank r follow those of r - 1; so many each."""
        receive[...] = send

    def collect(self, part, whole, sizes):
        """The parts of all ranks, of these sizes, one after the other into `whole`."""
        whole[...] = part

    def guard(self):
        """A context in which an error of this rank is told to the others, in whose operations it is raised."""
        return contextlib.nullcontext()
