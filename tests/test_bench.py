"""The benchmark command: its cases, the verification before anything is timed, and a run from end to end. No time decides a test."""

import json
import re
import sys

import numpy as np
import pytest

from lstmc.bench import peers, run
from lstmc.bench.cases import CASES, KINDS, QUICK, Case, numbers
from lstmc.bench.contenders import Contender, Lstmc, Unsupported, WrongResult, expected, using, verify
from lstmc.bench.machine import Machine, settle
from lstmc.bench.rounds import measure
from lstmc.cli import PEERS, main
from lstmc.kernels import core

SMALL = [case for case in CASES if case.flops < 2e8]
TINY = Case("train", 3, 2, 5, 7)
STEP = "step-T1-B1-I40-H48"


# Cases ------------------------------------------------------------------------------------------------------

def test_the_names_are_unique_and_say_what_differs():
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    assert set(QUICK) <= set(ids)
    assert {case.kind for case in CASES} == set(KINDS)
    assert Case("train", 2, 3, 4, 5, 2, 2, "float64").id == "train-T2-B3-I4-H5-L2-D2-f64"
    assert Case("step", 1, 1, 4, 5).id == "step-T1-B1-I4-H5"


@pytest.mark.parametrize(("case", "flops"), [
    (Case("step", 1, 1, 3, 5), 2 * 4 * 5 * 8),
    (Case("forward", 7, 2, 3, 5), 7 * 2 * 320),
    (Case("forward", 7, 2, 3, 5, D=2), 2 * 7 * 2 * 320),
    (Case("train", 7, 2, 3, 5), 3 * 7 * 2 * 320),
    (Case("forward", 1, 1, 3, 5, L=2, D=2), 2 * 320 + 2 * (2 * 4 * 5 * 15)),
])
def test_flops(case, flops):
    assert case.flops == flops


def test_numbers_are_the_same_each_time_and_of_the_case():
    case = Case("train", 3, 2, 5, 7, 2, 2, "float64")
    (weights, x, dy), (again, *_) = numbers(case), numbers(case)
    assert all(np.array_equal(w, again[name]) for name, w in weights.items())
    assert weights["weight_ih_l1_reverse"].shape == (28, 14)
    assert (x.shape, dy.shape, x.dtype) == ((3, 2, 5), (3, 2, 14), np.float64)


# Verification -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", SMALL, ids=[case.id for case in SMALL])
def test_the_small_cases_agree_with_the_reference(case, isa):
    verify(Lstmc(case, isa), expected(case))


class Swapped(Contender):
    """A peer whose gates i and f are exchanged, or whose gradients are slightly off, or absent."""

    fault = "gates"

    def train(self):
        weights, side = dict(self.weights), Lstmc(self.case, core.isa())
        if self.fault == "gates":
            H = self.case.H
            for name, w in weights.items():
                weights[name] = np.concatenate([w[H:2 * H], w[:H], w[2 * H:]])
        side.module.load_state_dict(weights)
        found = side.results()
        if self.fault == "off":
            found["dweight_hh_l0"] = found["dweight_hh_l0"] * 1.002
        if self.fault == "nan":
            found["dx"] = found["dx"] * np.float32(np.nan)
        if self.fault == "absent":
            del found["dx"]
        return found


@pytest.mark.parametrize(("fault", "message"), [
    ("gates", "of its largest value away from the reference, allowed 1e-03"),
    ("off", r"dweight_hh_l0 is 2\.0e-03 of its largest value away"),
    ("nan", "dx is nan of its largest value away"),
    ("absent", "no dx"),
])
def test_verification_catches_a_wrong_contender(fault, message):
    side = Swapped(TINY)
    side.fault = fault
    with pytest.raises(WrongResult, match=message):
        verify(side, expected(TINY))
    side.fault = None
    verify(side, expected(TINY))


def test_verification_of_a_stream_sees_the_carried_state():
    case = Case("step", 1, 1, 5, 7)
    side = Lstmc(case, core.isa())
    verify(side, expected(case))
    side.run = lambda: (side.session.reset(), side.step())[1]
    with pytest.raises(WrongResult, match="y is"):
        verify(side, expected(case))


def test_an_instruction_set_is_in_use_for_a_while_only(any_isa):
    before = core.isa()
    with using("baseline"):
        assert core.isa() == "baseline"
    assert core.isa() == before


# Rounds -----------------------------------------------------------------------------------------------------

class Broken(Contender):
    def __init__(self, case):
        raise OSError("no licence")


class Incapable(Contender):
    train = None


@pytest.fixture(scope="module")
def machine():
    found = Machine([core.isa()], 1)
    found.measure()
    return found


def test_a_peer_that_fails_is_an_error_of_its_cell(machine):
    others = [peers.Peer("a", "", Swapped), peers.Peer("b", "", Broken), peers.Peer("c", "", Incapable)]
    found = measure(TINY, {"lstmc": core.isa()}, others, machine, 2, 0.0)
    assert {name: len(times) for name, times in found.rounds.items()} == {"lstmc": 2}
    assert len(found.peak) == 2
    assert found.errors["a"].startswith("wrong: ")
    assert found.errors["b"] == "failed: OSError: no licence"
    assert found.errors["c"] == "unsupported: has no train"


def test_lstmc_failing_ends_it(machine, monkeypatch):
    monkeypatch.setattr(Lstmc, "results", lambda self: {"y": np.zeros((3, 2, 7))})
    with pytest.raises(WrongResult, match=r"train-T3-B2-I5-H7: lstmc: no .*; nothing was timed"):
        measure(TINY, {"lstmc": core.isa()}, [], machine, 1, 0.0)


def test_a_quiet_process_settles_at_once():
    assert settle(0.01) is None


def test_a_base_contender_can_nothing():
    with pytest.raises(Unsupported, match="has no train"):
        Contender(TINY)


# The command ------------------------------------------------------------------------------------------------

def test_a_run_from_end_to_end(capsys, tmp_path):
    path = tmp_path / "found.json"
    before = core.threads_setting()
    assert main(["bench", "--filter", STEP, "--rounds", "1", "--threads", "1", "--peers", "none", "--json", str(path)]) == 0
    assert core.threads_setting() == before
    text, facts = capsys.readouterr().out, json.loads(path.read_text())
    assert re.search(rf"^{STEP} +[\d.,]+ +\d+% +\d+ [GF]", text, re.M)
    assert re.search(rf"^isa +{core.isa()}$", text, re.M)
    assert facts["finished"]
    assert facts["about"]["threads"] == 1
    row, = facts["rows"]
    assert (row["case"], row["kind"], row["best"], row["ratios"]) == (STEP, "step", None, {})
    assert len(row["rounds_us"]["lstmc"]) == 1
    assert row["us"]["lstmc"] > 0
    assert all(np.isfinite(row[key]) and row[key] > 0 for key in ("gflops", "gbytes", "of_peak", "bound_us", "of_bound"))
    assert ("lstmc avx2" in row["us"]) == ("avx2" in core.usable_isas() and core.isa() != "avx2")
    assert main(["bench", "--compare", str(path), str(path)]) == 0
    assert "1 cases, +0.0% on (geometric) average" in capsys.readouterr().out


def interrupted(*_):
    raise KeyboardInterrupt


def wrong(*_):
    raise WrongResult("y is off")


@pytest.mark.parametrize(("accident", "status", "message"), [(interrupted, 130, "interrupted after 0 of 1 cases"), (wrong, 1, "WRONG RESULT: y is off")])
def test_what_has_been_measured_is_kept(monkeypatch, capsys, tmp_path, accident, status, message):
    monkeypatch.setattr(run, "measure", accident)
    monkeypatch.setattr(run.Machine, "measure", lambda self: None)
    monkeypatch.setattr(run.Machine, "about", lambda self: {})
    path = tmp_path / "found.json"
    assert main(["bench", "--filter", STEP, "--peers", "none", "--json", str(path)]) == status
    printed = capsys.readouterr()
    assert message in printed.out + printed.err
    facts = json.loads(path.read_text())
    assert (facts["finished"], facts["rows"]) == (False, [])


def test_a_peer_that_is_not_installed_is_left_out_or_refused(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert peers.find(["torch"], 1) == ([], {"torch": "not installed"})
    assert main(["bench", "--peers", "torch", "--filter", STEP]) == 2
    assert '--peers: torch: not installed; pip install "lstmc[bench]" installs torch' in capsys.readouterr().err


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["bench", "--plot", str(tmp_path / "a.png"), "--filter", STEP]) == 2
    assert '--plot needs matplotlib: pip install "lstmc[bench]"' in capsys.readouterr().err


def test_a_filter_that_fits_nothing_lists_the_cases(capsys):
    assert main(["bench", "--quick", "--filter", "gru", "--peers", "none"]) == 2
    error = capsys.readouterr().err
    assert "no case of the quick list contains 'gru'" in error
    assert QUICK[0] in error


def test_the_command_line_knows_the_peers():
    assert tuple(peers.NAMES) == PEERS


@pytest.mark.parametrize(("arguments", "message"), [
    (["--rounds", "0"], "argument --rounds: expected 1 to"),
    (["--threads", "many"], "argument --threads: invalid whole number value: 'many'"),
    (["--peers", "torch,caffe"], "argument --peers: expected names out of torch, onnxruntime, openvino, jax, keras, or none, received 'caffe'"),
    (["--json", "/no/such/folder/a.json"], "argument --json: expected a file in a folder that exists"),
    (["--plot", "/no/such/folder/a.png"], "argument --plot: expected a file in a folder that exists"),
    (["--plot", "a.bmp"], "argument --plot: expected a name that ends in .png, .svg, .pdf, received a.bmp"),
    (["--json", "."], "argument --json: expected a file in a folder that exists, received ."),
    (["--compare", "one"], "argument --compare: expected 2 arguments"),
    (["--compare", "no such file", "no such file"], "argument --compare: expected a file that exists, received no such file"),
    (["--tolerance", "-1"], "argument --tolerance: expected 0 to 10"),
    (["--tolerance", "ten"], "argument --tolerance: invalid number value: 'ten'"),
])
def test_wrong_arguments_are_named(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(["bench", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
