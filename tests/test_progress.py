"""The progress line: fitted to the terminal, one clean line where there is none."""

import io
import os
import re
import sys
from types import ModuleType

import pytest

from lstmc import console
from lstmc.training import progress
from lstmc.training.progress import Progress

pytestmark = pytest.mark.once

MANY = {f"metric_number_{n}": 0.5 for n in range(12)} | {"loss": 0.25, "val_loss": 1e-5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes standard output a terminal of so many columns."""
    def of(columns):
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((columns, 24)))
        return stream

    monkeypatch.setattr(progress, "INTERVAL", 0)
    return of


def drawn(stream):
    """Each state of the line."""
    return stream.getvalue().removesuffix("\n").split("\r")[1:]


@pytest.mark.parametrize("columns", [1, 12, 30, 60, 80, 100, 200, 500])
def test_no_line_is_wider_than_the_terminal(terminal, columns):
    stream = terminal(columns)
    line = Progress(1, 40, "Epoch 3/10 - ")
    for step in range(1, 41):
        line.update(step, MANY)
    line.end(40, MANY)
    states = drawn(stream)
    assert len(states) == 41
    assert max(map(len, states)) < columns or columns == 1
    assert stream.getvalue().count("\n") == 1


def test_what_is_left_out(terminal):
    line = Progress(1, 40, "Epoch 3/10 - ")
    stream = terminal(500)
    line.update(20, MANY)
    wide = drawn(stream)[-1]
    assert re.fullmatch(r"Epoch 3/10 - 20/40 \[=+>\.+\] \d+\.\ds left \d+[um]s/step( - metric_number_\d+: 0\.5000){12} "
                        r"- loss: 0\.2500 - val_loss: 1\.0000e-05", wide)
    stream = terminal(100)
    line.update(21, MANY)
    assert re.fullmatch(r"Epoch 3/10 - 21/40 - \d\.\ds left \d+[um]s/step - loss: 0\.2500 - val_loss: 1\.0000e-05 \.\.\. *", drawn(stream)[-1])
    stream = terminal(40)
    line.update(22, MANY)
    assert re.fullmatch(r"Epoch 3/10 - 22/40 - \d\.\ds left \.\.\. *", drawn(stream)[-1])


def test_a_shorter_line_covers_the_one_before(terminal):
    stream = terminal(80)
    line = Progress(1, None)
    line.update(1, {"loss": 0.5, "another": 1.0})
    line.end(2, {})
    first, second = drawn(stream)
    assert len(first) == len(second)
    assert second.rstrip().endswith("/step")


def test_time_left_and_steps_that_nobody_knows(terminal, monkeypatch):
    now = iter([100.0, 110.0, 112.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(now))
    stream = terminal(120)
    line = Progress(1, 4)
    line.update(1, {})
    line.end(4, {})
    assert [re.sub(r"\[.*\] ", "", text).rstrip() for text in drawn(stream)] == ["1/4 30.0s left 10.0s/step", "4/4 12.0s 3.0s/step"]
    now = iter([0.0, 12.34])
    stream = terminal(120)
    Progress(1, None).update(3, {})
    assert drawn(stream) == ["3 - 12.3s 4.1s/step"]


def test_a_pipe_gets_one_clean_line(capsys):
    line = Progress(console.verbosity("auto"), 2, "Epoch 1/1 - ")
    for step in (1, 2):
        line.update(step, MANY)
    line.end(2, MANY)
    out = capsys.readouterr().out
    assert re.fullmatch(r"Epoch 1/1 - 2/2 - \d\.\ds \d+us/step( - metric_number_\d+: 0\.5000){12} - loss: 0\.2500 - val_loss: 1\.0000e-05\n", out)


def test_a_notebook_redraws(monkeypatch):
    class OutStream(io.StringIO):
        pass

    OutStream.__module__ = ModuleType("ipykernel.iostream").__name__
    monkeypatch.setattr(sys, "stdout", OutStream())
    assert console.verbosity("auto") == 1
    line = Progress(1, 2)
    line.end(2, MANY)
    assert sys.stdout.getvalue().startswith("\r2/2 [====")
    assert sys.stdout.getvalue().count("\n") == 1


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.0s"), (12.34, "12.3s"), (59.94, "59.9s"), (59.96, "1m00s"), (185, "3m05s"), (7620, "2h07m")])
def test_clock(seconds, text):
    assert progress.clock(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(45e-6, "45us"), (999.7e-6, "1ms"), (0.012, "12ms"), (0.9996, "1.0s"), (3.14, "3.1s")])
def test_duration(seconds, text):
    assert progress.duration(seconds) == text
