"""The store of workspaces: what it hands out, what it keeps, that nobody waits for it, and that it is quiet when the interpreter ends."""

import gc
import threading
import weakref

import numpy as np
import pytest

from cases import Case
from conftest import assert_same_bits, module_of, numbers_of, train
from lstmc.kernels import arena
from lstmc.kernels.arena import Store
from processes import python


def where(blocks):
    return [b.memory.ctypes.data for b in blocks]


def test_a_workspace_is_reused():
    store = Store()
    a = store.take(5000)
    assert a.nbytes == a.memory.size >= 5000
    assert a.memory.ctypes.data % arena.ALIGN == 0
    at = where([a])
    store.give([a])
    del a
    assert where([store.take(5000)]) == at
    assert (store.blocks, store.held) == (0, 0)


def test_the_same_ones_in_the_same_order():
    store = Store()

    def several():
        return [store.take(n) for n in (5000, 9000, 5000, 5000)]

    blocks = several()
    want = where(blocks)
    for _ in range(2):
        store.give(blocks)
        blocks = several()
        assert where(blocks) == want


def test_the_store_is_bounded():
    store = Store(3 * 4096)
    blocks = [store.take(100) for _ in range(5)]
    gone = [weakref.ref(b.memory) for b in blocks]
    store.give(blocks)
    assert (store.blocks, store.held) == (3, 3 * 4096)
    del blocks
    assert [found() is None for found in gone] == [True, True, False, False, False]
    store.clear()
    assert (store.blocks, store.held) == (0, 0)
    assert all(found() is None for found in gone)


def test_a_store_that_ends_lets_go_of_all():
    store = Store()
    a = store.take(100)
    gone = weakref.ref(a.memory)
    store.give([a])
    del a
    assert gone() is not None
    del store
    assert gone() is None


def test_nobody_waits_for_the_store():
    """Where the interpreter has no lock, a thread may find it busy."""
    store = Store()
    a, b = store.take(8192), store.take(8192)
    store.give([a])
    store.busy = True
    assert where([store.take(8192)]) not in (where([a]), where([b]))
    store.give([b])
    store.busy = False
    assert (store.blocks, store.held) == (1, 8192)
    assert where([store.take(8192)]) == where([a])


def test_sizes_that_no_memory_has():
    store = Store()
    with pytest.raises(MemoryError):
        store.take(2**62)
    store.give([arena.Block(np.zeros(100, np.uint8))])      # of a size that the store does not have
    assert store.blocks == 0


def test_threads_take_and_give_at_once():
    case = Case(5, 4, 3, 9, L=2)
    n, m = numbers_of(case, "float32"), module_of(case, "float32")
    m.step = 0
    want, wrong = train(m, n), []
    usual = arena.use(Store())

    def compute():
        own = module_of(case, "float32")
        for _ in range(30):
            own.step = 0
            try:
                assert_same_bits(train(own, n), want)
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=compute) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    store = arena.use(usual)
    assert not wrong
    blocks = [store.take(4096) for _ in range(store.blocks + 1)]
    assert len(set(where(blocks))) == len(blocks)


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
