"""Threads that share rows: a small batch whose recurrent weights are too large for one core, forward and backward.

Sharing, the number of threads, and the moment at which a crew dissolves must not change a bit; the reference says
that the bits are right as well.
"""

import numpy as np
import pytest

from cases import Case
from conftest import assert_close, assert_same_bits, expected_of, module_of, numbers_of, train
from lstmc.kernels import core, crew, plan

SHARED = [
    Case(23, 1, 5, 130),
    Case(19, 3, 17, 140),
    Case(70, 1, 3, 200, L=2),
    Case(9, 5, 4, 131, D=2, ragged=True),
    Case(1, 2, 7, 150),
    Case(6, 2, 7, 133, D=2),
    Case(3, 37, 6, 450, ragged=True),
    Case(5, 1, 90, 517),
    Case(4, 4, 300, 330),
]


@pytest.fixture
def dissolve_at():
    """crew.dissolve_at, undone afterwards."""
    yield crew.dissolve_at
    crew.dissolve_at(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_shared_units(isa, case, dtype, dissolve_at):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    alone = train(m, n, threads=1)
    assert_close(alone, expected_of(case, dtype), 2e-5 if dtype == "float32" else 1e-12)
    assert 4 * case.H * case.H * m.dtype.itemsize >= plan.SHARE_ABOVE_BYTES
    for threads in (2, 3, 4):
        p = plan.choose(case.T, case.B, case.I, case.R, case.H, D=case.D, itemsize=m.dtype.itemsize, threads=threads)
        assert p["shared"] == (core.has_openmp() and threads > p["abreast"])
        for epoch in (0, 1, 2, case.T, case.T + 1):
            dissolve_at(epoch)
            assert_same_bits(train(m, n, threads=threads), alone)


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_steps_in_parts(isa, case, dissolve_at):
    """Threads that begin a step with the parts of h that are there, however few: here always one by one."""
    n, m = numbers_of(case), module_of(case)
    alone = train(m, n, threads=1)
    try:
        crew.one_by_one(True)
        for threads in (2, 3, 4):
            for epoch in (0, 1, 2, case.T):
                dissolve_at(epoch)
                assert_same_bits(train(m, n, threads=threads), alone)
                y, state = m(n["x"], (n["h0"], n["c0"]), lengths=n["lengths"], threads=threads)
                assert_same_bits({"y": y, "h_n": state[0], "c_n": state[1]}, {name: alone[name] for name in ("y", "h_n", "c_n")})
    finally:
        crew.one_by_one(False)


@pytest.mark.parametrize("case", [Case(7, 2, 5, 130), Case(6, 3, 5, 67, L=3), Case(5, 1, 4, 70, L=2, P=69)], ids=lambda case: case.id)
def test_steps_divided_among_threads(isa, case, dissolve_at):
    n, m = numbers_of(case), module_of(case)

    def stepped(threads):
        s = m.session(case.B)
        s.state = n["h0"], n["c0"]
        return [np.stack([s.step(x, threads=threads) for x in n["x"]]), *s.state]

    want = m(n["x"], (n["h0"], n["c0"]), threads=1)
    want = [want[0], *want[1]]
    for threads in (1, 2, 3, 5, 64):
        for epoch in (0, 1, 2, 3):
            dissolve_at(epoch)
            for got, expected in zip(stepped(threads), want, strict=True):
                assert_same_bits(got, expected)


@pytest.mark.parametrize("case", [Case(9, 4, 5, 17, D=2), Case(7, 13, 6, 20, D=2, P=3, ragged=True), Case(8, 1, 3, 40, L=2, D=2)],
                         ids=lambda case: case.id)
def test_directions_side_by_side(isa, case):
    n, m = numbers_of(case), module_of(case)
    alone = train(m, n, threads=1)
    assert_close(alone, expected_of(case, "float32"), 2e-5)
    for threads in (2, 3, 4, 6):
        p = plan.choose(case.T, case.B, case.I, case.R, case.H, case.P, case.D, threads=threads)
        assert p["abreast"] == (2 if threads % 2 == 0 and core.has_openmp() else 1)
        assert_same_bits(train(m, n, threads=threads), alone)


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_no_crew_for_a_while(isa, case):
    """What was to be shared is divided by rows, or done by one thread, after a crew has dissolved for want of cores."""
    n, m = numbers_of(case), module_of(case)
    alone = train(m, n, threads=1)
    try:
        crew.rest_for(600)
        for threads in (2, 3, 4):
            assert_same_bits(train(m, n, threads=threads), alone)
    finally:
        crew.rest_for(0)
