"""From symbolic tensors to the calls between them: in the order of a graph, as Keras orders layers, and drawn once more from tensors inside."""

from lstmc.layers import InputLayer
from lstmc.layers.symbolic import Call


def given(t):
    """Whether `Input` gives a tensor."""
    return isinstance(t.call.layer, InputLayer)


def depth_first(things, needs):
    """Each of the things and of what they need, once and after what it needs itself: needs(thing) gives that.

    Without recursion: a thousand layers in a row are fine.
    """
    seen, todo = set(), [(thing, False) for thing in reversed(things)]
    while todo:
        thing, ready = todo.pop()
        if ready:
            yield thing
        elif id(thing) not in seen:
            seen.add(id(thing))
            todo.append((thing, True))
            todo += [(other, False) for other in reversed(needs(thing))]


def redrawn(inputs, outputs):
    """(inputs, outputs) of the calls between them, made once more from `Input`s in place of inputs that layers give."""
    new = {id(t): t if given(t) else made_input(t) for t in inputs}

    def needs(t):
        return [] if id(t) in new or given(t) else t.call.inputs + t.call.states

    for t in depth_first(outputs, needs):
        if id(t) in new:
            continue
        c = t.call
        if given(t):
            new[id(t)] = t
        else:
            again = Call(c.layer, [new[id(a)] for a in c.inputs], [new[id(a)] for a in c.states], [a.shape for a in c.outputs])
            new |= {id(a): b for a, b in zip(c.outputs, again.outputs, strict=True) if id(a) not in new}
    return [new[id(t)] for t in inputs], [new[id(t)] for t in outputs]


def made_input(t):
    """The tensor of an `Input` for what a layer gives."""
    layer = InputLayer(batch_shape=t.shape, name=f"{t.name}_input")
    layer.auto_named = True     # so that another one may get a number
    return layer.tensor


def sorted_calls(inputs, outputs):
    """(calls that outputs need, each after those that it needs; those of inputs first; layer -> when a search from the outputs met it first).

    ValueError if an input is missing.
    """
    own, met = {id(t.call) for t in inputs}, {}

    def needs(call):
        met.setdefault(call.layer, len(met))
        if not isinstance(call.layer, InputLayer):
            return [t.call for t in call.inputs + call.states]
        if id(call) not in own:
            raise ValueError(f"inputs: expected all that outputs depend on, received none for {call.layer.name!r}")
        return []

    found = list(depth_first([t.call for t in outputs], needs))
    seen = {id(call) for call in found}
    met |= {t.call.layer: n - len(inputs) for n, t in enumerate(inputs) if id(t.call) not in seen}      # of which no output depends, as Keras takes them
    return [t.call for t in inputs] + [call for call in found if not isinstance(call.layer, InputLayer)], met


def in_keras_order(calls, met):
    """Layers as Keras has them in `model.layers`: by how many calls are at most between them and an output, then by when they were met."""
    depth, of_layer = {}, {}
    for call in reversed(calls):
        d = of_layer[call.layer] = max(depth.get(id(call), 0), of_layer.get(call.layer, 0))
        for t in call.inputs + call.states:
            depth[id(t.call)] = max(d + 1, depth.get(id(t.call), 0))
    return sorted(of_layer, key=lambda layer: (-of_layer[layer], met[layer]))
