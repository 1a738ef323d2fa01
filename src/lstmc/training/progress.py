"""The progress line: one per epoch, redrawn in place on a terminal, never wider than it."""

import time

import numpy as np

from lstmc import console

INTERVAL = 0.05     # seconds between two drawings of a line
BAR = range(10, 31)     # columns that a bar may take


class Progress:
    """Prints `title 7/9 [======>..] 0.2s left 12ms/step - accuracy: 0.9444 - loss: 0.2612` for one pass over the data.

    Parameters
    ----------
    verbose : {0, 1, 2}
        Silent; redrawn while it goes on, with a bar; one line at the end.
    steps : int or None
        None where nobody knows them.
    title : str
    """

    def __init__(self, verbose, steps, title=""):
        self.verbose, self.steps, self.title = verbose, steps, title
        self.start, self.drawn, self.width, self.step = time.perf_counter(), 0.0, 0, 0

    def update(self, step, logs):
        """After `step` batches."""
        self.step = step
        now = time.perf_counter()
        if self.verbose == 1 and now - self.drawn >= INTERVAL:
            self.drawn = now
            passed = now - self.start
            left = clock(passed) if self.steps is None else f"{clock(passed / step * max(self.steps - step, 0))} left"
            self._draw(step, left, passed, logs, "")

    def end(self, step, logs):
        """After the last batch, with the results of the whole pass."""
        if self.verbose:
            passed = time.perf_counter() - self.start
            self._draw(step, clock(passed), passed, logs, "\n")

    def _draw(self, step, time_text, passed, logs, end):
        count = f"{step}" if self.steps is None else f"{step:{len(str(self.steps))}d}/{self.steps}"
        head, speed = f"{self.title}{count}", f" {duration(passed / max(step, 1))}/step"
        metrics = {name: f" - {name}: {number(value)}" for name, value in logs.items()}
        width = console.columns()
        if self.verbose == 2:
            start, blank, line = "", 0, f"{head} - {time_text}{speed}{''.join(metrics.values())}"
        else:
            start, line = "\r", self._fitted(head, step, time_text, speed, metrics, width)
            blank = max((self.width if width is None else min(self.width, width)) - len(line), 0)
        if not console.say(start + line + " " * blank, end):
            self.verbose = 0
        self.width = len(line)

    def _fitted(self, head, step, time_text, speed, metrics, width):
        """The line in `width` columns, any if None: first the bar goes, then metrics but those of the loss, the speed, and what is left is cut."""
        room = BAR[-1] if width is None else width - len(f"{head} {time_text}{speed}{''.join(metrics.values())}") - 1
        if self.steps and room >= BAR[0]:
            return f"{head} {bar(step / self.steps, min(room, BAR[-1]))} {time_text}{speed}{''.join(metrics.values())}"
        line, end = f"{head} - {time_text}{speed}", " ..."
        if width is None or len(line + "".join(metrics.values())) <= width:
            return line + "".join(metrics.values())
        room, kept = width - len(line) - len(end), set()
        for name in sorted(metrics, key=lambda name: name not in ("loss", "val_loss")):
            if len(metrics[name]) <= room:
                kept.add(name)
                room -= len(metrics[name])
        line = line if kept else line.removesuffix(speed)
        return (line + "".join(text for name, text in metrics.items() if name in kept) + end)[:width]


def bar(share, width):
    """'[====>.....]'."""
    done = min(int(share * (width - 2)), width - 2)
    return f"[{('=' * done + ('>' if done < width - 2 else '')).ljust(width - 2, '.')}]"


def number(value):
    """Four decimals, or four digits of what is small; of a metric with a value for each output their mean, as in Keras."""
    value = float(np.mean(value))
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def clock(seconds):
    """'12.3s', '3m05s' or '2h07m'."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def duration(seconds):
    """'12ms', '3.1s' or '450us'."""
    if seconds >= 0.9995:
        return clock(seconds)
    return f"{seconds * 1e3:.0f}ms" if seconds >= 0.9995e-3 else f"{seconds * 1e6:.0f}us"
