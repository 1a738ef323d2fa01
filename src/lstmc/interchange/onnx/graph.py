"""What a caller has of a model: `Graph`, a function of arrays by name, of a whole model or of a recurrent node alone."""

from typing import NamedTuple

import numpy as np

from lstmc.errors import FormatError
from lstmc.interchange.onnx import cells, tensors
from lstmc.interchange.onnx.plan import Builder, Plan, step_of
from lstmc.nn import checks

NONE = frozenset()


class Tensor(NamedTuple):
    """An input or an output: its dtype, None if the model does not say it, and its shape, a number, a name or None for each axis, or None."""

    dtype: np.dtype | None
    shape: tuple | None


class Graph:
    """A model, or a node of it, as a function of arrays by name: `run(dict) -> dict`.

    `lstmc.from_onnx` makes it. Weights are packed once, and what is constant has been computed. It keeps no state between runs, and threads may
    run it at once.

    Attributes
    ----------
    inputs, outputs : dict
        name -> (dtype, shape) of a tensor: a number, a name or None for each axis, None where the model does not say it.
    defaults : dict
        As `inputs`: those that have a value in the model and may be left out. A plan is made for each choice of them, once.
    """

    def __init__(self, plan, inputs, outputs, defaults=None):
        self.inputs, self.outputs, self.defaults = inputs, outputs, defaults or {}
        self._tensors = {**self.inputs, **self.defaults}
        self._free = {name: None if t.shape is None or any(type(n) is int for n in t.shape) else len(t.shape) for name, t in self._tensors.items()}
        self._plans = {NONE: plan()}
        self._plan = plan if defaults else None         # which keeps the model

    def __repr__(self):
        def shown(tensors):
            return ", ".join(f"{name}: {t.dtype or 'any'}{'' if t.shape is None else list(t.shape)}" for name, t in tensors.items())

        return f"Graph({shown(self.inputs)} -> {shown(self.outputs)})"

    def __call__(self, inputs):
        """Outputs by name.

        Parameters
        ----------
        inputs : dict
            An array for each input, of its dtype and of the sizes that the model fixes; and for some of `defaults`, if they are to be others.

        Returns
        -------
        dict
            Of arrays, that may be views of each other and of inputs.

        Raises
        ------
        ValueError, TypeError
            An input is missing, unknown, or not as described; or arrays do not fit a node, which is named.
        """
        if not hasattr(inputs, "keys"):
            raise TypeError(f"inputs: expected a dict of arrays, received {type(inputs).__name__}")
        chosen = NONE
        if inputs.keys() != self.inputs.keys():
            if not self.inputs.keys() <= set(inputs) <= self._tensors.keys():
                more = f" and perhaps {', '.join(self.defaults)}" if self.defaults else ""
                raise ValueError(f"inputs: expected {', '.join(self.inputs) or 'none'}{more}; received {', '.join(map(str, inputs)) or 'none'}")
            chosen = frozenset(set(inputs) - self.inputs.keys())
        values, free = {}, self._free
        for name in inputs.keys():          # noqa: SIM118 (of any mapping)
            a, tensor = inputs[name], self._tensors[name]
            plain = type(a) is np.ndarray and a.ndim == free[name] and a.dtype == tensor.dtype and a.flags.aligned
            values[name] = a if plain else fitting(a, name, tensor)
        plan = self._plans.get(chosen) or self._plans.setdefault(chosen, self._plan(chosen))
        arrays = [values[name] for name in plan.inputs]
        if plan.quiet:
            return dict(zip(plan.outputs, plan.run(arrays)))        # noqa: B905
        with np.errstate(all="ignore"):
            return dict(zip(plan.outputs, plan.run(arrays)))        # noqa: B905


def fitting(a, name, tensor):
    """a as an array, if it is what an input should be, in this machine's order of bytes."""
    a = a if type(a) is np.ndarray else checks.plain(a, name)
    if tensor.dtype is not None and a.dtype != tensor.dtype and a.dtype.newbyteorder("=") != tensor.dtype:
        raise TypeError(f"{name}: expected dtype {tensor.dtype}, received {a.dtype}")
    shape = tensor.shape
    if shape is not None and (len(shape) != a.ndim or [n for n, m in zip(shape, a.shape, strict=True) if n != m and type(n) is int]):
        raise ValueError(f"{name}: expected shape {checks.shape_text(shape)}, received {checks.shape_text(a.shape)}")
    return a if a.dtype.isnative and a.flags.aligned else a.astype(a.dtype.newbyteorder("="))


def tensor_of(value, where):
    """The Tensor of a ValueInfoProto."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise FormatError(f"{where}: expected a tensor, received {kind or 'no type'}")
    t = value.type.tensor_type
    sizes = [(d.dim_value if d.WhichOneof("value") == "dim_value" else d.dim_param or None) for d in t.shape.dim]
    if any(isinstance(n, int) and n < 0 for n in sizes):
        raise FormatError(f"{where}: expected sizes of at least 0, received {sizes}")
    return Tensor(tensors.dtype_of(t.elem_type, where) if t.elem_type else None, tuple(sizes) if t.HasField("shape") else None)


def inputs_of(graph):
    """(inputs that a caller gives, those that have a value in the model), ValueInfoProtos."""
    own = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in own], [value for value in graph.input if value.name in own]


def whole(source):
    """The Graph of a model."""
    graph = source.model.graph
    inputs, defaults = ({value.name: tensor_of(value, f"input {value.name!r}") for value in some} for some in inputs_of(graph))
    if len(inputs) + len(defaults) != len(graph.input):
        raise FormatError("graph: expected every input once, received a name twice")
    names = [value.name for value in graph.output]
    if len(set(names)) != len(names):
        raise FormatError("graph: expected every output once, received a name twice")
    outputs = {value.name: tensor_of(value, f"output {value.name!r}") if value.HasField("type") else Tensor(None, None) for value in graph.output}
    return Graph(lambda chosen=frozenset(): Builder(source).plan(graph, {}, "graph", inputs={*inputs, *chosen})[0], inputs, outputs, defaults)


def recurrent_nodes(source):
    """The recurrent Nodes of a model, those in branches too, with the constants among their inputs; nothing else need be supported."""
    builder = Builder(source, tolerant=True)
    builder.plan(source.model.graph, {}, "graph", inputs={value.name for value in inputs_of(source.model.graph)[0]})
    return builder.recurrent


def alone(node):
    """The Graph of one recurrent node: from its inputs that are not constant to its outputs."""
    settings = cells.Settings(node)
    weights = settings.named(node.constants)
    dtype, D = (weights["W"].dtype if "W" in weights else None), len(settings.reverse)
    H = settings.hidden_size or (weights["R"].shape[-1] if "R" in weights else None)
    x, y, state = ("T", "B", "I"), ("T", D, "B", H), (D, "B", H)
    if settings.layout:
        x, y, state = ("B", "T", "I"), ("B", "T", D, H), ("B", D, H)
    shapes = {"X": (*x[:2], weights["W"].shape[-1] if "W" in weights else None), "sequence_lens": ("B",), "initial_h": state, "initial_c": state}
    inputs = {}
    for letter, name in settings.named([name or None for name in node.inputs]).items():
        if letter not in weights:
            inputs[name] = Tensor(np.dtype(np.int32) if letter == "sequence_lens" else dtype, shapes.get(letter))
    outputs = [name for name in node.outputs if name]
    scope = dict.fromkeys(outputs)
    given = dict(zip(node.outputs, (y, state, state), strict=False))
    plan = Plan([step_of(cells.Runner(node), node)], outputs, scope)
    return Graph(lambda: plan, inputs, {name: Tensor(dtype, given[name]) for name in outputs})
