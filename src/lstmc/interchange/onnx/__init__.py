"""Models in ONNX's format: a recurrent node as a module of `lstmc.nn`, or a whole graph as a function of arrays.

Reading order: `reading.py` (bytes to a model), `tensors.py` (values, external data), `node.py` (what an operator sees), `elementwise.py`, `moves.py`,
`products.py` (the operators), `cells.py` and `directions.py` (recurrent nodes), `plan.py` (constants and steps), `fusing.py` and `stacks.py` (fewer
steps), `graph.py` (what is called), `checking.py` (verify).
"""

import contextlib
import os
import warnings

from lstmc.errors import FormatError
from lstmc.interchange.onnx import cells, checking, graph, tensors
from lstmc.interchange.onnx.directions import Directions
from lstmc.interchange.onnx.graph import Graph
from lstmc.interchange.onnx.reading import read
from lstmc.nn import checks

__all__ = ["Directions", "Graph", "from_onnx"]


def from_onnx(obj, node=None, *, partial=False, verify=False):
    """A model in ONNX's format on the kernels of this package.

    Parameters
    ----------
    obj : path, bytes or onnx.ModelProto
        Of operator set 7 or later. External data must be in the folder of the model's file, without links.
    node : str or int, optional
        One recurrent node (LSTM, GRU or RNN), wherever it is in the model: its name, the name of one of its outputs, or its number among the
        recurrent nodes. The rest of the model may be anything; weights must be stored in it.
    partial : bool
        Every recurrent node by itself, to be called between runs of another engine that has the rest of the model.
    verify : bool
        Run onnxruntime and this package on generated inputs, print the largest differences, and raise ValueError where one is too large. Of a graph,
        axes of inputs must be numbers or have names, and whole numbers must be lengths or indices into a table of the model.

    Returns
    -------
    Graph
        Without `node`: a callable, dict of arrays -> dict of arrays, with `inputs`, `outputs` and `defaults`.
    lstmc.nn module or Directions
        With `node`. It is `batch_first` if the node's layout is 1; states are those of `lstmc.nn`, (D, B, H), either way. A node that runs in
        reverse, whose directions have different activations, or whose initial state or lengths are stored gives `Directions`, called as a module is.
    dict
        With `partial`: name of a node -> Graph from its tensors to its outputs, by their names in the model.

    Raises
    ------
    lstmc.FormatError
        The model is malformed, or has an operator or an option that is not supported; the message names the place.
    ValueError, TypeError
        `node` is not there, or an argument is wrong.

    Notes
    -----
    float16 and bfloat16 become float32, and so do inputs and outputs of a graph: a warning says so.

    A sequence of length 0 has a final state of 0 in a graph, as in onnxruntime, and its initial state in a module of `lstmc.nn`. Constants of activations
    that are left out are those of ONNX; onnxruntime takes 0 for those of Affine, ScaledTanh and ThresholdedRelu.

    Examples
    --------
    A whole model, then one of its layers to stream on::

        run = lstmc.from_onnx("tagger.onnx")
        tags = run({"words": words})["tags"]
        stream = lstmc.from_onnx("tagger.onnx", node="/lstm/LSTM").session()

    The recurrent nodes alone, between two runs of onnxruntime, where the rest has operators that are not supported. onnx cuts the model in two::

        (name, cell), = lstmc.from_onnx("speech.onnx", partial=True).items()
        x, y = next(iter(cell.inputs)), next(iter(cell.outputs))
        whole = onnx.shape_inference.infer_shapes(onnx.load("speech.onnx"))
        cut = onnx.utils.Extractor(whole)
        parts = cut.extract_model(["sound"], [x]), cut.extract_model([y], ["text"])
        before, after = (onnxruntime.InferenceSession(m.SerializeToString()) for m in parts)
        inside, = before.run(None, {"sound": sound})
        text, = after.run(None, {y: cell({x: inside})[y]})
    """
    partial, verify = checks.flag(partial, "partial"), checks.flag(verify, "verify")
    with naming(obj):
        source = read(obj)
        halves = {tensors.HALVES[t.data_type] for t in source.model.graph.initializer if t.data_type in tensors.HALVES}
        if halves:
            warnings.warn(f"weights of {' and '.join(sorted(halves))} are widened to float32, which holds them exactly, and computed in it", stacklevel=2)
        return made(source, node, partial, verify)


@contextlib.contextmanager
def naming(obj):
    """Of a file that is wrong, say which."""
    try:
        yield
    except FormatError as error:
        path = os.fspath(obj) if isinstance(obj, (str, os.PathLike)) else None
        if path is None or str(error).startswith(f"{path}: "):
            raise
        raise FormatError(f"{path}: {error}") from None


def made(source, node, partial, verify):
    """What `from_onnx` returns."""
    try:
        if node is not None and partial:
            raise ValueError("partial: expected False with node, received True")
        if node is not None:
            found = picked(graph.recurrent_nodes(source), node)
            module = module_of(found)
            if verify:
                checking.verify_node(found, module)
            return module
        if partial:
            nodes = graph.recurrent_nodes(source)
            if verify:
                for found in nodes:
                    checking.verify_node(found, module_of(found))
            return {name: graph.alone(found) for name, found in named(nodes).items()}
        whole = graph.whole(source)
    except (UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not an ONNX model: {error}") from None
    if verify:
        checking.verify_graph(source, whole)
    return whole


def named(nodes):
    """name -> Node; those of one name are told apart by their number."""
    found = {}
    for n, node in enumerate(nodes):
        found[node.key if node.key not in found else f"{node.key} ({n})"] = node
    return found


def picked(nodes, which):
    """The Node of a name, of an output's name, or of a number."""
    if not nodes:
        raise ValueError(f"node: expected a model with recurrent nodes (LSTM, GRU or RNN), received one without, and {which!r}")
    there = ", ".join(map(repr, named(nodes)))
    if isinstance(which, int) and not isinstance(which, bool):
        if not -len(nodes) <= which < len(nodes):
            raise ValueError(f"node: expected a number below {len(nodes)}, that of the model's recurrent nodes ({there}), received {which}")
        return nodes[which]
    if not isinstance(which, str):
        raise TypeError(f"node: expected a name or a number, received {type(which).__name__}")
    found = [n for n in nodes if n.name == which] or [n for n in nodes if which and which in n.outputs]
    if len(found) != 1:
        raise ValueError(f"node: expected the name of a recurrent node or of its output ({there}), received {which!r}"
                         + (f", which {len(found)} have: give a number from 0 to {len(nodes) - 1}" if found else ""))
    return found[0]


def module_of(node):
    """The module of a node, or Directions where one module does not say it all."""
    settings = cells.Settings(node)
    constant, given = settings.named(node.constants), settings.named([name or None for name in node.inputs])
    for name in cells.WEIGHTS:
        if name in given and name not in constant:
            raise FormatError(f"{node.where}: {name}: expected weights that are stored in the model, received {given[name]!r}, which is computed or an input")
    directions = cells.directions_of(settings, {name: constant[name] for name in cells.WEIGHTS if name in constant}, bool(settings.layout),
                                     *cells.stored(settings, constant))
    return directions.modules[0] if directions.plain else directions
