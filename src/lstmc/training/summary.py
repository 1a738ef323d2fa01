"""The table that `model.summary()` prints."""

from lstmc.nn import checks


def table(model):
    """The lines: for each layer its name and class, the shape of its output, its weights, and in a graph that is no row what it is called on."""
    if model.graph is None:
        rows = [(f"{layer.name} ({type(layer).__name__})", "?", "?") for layer in model.layers]
        yield from _drawn(model, [("Layer (type)", "Output shape", "Parameters"), *rows])
        yield " Not built: shapes are known after Input(shape) or the first call"
        return
    g = model.graph
    shown, rows, seen, a_row = set(map(id, model.layers)), [], set(), _is_a_row(g)
    for t in g.inputs:
        if id(t.call.layer) in shown:
            rows.append((_title(t.call.layer), checks.shape_text(t.shape), "0", "-"))
    for step in g.steps:
        shapes = [checks.shape_text(g.tensors[i].shape) for i in step.outputs]
        before = [_source(g.tensors[i]) for i in step.inputs + step.states]
        count = "0" if id(step.layer) in seen else f"{step.layer.count_params():,}"
        seen.add(id(step.layer))
        for n in range(max(len(shapes), 1 if a_row else len(before))):
            rows.append((_title(step.layer) if n == 0 else "", shapes[n] if n < len(shapes) else "", count if n == 0 else "",
                         before[n] if n < len(before) else ""))
    head = ("Layer (type)", "Output shape", "Parameters", "Called on")
    yield from _drawn(model, [row[:3] if a_row else row for row in [head, *rows]])
    total, trained = model.count_params(), sum(w.size for w in model.trainable_weights)
    yield f" Total parameters: {total:,} ({total * model.dtype.itemsize / 1024:,.1f} KiB)"
    if trained < total:
        yield f" Trainable: {trained:,}, not trainable: {total - trained:,}"


def _title(layer):
    return f"{layer.name} ({type(layer).__name__})"


def _source(tensor):
    return tensor.name if len(tensor.call.outputs) == 1 else f"{tensor.name}[{tensor.index}]"


def _is_a_row(graph):
    """Whether each call takes what the one before gives."""
    n = 0
    for step in graph.steps:
        if step.inputs != (n,) or step.states or len(step.outputs) != 1:
            return False
        n = step.outputs[0]
    return len(graph.inputs) == len(graph.kept) == 1


def _drawn(model, rows):
    yield f'Model: "{model.name}"'
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for i, row in enumerate(rows):
        cells = [f"{c:>{w}}" if n == 2 else f"{c:<{w}}" for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        yield (" " + "  ".join(cells)).rstrip()
        if not i:
            yield " " + "-" * (sum(widths) + 2 * (len(widths) - 1))
