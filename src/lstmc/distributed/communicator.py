"""What processes need of each other in data-parallel training: operations, each of which all of them call in the same order.

`lstmc.distributed.mpi.Communicator` has them by MPI.
"""

import contextlib


class Alone:
    """The communicator of one process; and what others are like.

    Attributes
    ----------
    rank, size : int
    doing : str
        What a message about a lost process says that this one was doing.
    """

    rank, size, doing = 0, 1, ""

    def gather(self, value):
        """The values, Python objects, of all ranks, by rank."""
        return [value]

    def guard(self):
        """A context in which an error of this rank is told to the others, in whose operations it is raised."""
        return contextlib.nullcontext()
