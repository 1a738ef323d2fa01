"""The benchmark's list of cases: names, arithmetic, and the numbers that they run on."""

import numpy as np
import pytest

from lstmc.bench.cases import CASES, KINDS, QUICK, Case, lengths, numbers


def test_the_names_are_unique_and_say_what_differs():
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    assert set(QUICK) <= set(ids)
    assert {case.kind for case in CASES} == set(KINDS)
    assert Case("train", 2, 3, 4, 5, 2, 2, "float64").id == "train-T2-B3-I4-H5-L2-D2-f64"
    assert Case("step", 1, 1, 4, 5).id == "step-T1-B1-I4-H5"
    assert Case("train", 2, 3, 4, 5, cell="gru", ragged=True).id == "train-gru-T2-B3-I4-H5-ragged"
    assert Case("train", 2, 3, 4, 5, checkpoint=20).id == "train-T2-B3-I4-H5-ckpt20"


@pytest.mark.parametrize(("settings", "name"), [
    ({"peephole": True}, "peephole"), ({"reset_after": False}, "not_reset_after"), ({"clip": 5.0}, "clip5"), ({"zoneout": 0.1}, "zoneout0.1"),
    ({"layer_norm": "tfa"}, "layer_norm_tfa"), ({"gates_off": ("i", "f")}, "gates_off_i_f"), ({"proj_size": 64}, "proj_size64"),
    ({"activations": ("hard_sigmoid", "tanh", "tanh")}, "activations_hard_sigmoid"), ({"coupled": True, "clip": 0.5}, "coupled-clip0.5"),
])
def test_settings_are_in_the_name(settings, name):
    assert Case("train", 2, 3, 4, 5, settings=tuple(settings.items())).id == f"train-T2-B3-I4-H5-{name}"


def test_what_is_not_plain_has_a_plain_case_in_the_list():
    varied = [case for case in CASES if case.beside]
    assert {case.beside for case in varied} <= set(CASES)
    assert any(case.ragged for case in varied)
    assert any(case.checkpoint for case in varied)
    assert any(case.settings for case in varied)
    assert Case("train", 2, 3, 4, 5).beside is None


@pytest.mark.parametrize(("case", "flops"), [
    (Case("step", 1, 1, 3, 5), 2 * 4 * 5 * 8),
    (Case("forward", 7, 2, 3, 5), 7 * 2 * 320),
    (Case("forward", 7, 2, 3, 5, D=2), 2 * 7 * 2 * 320),
    (Case("train", 7, 2, 3, 5), 3 * 7 * 2 * 320),
    (Case("forward", 1, 1, 3, 5, L=2, D=2), 2 * 320 + 2 * (2 * 4 * 5 * 15)),
    (Case("train", 7, 2, 3, 5, cell="gru"), 3 * 7 * 2 * 240),
    (Case("train", 7, 2, 3, 5, cell="rnn"), 3 * 7 * 2 * 80),
    (Case("forward", 7, 2, 3, 5, settings=(("gates_off", ("f",)),)), 7 * 2 * 240),
    (Case("forward", 7, 2, 3, 5, settings=(("coupled", True),)), 7 * 2 * 240),
    (Case("forward", 7, 2, 3, 5, settings=(("proj_size", 2),)), 7 * 2 * 2 * (4 * 5 * 5 + 2 * 5)),
])
def test_flops(case, flops):
    assert case.flops == flops


def test_numbers_are_the_same_each_time_and_of_the_case():
    case = Case("train", 3, 2, 5, 7, 2, 2, "float64")
    (weights, x, dy), (again, *_) = numbers(case), numbers(case)
    assert all(np.array_equal(w, again[name]) for name, w in weights.items())
    assert weights["weight_ih_l1_reverse"].shape == (28, 14)
    assert (x.shape, dy.shape, x.dtype) == ((3, 2, 5), (3, 2, 14), np.float64)


def test_a_ragged_batch_counts_live_steps_only():
    case = Case("forward", 50, 40, 3, 5, ragged=True)
    ends = lengths(case)
    assert ends.shape == (40,)
    assert 1 <= ends.min() < ends.max() <= 50
    assert np.array_equal(ends, lengths(case))
    assert lengths(case.beside) is None
    assert (case.live, case.flops) == (ends.sum(), ends.sum() * 320)


def test_weights_have_the_rows_of_their_cell():
    assert numbers(Case("train", 3, 2, 5, 7, cell="gru"))[0]["weight_hh_l0"].shape == (21, 7)
    assert numbers(Case("train", 3, 2, 5, 7, cell="rnn"))[0]["bias_ih_l0"].shape == (7,)
    weights, _, dy = numbers(Case("train", 3, 2, 5, 7, 2, settings=(("proj_size", 4),)))
    assert [weights[f"weight_{part}"].shape for part in ("hh_l0", "hr_l0", "ih_l1")] == [(28, 4), (4, 7), (28, 4)]
    assert dy.shape == (3, 2, 4)
