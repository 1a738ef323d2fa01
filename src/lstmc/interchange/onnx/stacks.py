"""Recurrent nodes and what exporters put around each, as one step: the axes that they move, and layers that follow each other.

A node gives Y (T, D, B, H). A module of `lstmc.nn` gives what comes after a Transpose and a Reshape of it, (T, B, D*H), by itself, batch first too,
and runs several layers in one call. The bits stay what they are.
"""

from collections import Counter

from lstmc.interchange.onnx import cells

JOINED, SWAPPED = [0, 2, 1, 3], [1, 0, 2]       # perm of a Transpose: of Y before it is reshaped, and of what is batch first


class Layers:
    """function(x, lengths, h, c) -> y, and the parts of the state of each layer. swaps: whether x and y are batch first."""

    def __init__(self, runner, swaps, layers=None):
        self.runner, self.swaps, self.layers = runner, swaps, layers or [runner.module]
        self.module, self.around = self.layers[0], swaps
        if runner.arguments is not None and (len(self.layers) > 1 or all(swaps)):
            self.module, self.around = one_module(self.layers, runner.arguments, all(swaps)), (False, False) if all(swaps) else swaps

    def __call__(self, x, lengths=None, h=None, c=None):
        before, after = self.around
        y, state = cells.sequences(self.module, x.swapaxes(0, 1) if before and x.ndim == 3 else x, lengths, h, c)
        if len(self.layers) > 1:
            D = len(state[0]) // len(self.layers)
            state = [s[n:n + D] for n in range(0, len(state[0]), D) for s in state]
        return y.swapaxes(0, 1) if after else y, *state

    def takes(self, other):
        """Whether another's layers can be added to these, which are below them."""
        mine, more = self.runner, other.runner
        return (None not in (mine.arguments, more.arguments) and mine.arguments == more.arguments and self.swaps[1] == other.swaps[0]
                and all(getattr(mine.module, name) == getattr(more.module, name) for name in ("cell", "hidden_size", "bias", "bidirectional", "dtype"))
                and more.module.input_size == mine.module.num_directions * mine.module.hidden_size)


def one_module(layers, arguments, batch_first):
    """A module with the weights of modules of one layer each."""
    m = layers[0]
    found = type(m)._blank(m.input_size, m.hidden_size, len(layers), m.bias, batch_first, bidirectional=m.bidirectional, dtype=m.dtype, seed=0, **arguments)
    found.load_state_dict({name.replace("_l0", f"_l{n}"): w for n, layer in enumerate(layers) for name, w in layer.state_dict().items()})
    return found


def stacked(steps, outputs):
    """The steps, with fewer around recurrent nodes; names that an output or more than one step takes stay."""
    uses = Counter([*outputs, *(name for step in steps for name in step.inputs)])
    takers = {name: step for step in steps for name in step.inputs}
    makers = {name: step for step in steps for name in step.outputs}

    def after(name):
        """The only step that takes something, or None."""
        return takers.get(name) if uses[name] == 1 and name not in outputs else None

    gone, found = set(), {}         # names of outputs of steps that are not run; first output of a node -> its step
    for step in steps:
        if not isinstance(step.function, cells.Runner) or step.function.module is None or step.function.settings.layout or not step.outputs[0]:
            continue
        chain = joined(step, after)
        if not chain:
            continue
        swap, before = after(chain[-1].outputs[0]), makers.get(step.inputs[0])
        swaps = [before is not None and uses[step.inputs[0]] == 1 and moves(before, SWAPPED), swap is not None and moves(swap, SWAPPED)]
        if swaps[1]:
            chain.append(swap)
        gone.update(other.outputs[0] for other in (*chain, *([before] if swaps[0] else [])))
        inputs = [before.inputs[0] if swaps[0] else step.inputs[0], *step.inputs[4:7]]
        constants = [before.constants[0] if swaps[0] else step.constants[0], *step.constants[4:7]]
        found[step.outputs[0]] = step._replace(function=Layers(step.function, swaps), inputs=inputs, constants=constants,
                                               outputs=[chain[-1].outputs[0], *padded(step)])
    kept, below = [], {}            # below: name of what layers give -> where in `kept` they are, early enough for all that takes something of them
    for step in steps:
        step = found.get(step.outputs[0], step) if step.outputs else step
        at = len(kept)
        if isinstance(step.function, Layers):
            at = below.get(step.inputs[0], at)
            if at == len(kept) or uses[step.inputs[0]] > 1 or not fits(kept[at], step):
                at = len(kept)
            step = step if at == len(kept) else added(kept[at], step)
            below[step.outputs[0]] = at
        elif step.outputs and step.outputs[0] in gone:
            continue
        kept[at:at + 1] = [step]
    return kept


def moves(step, perm):
    return step.node is not None and step.node.op == "Transpose" and step.node.ints("perm") == perm


def joined(step, after):
    """The steps that make (T, B, D*H) of a node's Y, none if there are others."""
    D, H = len(step.function.settings.reverse), step.function.module.hidden_size
    first = after(step.outputs[0])
    if first is None or first.node is None:
        return []
    if D == 1 and first.node.op == "Squeeze" and first.node.stored(1):
        axes = first.node.ints("axes") if len(first.inputs) < 2 else first.constants[1].reshape(-1).tolist()
        return [first] if axes == [1] else []
    second = after(first.outputs[0]) if moves(first, JOINED) else None
    if second is None or second.node is None or second.node.op != "Reshape" or not second.node.stored(1) or second.node.int("allowzero", 0):
        return []
    return [first, second] if second.constants[1].tolist() in ([0, 0, -1], [0, 0, D * H]) else []


def padded(step):
    """Names of all parts of the state, "" for what nothing takes."""
    count = len(step.function.module._parts)
    return [*step.outputs[1:], *[""] * count][:count]


def fits(below, step):
    """Whether layers can be run with those below them: both begin with zeros and have the same lengths."""
    return not any(below.inputs[2:]) and not any(step.inputs[2:]) and below.inputs[1:2] == step.inputs[1:2] and below.function.takes(step.function)


def added(below, step):
    """The step of both."""
    first, second = below.function, step.function
    function = Layers(first.runner, (first.swaps[0], second.swaps[1]), [*first.layers, *second.layers])
    return step._replace(function=function, inputs=below.inputs, constants=below.constants, outputs=[step.outputs[0], *below.outputs[1:], *step.outputs[1:]],
                         where=below.where)
