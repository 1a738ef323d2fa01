"""examples/ctc_speech.py in a small setting: it learns, and says so."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "ctc_speech.py"

pytestmark = pytest.mark.once


def test_words_from_sounds(capsys):
    names = runpy.run_path(str(EXAMPLE))
    assert [names["distance"](*pair) for pair in (("", "ab"), ("lemon", "melon"), ("mile", "mile"), ("one", "none"))] == [2, 2, 0, 1]
    greedy, beam = names["main"](n=640, tests=40, epochs=14, units=32)
    assert max(greedy, beam) < 0.25
    printed = capsys.readouterr().out
    assert f"letter error rate: greedy {greedy:.1%}, beam {beam:.1%}" in printed
    assert printed.count("\n") > 20
