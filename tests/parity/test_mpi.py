"""Training on MPI: 1 to 4 real ranks give the bits of one process; a rank that fails, or is lost, ends the job.

Needs mpi4py and an mpiexec beside this Python or on the path, and is therefore collected only when named: python -m pytest tests/parity
"""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = r'''
import os, re, signal, sys, time
import numpy as np
import lstmc
from lstmc import callbacks, distributed
from lstmc.distributed import agreed, sums
from lstmc.layers import GRU, LSTM, Dense, Dropout, Embedding, Input

how, folder = sys.argv[1:]
distribute = distributed.Pieces(5) if how == "alone" else distributed.MPI(5)
lstmc.set_num_threads(1)
other = how == "differ" and distribute.rank == 1
lstmc.utils.set_random_seed(2 if other else 1)
if other:
    lstmc.__version__, np.__version__, agreed.code = "0.0", "9.0", lambda: "other"
several, segments = how == "mpi" and distribute.ranks > 2, set()
if several:     # segments on their way while the layers below go backward
    sums.SEGMENT, exchange = 32, distribute._comm.exchange
    distribute._comm.exchange = lambda number, *more: segments.add(number) or exchange(number, *more)
rng = np.random.default_rng(0)
kind = {"dtype": "float64" if other else "float32"}
model = lstmc.Sequential([Input((None,), dtype="int32"), Embedding(500, 4, mask_zero=True, **kind),
                          LSTM(5, dropout=0.2, recurrent_dropout=0.2, return_sequences=True, **kind), Dropout(0.3, **kind), GRU(4, **kind),
                          Dense(1, "sigmoid", **kind)])
model.compile(lstmc.optimizers.Adam(0.01, global_clipnorm=0.3), "binary_crossentropy", metrics=["accuracy", lstmc.metrics.AUC(num_thresholds=5)])
x, y = [rng.integers(1, 500, n) for n in rng.integers(1, 9, 70)], rng.integers(0, 2, (70, 1))

class Failing(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2 and how in ("raise", "backup"):
            raise OSError("the disk is gone")

class Lost:
    def __init__(self):
        self.n = 0
    def __len__(self):
        return 5
    def __getitem__(self, n):
        if n == 3 and distribute.rank == 1:
            if how == "silent":     # as a machine that is lost: its connection ends, and the launcher sees nothing
                distribute._comm._watch._close()
                time.sleep(1000)
            os.kill(os.getpid(), signal.SIGKILL)
        return x[:12], y[:12]

if how == "exit" and distribute.rank == 1:
    sys.exit(3)
if how in ("lost", "silent"):
    model.fit(Lost(), shuffle=False, verbose=0, distribute=distribute)
more = [callbacks.BackupAndRestore(os.path.join(folder, "backup"), 1)] * (how in ("backup", "resume")) + [Failing()]
history = model.fit(x, y, batch_size=24, epochs=2, validation_split=0.2, verbose=0, callbacks=more, distribute=distribute)
g = distributed.all_reduce([{"a": np.float32([0.1, 0.7]) * (n + 1)} for n in range(6)[distribute.rank * 6 // distribute.ranks:
                                                                                       (distribute.rank + 1) * 6 // distribute.ranks]], distribute)
assert segments == ({0, 2} if several else set())

def mapped():
    """Bytes of a memory map that this process has touched, and of the map."""
    with open("/proc/self/smaps") as f:
        text = next(t for t in re.split(r"\n(?=[0-9a-f]+-)", f.read()) if "x.npy" in t)
    return [int(re.search(rf"^{key}: *(\d+) kB$", text, re.M)[1]) for key in ("Rss", "Size")]

if how == "mpi" and sys.platform == "linux":      # a rank reads its pieces alone
    if distribute.rank == 0:
        np.save(os.path.join(folder, "x.npy"), np.ones((48, 2, 2**16), np.float32))
    distribute._comm.gather(None)
    wide = lstmc.Sequential([Input((2, 2**16)), LSTM(1)])
    wide.compile("sgd", "mse")
    on_disk = np.load(os.path.join(folder, "x.npy"), mmap_mode="r")
    wide.fit(on_disk, np.ones((48, 1)), batch_size=48, epochs=1, shuffle=False, verbose=0,
             distribute=distributed.MPI(2))
    resident, whole = mapped()
    assert resident < whole * (1 / distribute.ranks + 0.2), (resident, whole)       # the system maps up to 2 MiB around what is touched
    assert resident > whole * 0.9 / distribute.ranks, (resident, whole)
found = repr([w.tobytes() for w in model.get_weights()]) + repr(history.history) + repr(g["a"].tobytes())
with open(os.path.join(folder, f"{how}-{distribute.ranks}-{distribute.rank}"), "w") as f:
    f.write(found)
'''
MPIEXEC = next((str(p) for p in [Path(sys.executable).parent / "mpiexec"] if p.exists()), shutil.which("mpiexec"))


def job(ranks, how, folder):
    path = folder / "program.py"
    path.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
    command = [MPIEXEC, "-n", str(ranks)] if ranks else []
    # Without an end of its own, a job that has failed would meet the time limit.
    return subprocess.run([*command, sys.executable, str(path), how, str(folder)], capture_output=True, text=True, timeout=60, env=os.environ | root)


def written(folder, how, ranks):
    return [(folder / f"{how}-{ranks}-{r}").read_text(encoding="utf-8") for r in range(ranks)]


def test_any_number_of_ranks_gives_the_bits_of_one_process(tmp_path):
    done = job(0, "alone", tmp_path)
    assert done.returncode == 0, done.stderr
    expected = written(tmp_path, "alone", 1)[0]
    for ranks in (1, 2, 3, 4):
        done = job(ranks, "mpi", tmp_path)
        assert done.returncode == 0, done.stderr
        assert written(tmp_path, "mpi", ranks) == [expected] * ranks
    done = job(2, "backup", tmp_path)
    assert "rank 0 of 2 ended training: OSError: the disk is gone" in done.stderr
    done = job(3, "resume", tmp_path)
    assert done.returncode == 0, done.stderr
    assert written(tmp_path, "resume", 3) == [expected] * 3


@pytest.mark.parametrize(("how", "text", "times"), [
    ("raise", "rank 0 of 3 ended training: OSError: the disk is gone", 2),
    ("lost", "", 0),
    ("exit", "rank 1 of 3 is not there: its program has ended", 2),
    ("silent", ("RuntimeError: rank 1 of 3 is gone: ", "lstmc: rank 1 of 3 is gone: it was killed, or its machine was lost; noticed by rank "), 2),
    ("differ", ("received different ones: version of lstmc: ", "on rank 0, 0.0 on rank 1", "version of NumPy: ", "on rank 0, 9.0 on rank 1",
                "code of lstmc: ", "on rank 0, other on rank 1", "dtype: float32 on rank 0, float64 on rank 1", "seeds: ", "weights: "), 3),
])
def test_a_rank_that_fails_ends_the_job(how, text, times, tmp_path):
    done = job(3, how, tmp_path)
    assert done.returncode != 0
    assert not list(tmp_path.glob(f"{how}-*"))
    for part in [text] if isinstance(text, str) else text:
        if times:
            assert done.stderr.count(part) == times, done.stderr
