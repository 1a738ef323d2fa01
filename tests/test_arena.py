"""The store of workspaces: what it hands out, what it keeps, and that giving back never waits."""

import threading

import numpy as np
import pytest

from lstmc.kernels import arena


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
