"""Beyond one process: training on pieces of batches, alone or by MPI, and prediction by the workers of an engine.

One promise: a result does not depend on how many take part. `fit` with `Pieces(size)` in one process and with `MPI(size)` on any number of
ranks gives the same weights, losses and metrics, bit for bit; `predict` by any engine and number of workers gives what `model.predict` gives.

Reading order: `pieces.py` (the arguments), `tree.py` (the order of sums), `cut.py` and `counts.py` (what a piece is, and counts), `sums.py`,
`fitting.py` (one batch), `leading.py` (callbacks), `agreed.py` (checks at the start), `communicator.py`, `mpi.py` and `watch.py`; for prediction
`scoring.py`, `parts.py`, `ordered.py`, `engines.py` and `processes.py`.

Notes
-----
When does data parallelism pay? An LSTM of I inputs and H units has W = 4 H (I + H + 2) weights. A training step on B sequences of T steps takes
about 6 W B T floating-point operations, at F a second on one rank. Each of R ranks sends, and receives, 2 W s (R - 1) / R bytes (s = 4 in float32)
at b bytes a second, in 2 (R - 1) messages of latency l; so it is where its pieces make one node of the tree, as with a power of two of ranks and as
many times as many pieces. With A = 6 W B T / F, the time of one rank alone, and C = 2 W s / b,

    time(R) = A / R + C (1 - 1 / R) + 2 (R - 1) l = C + (A - C) / R + 2 (R - 1) l

- Ranks pay where A > C. W cancels: in float32 where B T > (4/3) F / b. The steps in a batch decide, not the size of the network.
- The gain is never more than A / C = (3/4) b B T / F, and half of that with R = 1 + A / C ranks or so. At F = 50e9 and B T = 6400 that is 120 over 10 Gbit/s.
- Latency ends it for small networks: more ranks than sqrt(A / 2 l) make a step longer. At H = 64 and B T = 6400 (W = 33 thousand, A = 25 ms) that is
  16 ranks at 50 microseconds; at H = 1024 (W = 8.4 million, A = 6.4 s), 250.
- Every rank makes the whole update of the weights, some passes over W numbers, whatever R is.

`benchmarks/ranks.py` measures steps and sums for H from 64 to 1024, and fits l and b. The sum of a layer's gradients begins while the layers
below go backward, which hides at most C (1 - 1 / R) less the lowest layer's part, and only what the MPI library moves by itself. Neither layers nor
sequences are divided.
"""

from lstmc import names
from lstmc.distributed.pieces import MPI, Pieces, all_reduce

_LAZY = {"predict": "lstmc.distributed.scoring", "Processes": "lstmc.distributed.processes"}

__all__ = ["MPI", "Pieces", "Processes", "all_reduce", "predict"]

__getattr__, __dir__ = names.face(__name__, __all__, _LAZY)
