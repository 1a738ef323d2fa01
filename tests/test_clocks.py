"""Whether a region has lost or won, by clocks that a test feeds: a thread that lost its core does not seem to work, whatever its clock counts in.

How losses add up is in test_contention.py.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from conftest import CREDIT
from lstmc.kernels import contention, core

pytestmark = pytest.mark.once

MS = 1e-3


@pytest.fixture(autouse=True)
def no_past():
    contention.start_with(0)
    yield
    contention.start_with(CREDIT)


def lost(end, finished, telling=True, **more):
    """In milliseconds, as contention.lost, of a region that begins at 0."""
    times = {name: MS * more.pop(name) for name in ("began", "cpu", "waited", "spun", "usual") if name in more}
    return contention.lost(MS * end, MS * finished, telling, **times, **more) / MS


def test_a_clock_that_tells_moves_and_not_in_ticks():
    assert contention.telling([1e-7 * i for i in range(64)])
    assert contention.telling([0.0] + [5e-3 + 1e-6 * i for i in range(63)]), "once another thread had the core"
    assert not contention.telling([1.0] * 64)
    assert not contention.telling([1.0] * 30 + [1.01] * 34)
    assert not contention.telling([1.0] * 30 + [1.001] * 34)


def test_what_takes_longer_than_half_as_many_threads_would_have_taken_is_lost():
    assert lost(5, 4, cpu=4) == pytest.approx(5 - 2 * 4)
    assert lost(5, 2, cpu=2) == pytest.approx(5 - 2 * 2)
    assert lost(5, 4, cpu=1) == pytest.approx(5 - 2 * 1), "of 4 ms it had a core for 1"
    assert lost(9, 8, gave_up=True, waited=6, cpu=2) == pytest.approx(6)


def test_what_a_thread_waited_for_others_inside_is_no_work():
    assert lost(8, 8, cpu=4, waited=3, spun=3) == pytest.approx(8 - 2 * 1), "it worked for 1 ms, and spun for the 3 that it waited"
    assert lost(8, 8, cpu=5, waited=3, spun=0) == pytest.approx(8 - 2 * 5), "others had its core while it waited, and it lost none of its work"
    assert lost(8, 8, kind=0, usual=2) == pytest.approx(8 - 2 * 2)


def test_a_thread_that_waits_for_the_others_to_begin_has_not_worked():
    assert lost(8, 8, began=7, cpu=1) == pytest.approx(8 - 2 * 1)
    assert lost(8, 8, began=7, cpu=1, threads=4) == pytest.approx(8 - 2 * 1)


def test_half_as_many_threads_lose_their_cores_too():
    """On one thread, work of 2 ms took 6 ms beside the others: with 8 ms two threads lose for work of 1, with 5 ms they win."""
    contention.took_on_fewer(1, 6 * MS, 2 * MS, 0.0)
    assert lost(8, 8, cpu=1) == pytest.approx(8 - 3 * 2)
    assert lost(5, 5, cpu=1) == pytest.approx(5 - 3 * 2)


def test_how_long_fewer_threads_take_is_forgotten():
    contention.took_on_fewer(1, 6 * MS, 2 * MS, 0.0)
    assert lost(5 + 1e3 * contention.FRESH, 5, cpu=1) == pytest.approx(5 + 1e3 * contention.FRESH - 2)
    contention.took_on_fewer(1, 2 * MS, 2 * MS, 1.0)
    assert lost(1005, 1005, cpu=1) == pytest.approx(1005 - 2), "what was measured long ago is no part of it"


def test_each_number_of_threads_is_measured_by_itself():
    contention.took_on_fewer(2, 6 * MS, 2 * MS, 0.0)
    contention.took_on_fewer(4, 8 * MS, 2 * MS, 0.0)
    assert lost(5, 5, cpu=1) == pytest.approx(5 - 2)
    assert lost(5, 5, cpu=1, threads=4) == pytest.approx(5 - 3 * 2)
    assert lost(5, 5, cpu=1, threads=8) == pytest.approx(5 - 4 * 2)


def test_where_nothing_was_measured_the_first_of_several_loses_as_much():
    assert lost(5, 4, cpu=1) == pytest.approx(5 - 2)
    assert lost(5, 4, cpu=1, threads=4) == pytest.approx(5 - 3 - 2)


def test_nothing_is_faster_than_its_work():
    contention.took_on_fewer(1, 1 * MS, 2 * MS, 0.0)
    assert lost(5, 5, cpu=2) == pytest.approx(5 - 4)


@pytest.mark.parametrize("cpu", [0, 10, 20])
def test_ticks_are_neither_work_nor_losses(cpu):
    for kind in (2**50, 2**50 + 1):
        assert lost(2.1, 2, False, cpu=cpu, kind=kind) == pytest.approx(2.1 - 2 * 2)


def test_without_a_clock_that_tells_work_takes_little_more_than_the_quickest():
    """Of the same kind. A machine may be half as fast and nothing is lost; what takes three times as long has lost its core."""
    kind = 2**50
    assert lost(2, 2, False, kind=kind) == pytest.approx(-2)
    assert lost(3, 3, False, kind=kind) == pytest.approx(-3)
    assert lost(4, 4, False, kind=kind) < 0
    assert lost(200, 2, False, kind=kind) == pytest.approx(200 - 2 * 2)
    assert 3.8 < lost(10, 10, False, kind=kind) < 4
    assert lost(10, 10, False, kind=kind + 2**45) == pytest.approx(-10), "another kind"


def test_the_quickest_is_forgotten_slowly():
    kind = 2**50
    assert lost(1, 1, False, kind=kind) == pytest.approx(-1)
    found = [lost(5, 5, False, kind=kind) for _ in range(500)]
    assert all(n > 0 for n in found[:20])
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(-5), "the machine is as slow as that by now"


# A call reads its clocks a few times. 1 ms passes on the wall from one reading to the next.
CALLS = """
import numpy as np
from lstmc import nn
from lstmc.kernels import contention
x = np.ones((40, 16, 8), "float32")
few, many = nn.LSTM(8, 24, seed=0), nn.LSTM(8, 160, seed=0)
y, _, tape = few.forward(x, train=True, threads=1)
contention.start_with(10.0)
contention.report(2, 5.0, 1e6)
for call in (lambda: few(x, threads=2), lambda: many(x[:, :1], threads=2), lambda: few.backward(tape, y, threads=2)):
    before = contention.won()
    call()
    print("won" if contention.won() > before else "lost")
"""

if core.has_openmp() and sys.platform == "linux" and shutil.which(shlex.split(sysconfig.get_config_var("CC") or "cc")[0]):

    @pytest.fixture(scope="module")
    def fed_clocks(tmp_path_factory):
        path = tmp_path_factory.mktemp("clocks") / "fed_clocks.so"
        subprocess.run([*shlex.split(sysconfig.get_config_var("CC") or "cc"), "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror",
                        str(Path(__file__).parent / "fed_clocks.c"), "-o", str(path), "-lm"], check=True)
        return str(path)

    @pytest.mark.parametrize(("name", "clock", "want"), [
        ("lost its core", {"LSTMC_WORK": "1e-5"}, ["lost"] * 3),
        ("stands still", {}, ["won"] * 3),
        ("has ticks", {"LSTMC_WORK": "2e-4", "LSTMC_TICK": "1e-2"}, ["won"] * 3),
    ], ids=lambda value: value if isinstance(value, str) else "")
    def test_calls_are_judged_by_what_the_clock_can_tell(name, clock, want, fed_clocks):
        done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, timeout=100, check=True,
                              env=os.environ | {"LD_PRELOAD": fed_clocks, "LSTMC_WALL": "1e-3", **clock})
        assert done.stdout.split() == want
