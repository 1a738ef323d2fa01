"""A process for each contender of the benchmark: what it is asked, that it is stopped while it waits, and its accidents.

The classes up to `Held` are contenders that child processes import from here.
"""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lstmc.bench import children, groups, peers, run
from lstmc.bench.cases import Case
from lstmc.bench.children import Child, Failed, Missing
from lstmc.bench.contenders import Contender, Lstmc, Unsupported, WrongResult
from lstmc.bench.machine import Machine
from lstmc.bench.rounds import measure
from lstmc.kernels import core

TINY = Case("train", 3, 2, 5, 7)
FORWARD = Case("forward", 3, 2, 5, 7)
HERE = "test_bench_processes"
SELF = "lstmc.bench.contenders:Lstmc"


# Contenders -------------------------------------------------------------------------------------------------

class Right(Contender):
    """lstmc under another name."""

    def __init__(self, case):
        super().__init__(case)
        self.side = Lstmc(case, core.isa())

    def train(self):
        return self.side.train()

    def forward(self):
        return self.side.forward()


class Wrong(Right):
    def train(self):
        return {"y": np.zeros((3, 2, 7))}


class Broken(Contender):
    def __init__(self, case):
        raise OSError("no licence")


class Incapable(Contender):
    train = None


class Crashing(Right):
    """Dies in its first training, as a library with a fault does."""

    def train(self):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class Late(Right):
    """Right at first; dies when it is timed."""

    left = 2

    def train(self):
        self.left -= 1
        return self.side.train() if self.left else sys.exit(3)


class Noisy(Right):
    """Prints, through the library and past it, and never rests."""

    @staticmethod
    def use(threads):
        print("hello")
        os.write(1, b"hello from C\n")
        return f"{threads} of them"

    def __init__(self, case):
        super().__init__(case)
        threading.Thread(target=self.spin, daemon=True).start()

    def spin(self):
        while True:
            pass


class Slow(Contender):
    def __init__(self, case):
        time.sleep(60)


class Absent(Contender):
    @staticmethod
    def use(threads):
        raise ImportError("libgone.so")


class Stillborn(Contender):
    @staticmethod
    def use(threads):
        os._exit(7)


class Held(Contender):
    @staticmethod
    def use(threads):
        return os.environ.get("ONEDNN_MAX_CPU_ISA", "free")


# Turns ------------------------------------------------------------------------------------------------------

class Still:
    """A machine whose probes take no time."""

    isas = ("any",)

    def again(self, isa, dtype):
        return 1e9


def started(*names):
    """lstmc and children of the classes above."""
    return [Child("lstmc", SELF, 1, {"isa": core.isa()}, own=True), *(Child(name.lower(), f"{HERE}:{name}", 1) for name in names)]


class Cast(list):
    """Children that have said hello, ended by `close`."""

    def __init__(self, found):
        super().__init__(found)
        self.hellos = [child.hello() for child in found]

    def close(self):
        for child in self:
            child.close()


def test_what_fails_is_an_error_of_its_cell_and_starts_anew():
    with closing(Cast(started("Right", "Wrong", "Broken", "Incapable", "Crashing", "Late"))) as cast:
        found = measure(TINY, cast, Still(), 2, 0.0)
        assert {name: len(times) for name, times in found.rounds.items()} == {"lstmc": 2, "right": 2}
        assert all(time > 0 for times in found.rounds.values() for time in times)
        assert len(found.peak) == 2
        killed = f"failed: exit status {-signal.SIGKILL}" if children.STOPS else found.errors["crashing"]
        assert found.errors.pop("wrong").startswith("wrong: no dbias_hh_l0")
        assert found.errors == {"broken": "failed: OSError: no licence", "incapable": "unsupported: has no train", "crashing": killed,
                                "late": "failed: exit status 3"}
        again = measure(FORWARD, cast, Still(), 1, 0.0)
        assert set(again.rounds) == {"lstmc", "right", "wrong", "crashing", "late"}
        assert set(again.errors) == {"broken", "incapable"}


def test_lstmc_failing_ends_it():
    wrong, crashing, incapable = (Child("lstmc", f"{HERE}:{name}", 1, own=True) for name in ("Wrong", "Crashing", "Incapable"))
    with closing(Cast([wrong, crashing, incapable])):
        with pytest.raises(WrongResult, match=r"train-T3-B2-I5-H7: lstmc: no .*; nothing was timed"):
            measure(TINY, [wrong], Still(), 1, 0.0)
        with pytest.raises(WrongResult, match=r"lstmc: exit status .*; nothing was timed"):
            measure(TINY, [crashing], Still(), 1, 0.0)
        with pytest.raises(Unsupported, match="has no train"):
            measure(TINY, [incapable], Still(), 1, 0.0)


def state(pid):
    """A letter, as ps has it: T is stopped, Z has ended but was not asked for; "" if there is no such process."""
    if Path("/proc/self/stat").exists():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()[:1]


def becomes(pid, wanted):
    """Whether a process reaches one of these states within some seconds."""
    deadline = time.monotonic() + 10
    while state(pid) not in wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return state(pid) in wanted


def test_a_child_is_stopped_between_its_turns_and_may_print():
    with closing(Cast(started("Noisy"))) as cast:
        assert cast.hellos[1] == "1 of them"
        noisy = cast[1]
        for _ in range(2):
            noisy.build(FORWARD)
            assert noisy.ask("block", 1, False) > 0
            assert not children.STOPS or becomes(noisy.process.pid, "T")


def test_where_nothing_can_be_stopped_a_child_comes_to_rest(monkeypatch):
    monkeypatch.setattr(children, "STOPS", False)
    with closing(Cast(started())) as (own,):
        own.build(FORWARD)
        assert own.ask("block", 1, True) > 0
        assert own.process.poll() is None
        assert state(own.process.pid) != "T"


def test_a_child_that_does_not_answer_is_ended(monkeypatch):
    with closing(Cast(started("Slow"))) as cast:
        monkeypatch.setattr(children, "LIMIT", 0.2)
        with pytest.raises(Failed, match=r"failed: no answer in 0\.2 seconds"):
            cast[1].build(FORWARD)
        assert cast[1].process.poll() is not None


@pytest.mark.parametrize(("spec", "why"), [
    (f"{HERE}:Absent", "cannot be imported: libgone.so"), ("no_such_module:Torch", "not installed"),
    (f"{HERE}:Stillborn", "failed: exit status 7"), (f"{HERE}:Nobody", "cannot be used: AttributeError")])
def test_a_library_that_cannot_be_used_says_why(spec, why):
    child = Child("peer", spec, 1)
    with closing(child), pytest.raises(Missing, match=why):
        child.hello()


def test_children_end_with_the_process_that_started_them():
    script = f"""
        import sys
        from lstmc.bench.children import Child
        child = Child("lstmc", {SELF!r}, 1, {{"isa": {core.isa()!r}}})
        child.hello()
        print(child.process.pid, flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert not children.STOPS or becomes(pid, "T")
        parent.kill()
    assert becomes(pid, ("", "Z"))


# The benchmark's own ----------------------------------------------------------------------------------------

def test_peers_are_held_to_lesser_instructions(monkeypatch):
    usable = {"isa": "avx512", "isas": ["avx512", "avx2"]}
    monkeypatch.setattr(run.lstmc, "build_info", lambda: usable)
    monkeypatch.setitem(peers.NAMES, "torch", f"{HERE}:Held")
    monkeypatch.setitem(peers.NAMES, "keras", f"{HERE}:Stillborn")
    with closing(run.Benchmark(text="step-T1-B1-I40-H48", names=["torch", "keras"], held="avx2")) as benchmark:
        assert benchmark.peers == {"torch": "free", "torch-avx2": "AVX2"}
        assert benchmark.missing == {"keras": "failed: exit status 7"}
        assert benchmark.others == ["lstmc avx2", "torch", "torch-avx2"]
        assert [child.own for child in benchmark.children] == [True, True, False, False]
    assert all(child.process.poll() is not None for child in benchmark.children)


def test_a_crowded_machine():
    with closing(run.Benchmark(text="step-T1-B1-I40-H48", names=[], rounds=1, crowded=2)) as benchmark:
        assert benchmark.others == [*list(benchmark.isas)[1:], "lstmc alone"]
        benchmark.seconds, said = 0.01, []
        benchmark.run(said.append)
        assert len(benchmark.busy) == 2
        assert all(process.poll() is None for process in benchmark.busy)
        assert any("2 processes; figures are means" in text for text in said)
        (row,) = benchmark.rows
        assert row["us"]["lstmc alone"] > 0
        assert not row["ratios"]
        assert "time over that of one thread beside the same busy processes" in groups.summary(benchmark.rows)
    assert all(process.poll() is not None for process in benchmark.busy)


def test_holding_peers_needs_such_kernels(monkeypatch):
    monkeypatch.setattr(run.lstmc, "build_info", lambda: {"isa": "neon", "isas": ["neon"]})
    with pytest.raises(LookupError, match="peers held to avx2 have nothing to be compared with"):
        run.Benchmark(names=[], held="avx2")


def test_the_machine_is_probed_beside_the_children():
    machine = Machine([core.isa()], 1)
    machine.measure()
    with closing(Cast(started())) as cast:
        found = measure(Case("step", 1, 1, 5, 7), cast, machine, 1, 0.0)
    assert found.peak[0] > 0
