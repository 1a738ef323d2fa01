"""A short run of the fuzzer, and that it notices what it is there for. Long runs are made by hand: see CONTRIBUTING.md."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fuzz import rounds
from fuzz.calls import disagreement
from lstmc.kernels import core
from lstmc.nn import passes

SCRIPT = str(Path(__file__).parent / "fuzz" / "calls.py")


def test_rounds_in_processes_of_their_own():
    """A fixed number of rounds: how long they take decides nothing."""
    done = subprocess.run([sys.executable, SCRIPT, "--rounds", "15", "--seed", "7", "--seconds", "1e6"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("15 rounds of seed 7 in ")
    assert done.stdout.endswith("as they must be\n")


if hasattr(signal, "setitimer"):        # not on Windows

    def test_stops_at_random_moments():
        script = Path(__file__).parent / "fuzz" / "stops.py"
        done = subprocess.run([sys.executable, script, "--rounds", "60", "--seed", "7", "--seconds", "1e6"], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Ctrl-C" in done.stdout


def first(wanted):
    """The number of the first round that is as wanted."""
    return next(number for number in range(1000) if wanted(rounds.draw(0, number)))


@pytest.mark.parametrize("wrong", ["a bit on some threads", "a bit always", "a write to x"])
def test_it_notices(wrong, monkeypatch):
    real, number = passes.forward, first(lambda r: r.case.D == 1 and r.case.T > 1 and r.case.B > 1 and not r.masked and r.dtype == "float64")

    def forward(weights, schedule, x, y, state, final, options, train=False, threads=None, *more):
        tapes = real(weights, schedule, x, y, state, final, options, train, threads, *more)
        if y is not None and (wrong == "a bit always" or (wrong == "a bit on some threads" and threads != 1)):
            y[0, 0, 0] = np.nextafter(y[0, 0, 0], 2) if wrong != "a bit always" else y[0, 0, 0] + 1e-3
        if wrong == "a write to x" and x.flags.writeable:
            x[0, 0, 0] += 1
        return tapes

    rounds.run(0, number)
    monkeypatch.setattr(passes, "forward", forward)
    with pytest.raises(AssertionError) as caught:
        rounds.run(0, number)
    assert caught.value.__notes__[0].startswith(f"seed 0, round {number}: Round(case=Case(T=")


class Yes:
    """A module that refuses nothing."""

    step, num_directions, output_size, hidden_size, dtype = 0, 1, 4, 4, np.dtype(np.float32)

    def __call__(self, *arguments, **more):
        return arguments

    forward = __call__


def test_it_notices_a_call_that_is_not_refused():
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        rounds.Checks(rounds.draw(0, 0)).refused(Yes())


def test_a_round_is_its_seed_and_number():
    assert rounds.run(3, 5) == rounds.run(3, 5)
    assert rounds.run(3, 5) != rounds.run(3, 6)


@pytest.mark.parametrize(("digests", "text"), [
    ({("avx512", 1): "a", ("avx2", 4): "a", ("baseline", 1): "b", ("baseline", 4): "b"}, None),
    ({("avx512", 1): "a", ("avx2", 4): "c", ("baseline", 1): "a"}, "avx512 on 1: a; avx2 on 4: c"),
    ({("avx512", 1): "a", ("avx512", 4): "c"}, "avx512 on 1: a; avx512 on 4: c"),
    ({("avx2", 1): "a", ("baseline", 1): "b", ("baseline", 4): "a"}, "baseline on 1: b; baseline on 4: a"),
])
def test_digests(digests, text):
    assert disagreement(digests) == text


def test_a_worker_that_ends_is_told_with_its_round(tmp_path):
    """Here because it cannot begin: an instruction set that there is not."""
    done = subprocess.run([sys.executable, SCRIPT, "--rounds", "2", "--seed", "7", "--isas", f"{core.isa()},mmx"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "seed 7, round 0: mmx on 1 thread ended (exit status 1)" in done.stdout
