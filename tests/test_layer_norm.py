"""Layer normalisation of an LSTM: what it takes, masks and taps against the reference, and its bits.

`test_family` and `test_family_bits` have its variants too; here is what is particular: rows that have lanes beyond H, sums that
are kept by rows, threads that divide units and then rows.
"""

import numpy as np
import pytest

from cases import Case
from cells import FORWARD, VARIANTS, expected, law_masks, make_mask, settings, state_of
from conftest import DTYPES, FMA_ISAS, assert_close, assert_same_bits, call, module_of, named, numbers_of, state_in, train
from lstmc import nn
from lstmc.kernels import core, plan

NAMES = [name for name, v in VARIANTS.items() if "layer_norm" in v.settings]
KINDS = ("lstm-haste", "lstm-tfa")
# Units of every block and slice; several blocks of sums; two bands; one step in a block, and more rows than a piece has.
CASES = [Case(5, 4, 3, 1), Case(7, 6, 5, 16, L=2, D=2, ragged=True), Case(6, 3, 4, 37), Case(113, 19, 3, 5, ragged=True), Case(70, 24, 2, 9),
         Case(3, 300, 2, 3), Case(9, 1, 3, 40, bias=False), Case(8, 5, 4, 21, P=6)]


def case_id(case):
    return case.id


def pairs(cases, names):
    return [(case, name) for name in names for case in cases if VARIANTS[name].fits(case)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "name"), pairs(CASES, KINDS), ids=str)
def test_against_the_reference(case, name, dtype, isa):
    n = numbers_of(case, dtype, name=name)
    tolerance = {"float32": 2e-4, "float64": 2e-11}[dtype]      # one unit: the factor of a difference that should be 0 is 300
    assert_close(train(module_of(case, dtype, name=name), n), expected(case, VARIANTS[name], n), tolerance)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", [Case(7, 5, 4, 9), Case(9, 7, 5, 17, L=2, D=2), Case(70, 6, 3, 5, D=2)], ids=case_id)
def test_masks(case, name, isa):
    n, m, mask = numbers_of(case, name=name), module_of(case, name=name), make_mask(case)
    want = expected(case, VARIANTS[name], n, mask=mask, masks=law_masks(case, VARIANTS[name], "float64"))
    got = train(m, n, how={"mask": mask})
    assert_close(got, want, 1e-11)
    for threads in (1, 2, 3):
        m.step = 0
        assert_same_bits(train(m, n, threads, {"mask": mask}), got)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("case", [Case(7, 5, 4, 9), Case(6, 4, 5, 19, L=2, D=2, ragged=True)], ids=case_id)
def test_cells_and_gates(case, name, isa):
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    y, state, cells, gates = m(n["x"], state_in(n), n["lengths"], return_cells=True, return_gates=True)
    assert_same_bits(named(y, state), call(m, n))
    *_, tape = FORWARD["lstm"](n["x"], n["params"], state_of(VARIANTS[name], n), lengths=n["lengths"], taps=True,
                               **settings(case, VARIANTS[name]))
    last = tape.taps[-case.D:]
    assert_close(cells, np.concatenate([t.c for t in last], axis=2), 1e-11)
    assert_close(gates, np.concatenate([t.gates for t in last], axis=2), 1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "name"), pairs([*CASES, Case(23, 27, 5, 17)], ("lstm-haste-all", "lstm-tfa-peephole")), ids=str)
def test_threads_and_instruction_sets(case, name, dtype, any_isa):
    n, want = numbers_of(case, dtype, name=name), None
    for isa in FMA_ISAS:
        any_isa(isa)
        for threads in (1, 2, 3, 5):
            got = train(module_of(case, dtype, name=name), n, threads)
            want = want or got
            assert_same_bits(got, want)


@pytest.mark.parametrize("name", KINDS)
def test_a_sequence_alone_and_in_a_session(name, isa):
    case = Case(11, 7, 5, 37, L=2)
    n, m = numbers_of(case, "float32", name=name), module_of(case, "float32", name=name)
    want = call(m, n)
    for b in range(case.B):
        alone = {part: np.ascontiguousarray(n[part][:, b:b + 1]) for part in ("x", "h0", "c0")} | {"lengths": None}
        assert_same_bits(call(m, alone), {part: np.ascontiguousarray(a[:, b:b + 1]) for part, a in want.items()})
    s = m.session(case.B)
    s.state = state_in(n)
    assert_same_bits(named(np.stack([s.step(x_t, threads=2) for x_t in n["x"]]), s.state), want)


@pytest.mark.parametrize("name", KINDS)
def test_threads_divide_units(name, isa):
    case = Case(6, 1, 5, 300)
    n, m = numbers_of(case, "float32", name=name), module_of(case, "float32", name=name)
    want = train(m, n, 1)
    assert_same_bits(train(m, n, 3), want)
    assert plan.choose("lstm", 6, 1, 5, 300, threads=3, normed=True)["shared"] == core.has_openmp()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("scale", [1e-20, 1e15])
def test_any_magnitude(name, scale, isa):
    """Inputs whose sums are tiny vanish beside eps; large ones are normalised. Nothing overflows on the way."""
    case = Case(5, 4, 3, 9)
    n, m = numbers_of(case, name=name), module_of(case, name=name)
    n = {**n, "x": n["x"] * scale}
    got, want = train(m, n), expected(case, VARIANTS[name], n)
    assert_close({part: got[part] for part in ("y", "h_n", "c_n")}, {part: want[part] for part in ("y", "h_n", "c_n")}, 1e-11)
    assert all(np.isfinite(a).all() for a in got.values())


@pytest.mark.parametrize("kind", ["haste", "tfa"])
def test_parameters(kind):
    m = nn.LSTM(3, 5, 2, layer_norm=kind, seed=0)
    found, H = m.state_dict(), 5
    rows = (4 * H,) if kind == "haste" else (2, 4 * H)
    assert list(found)[:7] == [f"{part}_l0" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "norm_ih", "norm_hh", "norm_c")]
    for layer in (0, 1):
        for part, shape in {"norm_ih": rows, "norm_hh": rows, "norm_c": (2, H)}.items():
            a = found[f"{part}_l{layer}"]
            assert a.shape == shape
            gamma, beta = (a, None) if a.ndim == 1 else a
            assert (gamma == 1).all()
            assert beta is None or (beta == 0).all()
    assert f"layer_norm={kind!r}" in repr(m)
    assert "normalised" in m.explain()
    assert "normalised" not in nn.LSTM(3, 5).explain()


@pytest.mark.parametrize("value", ["batch", True, 1, ("haste",)])
def test_what_is_refused(value):
    with pytest.raises(ValueError, match="layer_norm: expected None, 'haste' or 'tfa'"):
        nn.LSTM(3, 4, layer_norm=value)


def test_a_changed_gamma_is_noticed(isa):
    case = Case(5, 4, 3, 9)
    n, m = numbers_of(case, name="lstm-tfa"), module_of(case, name="lstm-tfa")
    before = call(m, n)
    m.load_state_dict({**n["params"], "norm_c_l0": 2 * n["params"]["norm_c_l0"]})
    assert np.abs(call(m, n)["y"] - before["y"]).max() > 1e-3
