"""Forked children of a process that has used threads: they finish, on one thread, with the same bits."""

import os

from processes import printed

PREPARE = """
    import os, sys, threading, time, warnings
    import numpy as np
    import lstmc
    from lstmc import nn
    warnings.simplefilter("ignore")     # newer Pythons warn about any fork of a process with threads
    m = nn.LSTM(8, 33, 2, bidirectional=True, seed=0)
    x = np.random.default_rng(0).standard_normal((12, 9, 8), np.float32)

    def results(threads=2):
        y, state, tape = m.forward(x, threads=threads)
        g = m.backward(tape, y, threads=threads)
        return b"".join(a.tobytes() for a in (y, *state, g.x, *g.hx, *g.params.values(), m(x, threads=threads)[0]))

    def ends_well(pid, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status == 0
            time.sleep(0.01)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        return False

    def in_child(check):
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if check() else 1)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(2)
        return ends_well(pid)

    want = results()
"""

HELD = """
    from lstmc import initializers, seeds
    from lstmc.layers import LSTM, Dense, Dropout, Input
    from lstmc.nn import recurrent
    from lstmc.training import Sequential
    parent, held, over = os.getpid(), threading.Event(), threading.Event()

    class Slow(initializers.GlorotUniform):
        def values(self, shape, rng):
            if os.getpid() == parent:
                held.set()
                over.wait(5)
            return super().values(shape, rng)

    def model(initializer="glorot_uniform"):
        return Sequential([Input((None, 8)), LSTM(5, return_sequences=True), Dropout(0.5), Dense(4, kernel_initializer=initializer), LSTM(3)])

    def builds():
        made = model()
        made.compile("adam", "mse")
        return np.isfinite(made.train_on_batch(x.swapaxes(0, 1), np.zeros((9, 3)))) and m.forward(x) is not None

    def begin(work):
        thread = threading.Thread(target=work)
        thread.start()
        held.wait()
        return thread
    """

if hasattr(os, "fork"):

    def test_a_forked_child_computes_the_same_and_does_not_hang():
        assert printed(PREPARE + """
    def check():
        info = lstmc.build_info()
        assert info["forked"] and info["threads"] == 1 == lstmc.get_num_threads(), info
        assert "forked child" in m.explain() or not info["openmp"]
        lstmc.set_num_threads(4)
        assert lstmc.get_num_threads() == 1
        return results() == results(3) == want and in_child(lambda: results() == want)

    assert in_child(check), "child"
    # The parent goes on with its threads.
    assert results() == want and not lstmc.build_info()["forked"]
    assert in_child(check), "second child"
    assert not in_child(lambda: results() == b""), "a wrong result would be noticed"
    print("done")
    """, 60) == "done"

    def test_a_child_of_a_parent_that_has_not_used_threads():
        assert printed(PREPARE.replace("want = results()", "want = None") + """
    assert in_child(lambda: len(results()) > 1000), "child"
    print("done")
    """, 60) == "done"

    def test_a_fork_while_another_thread_takes_a_workspace():
        """Which that thread, who does not exist in the child, left half done."""
        assert printed(PREPARE + """
    from lstmc.kernels import arena
    store = arena.current()
    assert store.blocks
    store.busy = True
    assert in_child(lambda: (store.busy, store.held) == (0, 0) and results() == want and store.held > 0), "child"
    store.busy = False
    assert results() == want
    print("done")
    """, 60) == "done"

    def test_forks_while_other_threads_compute():
        assert printed(PREPARE + """
    sys.setswitchinterval(1e-5)
    over = False

    def compute():
        while not over:
            results()

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for t in threads:
        t.start()
    ended = [in_child(lambda: results() == want) for _ in range(10)]
    over = True
    for t in threads:
        t.join()
    assert all(ended), ended
    print("done")
    """, 150) == "done"

    def test_multiprocessing_with_fork():
        assert printed(PREPARE + """
    import multiprocessing

    def work(threads):
        return results(threads) == want

    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(work, [1, 2, 3, 2]).get(30) == [True] * 4
    print("done")
    """, 60) == "done"

    def test_a_fork_while_another_thread_builds():
        """The child builds other models, and that one too, from the same seeds."""
        assert printed(PREPARE + HELD + """
    made = model(Slow())
    thread = begin(made.build)
    ended = in_child(builds)
    reading, writing = os.pipe()
    again = in_child(lambda: os.write(writing, made.predict(x, verbose=0).tobytes()))
    over.set()
    thread.join()
    assert ended, "child"
    assert again, "child that builds what was being built"
    assert os.read(reading, 1 << 16) == made.predict(x, verbose=0).tobytes()
    assert builds()
    print("done")
    """, 60) == "done"

    def test_a_fork_while_another_thread_holds_a_lock():
        assert printed(PREPARE + HELD + """
    def hold(lock):
        with lock.now:
            held.set()
            over.wait(5)

    for lock in (seeds._lock, recurrent._drawing):
        held.clear()
        over.clear()
        thread = begin(lambda: hold(lock))
        ended = in_child(builds)
        over.set()
        thread.join()
        assert ended, lock
    print("done")
    """, 60) == "done"

    def test_a_fork_while_another_thread_trains():
        """The child may train that model: whoever trained it does not exist there."""
        assert printed(PREPARE + HELD + """
    from lstmc.callbacks import Callback

    class Waits(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if os.getpid() == parent:
                held.set()
                over.wait(5)

    made, y = model(), np.zeros((12, 3))
    made.compile("sgd", "mse")
    thread = begin(lambda: made.fit(x, y, verbose=0, callbacks=[Waits()]))
    ended = in_child(lambda: np.isfinite(made.train_on_batch(x, y)) and made.fit(x, y, verbose=0))
    over.set()
    thread.join()
    assert ended
    assert made.fit(x, y, verbose=0)
    print("done")
    """, 60) == "done"

    def test_a_fork_within_a_build():
        """By the thread that builds: both go on."""
        assert printed(PREPARE + HELD + """
    class Forks(initializers.GlorotUniform):
        def values(self, shape, rng):
            self.pid = os.fork()
            return super().values(shape, rng)

    forks = Forks()
    y = model(forks).predict(x, verbose=0)
    if forks.pid == 0:
        os._exit(0 if builds() and y.shape == (12, 3) else 1)
    assert ends_well(forks.pid)
    assert builds()
    print("done")
    """, 60) == "done"
