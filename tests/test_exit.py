"""The end of the interpreter while daemon threads are in calls: the process ends with its own exit status."""

import pytest

from processes import python

pytestmark = pytest.mark.once

# The last objects of the main thread let others run for a while. Threads that then wait for the interpreter's lock are ended by it.
SCRIPT = """
import sys, threading, time
import numpy as np
from lstmc import nn
from lstmc.layers import LSTM, Dense, Input
from lstmc.training import Sequential
x = np.random.default_rng(0).standard_normal((4000, 8, 8), dtype=np.float32)

def sequences(threads=1):
    m = nn.LSTM(8, 200, seed=0)
    while True:
        m(x, threads=threads)

def shared():
    m = nn.LSTM(8, 250, seed=0)
    while True:
        y, state, tape = m.forward(x[:, :1], threads=2)
        m.backward(tape, y, threads=2)

def steps():
    session = nn.LSTM(8, 200, seed=0).session(1)
    while True:
        session.step(x[0, :1])

def fits():
    model = Sequential([Input((None, 8)), LSTM(24), Dense(4)])
    model.compile("adam", "mse")
    while True:
        model.fit(x[:50], np.zeros((50, 4), np.float32), verbose=0)

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(0.5)

for work in ({works}):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
slow = Slow()
sys.exit(7)
"""


@pytest.mark.parametrize("works", ["sequences,", "lambda: sequences(2), shared, steps, fits"], ids=["one", "many"])
def test_daemon_threads_in_calls(works):
    done = python(SCRIPT.replace("{works}", works))
    assert (done.returncode, done.stderr) == (7, "")
