"""History: what it shows, and its plot, drawn here by a stand-in for matplotlib that takes notes."""

import sys
from types import ModuleType

import numpy as np
import pytest

from lstmc.callbacks import History
from recipes import build

pytestmark = pytest.mark.once


class Axes:
    def __init__(self):
        self.curves, self.title, self.visible = {}, None, True
        self.xaxis = self

    def plot(self, x, y, label, marker, markersize):
        assert len(x) == len(y)
        self.curves[label] = (list(x), list(y))

    def set_title(self, title):
        self.title = title

    def set_xlabel(self, text):
        assert text == "epoch"

    def set_visible(self, visible):
        self.visible = visible

    def set_major_locator(self, locator):
        assert locator == "whole numbers"

    def legend(self):
        assert self.curves


@pytest.fixture
def drawn(monkeypatch):
    """The axes that a plot used, in order, and the figure that it made."""
    found = []

    def subplots(rows, columns, squeeze, figsize, layout):
        grid = np.array([[Axes() for _ in range(columns)] for _ in range(rows)])
        found.extend(grid.flat)
        return "the figure", grid

    pyplot, ticker = ModuleType("matplotlib.pyplot"), ModuleType("matplotlib.ticker")
    pyplot.subplots, ticker.MaxNLocator = subplots, lambda integer: "whole numbers"
    for module in (ModuleType("matplotlib"), pyplot, ticker):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys.modules["matplotlib"], "pyplot", pyplot, raising=False)
    return found


def test_a_panel_for_every_result(drawn):
    model, x, y, _ = build("last")
    history = model.fit(x, y, epochs=5, validation_data=(x, y), validation_freq=[1, 4], verbose=0)
    assert history.plot() == "the figure"
    assert [a.title for a in drawn] == ["loss", "accuracy"]
    for a in drawn:
        assert a.curves == {"training": ([1, 2, 3, 4, 5], history.history[a.title]), "validation": ([1, 4], history.history[f"val_{a.title}"])}


def test_many_results_and_those_that_were_put_in_by_hand(drawn):
    history = History()
    history.history = {"val_b": [1.0], "a": [1.0, 2.0], "loss": [2.0, 1.0], "b": [3.0, 4.0], "c": [0.0, 0.0]}
    history.plot()
    assert [(a.title, a.visible) for a in drawn] == [("loss", True), ("b", True), ("a", True), ("c", True), (None, False), (None, False)]
    assert drawn[1].curves == {"validation": ([1], [1.0]), "training": ([1, 2], [3.0, 4.0])}


def test_nothing_to_plot_and_nothing_to_plot_with(drawn, monkeypatch):
    with pytest.raises(ValueError, match="expected at least one epoch"):
        History().plot()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'History.plot needs matplotlib: pip install "lstmc\[plot\]"'):
        History().plot()


def test_what_a_history_shows():
    assert repr(History()) == "<History: 0 epochs>"
    history = History()
    history.on_epoch_end(0, {"loss": 0.26123, "val_loss": np.float64(0.5), "lr": "high"})
    assert repr(history) == "<History: 1 epoch, loss 0.2612, val_loss 0.5, lr>"
