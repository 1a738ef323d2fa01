"""Proves `lstmc.reference`, the law that kernels are held to.

Three independent witnesses: central differences say that the backward is the derivative of the forward,
for every element of every argument; numbers from torch.nn.LSTM say that the forward (and the backward
again) is the LSTM that the world means; and one step written out in scalars says the same of the
peepholes, which torch does not have. Then come the promises of the file: what it selects, keeps, refuses.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cases import AWKWARD, Case, make, make_peepholes
from lstmc import reference

STATES = ("h0", "c0")
GRADS = ("dy", "dh_n", "dc_n")


@dataclass
class Run:
    """A case with its numbers: every argument by name, ready to be called, perturbed and differentiated."""

    settings: dict
    arrays: dict

    @classmethod
    def of(cls, case, peephole=False, seed=0):
        numbers = make(case, seed)
        arrays = {name: numbers[name] for name in ("x", *STATES, *GRADS)} | numbers["params"]
        if peephole:
            arrays |= make_peepholes(case, seed)
        settings = {"hidden_size": case.H, "num_layers": case.L, "bidirectional": case.D == 2, "proj_size": case.P}
        return cls(settings | {"lengths": numbers["lengths"]}, arrays)

    def forward(self):
        a = self.arrays
        params = {name: w for name, w in a.items() if name.startswith(("weight", "bias"))}
        peepholes = {name: w for name, w in a.items() if name.startswith("peephole")} or None
        return reference.lstm_fwd(a["x"], params, (a["h0"], a["c0"]), peepholes=peepholes, **self.settings)

    def loss(self):
        """The number whose gradients dy, dh_n and dc_n are."""
        y, (h_n, c_n), _ = self.forward()
        return sum(float((self.arrays[d] * v).sum()) for d, v in zip(GRADS, (y, h_n, c_n), strict=True))

    def grads(self):
        """The gradient of `loss` by every argument, under the argument's name."""
        dy, dh_n, dc_n = (self.arrays[d] for d in GRADS)
        dx, (dh0, dc0), dparams = reference.lstm_bwd(self.forward()[2], dy, (dh_n, dc_n))
        return {"x": dx, "h0": dh0, "c0": dc0, **dparams}


def central_difference(f, step=2e-3):
    """f'(0) to fourth order: the error is step**4 / 30 times the fifth derivative."""
    return (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step)


def assert_close(actual, expected, tolerance, name):
    """`tolerance` is relative to the largest expected value; NaN never passes."""
    assert actual.shape == expected.shape, name
    if expected.size:
        error = np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1e-3)
        assert error <= tolerance, f"{name}: relative error {error:.2e}"


SMALL = [
    (Case(3, 2, 3, 2), False),
    (Case(3, 2, 3, 2), True),
    (Case(1, 1, 1, 1), True),
    (Case(1, 2, 3, 2, D=2), True),
    (Case(3, 1, 2, 2, D=2), False),
    (Case(3, 2, 3, 2, bias=False), True),
    (Case(3, 2, 3, 3, P=2), False),
    (Case(3, 2, 2, 3, P=1, bias=False), True),
    (Case(3, 2, 2, 2, L=2), True),
    (Case(3, 5, 2, 2, ragged=True), True),
    (Case(3, 4, 2, 2, D=2, ragged=True), True),
    (Case(2, 2, 2, 2, L=2, D=2), False),
    (Case(3, 3, 2, 3, L=2, D=2, P=2, ragged=True), True),
    (Case(0, 2, 2, 2, L=2), True),
]


@pytest.mark.parametrize(("case", "peephole"), SMALL, ids=lambda v: v.id if isinstance(v, Case) else f"peephole={v}")
def test_every_element_by_central_differences(case, peephole):
    run = Run.of(case, peephole)
    grads = run.grads()
    assert set(grads) == set(run.arrays) - set(GRADS)
    for name, grad in grads.items():
        array = run.arrays[name]
        numeric = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            value = array[index]

            def moved(step, array=array, index=index, value=value):
                array[index] = value + step
                return run.loss()

            numeric[index] = central_difference(moved)
            array[index] = value
        assert_close(grad, numeric, 1e-9, name)


@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("case", AWKWARD, ids=lambda case: case.id)
def test_awkward_sizes_along_a_random_direction(case, peephole):
    """All arguments move at once: one derivative per case, at sizes where every element would take too long."""
    run = Run.of(case, peephole)
    grads = run.grads()
    rng = np.random.default_rng(1)
    along = {name: rng.choice([-1.0, 1.0], g.shape) / np.sqrt(sum(v.size for v in grads.values()))
             for name, g in grads.items()}
    still = dict(run.arrays)

    def moved(step):
        run.arrays = still | {name: still[name] + step * v for name, v in along.items()}
        return run.loss()

    expected = sum(float((grads[name] * v).sum()) for name, v in along.items())
    size = math.sqrt(sum(float((g**2).sum()) for g in grads.values()))
    assert abs(central_difference(moved) - expected) <= 1e-10 * size


GOLDEN = dict(np.load(Path(__file__).parent / "golden" / "lstm_torch.npz"))


@pytest.mark.parametrize("case", sorted({key.split("/")[0] for key in GOLDEN if "/" in key}))
def test_torch_numbers(case):
    golden = {key.removeprefix(f"{case}/"): a for key, a in GOLDEN.items() if key.startswith(f"{case}/")}
    params = {key.removeprefix("params/"): a for key, a in golden.items() if key.startswith("params/")}
    y, (h_n, c_n), tape = reference.lstm_fwd(
        golden["x"], params, (golden["h0"], golden["c0"]),
        lengths=golden.get("lengths"), **json.loads(str(golden["config"])),
    )
    dx, (dh0, dc0), dparams = reference.lstm_bwd(tape, golden["dy"], (golden["dh_n"], golden["dc_n"]))
    results = {"y": y, "h_n": h_n, "c_n": c_n, "dx": dx, "dh0": dh0, "dc0": dc0}
    results |= {f"dparams/{name}": g for name, g in dparams.items()}
    inputs = {"config", "lengths", "x", *STATES, *GRADS, *(f"params/{name}" for name in params)}
    assert set(results) == set(golden) - inputs
    for name, result in results.items():
        assert_close(result, golden[name], 1e-13, name)


def test_golden_file_is_what_it_says():
    assert str(GOLDEN["torch_version"]).startswith("2.13.")
    assert len({key.split("/")[0] for key in GOLDEN if "/" in key}) >= 12


@pytest.mark.parametrize("P", [0, 2])
@pytest.mark.parametrize("peephole", [False, True])
def test_one_step_in_scalars(peephole, P):
    case = Case(1, 1, 2, 3, P=P)
    run = Run.of(case, peephole)
    w = {name.removesuffix("_l0"): a.tolist() for name, a in run.arrays.items()}
    x, h, c = w["x"][0][0], w["h0"][0][0], w["c0"][0][0]
    p_i, p_f, p_o = w.get("peephole", [[0.0] * 3] * 3)

    def dot(p, q):
        return sum(s * t for s, t in zip(p, q, strict=True))

    def a(gate, u):
        row = 3 * "ifgo".index(gate) + u
        return dot(w["weight_ih"][row], x) + w["bias_ih"][row] + dot(w["weight_hh"][row], h) + w["bias_hh"][row]

    def logistic(v):
        return 1 / (1 + math.exp(-v))

    new_c, m = [], []
    for u in range(3):
        i, f = logistic(a("i", u) + p_i[u] * c[u]), logistic(a("f", u) + p_f[u] * c[u])
        new_c.append(f * c[u] + i * math.tanh(a("g", u)))
        m.append(logistic(a("o", u) + p_o[u] * new_c[u]) * math.tanh(new_c[u]))
    new_h = [dot(row, m) for row in w["weight_hr"]] if P else m

    y, (h_n, c_n), _ = run.forward()
    assert_close(y[0, 0], np.array(new_h), 1e-14, "y")
    assert_close(h_n[0, 0], np.array(new_h), 1e-14, "h_n")
    assert_close(c_n[0, 0], np.array(new_c), 1e-14, "c_n")


RAGGED = Case(6, 5, 3, 4, L=2, D=2, P=3, ragged=True)


def everything(run):
    """Results and gradients of a run, by name."""
    y, (h_n, c_n), _ = run.forward()
    return {"y": y, "h_n": h_n, "c_n": c_n} | {f"d{name}": g for name, g in run.grads().items()}


def test_a_ragged_batch_is_its_sequences_alone():
    """Each sequence, cut to its length and run by itself without `lengths`: the same results, gradients that add up."""
    run = Run.of(RAGGED, peephole=True)
    whole = everything(run)
    lengths = run.settings["lengths"]
    assert {0, RAGGED.T} < set(lengths.tolist())
    sums = {name: 0.0 for name in whole if name.startswith(("dweight", "dbias", "dpeephole"))}
    for b, n in enumerate(lengths):
        def cut(array, b=b, n=n):
            return array[:n, b : b + 1]

        def row(array, b=b):
            return array[:, b : b + 1]

        per_sequence = {name: cut(run.arrays[name]) for name in ("x", "dy")}
        per_sequence |= {name: row(run.arrays[name]) for name in (*STATES, "dh_n", "dc_n")}
        alone = everything(Run(run.settings | {"lengths": None}, run.arrays | per_sequence))
        for name in ("y", "dx"):
            assert_close(cut(whole[name]), alone[name], 1e-13, name)
            assert not whole[name][n:, b].any()
        for name in ("h_n", "c_n", "dh0", "dc0"):
            assert_close(row(whole[name]), alone[name], 1e-13, name)
        sums = {name: total + alone[name] for name, total in sums.items()}
    for name, total in sums.items():
        assert_close(whole[name], total, 1e-13, name)


def test_nan_beyond_a_length_is_not_read():
    run = Run.of(RAGGED, peephole=True)
    clean = everything(run)
    for b, n in enumerate(run.settings["lengths"]):
        run.arrays["x"][n:, b] = run.arrays["dy"][n:, b] = np.nan
    dirty = everything(run)
    for name, result in clean.items():
        assert np.array_equal(dirty[name], result), name


def test_nan_in_one_sequence_stays_there():
    run = Run.of(RAGGED, peephole=True)
    clean = everything(run)
    sick = int(np.argmax(run.settings["lengths"]))
    for name in ("x", *STATES, *GRADS):
        run.arrays[name][:, sick] = np.nan
    dirty = everything(run)
    others = [b for b in range(RAGGED.B) if b != sick]
    for name in ("y", "h_n", "c_n", "dx", "dh0", "dc0"):
        assert np.array_equal(dirty[name][:, others], clean[name][:, others]), name
        assert np.isnan(dirty[name][:, sick]).all(), name


def test_nan_in_the_state_of_an_empty_sequence_is_only_handed_back():
    run = Run.of(RAGGED, peephole=True)
    clean = everything(run)
    empty = int(np.argmin(run.settings["lengths"]))
    for name in (*STATES, "dh_n", "dc_n"):
        run.arrays[name][:, empty] = np.nan
    dirty = everything(run)
    for name, result in clean.items():
        if name in ("h_n", "c_n", "dh0", "dc0"):
            assert np.isnan(dirty[name][:, empty]).all(), name
        else:
            assert np.array_equal(dirty[name], result), name


@pytest.mark.parametrize("case", [case for case in AWKWARD if case.T * case.B == 0], ids=lambda case: case.id)
def test_empty_axes(case):
    run = Run.of(case, peephole=True)
    results = everything(run)
    assert results["y"].shape == (case.T, case.B, case.D * case.R)
    assert np.array_equal(results["h_n"], run.arrays["h0"])
    assert np.array_equal(results["c_n"], run.arrays["c0"])
    assert np.array_equal(results["dh0"], run.arrays["dh_n"])
    assert np.array_equal(results["dc0"], run.arrays["dc_n"])
    for name in set(run.arrays) - {*STATES, *GRADS}:
        assert results[f"d{name}"].shape == run.arrays[name].shape, name
        assert not results[f"d{name}"].any(), name


def test_inputs_are_neither_written_nor_kept():
    run = Run.of(RAGGED, peephole=True)
    expected = run.grads()
    for array in (*run.arrays.values(), run.settings["lengths"]):
        array.flags.writeable = False
    tape = run.forward()[2]
    dy, dh_n, dc_n = (run.arrays[d].copy() for d in GRADS)
    for array in (*run.arrays.values(), run.settings["lengths"]):
        array.flags.writeable = True
        array[...] = 0
    for _ in range(2):
        dx, (dh0, dc0), dparams = reference.lstm_bwd(tape, dy, (dh_n, dc_n))
        for name, result in {"x": dx, "h0": dh0, "c0": dc0, **dparams}.items():
            assert np.array_equal(result, expected[name]), name


def test_float32_is_promoted_first():
    run = Run.of(RAGGED, peephole=True)
    single = {name: a.astype(np.float32) for name, a in run.arrays.items()}
    double = {name: a.astype(np.float64) for name, a in single.items()}
    expected = everything(Run(run.settings, double))
    for name, result in everything(Run(run.settings, single)).items():
        assert result.dtype == np.float64, name
        assert np.array_equal(result, expected[name]), name


def test_absent_states_and_gradients_are_zero():
    run = Run.of(RAGGED)
    params = {name: w for name, w in run.arrays.items() if name.startswith(("weight", "bias"))}
    run.arrays |= {name: np.zeros_like(run.arrays[name]) for name in STATES}
    y, (h_n, c_n), tape = reference.lstm_fwd(run.arrays["x"], params, **run.settings)
    expected_y, (expected_h, expected_c), expected_tape = run.forward()
    for result, expected in ((y, expected_y), (h_n, expected_h), (c_n, expected_c)):
        assert np.array_equal(result, expected)
    dy, dh_n, dc_n = (run.arrays[d] for d in GRADS)
    pairs = [
        (reference.lstm_bwd(tape, dy), reference.lstm_bwd(expected_tape, dy, (0 * dh_n, 0 * dc_n))),
        (reference.lstm_bwd(tape, None, (dh_n, dc_n)), reference.lstm_bwd(expected_tape, 0 * dy, (dh_n, dc_n))),
    ]
    for result, expected in pairs:
        assert np.array_equal(result.dx, expected.dx)
        assert all(np.array_equal(*pair) for pair in zip(result.dhx, expected.dhx, strict=True))
        assert all(np.array_equal(result.dparams[name], g) for name, g in expected.dparams.items())


def test_sigmoid():
    a = np.array([-np.inf, -800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0, np.inf, np.nan])
    expected = [0.0, 0.0, math.exp(-40), 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1.0, 1.0, 1.0, np.nan]
    np.testing.assert_allclose(reference.sigmoid(a), expected, rtol=1e-15, atol=0)


H2 = {"hidden_size": 2}
PARAMS = make(Case(3, 2, 1, 2))["params"]
X = np.ones((3, 2, 1))


@pytest.mark.parametrize(
    ("error", "text", "call"),
    [
        (ValueError, "x must have shape", lambda: reference.lstm_fwd(X[0], PARAMS, **H2)),
        (TypeError, "x must be a real array", lambda: reference.lstm_fwd(X * 1j, PARAMS, **H2)),
        (TypeError, "x must be a real array", lambda: reference.lstm_fwd(X.astype(object), PARAMS, **H2)),
        (ValueError, "weight_ih_l0 must have shape", lambda: reference.lstm_fwd(X[..., [0, 0]], PARAMS, **H2)),
        (ValueError, "lacks bias_hh_l0", lambda: reference.lstm_fwd(
            X, {name: w for name, w in PARAMS.items() if name != "bias_hh_l0"}, **H2)),
        (ValueError, "weight_ih_l1", lambda: reference.lstm_fwd(X, PARAMS | {"weight_ih_l1": X}, **H2)),
        (ValueError, "has weight_hr_l0", lambda: reference.lstm_fwd(X, PARAMS | {"weight_hr_l0": X}, **H2)),
        (ValueError, "lacks peephole_l0", lambda: reference.lstm_fwd(X, PARAMS, peepholes={}, **H2)),
        (ValueError, "lacks weight_hr_l0", lambda: reference.lstm_fwd(
            X, PARAMS | {"weight_hh_l0": np.ones((8, 1))}, proj_size=1, **H2)),
        (ValueError, r"hx\[1\] must have shape", lambda: reference.lstm_fwd(
            X, PARAMS, (np.ones((1, 2, 2)), np.ones((1, 1, 2))), **H2)),
        (TypeError, "lengths must be integers", lambda: reference.lstm_fwd(X, PARAMS, lengths=[1.0, 2.0], **H2)),
        (ValueError, "lengths must have shape", lambda: reference.lstm_fwd(X, PARAMS, lengths=[1], **H2)),
        (ValueError, "lie in 0..3", lambda: reference.lstm_fwd(X, PARAMS, lengths=[1, 4], **H2)),
        (ValueError, "lie in 0..3", lambda: reference.lstm_fwd(X, PARAMS, lengths=[-1, 1], **H2)),
        (ValueError, "dy must have shape", lambda: reference.lstm_bwd(
            reference.lstm_fwd(X, PARAMS, **H2)[2], np.ones((3, 2, 1)))),
    ],
)
def test_refusals(error, text, call):
    with pytest.raises(error, match=text):
        call()


def test_the_awkward_list_is_what_it_says():
    assert len({case.id for case in AWKWARD}) == len(AWKWARD) >= 35
    for case in AWKWARD:
        double, single = make(case, seed=3), make(case, seed=3, dtype=np.float32)
        for name in ("x", *STATES, *GRADS):
            assert np.all(double[name] != 0), name
            assert np.array_equal(single[name], double[name].astype(np.float32)), name
        assert all(np.all(w != 0) for w in double["params"].values())
        if case.ragged and case.B >= 3 and case.T >= 2:
            assert {0, case.T} < set(double["lengths"].tolist())
