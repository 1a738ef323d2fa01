"""Small programs that Keras runs, too, by its numbers: shared layers, several inputs and outputs, seq2seq, normalisation, penalties."""

import sys
from pathlib import Path

import numpy as np
import pytest

import lstmc

GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))
from programs import PROGRAMS, results  # noqa: E402

FILE = dict(np.load(GOLDEN / "programs.npz"))
pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_keras(name):
    wanted = {key.partition("/")[2]: a for key, a in FILE.items() if key.startswith(f"{name}/")}
    before = [wanted[f"before{n}"] for n in range(sum(key.startswith("before") for key in wanted))]
    found = results(lstmc, name, before)
    assert sorted(found) == sorted(wanted)
    for key, a in wanted.items():
        assert np.shape(found[key]) == a.shape, key
        # In float32 Keras rounds tanh and what normalises; the steps carry that on.
        assert np.abs(found[key] - a).max() < 2e-5 * max(1, np.abs(a).max()), key
    assert any(np.abs(found[f"after{n}"] - w).max() > 1e-3 for n, w in enumerate(before))


def test_the_file_is_what_it_says():
    assert str(FILE["keras_version"]).startswith("3.15.")
    assert {key.partition("/")[0] for key in FILE} == {*PROGRAMS, "keras_version"}
