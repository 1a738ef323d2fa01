"""What a `Sequential` or a `Model` becomes in torch: the modules of its layers, and the order in which they are called.

Importing this module needs torch. A module of torch_layers.py takes (x, mask) and gives such a pair, as the layers of Keras do; one of several inputs
takes lists of both, one of several outputs gives tuples of both, and a recurrent one takes initial states as a third argument.
"""

import torch


class Network(torch.nn.Module):
    """A graph of modules.

    A call takes a tensor for each input, in their order or by their names, or all in one list or dict; it returns what the model's `predict` does: a
    tensor, a list of them, or a dict.

    layers: name -> module. names: of the inputs. steps: (name of a module, places of the tensors that it takes, takes as initial states, gives),
    where inputs have the first places; merges: the names of modules that take lists. kept: the places of the outputs. keys: of a dict of outputs, or
    None.
    """

    def __init__(self, layers, names, steps, merges, kept, keys):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.names, self.steps, self.merges, self.kept, self.keys = names, steps, merges, kept, keys

    def forward(self, *inputs, **named):
        found, _ = self.run(self.given(inputs, named), [None] * len(self.names))
        return dict(zip(self.keys, found, strict=True)) if self.keys is not None else found[0] if len(found) == 1 else found

    def given(self, inputs, named):
        """A tensor for each input."""
        if len(inputs) == 1 and not named and isinstance(inputs[0], (dict, list, tuple)):
            inputs, named = ((), inputs[0]) if isinstance(inputs[0], dict) else (inputs[0], {})
        if named and not inputs and set(named) >= set(self.names):
            return [named[name] for name in self.names]
        if named or len(inputs) != len(self.names):
            raise TypeError(f"expected a tensor for each of the inputs {', '.join(self.names)}, received {len(inputs)}"
                            + (f" and {', '.join(named)}" if named else ""))
        return list(inputs)

    def run(self, xs, masks):
        """(outputs, their masks) of inputs with masks, or None, of their steps."""
        values, masks = dict(enumerate(xs)), dict(enumerate(masks))
        for name, inputs, states, outputs in self.steps:
            x, mask = [values[i] for i in inputs], [masks[i] for i in inputs]
            given = (x, mask) if name in self.merges else (x[0], mask[0])
            y, mask = self._modules[name](*given, *([[values[i] for i in states]] if states else []))
            for i, a, m in zip(outputs, *(((y,), (mask,)) if len(outputs) == 1 else (y, mask)), strict=True):
                values[i], masks[i] = a, m
        return [values[i] for i in self.kept], [masks[i] for i in self.kept]

    def reset_states(self):
        """Let stateful layers begin with zeros again."""
        for m in self.modules():
            if hasattr(m, "states"):
                m.states = None


class Within(torch.nn.Module):
    """A network of one input and one output as a module of one."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, mask):
        (y,), (mask,) = self.network.run([x], [mask])
        return y, mask
