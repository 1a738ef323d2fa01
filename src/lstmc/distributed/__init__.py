"""Beyond one process: training on pieces of batches, alone or by MPI, and prediction by the workers of an engine.

One promise: a result does not depend on how many take part. `fit` with `Pieces(size)` in one process and with `MPI(size)` on any number of
ranks gives the same weights, losses and metrics, bit for bit; `predict` by any engine and number of workers gives what `model.predict` gives.

Reading order: `pieces.py` (the arguments), `tree.py` (the order of sums), `cut.py` and `counts.py` (what a piece is, and counts), `sums.py`,
`fitting.py` (one batch), `leading.py` (callbacks), `agreed.py` (checks at the start), `communicator.py` and `mpi.py`; `scoring.py` and
`engines.py` for prediction.

Notes
-----
When does data parallelism pay? An LSTM of I inputs and H units has W = 4 H (I + H + 2) weights. One step on B sequences of T steps takes about
6 W B T floating-point operations, forward and backward, in F operations a second; R ranks send and receive 2 W s (R - 1) / R bytes each (s = 4 in float32, 8
in float64; each rank with one run of pieces that makes one node of the tree) at b bytes a second in messages of latency l, and add W numbers:

    compute = 6 W B T / (R F),    communication = 2 W s (R - 1) / (R b) + 2 (R - 1) l

W cancels as soon as latency does not count: with float32, communication / compute = (4/3) (R - 1) F / (b B T). So it is not the size of the network that
decides, but the steps in a batch, B T, against F / b. It stops paying where R ranks with this much to say take as long as R - 1 with less: about where
communication is as long as compute, R = 1 + (3/4) b B T / F. Small networks meet latency first: at H = 64, W is 33 thousand, 130 KB, and compute is a
few milliseconds at B T = 6400; messages of 50 microseconds are nothing within a machine, and much over a slow network.
`benchmarks/distributed.py` measures F, b and l, and prints the ratio for H from 64 to 1024. Neither layers nor sequences are divided among processes.
"""

from lstmc import names
from lstmc.distributed.pieces import MPI, Pieces, all_reduce

_LAZY = {"predict": "lstmc.distributed.scoring"}

__all__ = ["MPI", "Pieces", "all_reduce", "predict"]

__getattr__, __dir__ = names.face(__name__, __all__, _LAZY)
