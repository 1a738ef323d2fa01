"""Steps that need not be run: an initial state of zeros, which recurrent nodes begin with anyway, a choice between a state and such zeros where a
sequence has no steps, another name for what has one, and what nothing takes. Steps that are one: a product and its bias; see `stacks.py`, too."""

from collections import Counter

from lstmc.interchange.onnx import cells
from lstmc.interchange.onnx.products import dense
from lstmc.interchange.onnx.stacks import stacked

STATES = ("initial_h", "initial_c")
COLUMN = ([0, 2], [1], [-1])        # axes that make of (B,) what stands beside a state (D, B, H)
REPEATS = {"Expand", "Slice", "Identity", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Tile"}     # whose values are those of their first input


def fused(steps, outputs):
    """(steps, names): fewer steps, and for each of the outputs the name of what it is."""
    if not all_new(steps):
        return steps, outputs
    steps, names = renamed(without_choices(steps), outputs)
    return stacked(with_biases(needed(without_zeros(steps), names), names), names), names


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


def without_choices(steps):
    """Where(lengths > 0, final state, initial state) is the final state where the initial one is 0: that of a sequence without steps is 0 anyway."""
    zeros, ends, longer, found = set(), {}, {}, []
    for step in steps:
        op = step.node.op if step.node is not None else None
        if op is not None and makes_zeros(step, zeros):
            zeros.update(step.outputs)
        if op in cells.CELLS and len(step.inputs) > 4 and step.inputs[4] and not step.node.int("layout", 0, 0, 1):
            for name, initial in zip(step.outputs[1:], step.inputs[5:7], strict=False):
                ends[name] = (step.inputs[4], initial)
        elif op == "Greater" and step.constants[1] is not None and step.constants[1].size == 1 and not step.constants[1].any():
            longer[step.outputs[0]] = (step.inputs[0], False)
        elif op == "Unsqueeze" and step.inputs[0] in longer and len(step.inputs) > 1 and step.constants[1] is not None and step.constants[1].tolist() in COLUMN:
            longer[step.outputs[0]] = (longer[step.inputs[0]][0], True)
        elif op == "Where" and step.inputs[1] in ends and zero(step, 2, zeros):
            lengths, initial = ends[step.inputs[1]]
            if initial and initial == step.inputs[2] and longer.get(step.inputs[0]) == (lengths, True):     # in columns: (B, 1)
                step = step._replace(function=same, inputs=[step.inputs[1]], constants=[None], node=None)
        found.append(step)
    return found


def same(a):
    """What a step with nothing to do computes."""
    return a


def renamed(steps, outputs):
    """(steps, names) without steps that give another name to what has one."""
    names, found = {}, []
    for step in steps:
        step = step._replace(inputs=[names.get(name, name) for name in step.inputs])
        nothing = step.function is same or (step.node is not None and step.node.op == "Identity")
        if nothing and step.constants[0] is None:
            names[step.outputs[0]] = step.inputs[0]
        else:
            found.append(step)
    return found, [names.get(name, name) for name in outputs]


def with_biases(steps, outputs):
    """A product with a constant matrix, to which a constant vector is added, is one step, as in a dense layer."""
    uses, found, at = Counter([*outputs, *(name for step in steps for name in step.inputs)]), [], {}
    for step in steps:
        op = step.node.op if step.node is not None else None
        if op == "MatMul" and step.constants[0] is None and step.constants[1] is not None and step.constants[1].ndim == 2:
            at[step.outputs[0]] = len(found)
        elif op == "Add":
            for a, b in ((0, 1), (1, 0)):
                name, bias = step.inputs[a], step.constants[b]
                if uses[name] == 1 and name in at and bias is not None:
                    below = found[at[name]]
                    w = below.constants[1]
                    if bias.shape == w.shape[1:] and bias.dtype == w.dtype:
                        step = below._replace(function=dense(below.node), inputs=[*below.inputs, step.inputs[b]], constants=[None, w, bias],
                                              outputs=step.outputs, node=None)
                        found[at[name]] = None
        found.append(step)
    return [step for step in found if step is not None]


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
