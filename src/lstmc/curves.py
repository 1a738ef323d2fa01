"""Curves of a training: a panel for each result of `fit`, its validation beside it. Needs matplotlib."""


def panels(history):
    """name -> {label: values}, the loss first: a result and that of its validation share a panel."""
    found = {}
    for name, values in history.items():
        found.setdefault(name.removeprefix("val_"), {})["validation" if name.startswith("val_") else "training"] = values
    return dict(sorted(found.items(), key=lambda panel: panel[0] != "loss"))


def figure(history):
    """The figure for a `History`, made by matplotlib.pyplot; a notebook shows it, elsewhere `matplotlib.pyplot.show()` or its `savefig(path)`."""
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise ImportError('History.plot needs matplotlib: pip install "lstmc[plot]"') from None
    found = panels(history.history)
    if not found:
        raise ValueError("History.plot: expected at least one epoch, received none")
    columns = min(len(found), 3)
    rows = -(-len(found) // columns)
    made, grid = pyplot.subplots(rows, columns, squeeze=False, figsize=(4.5 * columns, 3.2 * rows), layout="constrained")
    for axes, (name, curves) in zip(grid.flat, found.items(), strict=False):
        for label, values in curves.items():
            at = epochs_of(history, f"val_{name}" if label == "validation" else name, len(values))
            axes.plot(at, values, label=label, marker="o" if len(values) < 20 else None, markersize=3)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    for axes in grid.flat[len(found):]:
        axes.set_visible(False)
    return made


def epochs_of(history, name, n):
    """The numbers of the epochs, the first of which is 1, with this result: not all, where not every epoch was validated."""
    at = history.places.get(name, history.epoch)
    return [epoch + 1 for epoch in at] if len(at) == n else list(range(1, n + 1))


def described(history):
    """'<History: 3 epochs, loss 0.2612, val_loss 0.3>': the last values."""
    n = len(history.epoch)
    last = [f"{name} {values[-1]:.4g}" if isinstance(values[-1], (int, float)) else name for name, values in history.history.items() if values]
    return f"<History: {', '.join([f'{n} epoch' + 's' * (n != 1), *last])}>"
