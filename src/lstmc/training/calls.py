"""From symbolic tensors to the calls between them: in the order of a graph, as Keras orders layers, and drawn once more from tensors inside."""

from lstmc.layers import InputLayer
from lstmc.layers.symbolic import Call


def given(t):
    """Whether `Input` gives a tensor."""
    return isinstance(t.call.layer, InputLayer)


def redrawn(inputs, outputs):
    """(inputs, outputs) of the calls between them, made once more from `Input`s in place of inputs that layers give."""
    new = {id(t): t if given(t) else made_input(t) for t in inputs}
    todo = [(t, False) for t in reversed(outputs)]
    while todo:     # as in `sorted_calls`
        t, ready = todo.pop()
        if id(t) in new:
            continue
        c = t.call
        if given(t):
            new[id(t)] = t
        elif ready:
            again = Call(c.layer, [new[id(a)] for a in c.inputs], [new[id(a)] for a in c.states], [a.shape for a in c.outputs])
            new |= {id(a): b for a, b in zip(c.outputs, again.outputs, strict=True) if id(a) not in new}
        else:
            todo.append((t, True))
            todo += [(a, False) for a in reversed(c.inputs + c.states)]
    return [new[id(t)] for t in inputs], [new[id(t)] for t in outputs]


def made_input(t):
    """The tensor of an `Input` for what a layer gives."""
    layer = InputLayer(batch_shape=t.shape, name=f"{t.name}_input")
    layer.auto_named = True     # so that another one may get a number
    return layer.tensor


def sorted_calls(inputs, outputs):
    """(calls that outputs need, each after those that it needs; those of inputs first; layer -> when a search from the outputs met it first).

    ValueError if an input is missing or no output needs one.
    """
    given, order, seen, met = {id(t.call) for t in inputs}, [t.call for t in inputs], set(), {}
    # Depth first, without recursion: a thousand layers in a row are fine.
    todo = [(t.call, False) for t in reversed(outputs)]
    while todo:
        call, ready = todo.pop()
        if ready:
            order.append(call)
        elif id(call) not in seen:
            seen.add(id(call))
            met.setdefault(call.layer, len(met))
            if isinstance(call.layer, InputLayer):
                if id(call) not in given:
                    raise ValueError(f"inputs: expected all that outputs depend on, received none for {call.layer.name!r}")
                continue
            todo.append((call, True))
            todo += [(t.call, False) for t in reversed(call.inputs + call.states)]
    unused = [t.name for t in inputs if id(t.call) not in seen]
    if unused:
        raise ValueError(f"inputs: expected inputs that outputs depend on, received {', '.join(map(repr, unused))} of which nothing depends")
    return order, met


def in_keras_order(calls, met):
    """Layers as Keras has them in `model.layers`: by how many calls are at most between them and an output, then by when they were met."""
    depth, of_layer = {}, {}
    for call in reversed(calls):
        d = of_layer[call.layer] = max(depth.get(id(call), 0), of_layer.get(call.layer, 0))
        for t in call.inputs + call.states:
            depth[id(t.call)] = max(d + 1, depth.get(id(t.call), 0))
    return sorted(of_layer, key=lambda layer: (-of_layer[layer], met[layer]))
