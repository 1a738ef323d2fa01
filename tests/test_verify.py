"""The proof that an importer asks for: which inputs it is made of, what it measures, when it raises."""

import math

import numpy as np
import pytest

from lstmc import nn
from lstmc.interchange import verify
from lstmc.interchange.verify import Spec

pytestmark = pytest.mark.once

SPECS = {"x": Spec(("T", "B", 3)), "lengths": Spec(("B",), lengths=True), "h_0": Spec((1, "B", 4), optional=True)}


def engine(m, change=lambda inputs, outputs: outputs):
    def run(inputs):
        y, h_n = m(inputs["x"], inputs.get("h_0"), inputs.get("lengths"))
        return change(inputs, {"y": y, "h_n": h_n})

    return run


def test_every_kind_of_input_comes_and_comes_again():
    found = list(verify.cases(SPECS, "float32"))
    again = list(verify.cases(SPECS, "float32"))
    assert [c.name for c in found] == [c.name for c in again]
    for c, d in zip(found, again, strict=True):
        assert c.inputs.keys() == d.inputs.keys()
        assert all(np.array_equal(c.inputs[k], d.inputs[k]) for k in c.inputs)
    assert {c.inputs["x"].shape[:2] for c in found} == {(1, 1), (9, 1), (1, 5), (9, 5)}
    largest = {c.name.split()[0]: np.abs(c.inputs["x"]).max() for c in found}
    assert largest["zeros"] == 0
    assert 0 < largest["denormal"] < np.finfo(np.float32).smallest_normal
    assert largest["large"] > 900
    assert largest["alternating"] == 1
    for kind in largest:
        mine = [c for c in found if c.name.startswith(kind)]
        assert {"lengths" in c.inputs for c in mine} == {"h_0" in c.inputs for c in mine} == {False, True}
    assert all(1 <= n <= 9 for c in found if "lengths" in c.inputs for n in c.inputs["lengths"])
    assert all(a.dtype == (np.int64 if k == "lengths" else np.float32) for c in found for k, a in c.inputs.items())


def test_padding_and_whole_numbers():
    specs = {"x": Spec(("B", "T", 2), padding=-1.0), "words": Spec(("B", "T"), below=9, low=1, padding=0), "size": Spec((2,), scaled=False)}
    found = list(verify.cases(specs, "float64"))
    ragged = [c.inputs for c in found if "ragged" in c.name]
    assert any((i["words"] == 0).any() for i in ragged)
    for i in ragged:
        ends = (i["words"] > 0).sum(1)
        assert (ends >= 1).all()
        for row, words, n in zip(i["x"], i["words"], ends, strict=True):
            assert (row[n:] == -1).all()
            assert (words[:n] > 0).all()
    assert all((c.inputs["words"] > 0).all() for c in found if "ragged" not in c.name)
    assert max(np.abs(c.inputs["size"]).max() for c in found) < 10


def test_equal_engines_pass_and_the_table_says_so():
    m, shown = nn.RNN(3, 4, seed=0), []
    report = verify.verify(engine(m), engine(m), SPECS, what="one against itself", print_fn=shown.append)
    assert report.ok
    assert [(r.output, r.difference) for r in report.rows] == [("y", 0), ("h_n", 0)]
    assert shown == [str(report)]
    assert shown[0].startswith("one against itself: 30 cases in float32, no difference is larger than rounding\n"
                               "output  difference  allowed  in the case\ny       0           2e-05    random B=1 T=1 ")


def test_a_difference_is_named():
    m = nn.RNN(3, 4, seed=0)

    def later(inputs, outputs):
        return {**outputs, "h_n": outputs["h_n"] + np.float32(1e-3) * (len(inputs["x"]) > 1 and not inputs["x"].any())}

    report = verify.compare(engine(m), engine(m, later), SPECS)
    assert not report.ok
    assert [(r.output, round(r.difference, 6), r.case) for r in report.rows] == [("y", 0, "random B=1 T=1 without optional inputs"),
                                                                                 ("h_n", 0.001, "zeros B=1 T=9")]
    shown = []
    with pytest.raises(ValueError, match=r"expected output 'h_n' within 2e-05 .* received a difference of 0\.001 in the case 'zeros B=1 T=9'"):
        verify.verify(engine(m), engine(m, later), SPECS, print_fn=shown.append)
    assert "DIFFERENCES ARE larger than rounding" in shown[0]
    assert verify.compare(engine(m), engine(m, later), SPECS, tolerance=2e-3).ok


@pytest.mark.parametrize(("want", "got", "expected"), [
    ([1.0, 2.0], [1.0, 2.5], 0.25),
    ([0.1, 0.2], [0.1, 0.3], 0.1),
    ([np.nan, 1], [np.nan, 1], 0),
    ([np.inf, 1], [np.inf, 1], 0),
    ([np.inf, 1], [-np.inf, 1], math.inf),
    ([np.nan, 1], [1, 1], math.inf),
    ([1, 1], [1, np.nan], math.inf),
    ([], [], 0),
])
def test_differences(want, got, expected):
    assert verify.difference(np.array(want), np.array(got)) == pytest.approx(expected, rel=1e-12)


def test_names_and_shapes_must_be_the_same():
    m = nn.RNN(3, 4, seed=0)
    with pytest.raises(ValueError, match="expected the outputs y, h_n, received y"):
        verify.compare(engine(m), engine(m, lambda inputs, outputs: {"y": outputs["y"]}), SPECS)
    with pytest.raises(ValueError, match=r"expected output 'h_n' of shape \(1, 1, 4\), as the source's, received \(1, 4\)"):
        verify.compare(engine(m), engine(m, lambda inputs, outputs: {**outputs, "h_n": outputs["h_n"][0]}), SPECS)


def test_what_the_source_amplifies_is_allowed():
    """Weights that make chaos: two engines that round differently, float32 and float64, differ by more than the tolerance, but not by more than that."""
    m = nn.RNN(3, 32, num_layers=2, seed=0)
    for w in m.parameters():
        w *= 10
    other = nn.RNN(3, 32, num_layers=2, dtype="float64")
    other.load_state_dict(m.state_dict())
    specs = {"x": Spec(("T", "B", 3))}

    def precise(inputs):
        y, h_n = other(inputs["x"].astype(np.float64))
        return {"y": y.astype(np.float32), "h_n": h_n.astype(np.float32)}

    report = verify.compare(engine(m), precise, specs)
    assert report.ok
    assert max(r.difference for r in report.rows) > 2e-5
    assert all(r.allowed < 0.1 for r in report.rows)
    assert not verify.compare(engine(m), lambda inputs: {name: -a for name, a in precise(inputs).items()}, specs).ok


def test_what_one_change_happens_not_to_move_is_allowed():
    """A source that the first change of the last digits does not move, as where changes cancel, but the next does."""
    calls = []

    def theirs(inputs):
        calls.append(inputs)
        return {"y": np.array([1e-5 if len(calls) % (1 + verify.PROBES) == 0 else 0])}

    def report(y):
        return verify.compare(theirs, lambda inputs: {"y": np.array([y])}, {"x": Spec((2,))})

    assert report(1.5e-4).ok
    assert not report(1.7e-4).ok


def test_inputs_beside():
    a, rng = np.array([[1.5, -1.0], [0.0, 3e5]], np.float32), np.random.default_rng(0)
    near = verify.beside(a, -1.0, rng)
    assert near.dtype == a.dtype
    assert near[0, 1] == -1
    assert near[1, 0] == 0
    assert (near != a).sum() == 2
    assert np.allclose(near, a, rtol=2e-7, atol=0)
    whole = np.arange(3)
    assert np.array_equal(verify.beside(whole, None, rng), whole)
