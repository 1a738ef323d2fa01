"""The process around the kernels: environment variables, threads, forks, imports, the floating-point environment.

What concerns a whole process is tried in a fresh one.
"""

import ast
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import lstmc
from cases import Case
from conftest import ISAS, assert_same_bits, module_of, named, numbers_of, train
from lstmc.kernels import core

OPENMP = core.has_openmp()
PACKAGE = Path(lstmc.__file__).parent
CASE = Case(5, 9, 4, 17, L=2, D=2, P=3, ragged=True)


def python(script, timeout=60, **environment):
    """Run a script in a new interpreter in which only the given LSTMC_* and OMP_* variables are set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LSTMC_", "OMP_", "GOMP_", "KMP_"))}
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=timeout,
                          env=kept | environment)


def printed(script, timeout=60, **environment):
    """What a script that must succeed printed."""
    done = python(script, timeout, **environment)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout.strip()


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
SHARED = Case(4, 2, 5, 129, L=2)


def test_threads_that_wait_for_each_other_in_four_python_threads():
    """More threads than processors, each of a team needing the others: slow, but it ends, with the same bits."""
    n, m = numbers_of(SHARED, "float32"), module_of(SHARED, "float32")
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
        for B, H in ((9, 17), (2, 129), (1, 300)):
            m = nn.LSTM(5, H, 2, seed=0)
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


# Forks ------------------------------------------------------------------------------------------------------

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
        """The child has only the forking thread: a lock that another one held must not stay locked in it."""
        assert printed(PREPARE + """
    from lstmc.kernels import arena
    held, over = threading.Event(), threading.Event()

    def hold():
        with arena._lock:
            held.set()
            over.wait(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    ended = in_child(lambda: results() == want)
    over.set()
    thread.join()
    assert ended, "child"
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


# Imports ----------------------------------------------------------------------------------------------------

NEW_MODULES = """
    import sys, numpy
    before = set(sys.modules)
    {statements}
    new = set(sys.modules) - before
    print(*sorted({{name.split(".")[0] for name in new}} - set(sys.stdlib_module_names)))
    print(*sorted(name for name in new if name.split(".")[0] == "lstmc"))
"""


def loaded(statements):
    """(third-party packages, modules of lstmc) that the statements import beyond NumPy."""
    lines = printed(NEW_MODULES.format(statements=statements)).splitlines()
    others = {name for name in lines[0].split() if "cython" not in name}
    return others, set(lines[1].split())


def test_import_needs_numpy_alone():
    others, own = loaded("import lstmc")
    assert others == {"lstmc"}
    assert not {name for name in own if name.startswith(("lstmc.nn", "lstmc.layers", "lstmc.training", "lstmc.reference"))}


def test_kernels_do_not_know_their_users():
    names = [p.name.split(".")[0] for p in (PACKAGE / "kernels").iterdir() if p.suffix in (".so", ".pyd")]
    assert {"core", "lstm_fwd", "lstm_bwd"} <= set(names)
    others, own = loaded("; ".join(f"import lstmc.kernels.{name}" for name in names))
    assert others == {"lstmc"}
    assert all(name.startswith("lstmc.kernels") for name in own - loaded("import lstmc")[1])


def test_the_engine_does_not_know_the_faces_above_it():
    others, own = loaded("import lstmc.nn")
    assert others == {"lstmc"}
    above = ("layers", "training", "optimizers", "losses", "metrics", "callbacks", "io", "datasets", "reference")
    assert not {name for name in own if name.split(".")[1:2] and name.split(".")[1] in above}


def test_the_reference_imports_numpy_alone():
    tree = ast.parse((PACKAGE / "reference.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add("." * node.level + (node.module or ""))
    assert imported == {"numpy", "typing"}


def test_import_starts_no_thread():
    count = ("import os, threading; "
             "print(len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else threading.active_count())")
    assert printed(f"import numpy, lstmc, lstmc.nn; {count}") == printed(f"import numpy; {count}")


# The floating-point environment -----------------------------------------------------------------------------

def subnormals_work():
    """Whether this thread neither flushes subnormal results nor reads subnormal operands as zero."""
    for dtype in (np.float32, np.float64):
        info = np.finfo(dtype)
        halved = np.full(40, info.smallest_normal) / dtype(2)
        summed = np.full(40, info.smallest_subnormal) + np.full(40, info.smallest_subnormal)
        if not (np.all(halved > 0) and np.all(summed == 2 * info.smallest_subnormal)):
            return False
    return True


def test_the_floating_point_environment_is_left_alone(isa):
    case = Case(5, 9, 4, 17, D=2)
    found = {"before": subnormals_work()}

    def use(dtype="float32"):
        n, m = numbers_of(case, dtype), module_of(case, dtype)
        for scale in (1, 1e-40, 1e30):
            train(m, {k: v if v is None or k == "params" else (v * v.dtype.type(scale)) for k, v in n.items()}, threads=2)

    use("float64")
    use("float32")
    found["after"] = subnormals_work()

    def in_thread():
        found["new thread"] = subnormals_work()
        use()
        found["new thread, after"] = subnormals_work()

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    found["in the end"] = subnormals_work()
    assert all(found.values()), found
    assert len(found) == 5


def test_subnormal_numbers_are_computed_with(isa):
    """Tiny inputs through identity-like weights: nothing is flushed inside the kernels, on any thread."""
    m = lstmc.nn.LSTM(1, 1, bias=False)
    params = {name: np.zeros_like(w) for name, w in m.state_dict().items()}
    params["weight_ih_l0"][2] = 1           # g = tanh(x); i = f = o = 1/2
    m.load_state_dict(params)
    x = np.full((1, 8, 1), 1e-40, np.float32)
    for threads in (1, 2):
        y, (_, c) = m(x, threads=threads)
        assert_same_bits(c, np.full((1, 8, 1), np.float32(1e-40) / 2, np.float32))
        assert np.all(y == np.float32(1e-40) / 4)


def test_numpys_error_state_sees_nothing(isa):
    """Overflow, NaN and infinity inside a call raise no NumPy error, then or at the next operation."""
    n, m = numbers_of(CASE), module_of(CASE)
    with np.errstate(all="raise"):
        for bad in (np.nan, np.inf, 1e300, 1e-310):
            m(np.full_like(n["x"], bad))
            assert (np.ones(8) * 2 / 4 + 1).sum() == 12
