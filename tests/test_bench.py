"""The benchmark command: the verification before anything is timed, and a run from end to end. No time decides a test.

`test_bench_cases` has the list, `test_bench_processes` the processes and their accidents, `test_bench_figures` what is computed.
"""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from lstmc import nn, reference
from lstmc.bench import peers, run
from lstmc.bench.cases import CASES, QUICK, VARIANTS, Case, lengths, numbers
from lstmc.bench.contenders import Contender, Lstmc, Unsupported, WrongResult, using
from lstmc.bench.machine import settle
from lstmc.bench.truth import expected, unverified, verify
from lstmc.cli import PEERS, main
from lstmc.kernels import core

SMALL = [case for case in CASES if case.flops < 2e8]
VARIED = [Case("train", 5, 3, 4, 8, cell=cell, settings=tuple((name, 3 if name == "proj_size" else value) for name, value in one.items()))
          for cell, variants in VARIANTS.items() for one in variants if one]
OTHER = [Case("train", 9, 4, 5, 7, 1, 2, ragged=True), Case("forward", 9, 4, 5, 7, cell="gru", ragged=True), Case("train", 9, 2, 5, 7, checkpoint=4)]
TINY = Case("train", 3, 2, 5, 7)
STEP = "step-T1-B1-I40-H48"


# Verification -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", SMALL, ids=[case.id for case in SMALL])
def test_the_small_cases_agree_with_the_reference(case, isa):
    agrees(case, isa)


@pytest.mark.parametrize("case", VARIED + OTHER, ids=[case.id for case in VARIED + OTHER])
def test_variants_and_ragged_and_checkpointed_cases_agree(case):
    agrees(case, core.isa())


def agrees(case, isa):
    """A contender of lstmc's own is right, or says which part of the package lacks the case."""
    try:
        side, want = Lstmc(case, isa), expected(case)
    except Unsupported as error:
        lack = str(error)
    else:
        worst = verify(side, want)
        assert 0 < worst <= side.tolerance[case.dtype] or not want
        return
    assert re.match(r"lstmc\.nn|the reference|forward has no", lack)
    assert case.cell != "lstm" or case.settings or case.checkpoint


def test_what_is_drawn_must_be_finite():
    case = Case("train", 3, 2, 5, 7, settings=(("zoneout", 0.1),))
    assert expected(case) == {}
    assert unverified(case) == "zoneout draws masks: checked to be finite only"
    assert unverified(TINY) == ""
    side = Swapped(TINY)
    side.fault = "nan"
    with pytest.raises(WrongResult, match="dx is not finite"):
        verify(side, {})


@pytest.mark.parametrize("lack", [
    {"cell": "gru"}, {"ragged": True}, {"checkpoint": 5}, {"settings": (("peephole", True),)}])
def test_a_contender_says_what_it_lacks(lack):
    with pytest.raises(Unsupported, match=r"has no (gru|lengths|checkpoints|peephole)"):
        Swapped(Case("train", 3, 2, 5, 7, **lack))


def test_a_keyword_that_lstmc_lacks_is_no_accident():
    with pytest.raises(Unsupported, match=r"lstmc\.nn: .*no_such"):
        Lstmc(Case("train", 3, 2, 5, 7, settings=(("no_such", True),)), core.isa())


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


class Double:
    """A layer that says how it was made and called, for what `lstmc.nn` may not have yet."""

    def __init__(self, *sizes, **keywords):
        self.made, self.weights = (sizes, keywords), {"weight_ih_l0": np.zeros((21, 5)), "gain_l0": np.ones(21)}

    def state_dict(self):
        return self.weights

    def load_state_dict(self, weights):
        self.weights = weights

    def forward(self, x, lengths=None, checkpoint_every=None):
        self.called = lengths, checkpoint_every
        return x, None, None

    def backward(self, tape, dy):
        return SimpleNamespace(x=dy, params={"gain_l0": dy})


def test_other_cells_are_made_and_called_by_the_same_rules(monkeypatch):
    monkeypatch.setattr(nn, "GRU", Double, raising=False)
    case = Case("train", 3, 2, 5, 7, cell="gru", settings=(("reset_after", False),), ragged=True, checkpoint=2)
    side = Lstmc(case, core.isa())
    assert set(side.results()) == {"y", "dx", "dgain_l0"}
    assert side.module.made == ((5, 7, 1), {"bidirectional": False, "dtype": "float32", "seed": 0, "reset_after": False})
    assert np.array_equal(side.module.called[0], lengths(case))
    assert side.module.called[1] == 2
    assert np.array_equal(side.module.weights["weight_ih_l0"], numbers(case)[0]["weight_ih_l0"])
    assert 0 < np.ptp(side.module.weights["gain_l0"]) < 0.2

    asked = {}
    monkeypatch.setattr(reference, "gru_fwd", lambda x, weights, **keywords: (asked.update(keywords, weights=weights), (x, None, None))[1], raising=False)
    monkeypatch.setattr(reference, "gru_bwd", lambda tape, dy: SimpleNamespace(dx=dy, dparams={"gain_l0": dy}), raising=False)
    assert set(expected(case)) == {"y", "dx", "dgain_l0"}
    assert np.array_equal(asked["weights"]["gain_l0"], side.module.weights["gain_l0"])
    assert (asked["hidden_size"], asked["num_layers"], asked["bidirectional"], asked["reset_after"]) == (7, 1, False, False)
    assert np.array_equal(asked["lengths"], lengths(case))


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


def test_a_case_that_lstmc_lacks_is_said_and_left_out(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(run, "measure", lacking)
    monkeypatch.setattr(run.Machine, "measure", lambda self: None)
    monkeypatch.setattr(run.Machine, "about", lambda self: {})
    path = tmp_path / "found.json"
    assert main(["bench", "--filter", STEP, "--peers", "none", "--json", str(path)]) == 0
    assert re.search(rf"^{STEP} +lstmc\.nn has no such$", capsys.readouterr().out, re.M)
    facts = json.loads(path.read_text())
    assert (facts["finished"], facts["rows"], facts["left_out"]) == (True, [], {STEP: "lstmc.nn has no such"})


def lacking(*_):
    raise Unsupported("lstmc.nn has no such")


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
    monkeypatch.setitem(peers.NAMES, "torch", "no_such_module:Torch")
    assert peers.find(["torch"], 1) == ([], {"torch": "not installed"})
    assert main(["bench", "--peers", "torch", "--filter", STEP]) == 2
    assert '--peers: torch: not installed; pip install "lstmc[bench]" installs torch' in capsys.readouterr().err


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["bench", "--plot", str(tmp_path / "a.png"), "--filter", STEP]) == 2
    assert '--plot needs matplotlib: pip install "lstmc[bench]"' in capsys.readouterr().err


def test_a_filter_that_fits_nothing_lists_the_cases(capsys):
    assert main(["bench", "--quick", "--filter", "tree", "--peers", "none"]) == 2
    error = capsys.readouterr().err
    assert "no case of the quick list contains 'tree'" in error
    assert QUICK[0] in error


def test_the_command_line_knows_the_peers():
    assert tuple(peers.NAMES) == PEERS


@pytest.mark.parametrize(("arguments", "message"), [
    (["--rounds", "0"], "argument --rounds: expected 1 to"),
    (["--threads", "many"], "argument --threads: invalid whole number value: 'many'"),
    (["--peers", "torch,caffe"], "argument --peers: expected names out of torch, onnxruntime, openvino, jax, keras, or none, received 'caffe'"),
    (["--isa-peers", "neon"], "argument --isa-peers: invalid choice: 'neon'"),
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
