"""Steps that need not be run: an initial state of zeros, which recurrent nodes begin with anyway, and what nothing takes."""

from lstmc.interchange.onnx import cells

STATES = ("initial_h", "initial_c")
REPEATS = {"Expand", "Slice", "Identity", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Tile"}     # whose values are those of their first input


def fused(steps, outputs):
    """Steps that have the outputs of these, fewer of them."""
    return needed(without_zeros(steps), outputs) if all_new(steps) else steps


def all_new(steps):
    """Whether no step makes a name that was made or taken before, as in a branch that hides a name around it."""
    seen = set()
    for step in steps:
        seen.update(step.inputs)
        made = [name for name in step.outputs if name]
        if not seen.isdisjoint(made):
            return False
        seen.update(made)
    return True


def without_zeros(steps):
    """Recurrent nodes begin with zeros by themselves, of the size that their batch has."""
    zeros, found = set(), []
    for step in steps:
        if step.node is not None and makes_zeros(step, zeros):
            zeros.update(step.outputs)
        if step.node is not None and step.node.op in cells.CELLS:
            kept = [i for i, letter in enumerate(cells.CELLS[step.node.op][3][:len(step.inputs)]) if letter not in STATES or not zero(step, i, zeros)]
            step = step._replace(inputs=[name if i in kept else "" for i, name in enumerate(step.inputs)],
                                 constants=[value if i in kept else None for i, value in enumerate(step.constants)])
        found.append(step)
    return found


def makes_zeros(step, zeros):
    """Whether all values of a step's output are 0, however many there are."""
    if step.node.op == "ConstantOfShape":
        return is_zero(step.node.tensor("value")) if "value" in step.node.attributes else True
    if step.node.op not in REPEATS or len(step.outputs) != 1:
        return False
    return zero(step, 0, zeros)


def zero(step, i, zeros):
    """Whether all values of an input are 0."""
    value = step.constants[i]
    return step.inputs[i] in zeros if value is None else is_zero(value)


def is_zero(value):
    """Whether all values are 0 of floats, and none -0."""
    return value.dtype.kind == "f" and not value.view(f"u{value.itemsize}").any()


def needed(steps, outputs):
    """Those whose outputs something takes."""
    wanted, found = set(outputs), []
    for step in reversed(steps):
        if wanted.intersection(step.outputs):
            wanted.update(filter(None, step.inputs))
            found.append(step)
    return found[::-1]
