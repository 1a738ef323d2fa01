"""`Pieces` and `MPI`: how `fit` divides a batch, and among whom; `all_reduce`, the same sum for who trains modules of `lstmc.nn`."""

import itertools

import numpy as np

from lstmc.distributed.agreed import Disagreement
from lstmc.distributed.communicator import Alone
from lstmc.distributed.fitting import Shares
from lstmc.distributed.sums import Layout, Sums
from lstmc.nn import checks
from lstmc.reprs import constructed
from lstmc.training import sharing

SIZE = 32       # samples of a piece: a default batch is one


class Pieces:
    """For `fit(distribute=)`: train on every batch piece by piece, in this process.

    The gradient of a batch is the sum of those of its pieces, and is what one of the whole batch is, but for rounding: means are over all values of
    the batch, metrics and losses too, and dropout draws what it draws in the whole. Memory is that of one piece and of a few sums of gradients: a
    batch may be as large as its arrays. Weights are, to the bit, those that `MPI` with the same size gives on any number of processes.

    Parameters
    ----------
    size : int
        Samples of a piece, the last of a batch may have fewer. The bits of a sum depend on it.

    Notes
    -----
    Layers that know more of a batch than one sample are refused: BatchNormalization, unless it is frozen, and stateful layers. A metric of
    your own works if its state are sums over samples, and a penalty of activities if it is one.
    """

    __repr__ = constructed

    def __init__(self, size=SIZE):
        self.size = checks.integer(size, "size", 1)
        self._comm = Alone()
        self._reduced = None, None      # of all_reduce: names, shapes and dtypes of the last call, and their Layout, whose buffers are used again

    def get_config(self):
        """Constructor arguments."""
        return {"size": self.size}

    def shares(self, model):
        """What a `fit` of this model asks."""
        return Shares(model, self._comm, self.size)

    @property
    def rank(self):
        """The number of this process."""
        return self._comm.rank

    @property
    def ranks(self):
        """How many processes there are."""
        return self._comm.size


class MPI(Pieces):
    """For `fit(distribute=)`: the pieces of every batch are shared by the processes of an MPI job, ``mpirun -n 4 python train.py``.

    Every process runs the same program on the same data, of which it reads its pieces alone: a memory map is a good `x`. Of an iterable of batches each
    takes its pieces of every batch. Weights, losses and metrics are the same, to the bit, on all ranks and on any number of them.
    Callbacks, the progress line and files are rank 0's; what callbacks decide (to stop, a learning rate, other weights) holds everywhere.
    An error on one rank is raised on all.

    Parameters
    ----------
    size : int
        Samples of a piece, as in `Pieces`. A batch should have at least one for each rank.
    comm : mpi4py.MPI.Comm, optional
        MPI.COMM_WORLD if None.
    """

    def __init__(self, size=SIZE, comm=None):
        super().__init__(size)
        from lstmc.distributed.mpi import communicator

        self._comm = communicator(comm)


def all_reduce(grads, distribute):
    """The sums of gradients over the processes of `distribute`: for modules of `lstmc.nn`, whose training loop is your own.

    Parameters
    ----------
    grads : dict, or list of dict
        Name -> array, as `backward` gives in `params`: of one piece, or of each of several pieces. Pieces are numbered through, those of
        rank 0 first. On all ranks the same names, shapes and dtypes.
    distribute : MPI or Pieces
        Whose processes take part; of `Pieces`, this one alone.

    Returns
    -------
    dict
        Name -> the sum over all pieces of all ranks, by a fixed tree over their numbers: the same bits on any number of ranks for the same pieces
        in the same order; the same on all ranks. Arrays of one dtype each.
    """
    several = list(grads) if isinstance(grads, (list, tuple)) else [grads]
    if not several or not all(isinstance(g, dict) and g and all(isinstance(a, np.ndarray) for a in g.values()) for g in several):
        raise TypeError("grads: expected a dict of arrays by name, or a list of at least one of them")
    sharing.check(distribute)
    comm, names = distribute._comm, list(several[0])
    with comm.guard():
        shapes = {name: (a.shape, str(a.dtype)) for name, a in several[0].items()}
        told = comm.gather((len(several), shapes))
        for n, g in enumerate(several):
            if {name: (a.shape, str(a.dtype)) for name, a in g.items()} != shapes:
                raise ValueError(f"grads[{n}]: expected arrays like those of grads[0], received others")
        wrong = next((r for r, (_, other) in enumerate(told) if other != told[0][1]), None)
        if wrong is not None:
            raise Disagreement(f"grads: expected the same names, shapes and dtypes on all ranks, received {told[0][1]} on rank 0, "
                               f"{told[wrong][1]} on rank {wrong}")
        if len({dtype for _, dtype in shapes.values()}) > 1:
            raise ValueError(f"grads: expected arrays of one dtype, received {sorted({dtype for _, dtype in shapes.values()})}")
        comm.doing = "all_reduce"
        ends = list(itertools.accumulate((count for count, _ in told), initial=0))
        if distribute._reduced[0] != shapes:
            like = [np.broadcast_to(a.dtype.type(0), a.shape) for a in several[0].values()]
            distribute._reduced = shapes, Layout(like, frozenset(), [range(len(names))])
        layout = distribute._reduced[1]
        sums = Sums(comm, list(itertools.pairwise(ends)), lambda sparse: layout)
        for n, g in enumerate(several, ends[comm.rank]):
            sums.push(n, [], [g[name] for name in names])
        sums.small()
        return {name: a.copy() for name, a in zip(names, sums.gradients(), strict=True)}
