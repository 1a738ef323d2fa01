"""The store of workspaces: what it hands out, what it keeps, that giving back never waits, and that it is quiet when the interpreter ends."""

import threading

import numpy as np
import pytest

from lstmc.kernels import arena
from processes import python


@pytest.fixture(autouse=True)
def empty():
    arena.clear()
    yield
    arena.clear()


def test_a_workspace_is_reused():
    a = arena.take(5000)
    assert a.size >= 5000
    assert a.ctypes.data % arena.ALIGN == 0
    where = a.ctypes.data
    arena.give(a, None)
    del a
    assert arena.take(5000).ctypes.data == where


def test_the_same_ones_in_the_same_order():
    def where(blocks):
        return [a.ctypes.data for a in blocks]

    def several():
        return [arena.take(n) for n in (5000, 9000, 5000, 5000)]

    blocks = several()
    want = where(blocks)
    for _ in range(2):
        arena.give(*blocks)
        blocks = several()
        assert where(blocks) == want
    with arena._lock:
        arena.give(*blocks)
    assert where(several()) == want


def test_the_store_is_bounded(monkeypatch):
    monkeypatch.setattr(arena, "LIMIT", 3 * 4096)
    arena.give(*[arena.take(100) for _ in range(5)])
    assert arena.stored() == (3, 3 * 4096)


def test_giving_back_does_not_wait_for_the_lock():
    # A destructor may run in the middle of another call of this module, in the thread that holds the lock.
    a = arena.take(8192)
    with arena._lock:
        given = threading.Thread(target=arena.give, args=(a,), daemon=True)
        given.start()
        given.join(20)
        assert not given.is_alive()
        assert arena.stored() == (0, 0)
    assert np.shares_memory(arena.take(8192), a)


def test_nothing_is_said_at_the_end_of_the_interpreter():
    """Objects with workspaces that only the last collection frees, when modules are no more."""
    done = python("""
    import numpy as np
    from lstmc import nn
    m, x = nn.LSTM(3, 4, seed=0), np.zeros((2, 1, 3), np.float32)
    y, state, tape = m.forward(x)
    other, sums = m.forward(x)[2], []
    from lstmc.kernels.backward import backward
    sums = backward(other.layers[0].tapes, y, None, None, m._new_state(1))
    np.kept = [m, m.session(1), tape, sums]
    np.kept.append(np.kept)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
