"""The progress line: one per epoch, redrawn in place on a terminal."""

import time

import numpy as np

from lstmc import console

INTERVAL = 0.05     # seconds between two drawings of a line


class Progress:
    """Prints `title 9/9 - 0s 12ms/step - accuracy: 0.9444 - loss: 0.2612` for one pass over the data; steps is None where nobody knows them."""

    def __init__(self, verbose, steps, title=""):
        self.verbose, self.steps, self.title = verbose, steps, title
        self.start, self.drawn, self.width, self.step = time.perf_counter(), 0.0, 0, 0

    def update(self, step, logs):
        """After `step` batches."""
        self.step = step
        now = time.perf_counter()
        if self.verbose == 1 and now - self.drawn >= INTERVAL:
            self.drawn = now
            clock = now - self.start
            self._draw(step, f"{clock:.0f}s" if self.steps is None else f"{clock / step * (self.steps - step):.0f}s left", now, logs, "")

    def end(self, step, logs):
        """After the last batch, with the results of the whole pass."""
        if self.verbose:
            now = time.perf_counter()
            self._draw(step, f"{now - self.start:.0f}s", now, logs, "\n")

    def _draw(self, step, clock, now, logs, end):
        count = f"{step}" if self.steps is None else f"{step:{len(str(self.steps))}d}/{self.steps}"
        parts = [f"{self.title}{count}", f"{clock} {duration((now - self.start) / max(step, 1))}/step"]
        means = {name: float(np.mean(value)) for name, value in logs.items()}       # of a metric with a value for each output, as in Keras
        parts += [f"{name}: {value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{name}: {value:.4e}" for name, value in means.items()]
        line = " - ".join(parts)
        start = "\r" if self.verbose == 1 else ""
        if not console.say(start + line + " " * (self.width - len(line) if self.verbose == 1 else 0), end):
            self.verbose = 0
        self.width = len(line)


def duration(seconds):
    """'12ms', '3s' or '450us'."""
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"
