"""Environment variables and threads. What concerns a whole process is tried in a fresh one."""

import os
import threading

import numpy as np
import pytest

import lstmc
from cases import Case
from conftest import ISAS, assert_same_bits, module_of, named, numbers_of, train
from lstmc.kernels import core
from processes import printed, python

OPENMP = core.has_openmp()
CASE = Case(5, 9, 4, 17, L=2, D=2, P=3, ragged=True)


# Environment ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ISAS)
def test_isa_from_the_environment(name):
    assert printed("import lstmc; print(lstmc.build_info()['isa'])", LSTMC_ISA=name) == name


def test_the_best_isa_is_the_default():
    assert printed("import lstmc; print(lstmc.build_info()['isa'], *lstmc.build_info()['isas'])").split() == [ISAS[0], *ISAS]


@pytest.mark.parametrize("name", ["sse9", "AVX2", "avx2 ", "avx", "auto"])
def test_an_unknown_isa_is_refused(name):
    done = python("import lstmc", LSTMC_ISA=name)
    assert done.returncode == 1
    assert f"ValueError: LSTMC_ISA: expected one of avx512, avx2, neon, baseline, received {name!r}" in done.stderr


def test_an_unusable_isa_is_refused():
    unusable = [name for name in core.known_isas() if name not in ISAS]
    assert unusable     # no machine runs both NEON and AVX
    for name in unusable:
        done = python("import lstmc", LSTMC_ISA=name)
        assert done.returncode == 1
        assert f"ValueError: LSTMC_ISA: '{name}' is not usable on this machine" in done.stderr
        assert f"usable here: {', '.join(ISAS)}" in done.stderr


@pytest.mark.parametrize("text", ["1", "3", "1024"])
def test_threads_from_the_environment(text):
    found = printed("import lstmc; print(lstmc.get_num_threads(), lstmc.build_info()['threads'])", LSTMC_NUM_THREADS=text)
    n = int(text) if OPENMP else 1
    assert found == f"{n} {n}"


@pytest.mark.parametrize("text", ["0", "-1", "1025", "two", "1.5", " 2", "1e2", "²"])
def test_a_wrong_thread_count_is_refused(text):
    done = python("import lstmc", LSTMC_NUM_THREADS=text)
    assert done.returncode == 1
    assert f"ValueError: LSTMC_NUM_THREADS: expected a whole number from 1 to 1024, received {text!r}" in done.stderr


def test_empty_variables_are_like_absent_ones():
    script = "import lstmc; print(lstmc.build_info()['isa'], lstmc.get_num_threads())"
    assert printed(script, LSTMC_ISA="", LSTMC_NUM_THREADS="") == printed(script)


def test_the_environment_is_read_once():
    assert printed("""
        import os, lstmc
        os.environ["LSTMC_ISA"], os.environ["LSTMC_NUM_THREADS"] = "elephant", "elephant"
        import lstmc.nn
        lstmc.nn.LSTM(2, 3)([[1, 2]])
        print(lstmc.build_info()["isa"], lstmc.get_num_threads())
    """, LSTMC_ISA="baseline", LSTMC_NUM_THREADS="3") == f"baseline {3 if OPENMP else 1}"


def test_default_threads_follow_openmp_and_affinity():
    script = "import lstmc; print(lstmc.get_num_threads())"
    assert printed(script, OMP_NUM_THREADS="1") == "1"
    assert printed("import os; hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
                   + script, **({} if hasattr(os, "sched_setaffinity") else {"OMP_NUM_THREADS": "1"})) == "1"
    assert 1 <= int(printed(script)) <= (os.cpu_count() or 1)


# Threads ----------------------------------------------------------------------------------------------------

def test_the_stack_that_musl_gives_a_thread_is_enough():
    assert printed("""
        import threading

        def run():
            import numpy as np
            from lstmc import nn
            from lstmc.kernels import contention
            contention.start_with(3600.0)
            for kind in (nn.LSTM, nn.GRU, nn.RNN):
                for dtype in ("float32", "float64"):
                    m = kind(24, 40, bidirectional=True, dtype=dtype)
                    y, _, tape = m.forward(np.ones((5, 70, 24), dtype), train=True, threads=2)
                    m.backward(tape, y, threads=2)
            print("done")

        threading.stack_size(128 << 10)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    """, OMP_STACKSIZE="128K") == "done"


@pytest.fixture
def thread_setting():
    before = core.threads_setting()
    yield
    core.set_threads(before)


def test_set_num_threads(thread_setting):
    for n in (1, 3, np.int64(2), 1024):
        lstmc.set_num_threads(n)
        assert lstmc.get_num_threads() == (n if OPENMP else 1)
        assert lstmc.build_info()["threads"] == lstmc.get_num_threads()


def test_threads_context(thread_setting):
    lstmc.set_num_threads(2)
    with lstmc.threads(3):
        assert core.threads_setting() == 3
        with lstmc.threads(1):
            assert core.threads_setting() == 1
        assert core.threads_setting() == 3
        assert lstmc.get_num_threads() == (3 if OPENMP else 1)
    assert core.threads_setting() == 2
    with pytest.raises(KeyError), lstmc.threads(5):
        raise KeyError
    assert core.threads_setting() == 2
    one = lstmc.threads(1)
    with one:
        with one:
            pass
        assert core.threads_setting() == 1
    assert core.threads_setting() == 2


def test_the_default_comes_back(thread_setting):
    core.set_threads(0)
    default = lstmc.get_num_threads()
    with lstmc.threads(7):
        assert lstmc.get_num_threads() == (7 if OPENMP else 1)
    assert core.threads_setting() == 0
    assert lstmc.get_num_threads() == default


@pytest.mark.parametrize("call", [lstmc.set_num_threads, lstmc.threads])
@pytest.mark.parametrize(("error", "text", "n"), [
    (ValueError, "n: expected 1 to 1024 threads, received 0", 0),
    (ValueError, "n: expected 1 to 1024 threads, received -2", -2),
    (ValueError, "n: expected 1 to 1024 threads, received 1025", 1025),
    (TypeError, "n: expected an int, received float", 2.0),
    (TypeError, "n: expected an int, received str", "2"),
    (TypeError, "n: expected an int, received bool", True),
    (TypeError, "n: expected an int, received NoneType", None),
])
def test_wrong_thread_counts(call, error, text, n, thread_setting):
    lstmc.set_num_threads(2)
    with pytest.raises(error, match=text):
        call(n)
    assert core.threads_setting() == 2


def test_build_info():
    info = lstmc.build_info()
    assert {"version", "isa", "isas", "openmp", "compiler", "threads"} <= info.keys()
    assert info["version"] == lstmc.__version__
    assert info["isa"] in info["isas"]
    assert info["isas"][-1] == "baseline"
    assert isinstance(info["openmp"], bool)
    assert isinstance(info["compiler"], str)
    assert info["compiler"] not in ("", "unknown")
    assert info["threads"] == lstmc.get_num_threads() >= 1
    assert info["forked"] is False


@pytest.mark.parametrize("shared", [True, False])
def test_calls_from_four_python_threads(shared, isa):
    n = numbers_of(CASE)
    want = train(module_of(CASE), n)
    common = module_of(CASE)
    start, found, errors = threading.Barrier(4), [], []

    def work():
        try:
            m = common if shared else module_of(CASE)
            start.wait()
            for k in range(15):
                found.append(train(m, n, threads=1 + k % 3))
                y = m(n["x"], (n["h0"], n["c0"]), n["lengths"])
                found.append({**want, **named(*y)})
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(60)
    assert not errors
    assert len(found) == 4 * 30
    for results in found:
        assert_same_bits(results, want)


# Weights large enough, and few enough rows, that the threads of a call wait for each other after every step.
SHARED = [Case(4, 2, 5, 129, L=2), Case(4, 1, 5, 200, L=2, P=70)]


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_threads_that_wait_for_each_other_in_four_python_threads(case):
    """More threads than processors, each of a team needing the others: slow, but it ends, with the same bits."""
    n, m = numbers_of(case, "float32"), module_of(case, "float32")
    want, found = train(m, n, threads=1), []
    workers = [threading.Thread(target=lambda: found.append(train(m, n, threads=3)), daemon=True) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(30)
    assert len(found) == 4
    for results in found:
        assert_same_bits(results, want)


@pytest.mark.parametrize("environment", [
    {"OMP_THREAD_LIMIT": "1"}, {"OMP_THREAD_LIMIT": "2"}, {"OMP_DYNAMIC": "true"}, {"OMP_NUM_THREADS": "1"}, {"OMP_MAX_ACTIVE_LEVELS": "0"},
    {"OMP_WAIT_POLICY": "active"}, {"OMP_PROC_BIND": "true", "OMP_PLACES": "{0}"},
], ids=lambda e: " ".join(f"{k}={v}" for k, v in e.items()))
def test_fewer_threads_than_asked_for(environment):
    """OpenMP may give a call fewer threads than it asks for; nobody may wait for one that never comes."""
    assert printed("""
        import numpy as np
        from lstmc import nn
        for B, H, P in ((9, 17, 0), (2, 129, 0), (1, 300, 0), (1, 300, 50)):
            m = nn.LSTM(5, H, 2, seed=0, proj_size=P)
            x = np.random.default_rng(0).standard_normal((6, B, 5), np.float32)

            def results(threads):
                y, state, tape = m.forward(x, threads=threads)
                g = m.backward(tape, y, threads=threads)
                s = m.session(B)
                steps = [s.step(x_t, threads=threads) for x_t in x]
                return b"".join(a.tobytes() for a in (y, *state, g.x, *g.hx, *g.params.values(), *steps, s.run(x, threads=threads)))

            assert results(1) == results(2) == results(5) == results(None)
        print("done")
    """, 60, **environment) == "done"
