"""Signals during one long call: their handlers run meanwhile, what they raise ends the call, and module and tape serve on."""

import pytest

from processes import printed

# A call of at least two tenths of a second, on quick machines, too: rows of one thread and of two, and units shared, in one stage a step and in two.
LONG = """
import os, signal, threading
import numpy as np
from lstmc import nn
T, B, H, P, threads = {T}, {B}, {H}, {P}, {threads}
m = nn.LSTM(64, H, seed=0, proj_size=P)
x = np.random.default_rng(0).standard_normal((T, B, 64)).astype("float32")
few = x[:50]
want = m(few, threads=1)[0]
"""

HANDLED = LONG + """
calls = 0
def count(*_):
    global calls
    calls += 1
signal.signal(signal.SIGALRM, count)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
before = calls
y, state, tape = m.forward(x, threads=threads)
forward = calls - before
before = calls
g = m.backward(tape, y, threads=threads)
backward = calls - before
signal.setitimer(signal.ITIMER_REAL, 0)
print(forward > 2 and backward > 2 and np.array_equal(y[:50], want))
"""

RAISED = LONG + """
class Enough(Exception):
    pass
def stop(*_):
    raise Enough
signal.signal(signal.SIGALRM, stop)
out = np.full((T, B, P or H), np.nan, "float32")
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    m(x, out=out, threads=threads)
    print("not stopped")
except Enough:
    print(np.isnan(out[-1]).all() and not np.isnan(out[0]).any())
print(np.array_equal(m(few, threads=threads)[0], want))
y, state, tape = m.forward(few, threads=threads)
wanted = m.backward(tape, y, threads=threads)
y, state, tape = m.forward(x, threads=threads)
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    m.backward(tape, y, threads=threads)
    print("not stopped")
except Enough:
    pass
again = m.backward(tape, y, threads=threads)
y, state, tape = m.forward(x, threads=threads)
g = m.backward(tape, y, threads=threads)
print(np.array_equal(g.x, again.x) and all(np.array_equal(g.params[k], again.params[k]) for k in g.params))
y, state, tape = m.forward(few, threads=threads)
g = m.backward(tape, y, threads=threads)
print(np.array_equal(g.x, wanted.x) and all(np.array_equal(g.params[k], wanted.params[k]) for k in g.params))
"""

SIZES = {
    "one thread": {"T": 600, "B": 16, "H": 512, "P": 0, "threads": 1},
    "rows": {"T": 300, "B": 64, "H": 512, "P": 0, "threads": 2},
    "units": {"T": 24000, "B": 1, "H": 256, "P": 0, "threads": 2},
    "stages": {"T": 24000, "B": 1, "H": 320, "P": 160, "threads": 2},
}


@pytest.mark.parametrize("name", SIZES)
def test_handlers_run_during_a_call(name):
    assert printed(HANDLED.format(**SIZES[name]), timeout=300) == "True"


@pytest.mark.parametrize("name", SIZES)
def test_what_a_handler_raises_ends_the_call(name):
    assert printed(RAISED.format(**SIZES[name]), timeout=300).split() == ["True"] * 4
