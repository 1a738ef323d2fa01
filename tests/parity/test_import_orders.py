"""Whichever of lstmc, torch and scikit-learn a process imports first, each calls its threads: nothing ends, and nothing waits for ever."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

CALLS = {
    "lstmc": "import lstmc.nn; lstmc.nn.LSTM(4, 32, seed=0)(numpy.ones((20, 64, 4), numpy.float32), threads=2)",
    "torch": "import torch; torch.set_num_threads(2); torch.nn.LSTM(4, 32)(torch.ones(20, 64, 4)); torch.ones(500, 500) @ torch.ones(500, 500)",
    "sklearn": "from sklearn.cluster import KMeans; KMeans(2, n_init=1).fit(numpy.random.default_rng(0).normal(size=(3000, 4)))",
}


def ran(order):
    """What a process printed that made the calls in this order, and then once more."""
    lines = ["import numpy", *(CALLS[name] for name in order), *(CALLS[name] for name in order), "print('done')"]
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=300, check=False)


def test_every_order_of_imports():
    orders = list(permutations(CALLS))
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(orders, pool.map(ran, orders), strict=True))
    wrong = {order: (done.returncode, done.stderr) for order, done in found.items() if (done.returncode, done.stdout) != (0, "done\n")}
    assert not wrong
