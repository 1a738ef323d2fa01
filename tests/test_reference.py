"""The promises of `lstmc.reference`, the law that kernels are held to: what it selects, keeps and refuses.

That it computes the right thing is proved next door: `test_reference_gradients` by central differences,
`test_reference_equations` in scalars, `test_golden` by the numbers of PyTorch and Keras.
"""

import numpy as np
import pytest

from cases import AWKWARD, Case
from cells import BACKWARD, FORWARD, VARIANTS, expected, kinks, make, settings, state_of, variants_on
from conftest import assert_close
from lstmc import reference

pytestmark = pytest.mark.reference

RAGGED = Case(6, 5, 3, 4, L=2, D=2, ragged=True)
PROJECTED = Case(6, 5, 3, 4, L=2, D=2, P=3, ragged=True)
EACH = [(RAGGED, name) for name in VARIANTS] + [(PROJECTED, "lstm"), (PROJECTED, "lstm-haste-all"), (PROJECTED, "lstm-tfa-zoneout")]
every_variant = pytest.mark.parametrize(("case", "name"), EACH, ids=lambda v: getattr(v, "id", v))


def arrays_of(numbers):
    """The numbers as one flat dict of arrays, params included."""
    return {name: a for name, a in numbers.items() if isinstance(a, np.ndarray)} | numbers["params"]


def is_state(name):
    return name in ("h0", "c0", "dh_n", "dc_n")


def is_per_sequence(name):
    return name in ("h_n", "c_n", "dh0", "dc0")


@every_variant
def test_a_ragged_batch_is_its_sequences_alone(case, name):
    """Each sequence, cut to its length and run by itself without `lengths`: the same results, gradients that add up."""
    variant = VARIANTS[name]
    numbers = make(case, variant)
    whole, lengths = expected(case, variant, numbers), numbers["lengths"]
    assert {0, case.T} < set(lengths.tolist())
    sums = {f"d{part}": 0.0 for part in numbers["params"]}
    for b, n in enumerate(lengths):
        alone = {part: numbers[part][:n, b : b + 1] for part in ("x", "dy")}
        alone |= {part: a[:, b : b + 1] for part, a in numbers.items() if is_state(part)}
        alone = expected(case, variant, numbers | alone | {"lengths": None})
        for part in ("y", "dx"):
            assert_close(whole[part][:n, b : b + 1], alone[part], 1e-12)
            assert not whole[part][n:, b].any()
        for part in filter(is_per_sequence, whole):
            assert_close(whole[part][:, b : b + 1], alone[part], 1e-12)
        sums = {part: total + alone[part] for part, total in sums.items()}
    for part, total in sums.items():
        assert_close(whole[part], total, 1e-12)


@every_variant
def test_lengths_are_a_mask(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    by_lengths = expected(case, variant, numbers)
    mask = np.arange(case.T)[:, None] < numbers["lengths"]
    by_mask = expected(case, variant, numbers | {"lengths": None}, mask=mask)
    for part, result in by_lengths.items():
        assert np.array_equal(by_mask[part], result), part


@every_variant
def test_nan_beyond_a_length_is_not_read(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    clean = expected(case, variant, numbers)
    for b, n in enumerate(numbers["lengths"]):
        numbers["x"][n:, b] = numbers["dy"][n:, b] = np.nan
    dirty = expected(case, variant, numbers)
    for part, result in clean.items():
        assert np.array_equal(dirty[part], result), part


@every_variant
def test_nan_in_one_sequence_stays_there(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    clean = expected(case, variant, numbers)
    sick = int(np.argmax(numbers["lengths"]))
    for part in ("x", "dy", *filter(is_state, numbers)):
        numbers[part][:, sick] = np.nan
    dirty = expected(case, variant, numbers)
    others = [b for b in range(case.B) if b != sick]
    for part in ("y", "dx", *filter(is_per_sequence, clean)):
        assert np.array_equal(dirty[part][:, others], clean[part][:, others]), part
        assert np.isnan(dirty[part][:, sick]).all(), part


@every_variant
def test_nan_in_the_state_of_an_empty_sequence_is_only_handed_back(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    clean = expected(case, variant, numbers)
    empty = int(np.argmin(numbers["lengths"]))
    for part in filter(is_state, numbers):
        numbers[part][:, empty] = np.nan
    dirty = expected(case, variant, numbers)
    for part, result in clean.items():
        if is_per_sequence(part):
            assert np.isnan(dirty[part][:, empty]).all(), part
        else:
            assert np.array_equal(dirty[part], result), part


@pytest.mark.parametrize(("case", "name"), variants_on([case for case in AWKWARD if case.T * case.B == 0]),
                         ids=lambda v: getattr(v, "id", v))
def test_empty_axes(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    results = expected(case, variant, numbers)
    assert results["y"].shape == (case.T, case.B, case.D * case.R)
    for s in variant.parts:
        assert np.array_equal(results[f"{s}_n"], numbers[f"{s}0"])
        assert np.array_equal(results[f"d{s}0"], numbers[f"d{s}_n"])
    for part, w in {"x": numbers["x"], **numbers["params"]}.items():
        assert results[f"d{part}"].shape == w.shape, part
        assert not results[f"d{part}"].any(), part


@every_variant
def test_inputs_are_neither_written_nor_kept(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    want = expected(case, variant, numbers)
    dy, dstate = numbers["dy"].copy(), state_of(variant, {part: a.copy() for part, a in numbers.items() if is_state(part)}, "d{}_n")
    for array in arrays_of(numbers).values():
        array.flags.writeable = False
    tape = FORWARD[variant.cell](numbers["x"], numbers["params"], state_of(variant, numbers), lengths=numbers["lengths"],
                                 **settings(case, variant))[2]
    for array in arrays_of(numbers).values():
        array.flags.writeable = True
        array[...] = 0
    for _ in range(2):
        dx, dhx, dparams = BACKWARD[variant.cell](tape, dy, dstate)
        for s, part in zip(variant.parts, dhx if len(variant.parts) > 1 else [dhx], strict=True):
            assert np.array_equal(part, want[f"d{s}0"]), s
        for part, result in {"x": dx, **dparams}.items():
            assert np.array_equal(result, want[f"d{part}"]), part


@every_variant
def test_float32_is_promoted_first(case, name):
    variant = VARIANTS[name]
    single = make(case, variant, dtype=np.float32)
    double = {part: a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for part, a in single.items()}
    double["params"] = {part: w.astype(np.float64) for part, w in single["params"].items()}
    want = expected(case, variant, double)
    for part, result in expected(case, variant, single).items():
        assert result.dtype == np.float64, part
        assert np.array_equal(result, want[part]), part


@every_variant
def test_absent_states_and_gradients_are_zero(case, name):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    forward, backward = FORWARD[variant.cell], BACKWARD[variant.cell]
    still = {part: 0 * a for part, a in numbers.items() if is_state(part)}
    options = settings(case, variant) | {"lengths": numbers["lengths"]}
    y, _, tape = forward(numbers["x"], numbers["params"], **options)
    expected_y, _, expected_tape = forward(numbers["x"], numbers["params"], state_of(variant, still), **options)
    assert np.array_equal(y, expected_y)
    dy, dstate = numbers["dy"], state_of(variant, numbers, "d{}_n")
    pairs = [
        (backward(tape, dy), backward(expected_tape, dy, state_of(variant, still, "d{}_n"))),
        (backward(tape, None, dstate), backward(expected_tape, 0 * dy, dstate)),
    ]
    for result, want in pairs:
        assert np.array_equal(result.dx, want.dx)
        assert np.array_equal(np.concatenate(result.dhx, axis=None), np.concatenate(want.dhx, axis=None))
        assert all(np.array_equal(result.dparams[part], g) for part, g in want.dparams.items())


@pytest.mark.parametrize("name", ["lstm-coupled-peephole", "lstm-no-i-f-o-peephole"])
def test_unused_rows_have_no_gradient(name):
    case, H = Case(4, 3, 3, 5), 5
    results = expected(case, VARIANTS[name], make(case, VARIANTS[name]))
    unused = {"lstm-coupled-peephole": [1], "lstm-no-i-f-o-peephole": [0, 1, 3]}[name]
    for gate in range(4):
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            assert results[f"d{part}_l0"][gate * H : gate * H + H].any() != (gate in unused), (part, gate)
    for row, gate in enumerate((0, 1, 3)):
        assert results["dpeephole_l0"][row].any() != (gate in unused), gate


H2 = {"hidden_size": 2}
PARAMS = make(Case(3, 2, 1, 2), VARIANTS["lstm"])["params"]
GRU = make(Case(3, 2, 1, 2), VARIANTS["gru"])["params"]
X = np.ones((3, 2, 1))


def lstm(x=X, params=PARAMS, hx=None, **more):
    return reference.lstm_fwd(x, params, hx, **H2, **more)


def gru(hx=None, **more):
    return reference.gru_fwd(X, GRU, hx, **H2, **more)


@pytest.mark.parametrize(
    ("error", "text", "call"),
    [
        (ValueError, "x must have shape", lambda: lstm(X[0])),
        (TypeError, "x must be a real array", lambda: lstm(X * 1j)),
        (TypeError, "x must be a real array", lambda: lstm(X.astype(object))),
        (ValueError, "weight_ih_l0 must have shape", lambda: lstm(X[..., [0, 0]])),
        (ValueError, "lacks bias_hh_l0", lambda: lstm(params={n: w for n, w in PARAMS.items() if n != "bias_hh_l0"})),
        (ValueError, "weight_ih_l1", lambda: lstm(params=PARAMS | {"weight_ih_l1": X})),
        (ValueError, "has weight_hr_l0", lambda: lstm(params=PARAMS | {"weight_hr_l0": X})),
        (ValueError, "lacks peephole_l0", lambda: lstm(peephole=True)),
        (ValueError, r"peephole_l0 must have shape \(4, 2\)", lambda: lstm(
            params=PARAMS | {"peephole_l0": np.ones((3, 2))}, peephole="all")),
        (ValueError, "lacks norm_ih_l0", lambda: lstm(layer_norm="tfa")),
        (ValueError, "lacks weight_hr_l0", lambda: lstm(params=PARAMS | {"weight_hh_l0": np.ones((8, 1))}, proj_size=1)),
        (ValueError, r"hx\[1\] must have shape", lambda: lstm(hx=(np.ones((1, 2, 2)), np.ones((1, 1, 2))))),
        (TypeError, "hx must be a tuple of 2", lambda: lstm(hx=np.ones((1, 2, 2)))),
        (ValueError, "hx must have shape", lambda: gru(np.ones((2, 2, 2)))),
        (TypeError, "lengths must be integers", lambda: lstm(lengths=[1.0, 2.0])),
        (ValueError, "lengths must have shape", lambda: lstm(lengths=[1])),
        (ValueError, "lie in 0..3", lambda: lstm(lengths=[1, 4])),
        (ValueError, "lie in 0..3", lambda: lstm(lengths=[-1, 1])),
        (ValueError, "mask excludes lengths", lambda: gru(lengths=[1, 1], mask=np.ones((3, 2), bool))),
        (ValueError, "mask must have shape", lambda: gru(mask=np.ones((2, 3), bool))),
        (TypeError, "mask must be booleans", lambda: gru(mask=np.ones((3, 2)))),
        (ValueError, "masks has zoneout_c_l0", lambda: gru(masks={"zoneout_c_l0": np.ones((3, 2, 2))})),
        (ValueError, "recurrent_l0 must have shape", lambda: gru(masks={"recurrent_l0": np.ones((4, 2, 2))})),
        (ValueError, "clip must be None or positive", lambda: gru(clip=0)),
        (ValueError, "zoneout must lie in 0..1", lambda: gru(zoneout=1.5)),
        (ValueError, "activations must be 2 settings", lambda: gru(activations=("tanh",))),
        (ValueError, "activation must be one of", lambda: gru(activations=("tanh", "tan"))),
        (ValueError, "takes 0 parameters", lambda: gru(activations=("tanh", ("tanh", 1)))),
        (ValueError, "alpha >= 0", lambda: gru(activations=("tanh", ("elu", -1)))),
        (ValueError, "alpha != 0", lambda: gru(activations=("tanh", ("scaled_tanh", 0)))),
        (ValueError, "peephole must be one of", lambda: lstm(peephole="some")),
        (ValueError, "layer_norm must be one of", lambda: lstm(layer_norm=True)),
        (ValueError, "gates_off must be a subset", lambda: lstm(gates_off=("g",))),
        (ValueError, "coupled=True makes f of i", lambda: lstm(coupled=True, gates_off=("f",))),
        (ValueError, "dy must have shape", lambda: reference.lstm_bwd(lstm()[2], np.ones((3, 2, 1)))),
    ],
)
def test_refusals(error, text, call):
    with pytest.raises(error, match=text):
        call()


def test_the_awkward_list_is_what_it_says():
    assert len({case.id for case in AWKWARD}) == len(AWKWARD) >= 35
    for case in AWKWARD:
        double, single = (make(case, VARIANTS["lstm"], 3, dtype) for dtype in (np.float64, np.float32))
        for name in ("x", "h0", "c0", "dy", "dh_n", "dc_n"):
            assert np.all(double[name] != 0), name
            assert np.array_equal(single[name], double[name].astype(np.float32)), name
        assert all(np.all(w != 0) for w in double["params"].values())
        if case.ragged and case.B >= 3 and case.T >= 2:
            assert {0, case.T} < set(double["lengths"].tolist())


def test_numbers_can_be_made_for_every_variant_with_kinks():
    for case, name in variants_on(AWKWARD, [n for n, v in VARIANTS.items() if kinks(v)]):
        numbers = make(case, VARIANTS[name], dtype=np.float32)
        assert all(np.all(a != 0) for part, a in arrays_of(numbers).items() if part != "lengths")
