"""What importing costs and which way imports run; the floating-point environment around the kernels."""

import ast
import re
import sys
import threading
from pathlib import Path

import numpy as np

import lstmc
from cases import Case
from conftest import assert_same_bits, module_of, numbers_of, train
from processes import printed

PACKAGE = Path(lstmc.__file__).parent
CASE = Case(5, 9, 4, 17, L=2, D=2, P=3, ragged=True)


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
    assert {"core", "forward", "backward"} <= set(names)
    others, own = loaded("; ".join(f"import lstmc.kernels.{name}" for name in names))
    assert others == {"lstmc"}
    assert all(name.startswith("lstmc.kernels") for name in own - loaded("import lstmc")[1])


def test_kernels_import_each_other_in_one_direction():
    """Each source file of the kernels can be read after those that it imports; a .pxd counts as its module."""
    imports = {}
    for path in sorted((PACKAGE / "kernels").glob("*.p[yx][xd]")):
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"^from lstmc\.kernels\.(\w+) c?import", text, re.M)
        for names in re.findall(r"^from lstmc\.kernels c?import (.+)", text, re.M):
            found += re.findall(r"\w+", names)
        imports.setdefault(path.stem, set()).update(set(found) - {path.stem})
    while free := {name for name, others in imports.items() if not others & imports.keys()}:
        for name in free:
            del imports[name]
    assert not imports, {name: sorted(others & imports.keys()) for name, others in imports.items()}


def test_the_engine_does_not_know_the_faces_above_it():
    others, own = loaded("import lstmc.nn")
    assert others == {"lstmc"}
    above = ("layers", "training", "optimizers", "losses", "metrics", "callbacks", "io", "datasets", "reference")
    assert not {name for name in own if name.split(".")[1:2] and name.split(".")[1] in above}


def test_the_benchmark_imports_no_peer_before_it_runs():
    others, own = loaded("import lstmc.cli.bench")
    assert others == {"lstmc"}
    assert not {name for name in own if name.startswith("lstmc.bench.peers.")}
    assert not {name for name in loaded("import lstmc, lstmc.nn, lstmc.layers, lstmc.training, lstmc.cli.demo")[1] if "bench" in name}


def test_the_reference_imports_numpy_alone():
    imported = set()
    for path in (PACKAGE / "reference").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add("." * node.level + (node.module or "").split(".")[0])
    others = {name for name in imported if not name.startswith(".")} - set(sys.stdlib_module_names)
    assert others == {"numpy"}
    assert not {name for name in imported if name.startswith("..")}


THREADS = """
    import os, threading, numpy
    def count():
        return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
    before = count()
    import lstmc, lstmc.nn
    print(count() - before)
    m, x = lstmc.nn.LSTM(3, 8, 2), numpy.zeros((5, 64, 3), numpy.float32)
    m.session(batch_size=2).step(x[0, :2])
    m.backward(m.forward(x, threads=1)[2], dy=numpy.ones((5, 64, 8), numpy.float32), threads=1)
    print(count() - before)
    m(x, threads=2)
    print(count() - before)
"""


def test_no_thread_before_the_first_call_on_several():
    imported, called, parallel = map(int, printed(THREADS, LSTMC_NUM_THREADS="1").split())
    assert (imported, called) == (0, 0)
    assert parallel == (1 if lstmc.build_info()["openmp"] and Path("/proc/self/task").is_dir() else 0)


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
