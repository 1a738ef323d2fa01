"""The examples: each runs, small, as it stands in `examples/` beside this folder, learns something, and needs nothing of lstmc that Keras has not."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lstmc import Input, Sequential, layers, threads

pytestmark = pytest.mark.once

FOLDER = Path(__file__).parents[1] / "examples"
# Settings of a second or two, and what shows that the model has learned: beside what is had without learning, in comments.
LEARNED = {
    "classify_source": ({"epochs": 5, "blocks": 30}, lambda accuracy: accuracy > 0.4),                              # 0.1
    "read_digits": ({"epochs": 5}, lambda accuracy: accuracy > 0.7),                                                # 0.1
    "sum_of_row": ({"epochs": 15}, lambda found: found[0] < 3 and abs(found[1] - 39) < 5),                          # 7.6
    "character_names": ({"epochs": 2, "most": 5000}, lambda accuracy: accuracy > 0.8),                              # 0.61
    "forecast_temperature": ({"epochs": 15}, lambda errors: errors["this model"] < errors["seasonal naive"] - 0.3),
    "write_text": ({"epochs": 4, "most": 40000, "units": 64, "length": 20}, lambda accuracy: accuracy > 0.22),      # 0.16, for spaces
    "find_code": ({"epochs": 5}, lambda found: found[0] > found[1] + 0.04),
    "translate_dates": ({"epochs": 6, "count": 6000, "units": 48, "rate": 0.01}, lambda right: right > 0.4),        # 0
    "add_numbers": ({"epochs": 7, "count": 3000, "rate": 0.01}, lambda right: right > 0.2),                         # 0.01
    "stateful_sunspots": ({"epochs": 40}, lambda errors: errors[0] < errors[1] - 8),
    "find_el_nino": ({}, lambda years: {1983, 1997, 1998} <= set(years)),
    "recite": ({"epochs": 40, "step": 1, "most": 120}, lambda right: right > 50),                                   # 20, those given
}


def load(name):
    """The module of an example, as a fresh one."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", LEARNED)
def test_an_example_runs_and_learns(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings, learned = LEARNED[name]
    with threads(1):        # the same bits, without waiting for a second core that others have
        found = load(name).main(**settings)
    shown = capsys.readouterr().out
    assert learned(found), f"{found}\n{shown}"
    assert len(shown.splitlines()) >= 2


def test_a_picture_is_drawn_where_matplotlib_is(tmp_path, capsys):
    load("forecast_temperature").main(epochs=1, picture=tmp_path / "picture.png")
    drawn = importlib.util.find_spec("matplotlib") is not None
    assert (tmp_path / "picture.png").exists() == drawn
    assert ("picture: " if drawn else "pip install matplotlib") in capsys.readouterr().out


def test_images_that_are_not_there_are_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="python -m pip install scikit-learn"):
        load("read_digits")


@pytest.mark.parametrize("first", [[layers.LSTM(5, input_shape=(10, 1))], [Input((10, 1)), layers.LSTM(5)]], ids=["input_shape", "Input"])
def test_flat_rows_are_refused_with_the_way_to_reshape_them(first):
    model = Sequential([*first, layers.Dense(1)])
    model.compile("adam", "mse")
    data = np.random.default_rng(0).integers(0, 10, (1000, 10))
    for _ in range(2):      # before the weights are there, and afterwards
        with pytest.raises(ValueError, match=r"received \((1000|None), 10\); x\.reshape\(-1, 10, 1\) makes sequences of the columns"):
            model.fit(data, data.sum(1))
        model.build((None, 10, 1))


@pytest.mark.parametrize("name", LEARNED)
def test_only_import_lines_name_the_package(name):
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    imports = {node.lineno for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))}
    docstring = ast.get_docstring(tree)
    lines = {n for n, line in enumerate(text.splitlines(), 1) if "lstmc" in line and n > tree.body[0].end_lineno}
    assert lines
    assert lines <= imports
    assert "With keras in place of lstmc in the imports" in " ".join(docstring.replace("`", "").split())
    assert re.search(r"\bseconds?\b", docstring)
