"""nn.LSTM, GRU and RNN with every option against the law: forward and every gradient, with the random masks that they draw.

Bits are in `test_family_bits`, masks of valid steps and lists of arrays in `test_masks`.
"""

import numpy as np
import pytest

from cases import Case
from cells import DRAWN, FORWARD, VARIANTS, expected, law_masks, name_of, settings, state_of, variants_on
from conftest import CASES, DTYPES, MODULES, TOLERANCE, assert_close, assert_same_bits, call, expected_of, module_of, named, numbers_of, parts_of, train
from lstmc import nn

PLAIN = ("gru", "rnn", "rnn-relu")          # test_lstm has the LSTM
SOME = [
    Case(1, 1, 1, 1),
    Case(5, 7, 6, 8),
    Case(7, 6, 5, 17, D=2, ragged=True),
    Case(6, 4, 5, 9, L=2, D=2, ragged=True),
    Case(4, 1, 3, 33, bias=False),
    Case(0, 3, 5, 7),
    Case(5, 4, 3, 16, L=2, P=5),
]
DROPPED = [(cell, setting) for cell in MODULES for setting in DRAWN]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "name"), variants_on(CASES, PLAIN), ids=name_of)
def test_plain_cells(case, name, dtype, isa):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    results = train(m, n)
    assert all(a.dtype == dtype for a in results.values())
    assert_close(results, expected_of(case, dtype, name), TOLERANCE[dtype])
    inference = call(m, n)
    assert_same_bits(inference, {part: results[part] for part in inference})


@pytest.mark.parametrize(("case", "name", "dtype", "tolerance"), [(*at, "float64", 1e-11) for at in variants_on(SOME)]
                         + [(*at, "float32", 5e-5) for at in variants_on(SOME[2:3])], ids=name_of)
def test_variants_in_training(case, name, dtype, tolerance, isa):
    n, m = numbers_of(case, dtype, name=name), module_of(case, dtype, name=name)
    m.step = 5
    want = expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], dtype, step=5))
    assert_close(train(m, n), want, tolerance)


@pytest.mark.parametrize(("case", "name"), variants_on(SOME, [name for name in VARIANTS if "zoneout" in VARIANTS[name].settings]), ids=name_of)
def test_zoneout_in_inference_is_its_expectation(case, name, isa):
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    y, state, _ = FORWARD[VARIANTS[name].cell](n["x"], n["params"], state_of(VARIANTS[name], n), lengths=n["lengths"],
                                               **settings(case, VARIANTS[name]))
    want = {"y": y, **parts_of(state, "{}_n")}
    assert_close(call(m, n), want, 1e-12)
    got = m.forward(n["x"], state_of(VARIANTS[name], n), n["lengths"], train=False)[:2]
    assert_close(named(*got), want, 1e-12)
    if case.T > 3:
        assert not np.array_equal(train(m, n)["y"], call(m, n)["y"])


@pytest.mark.parametrize(("cell", "setting"), DROPPED)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SOME[1:4], ids=name_of)
def test_dropout_fixed_in_time(case, dtype, cell, setting, isa):
    n, m = numbers_of(case, dtype, name=cell), module_of(case, dtype, name=cell, **{setting: 0.3})
    for step in range(2):
        want = expected(case, VARIANTS[cell], n, masks=law_masks(case, VARIANTS[cell], dtype, step, **{setting: 0.3}))
        assert_close(train(m, n), want, TOLERANCE[dtype])
    plain = module_of(case, dtype, name=cell)
    assert_same_bits(call(m, n), call(plain, n))


def test_dropout_of_both_kinds_and_zoneout(isa):
    case, more = Case(6, 4, 5, 9, L=2, D=2, ragged=True), {"input_dropout": 0.25}
    name = "lstm-zoneout"
    n, m = numbers_of(case, name=name), module_of(case, name=name, **more)
    assert_close(train(m, n), expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], "float64", **more)), 1e-11)


@pytest.mark.parametrize("name", ["lstm", "lstm-zoneout", "gru", "rnn"])
@pytest.mark.parametrize("case", [Case(150, 9, 3, 5, L=2, D=2, ragged=True), Case(43, 27, 5, 17, D=2)], ids=name_of)
def test_states_that_are_computed_again(case, name, isa):
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    assert_close(train(m, n, how={"checkpoint_every": 3}), expected(case, VARIANTS[name], n, masks=law_masks(case, VARIANTS[name], "float64")), 1e-11)


@pytest.mark.parametrize("name", VARIANTS)
def test_repr_says_how_to_make_the_module(name):
    case = Case(2, 2, 3, 4, L=2, D=2, bias=False)
    m = module_of(case, name=name)
    again = eval(f"nn.{m!r}", {"nn": nn})
    assert repr(again) == repr(m)
    assert {k: w.shape for k, w in again.state_dict().items()} == {k: w.shape for k, w in m.state_dict().items()}
    n = numbers_of(case, name=name)
    again.load_state_dict(n["params"])
    assert_same_bits(call(again, n), call(m, n))
