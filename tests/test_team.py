"""Threads that share rows: a small batch whose recurrent weights are too large for one core, forward and backward.

Sharing, the number of threads, and the moment from which the first goes on alone must not change a bit; the reference
says that the bits are right as well.
"""

import numpy as np
import pytest

from cases import Case
from conftest import assert_close, assert_same_bits, call, expected_of, module_of, numbers_of, train
from lstmc.kernels import core, plan, team

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_shared_units(isa, case, dtype, forced):
    n, m = numbers_of(case, dtype), module_of(case, dtype)
    alone = train(m, n, threads=1)
    assert_close(alone, expected_of(case, dtype), 2e-5 if dtype == "float32" else 1e-12)
    assert 4 * case.H * case.H * m.dtype.itemsize >= plan.SHARE_ABOVE_BYTES
    for threads in (2, 3, 4) if dtype == "float32" else (3,):
        p = plan.choose("lstm", case.T, case.B, case.I, case.H, D=case.D, itemsize=m.dtype.itemsize, threads=threads)
        assert p["shared"] == (core.has_openmp() and threads > p["at_once"])
        for epoch in (0, 1, 2, case.T, case.T + 1):
            forced(alone_from=epoch)
            assert_same_bits(train(m, n, threads=threads), alone)


# Cells of several stages a step, between which threads meet too: a projection, the GRU's reset before its product, layer normalisation. Fewer groups of
# columns than threads, two layers, rows of several lengths, one thread or two for each direction, many rows of weights that no core's cache holds.
PROJECTED = [Case(23, 1, 5, 150, P=90), Case(6, 1, 7, 700, P=20), Case(5, 2, 9, 300, P=190, ragged=True), Case(4, 1, 5, 200, L=2, P=70),
             Case(4, 1, 5, 200, D=2, P=70), Case(3, 3, 6, 300, P=230, ragged=True), Case(3, 13, 40, 520, P=300, ragged=True)]
RESET_BEFORE = [Case(7, 1, 5, 150), Case(5, 2, 6, 305), Case(4, 1, 5, 170, L=2), Case(3, 3, 4, 337, D=2, ragged=True), Case(2, 9, 10, 530, ragged=True)]
NORMED = [Case(7, 1, 5, 150), Case(5, 2, 6, 264), Case(4, 1, 5, 170, L=2), Case(3, 5, 6, 420, ragged=True), Case(5, 1, 6, 300, P=100),
          Case(4, 2, 5, 300, D=2, P=190, ragged=True), Case(6, 13, 5, 430)]
STAGED = [*[("lstm", case) for case in PROJECTED], *[("gru-before", case) for case in RESET_BEFORE], *[("lstm-haste", case) for case in NORMED],
          *[(name, PROJECTED[2]) for name in ("lstm-zoneout", "lstm-clip-peephole-coupled")], ("gru-before-zoneout-clip", RESET_BEFORE[1]),
          ("lstm-haste-all", NORMED[3]), ("lstm-tfa-zoneout", NORMED[5])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "case"), STAGED, ids=lambda value: getattr(value, "id", value))
def test_shared_stages(isa, name, case, dtype, forced):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    alone, inference = train(m, n, threads=1), call(m, n, threads=1)
    for threads in (2, 3, 4) if dtype == "float32" else (4,):
        p = plan.choose(m.cell, case.T, case.B, case.I, case.H, case.P, case.D, m.dtype.itemsize, threads=threads, normed=m.layer_norm is not None)
        assert p["shared"] == (core.has_openmp() and threads > p["at_once"])
        for epoch in (0, 1, 2, 3, 2 * case.T - 1, 2 * case.T + 1):
            forced(alone_from=epoch, one_by_one=epoch % 2 == threads % 2)
            m.step = 0
            assert_same_bits(train(m, n, threads=threads), alone)
            assert_same_bits(call(m, n, threads=threads), inference)


def test_the_first_thread_goes_on_alone_only_if_it_would_be_further():
    assert team.better_alone(2, 0.6, 1.0, 2), "0.4 s of work, which two share, are 0.8 s alone"
    assert not team.better_alone(2, 0.4, 1.0, 2), "0.6 s of work would be 1.2 s alone"
    assert not team.better_alone(1, 0.9, 1.0, 2), "one long wait: a thread that was asleep at first"
    assert not team.better_alone(9, 0.6, 1.0, 4), "0.4 s of work of four would be 1.6 s alone"
    assert team.better_alone(9, 0.8, 1.0, 4)


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
def test_steps_in_parts(isa, case, forced):
    """Threads that begin a step with the parts of h that are there, however few: here always one by one."""
    n, m = numbers_of(case), module_of(case)
    alone = train(m, n, threads=1)
    for threads in (2, 3, 4):
        for epoch in (0, 1, 2, case.T):
            forced(alone_from=epoch, one_by_one=True)
            assert_same_bits(train(m, n, threads=threads), alone)
            y, state = m(n["x"], (n["h0"], n["c0"]), lengths=n["lengths"], threads=threads)
            assert_same_bits({"y": y, "h_n": state[0], "c_n": state[1]}, {name: alone[name] for name in ("y", "h_n", "c_n")})


@pytest.mark.parametrize("case", [Case(7, 2, 5, 130), Case(6, 3, 5, 67, L=3), Case(5, 1, 4, 70, L=2, P=69)], ids=lambda case: case.id)
def test_steps_divided_among_threads(isa, case):
    n, m = numbers_of(case), module_of(case)

    def stepped(threads, epoch):
        s = m.session(case.B)
        s.state = n["h0"], n["c0"]
        y = np.empty((case.T, case.B, case.R))
        for x_t, y_t in zip(n["x"], y, strict=True):
            s._stream.step(x_t, y_t, threads, {"alone_from": epoch})
        return [y, *s.state]

    want = m(n["x"], (n["h0"], n["c0"]), threads=1)
    want = [want[0], *want[1]]
    for threads in (1, 2, 3, 5, 64):
        for epoch in (0, 1, 2, 3):
            for got, expected in zip(stepped(threads, epoch), want, strict=True):
                assert_same_bits(got, expected)


@pytest.mark.parametrize("case", [Case(9, 4, 5, 17, D=2), Case(7, 13, 6, 20, D=2, P=3, ragged=True), Case(8, 1, 3, 40, L=2, D=2)],
                         ids=lambda case: case.id)
def test_directions_side_by_side(isa, case):
    n, m = numbers_of(case), module_of(case)
    alone = train(m, n, threads=1)
    assert_close(alone, expected_of(case, "float32"), 2e-5)
    for threads in (2, 3, 4, 6):
        p = plan.choose("lstm", case.T, case.B, case.I, case.H, case.P, case.D, threads=threads)
        assert p["at_once"] == (2 if threads % 2 == 0 and core.has_openmp() else 1)
        assert_same_bits(train(m, n, threads=threads), alone)
