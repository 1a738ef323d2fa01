"""`verify=True`: onnxruntime and this package on the same generated inputs (interchange/verify.py)."""

import numpy as np

from lstmc.interchange.onnx import cells
from lstmc.interchange.onnx.reading import package
from lstmc.interchange.verify import Spec, verify

BOUNDED = ("sigmoid", "tanh", "hard_sigmoid", "scaled_tanh", "softsign")    # activations; with others states of large inputs leave the floats
PASSED = ("Cast", "Identity", "Gather", "TopK", "Slice", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand")   # whose output has input values
FLOATS, COUNTS = (1, 10, 11, 16), 8                     # TensorProto's numbers of them; whole numbers that become floats are below that
TIME = ("time", "seq", "step", "frame", "length")       # in the name of a free axis


def session(data):
    """An onnxruntime session, of one thread, of a model in bytes or in a file."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("verify=True needs the package onnxruntime: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:      # its errors have no base of their own
        raise ValueError(f"verify: onnxruntime does not take this model: {error}") from None


# One node ---------------------------------------------------------------------------------------------------

def verify_node(node, module):
    """Compare a module that came from a node with onnxruntime on that node, in layout 0, which is the one that it has."""
    settings = cells.Settings(node)
    constant = settings.named(node.constants)
    D, H, I, dtype = len(settings.reverse), constant["R"].shape[2], constant["W"].shape[2], constant["W"].dtype
    theirs = session(model_of(node, settings, constant).SerializeToString())
    parts = ["h", "c"][: 2 if node.op == "LSTM" else 1]
    initial = cells.stored(settings, constant)[0]

    def ours(inputs):
        x, states = inputs["X"], [inputs[f"initial_{part}"] for part in parts]
        y, found = module(x.swapaxes(0, 1) if settings.layout else x, tuple(states) if len(parts) > 1 else states[0], inputs["sequence_lens"])
        y = (y.swapaxes(0, 1) if settings.layout else y).reshape(*x.shape[:2], D, H).transpose(0, 2, 1, 3)
        return dict(zip(("Y", "Y_h", "Y_c"), (y, *(found if len(parts) > 1 else [found])), strict=False))

    def filled(run):
        def given(inputs):
            T, B, _ = inputs["X"].shape
            more = {"sequence_lens": np.full(B, T, np.int32), **{f"initial_{part}": np.zeros((D, B, H), dtype) for part in parts}}
            return run(more | inputs)

        return given

    bounded = all(function[0] in BOUNDED for functions in settings.activations for function in functions)
    specs = {"X": Spec(("T", "B", I), scaled=bounded), "sequence_lens": Spec(("B",), "int32", lengths=True),
             **{f"initial_{part}": Spec((D, "B", H), optional=initial is None, scaled=bounded) for part in parts}}
    names = [output.name for output in theirs.get_outputs()]
    verify(filled(lambda inputs: dict(zip(names, theirs.run(names, inputs), strict=True))), filled(ours), specs, dtype,
           what=f"{node.where}, onnxruntime against lstmc")


def model_of(node, settings, constant):
    """A model of the node alone, with all inputs that it can have but those of its weights."""
    onnx = package()
    weights = {name: constant[name] for name in cells.WEIGHTS if name in constant}
    parts = ["h", "c"][: 2 if node.op == "LSTM" else 1]
    inputs = [name if name in weights or name not in cells.WEIGHTS else "" for name in settings.inputs]
    outputs = ["Y", *(f"Y_{part}" for part in parts)]
    one = onnx.helper.make_node(node.op, inputs, outputs, name=node.key)
    one.attribute.extend(a for name, a in node.attributes.items() if name != "layout")
    kind = onnx.helper.np_dtype_to_tensor_dtype(constant["W"].dtype)
    D, H = len(settings.reverse), constant["R"].shape[2]
    shapes = {"X": ["T", "B", constant["W"].shape[2]], "Y": ["T", D, "B", H], **dict.fromkeys(("initial_h", "initial_c", "Y_h", "Y_c"), (D, "B", H))}

    def described(name):
        if name == "sequence_lens":
            return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT32, ["B"])
        return onnx.helper.make_tensor_value_info(name, kind, shapes[name])

    graph = onnx.helper.make_graph([one], "node", [described(name) for name in inputs if name and name not in weights], [described(name) for name in outputs],
                                   [onnx.numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in weights.items()])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", min(node.opset, 21))], ir_version=8)


# A graph ----------------------------------------------------------------------------------------------------

def verify_graph(source, graph):
    """Compare a Graph with onnxruntime on the model that it came from."""
    specs = specs_of(source, graph)
    theirs, names = session(source.path or source.model.SerializeToString()), list(graph.outputs)
    dtypes = {str(t.dtype) for t in graph.inputs.values() if t.dtype.kind == "f"}

    def filled(run):
        def given(inputs):      # lengths are left out where nothing is ragged
            T, B = sizes_of(inputs, specs)
            return run({**{name: np.full(B, T, graph.inputs[name].dtype) for name in graph.inputs.keys() - inputs.keys()}, **inputs})

        return given

    return verify(filled(lambda inputs: dict(zip(names, theirs.run(names, inputs), strict=True))), filled(graph), specs,
                  "float64" if dtypes == {"float64"} else "float32", what="onnxruntime against lstmc")


def sizes_of(inputs, specs):
    """(T, B) of generated inputs."""
    found = {letter: n for name, a in inputs.items() for letter, n in zip(specs[name].shape, a.shape, strict=True) if isinstance(letter, str)}
    return found.get("T", 1), found.get("B", 1)


def specs_of(source, graph):
    """What to generate: free axes named like time are T, others B; whole numbers are lengths, indices into a table, or become floats."""
    lengths, below = set(), {}
    nodes, origin = source.model.graph.node, {name: name for name in graph.inputs}       # of what is made of an input's values: that input
    sizes = {t.name: t.dims for t in source.model.graph.initializer}
    sizes |= {node.output[0]: a.t.dims for node in nodes if node.op_type == "Constant" for a in node.attribute if a.name == "value"}
    for node in nodes:
        given, settings = [origin.get(name) for name in node.input], {a.name: a.i for a in node.attribute}
        if node.op_type in cells.CELLS and len(given) > 4:
            lengths.add(given[4])
        if node.op_type == "Gather" and node.input[0] in sizes:
            below[given[1]] = sizes[node.input[0]][settings.get("axis", 0)]
        if node.op_type == "Cast" and settings["to"] in FLOATS:
            below.setdefault(given[0], COUNTS)
        elif node.op_type in PASSED and given[0]:
            origin[node.output[0]] = given[0]
    specs = {}
    for name, (dtype, shape) in graph.inputs.items():
        if shape is None or dtype is None or None in shape:
            raise ValueError(f"verify: input {name!r}: expected a model that says its type and names its sizes, received {dtype} and {shape}")
        letters = tuple(n if isinstance(n, int) else "T" if n.lower() == "t" or any(word in n.lower() for word in TIME) else "B" for n in shape)
        if name in lengths:
            specs[name] = Spec(("B",), str(dtype), lengths=True)
        elif dtype.kind == "f":
            specs[name] = Spec(letters, str(dtype))
        elif name in below:
            specs[name] = Spec(letters, str(dtype), below=below[name])
        else:
            raise ValueError(f"verify: input {name!r}: expected floats, lengths or indices into a table of the model, received {dtype}, for which no "
                             "values can be made up; compare on arrays of your own")
    return specs
