"""Cells whose step is more than one product and one end: reset before the product, recurrent dropout, zoneout after a projection.

`test_family` and `test_family_bits` have the GRU of both forms beside the other cells; this has what is special, and what goes together.
"""

import numpy as np
import pytest

from cases import Case
from cells import VARIANTS, expected, law_masks, make_mask
from conftest import DTYPES, FMA_ISAS, TOLERANCE, assert_close, assert_same_bits, call, module_of, named, numbers_of, parts_of, state_in, train
from lstmc import nn
from lstmc.kernels import plan

P = 0.3
# Rows of one to three, tiles of every size, panels that are no multiple of four, W x ahead and fused, bands, several blocks of sums.
SIZES = [Case(3, 1, 4, 5), Case(5, 2, 3, 70), Case(4, 3, 5, 17), Case(6, 7, 6, 9, L=2, D=2, ragged=True), Case(30, 27, 5, 17), Case(70, 9, 3, 33, D=2)]
DROPPED = ["lstm", "lstm-clip-peephole-coupled", "lstm-zoneout", "gru", "gru-zoneout", "gru-before", "gru-before-zoneout-clip", "rnn", "rnn-relu"]
CELLS = ["lstm", "gru", "gru-before", "rnn"]
PROJECTED = [Case(5, 4, 3, 16, P=5), Case(6, 7, 5, 37, L=2, D=2, P=19, ragged=True), Case(33, 5, 3, 40, P=16)]


def size(case):
    return case.id


# Recurrent dropout ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DROPPED)
@pytest.mark.parametrize("case", SIZES, ids=size)
def test_recurrent_dropout(case, name, dtype, isa):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name, recurrent_dropout=P)
    m.step = 3
    want = expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], dtype, step=3, recurrent_dropout=P))
    assert_close(train(m, n), want, 5 * TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["lstm", "lstm-zoneout", "lstm-zoneout-c-peephole"])
@pytest.mark.parametrize("case", PROJECTED, ids=size)
def test_recurrent_dropout_with_a_projection_and_dropped_inputs(case, name, isa):
    more = {"input_dropout": 0.25, "recurrent_dropout": P}
    n, m = numbers_of(case, name=name), module_of(case, name=name, **more)
    assert_close(train(m, n), expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], "float64", **more)), 1e-11)


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_dropout_of_masked_steps(name, isa):
    case = Case(9, 7, 4, 19, D=2)
    n, m, mask = numbers_of(case, name=name), module_of(case, name=name, recurrent_dropout=P), make_mask(case)
    want = expected(case, VARIANTS[name], n, mask=mask, masks=law_masks(case, VARIANTS[name], "float64", recurrent_dropout=P))
    assert_close(train(m, n, how={"mask": mask}), want, 1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*CELLS, "lstm-zoneout", "gru-before-zoneout-clip"])
@pytest.mark.parametrize("case", [Case(13, 11, 5, 19, L=2, D=2, ragged=True), Case(23, 27, 5, 17), Case(7, 2, 3, 200)], ids=size)
def test_bits_of_recurrent_dropout(case, name, dtype, any_isa):
    n, want = numbers_of(case, dtype, name=name), None
    for isa in FMA_ISAS:
        any_isa(isa)
        for threads in (1, 2, 3):
            got = train(module_of(case, dtype, name=name, recurrent_dropout=P), n, threads)
            want = want or got
            assert_same_bits(got, want)


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_dropout_of_the_first_sequences_alone(name, isa):
    """A mask follows the number of the sequence, so that a sequence keeps its own."""
    case = Case(9, 11, 5, 33, D=2)
    n = numbers_of(case, "float32", name=name)
    whole = train(module_of(case, "float32", name=name, recurrent_dropout=P), n)
    for B in (1, 2, 5):
        part = {**n, **{k: n[k][:, :B] for k in ("x", "h0", "c0", "dy", "dh_n", "dc_n") if k in n}}
        got = train(module_of(case, "float32", name=name, recurrent_dropout=P), part)
        for k in ("y", "h_n", "dx", "dh0"):
            assert_same_bits(got[k], np.ascontiguousarray(whole[k][:, :B]))


def test_what_recurrent_dropout_and_reset_after_refuse():
    with pytest.raises(ValueError, match="recurrent_dropout"):
        nn.LSTM(3, 4, recurrent_dropout=1.5)
    with pytest.raises(TypeError, match="reset_after"):
        nn.GRU(3, 4, reset_after="no")


# Reset before the product -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["gru-before", "gru-before-zoneout-clip"])
@pytest.mark.parametrize("case", SIZES, ids=size)
def test_reset_before(case, name, dtype, isa):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    m.step = 2
    results = train(m, n)
    assert_close(results, expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], dtype, step=2)), 5 * TOLERANCE[dtype])
    if name == "gru-before":
        inference = call(m, n)
        assert_same_bits(inference, {part: results[part] for part in inference})


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_reset_before_step_by_step_with_threads_that_divide_units(threads, isa):
    case = Case(7, 2, 3, 300, L=2)
    n, m = numbers_of(case, "float32", name="gru-before"), module_of(case, "float32", name="gru-before")
    s = m.session(case.B)
    s.state = state_in(n)
    assert_same_bits(named(np.stack([s.step(x_t, threads=threads) for x_t in n["x"]]), s.state), call(m, n, threads=1))


def test_reset_before_is_another_function(isa):
    case = Case(5, 4, 3, 8)
    n = numbers_of(case)
    params = numbers_of(case, name="gru")["params"]
    before, after = (nn.GRU(case.I, case.H, dtype="float64", reset_after=flag) for flag in (False, True))
    for m in (before, after):
        m.load_state_dict(params)
    assert not np.allclose(before(n["x"])[0], after(n["x"])[0])
    assert "reset_after=False" in repr(before)
    assert "reset_after" not in repr(after)


# Zoneout of h after a projection ----------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["lstm-zoneout", "lstm-zoneout-h"])
@pytest.mark.parametrize("case", PROJECTED, ids=size)
def test_zoneout_after_a_projection(case, name, dtype, isa):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    m.step = 4
    want = expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], dtype, step=4))
    assert_close(train(m, n), want, 5 * TOLERANCE[dtype])


@pytest.mark.parametrize("case", PROJECTED, ids=size)
def test_bits_of_zoneout_after_a_projection(case, any_isa):
    n, want = numbers_of(case, name="lstm-zoneout"), None
    for isa in FMA_ISAS:
        any_isa(isa)
        for threads in (1, 2, 3):
            got = train(module_of(case, name="lstm-zoneout"), n, threads)
            want = want or got
            assert_same_bits(got, want)


@pytest.mark.parametrize("threads", [1, 2])
def test_zoneout_after_a_projection_step_by_step(threads, isa):
    case = Case(9, 3, 5, 40, L=2, P=19)
    n, m = numbers_of(case, name="lstm-zoneout"), module_of(case, name="lstm-zoneout")
    s = m.session(case.B)
    s.state = state_in(n)
    got = np.stack([s.step(x_t, threads=threads) for x_t in n["x"]])
    want = call(m, n)
    assert_same_bits({"y": got, **parts_of(s.state, "{}_n")}, want)


# What is said -----------------------------------------------------------------------------------------------------

def test_explain_says_what_they_cost():
    assert "reset_after=False: a second product" in nn.GRU(3, 4, reset_after=False).explain()
    assert "recurrent_dropout, in training" in nn.LSTM(3, 4, recurrent_dropout=0.2).explain()
    assert "recurrent_dropout" not in nn.LSTM(3, 4).explain()


def test_explain_says_what_masks_change_in_training():
    """Walks of single slots begin at W x, and threads do not divide units."""
    lines = nn.GRU(3, 4, reset_after=False, recurrent_dropout=0.2).explain().splitlines()
    inference, training = (next(line for line in lines if what in line) for what in ("  100 steps, batch 32", "training, 100 steps, batch 32"))
    assert "fused with U h" in inference
    assert "apart from U h" in training
    assert not plan.choose("lstm", 100, 1, 64, 512, threads=2, train=True, dropped=True)["shared"]
