"""Which steps of a call are valid, given as a mask or as a list of arrays, and what a call returns beside its outputs.

A mask has gaps and padding on either side; the law is the reference's `mask`, and a sequence's valid steps alone must give
the same bits.
"""

import numpy as np
import pytest

from cases import Case
from cells import BACKWARD, FORWARD, VARIANTS, expected, law_masks, make_mask, settings, state_of
from conftest import DTYPES, MODULES, TOLERANCE, assert_close, assert_same_bits, call, module_of, named, numbers_of, parts_of, state_in, train

CELLS = ("lstm", "gru", "rnn")
CASES = [Case(7, 5, 4, 9), Case(9, 7, 5, 17, L=2, D=2), Case(150, 6, 3, 5, D=2), Case(6, 4, 3, 8, L=2, bias=False), Case(12, 1, 3, 33, D=2)]
ARGUMENTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")


def case_id(case):
    return case.id


def masked(case, dtype, name):
    """(numbers, module, mask), with NaN in x and dy wherever the mask is False."""
    n, mask = numbers_of(case, dtype, name=name), make_mask(case)
    return n | {part: np.where(mask[:, :, None], n[part], np.nan).astype(dtype) for part in ("x", "dy")}, module_of(case, dtype, name=name), mask


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*CELLS, "lstm-clip-peephole-coupled", "lstm-zoneout", "gru-zoneout", "rnn-relu"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_masks_against_the_reference(case, name, dtype, isa):
    n, m, mask = masked(case, dtype, name)
    want = expected(case, VARIANTS[name], numbers_of(case, dtype, name=name), mask=mask, masks=law_masks(case, VARIANTS[name], dtype))
    got = train(m, n, how={"mask": mask})
    assert_close(got, want, TOLERANCE[dtype])
    for part in ("y", "dx"):
        assert not got[part][~mask].any()
    m.step = 0
    for threads in (1, 2, 3):
        assert_same_bits(train(m, n, threads, {"mask": mask, "checkpoint_every": 5}), got)
        m.step = 0


@pytest.mark.parametrize("name", [*CELLS, "lstm-peephole", "gru-clip"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_masked_sequence_is_its_valid_steps_alone(case, name, isa):
    n, m, mask = masked(case, "float64", name)
    whole, inference = train(m, n, how={"mask": mask}), call(m, n, mask=mask)
    assert_same_bits(inference, {part: whole[part] for part in inference})
    for b in range(case.B):
        steps = np.flatnonzero(mask[:, b])
        alone = {part: n[part][:, b:b + 1] for part in ARGUMENTS if part in n}
        alone |= {part: alone[part][steps] for part in ("x", "dy")} | {"lengths": None}
        got = train(m, alone)
        for part in ("y", "dx"):
            assert_same_bits(got[part], whole[part][steps, b:b + 1])
        for part in ("h_n", "c_n", "dh0", "dc0"):
            if part in got:
                assert_same_bits(got[part], whole[part][:, b:b + 1].copy())


@pytest.mark.parametrize("name", CELLS)
def test_masks_that_are_lengths(name, isa):
    """A mask without gaps before the end of a sequence is its length; one that is all True is none."""
    case = Case(7, 5, 4, 9, L=2, D=2, ragged=True)
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    mask = np.arange(case.T)[:, None] < n["lengths"]
    assert_same_bits(train(m, n, lengths=None, how={"mask": mask}), train(m, n))
    assert_same_bits(train(m, n, lengths=None, how={"mask": mask | True}), train(m, n, lengths=None))
    assert_same_bits(call(m, n | {"lengths": None}, mask=mask & False), call(m, n | {"lengths": [0] * 5}))


@pytest.mark.parametrize("how", [{}, {"checkpoint_every": 3}, {"threads": 1}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("case", [Case(9, 7, 5, 17, L=2, D=2, ragged=True), Case(40, 30, 4, 9, ragged=True), Case(40, 3, 4, 150, ragged=True),
                                  Case(9, 7, 5, 17, D=2, P=3, ragged=True)], ids=case_id)
def test_what_no_step_writes_is_zero(case, how, monkeypatch):
    """y and dx arrive in memory that holds anything."""
    how = dict(how)
    n, m = numbers_of(case), module_of(case, batch_first=how.pop("batch_first", False))
    x, dy = (n[part].swapaxes(0, 1) if m.batch_first else n[part] for part in ("x", "dy"))
    fresh = type(m)._output

    def of_nan(*args):
        found = fresh(*args)
        found[...] = np.nan
        return found

    monkeypatch.setattr(type(m), "_output", of_nan)
    threads = how.pop("threads", None)
    mask = make_mask(case)
    for valid, kind in ((np.arange(case.T)[:, None] < n["lengths"], {"lengths": n["lengths"]}),
                        (mask, {"mask": mask.T if m.batch_first else mask}), (mask & False, {"lengths": [0] * case.B})):
        y, _, tape = m.forward(x, threads=threads, **kind, **how)
        dx = m.backward(tape, dy, threads=threads).x
        again = m(x, threads=threads, **kind)[0]
        for a in (y, dx, again):
            assert not (a.swapaxes(0, 1) if m.batch_first else a)[~valid].any()


@pytest.mark.parametrize("name", CELLS)
def test_layouts_of_a_mask(name, isa):
    case = CASES[1]
    n, m, mask = masked(case, "float64", name)
    want = call(m, n, mask=mask)
    first = module_of(case, name=name, batch_first=True)
    got = call(first, n | {"x": n["x"].swapaxes(0, 1)}, mask=mask.T)
    assert_same_bits(got | {"y": np.ascontiguousarray(got["y"].swapaxes(0, 1))}, want)
    for view in (np.asfortranarray(mask), np.repeat(mask, 2, axis=1)[:, ::2], mask[::-1].copy()[::-1], mask.tolist()):
        assert_same_bits(call(m, n, mask=view), want)
    one = {part: n[part][:, 3] for part in ("x", "h0", "c0") if part in n} | {"lengths": None}
    got = call(m, one, mask=mask[:, 3])
    assert_same_bits({part: a[:, None].copy() for part, a in got.items()}, {part: want[part][:, 3:4].copy() for part in want})
    out = np.full(want["y"].shape, np.nan)
    call(m, n, mask=mask, out=out)
    assert_same_bits(out, want["y"])


# Lists of arrays ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("case", [Case(7, 5, 4, 9, L=2, D=2, ragged=True), Case(9, 17, 5, 16, ragged=True)], ids=case_id)
def test_a_list_is_a_ragged_batch(case, name, batch_first, isa):
    n, m = numbers_of(case, name=name), module_of(case, name=name, batch_first=batch_first)
    want = train(module_of(case, name=name), n)
    listed = {part: [n[part][:length, b] for b, length in enumerate(n["lengths"])] for part in ("x", "dy")}
    for how in ({}, {"checkpoint_every": 3}):
        got = train(m, n, lengths=None, how=how, **listed)
        for part in ("y", "dx"):
            assert isinstance(got[part], list)
            for b, length in enumerate(n["lengths"]):
                assert_same_bits(np.ascontiguousarray(got[part][b]), want[part][:length, b].copy())
            got[part] = want[part]
        assert_same_bits(got, want)
    y, state = m(tuple(listed["x"]), state_in(n))
    assert_same_bits(parts_of(state, "{}_n"), {part: want[part] for part in ("h_n", "c_n") if part in want})
    assert [a.shape for a in y] == [(length, case.D * case.R) for length in n["lengths"]]


def test_lists_of_one_and_of_empty_arrays(isa):
    m = module_of(Case(1, 1, 3, 5), name="gru")
    x = np.random.default_rng(0).standard_normal((4, 3))
    (y,), h = m([x])
    assert_same_bits(named(y.copy(), h), named(m(x[:, None])[0][:, 0].copy(), m(x[:, None])[1]))
    y, h = m([x[:0], x[:0]])
    assert [a.shape for a in y] == [(0, 5), (0, 5)]
    assert not h.any()


# Cells and gates of every step ----------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*CELLS, "lstm-peephole-all", "gru-clip", "rnn-relu"])
@pytest.mark.parametrize("case", [Case(7, 6, 5, 17, D=2, ragged=True), Case(6, 4, 5, 9, L=2, D=2, ragged=True), Case(5, 1, 4, 33), Case(23, 27, 3, 8),
                                  Case(0, 3, 5, 7)], ids=case_id)
def test_taps_against_the_reference(case, name, dtype, isa):
    variant = VARIANTS[name]
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    more = {"mask": make_mask(case)} if not case.ragged and case.T > 6 else {}
    *_, tape = FORWARD[variant.cell](n["x"], n["params"], state_of(variant, n), lengths=n["lengths"], taps=True, **settings(case, variant), **more)
    gates = np.concatenate([taps.gates for taps in tape.taps[-case.D:]], 2)
    want = {"gates": gates} | ({"cells": np.concatenate([taps.c for taps in tape.taps[-case.D:]], 2)} if variant.cell == "lstm" else {})
    plain = call(m, n, **more)
    y, state, *found = m(n["x"], state_in(n), n["lengths"], return_cells=variant.cell == "lstm", return_gates=True, **more)
    assert_same_bits(named(y, state), plain)
    found = {"gates": found[-1]} | ({"cells": found[0]} if variant.cell == "lstm" else {})
    assert all(a.dtype == dtype for a in found.values())
    assert_close(found, want, TOLERANCE[dtype])
    for threads in (1, 2):
        again = m(n["x"], state_in(n), n["lengths"], return_gates=True, threads=threads, **more)
        assert len(again) == 3
        assert_same_bits(again[2], found["gates"])


def test_layouts_of_taps(isa):
    case = Case(7, 5, 4, 9, L=2, D=2, ragged=True)
    n, m = numbers_of(case), module_of(case)
    _, _, cells, gates = m(n["x"], state_in(n), n["lengths"], return_cells=True, return_gates=True)
    assert (cells.shape, gates.shape) == ((7, 5, 18), (7, 5, 8, 9))
    found = module_of(case, batch_first=True)(n["x"].swapaxes(0, 1), state_in(n), n["lengths"], return_cells=True, return_gates=True)
    assert_same_bits({0: np.ascontiguousarray(found[2].swapaxes(0, 1)), 1: np.ascontiguousarray(found[3].swapaxes(0, 1))}, {0: cells, 1: gates})
    found = m([n["x"][:length, b] for b, length in enumerate(n["lengths"])], state_in(n), return_cells=True)[2]
    for b, length in enumerate(n["lengths"]):
        assert_same_bits(np.ascontiguousarray(found[b]), cells[:length, b].copy())
    one = m(n["x"][:, 1], tuple(s[:, 1] for s in state_in(n)), n["lengths"][1], return_cells=True, return_gates=True)
    assert_same_bits({0: one[2].copy(), 1: one[3].copy()}, {0: cells[:, 1].copy(), 1: gates[:, 1].copy()})


def test_the_reference_and_the_modules_have_the_same_cells():
    assert set(FORWARD) == set(BACKWARD) == set(MODULES) == set(CELLS)
