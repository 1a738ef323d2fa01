"""A corpus of bad models in ONNX's format, made from good ones: name -> bytes or a message. `hostile` must all be refused; `mutated` are changed at
random, with a fixed seed, so that some of them are models still.
"""

import copy

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from onnx_models import drawn, model_of


def good():
    """An LSTM between a projection and a shape that is computed, with an If that is decided while reading."""
    weights, inputs = drawn("LSTM", {}, {"T": 3, "B": 2, "I": 4, "H": 3}, {"bias": True, "lengths": True, "state": True, "peephole": True})
    model = model_of("LSTM", {"hidden_size": 3, "clip": 2.0, "activations": ["Sigmoid", "ScaledTanh", "Tanh"], "activation_alpha": [0.5],
                              "activation_beta": [1.5]}, weights, inputs)
    graph, floats = model.graph, TensorProto.FLOAT
    graph.node[0].input[0], graph.node[0].output[0] = "inside", "raw"
    then = helper.make_graph([helper.make_node("MatMul", ["X", "M"], ["projected"], name="product")], "then", [],
                             [helper.make_tensor_value_info("projected", floats, None)])
    other = helper.make_graph([helper.make_node("Identity", ["X"], ["same"])], "else", [], [helper.make_tensor_value_info("same", floats, None)])
    before = [helper.make_node("Shape", ["M"], ["shape"]), helper.make_node("Size", ["shape"], ["n"]), helper.make_node("Equal", ["n", "two"], ["known"]),
              helper.make_node("If", ["known"], ["inside"], name="choice", then_branch=then, else_branch=other)]
    after = [helper.make_node("Squeeze", ["raw", "one"], ["flat"], name="squeeze"), helper.make_node("Softmax", ["flat"], ["Y"], axis=-1)]
    nodes = [*before, graph.node[0], *after]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend([numpy_helper.from_array(np.eye(4, dtype="f"), "M"), numpy_helper.from_array(np.array(2), "two"),
                              numpy_helper.from_array(np.array([1]), "one")])
    return model, inputs


def one(op, inputs=("X",), outputs=("Y",), constants=None, shape=(2, 3), **attributes):
    """A model of one node, named "bad"."""
    graph = helper.make_graph([helper.make_node(op, inputs, outputs, name="bad", **attributes)], "g",
                              [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def changed(change):
    """The good model after change(model, graph)."""
    model, _ = good()
    change(model, model.graph)
    return model


def tensors():
    def tensor(change, at=0):
        return changed(lambda m, g: change(g.initializer[at]))

    def dims(*sizes):
        def change(t):
            del t.dims[:]
            t.dims.extend(sizes)

        return change

    def field(name, value):
        return lambda t: setattr(t, name, value)

    for sizes in ((2**40, 2**40), (-1, 12, 4), (2**62, 4), (1, 12, 4, 2), (1, 12), (1, 11, 4), (-1, -12, 4), (0, 12, 4), (1,) * 40, (2**63 - 1,), (0, 2**62)):
        yield f"sizes {sizes[:4]}", tensor(dims(*sizes))
    for number in (0, 8, 14, 21, 22, 99, -1, 11, 7):
        yield f"type {number}", tensor(field("data_type", number))
    for data in (b"", b"1", b"1" * 191, b"1" * 193):
        yield f"{len(data)} bytes", tensor(field("raw_data", data))
    yield "external without a file", tensor(field("data_location", TensorProto.EXTERNAL))
    yield "a segment", tensor(lambda t: t.segment.CopyFrom(TensorProto.Segment(begin=0, end=10)))
    yield "no values", tensor(lambda t: t.ClearField("raw_data"))
    yield "too many typed values", tensor(lambda t: (t.ClearField("raw_data"), t.float_data.extend([0] * 49)))
    yield "values of another type", tensor(lambda t: (t.ClearField("raw_data"), t.int32_data.extend([0] * 48)))
    wide = helper.make_tensor("c", TensorProto.INT8, [1], [3])
    wide.int32_data[0] = 2**20
    yield "a value that does not fit", changed(lambda m, g: g.initializer.append(wide))
    yield "no name", changed(lambda m, g: g.initializer.append(numpy_helper.from_array(np.eye(2), "")))
    yield "a name twice", changed(lambda m, g: g.initializer.append(copy.deepcopy(g.initializer[0])))
    yield "sparse", changed(lambda m, g: g.sparse_initializer.add())


def models():
    yield "nothing", b""
    yield "no ONNX", b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    yield "text", b"model = Sequential([LSTM(3)])"
    yield "no graph", changed(lambda m, g: m.ClearField("graph"))
    for version in (-1, 0, 1, 6, 29, 2**62):
        yield f"opset {version}", changed(lambda m, g, version=version: setattr(m.opset_import[0], "version", version))
    yield "no opset", changed(lambda m, g: m.ClearField("opset_import"))
    yield "two opsets", changed(lambda m, g: m.opset_import.extend([helper.make_opsetid("", 15)]))
    yield "two opsets of one domain", changed(lambda m, g: m.opset_import.extend([helper.make_opsetid("ai.onnx", 9)]))


def graphs():
    def node(change, at=4):
        return changed(lambda m, g: change(g.node[at]))

    yield "a cycle", node(lambda n: n.input.__setitem__(0, "Y"), 5)
    yield "its own output", node(lambda n: n.input.__setitem__(0, "raw"))
    yield "no such input", node(lambda n: n.input.__setitem__(0, "elsewhere"))
    yield "not in order", changed(lambda m, g: g.node.reverse())
    yield "an output twice", node(lambda n: n.output.__setitem__(1, "raw"))
    yield "an output that is an input", node(lambda n: n.output.__setitem__(1, "X"))
    yield "an output that is a constant", node(lambda n: n.output.__setitem__(1, "W"))
    yield "no such output", changed(lambda m, g: setattr(g.output[0], "name", "elsewhere"))
    yield "an output of the graph twice", changed(lambda m, g: g.output.append(g.output[0]))
    yield "an input of the graph twice", changed(lambda m, g: g.input.append(g.input[0]))
    yield "an input without a type", changed(lambda m, g: g.input[0].ClearField("type"))
    yield "an input that is a sequence", changed(lambda m, g: g.input[0].type.sequence_type.elem_type.tensor_type.SetInParent())
    yield "an input of strings", changed(lambda m, g: setattr(g.input[0].type.tensor_type, "elem_type", TensorProto.STRING))
    yield "an input of negative size", changed(lambda m, g: setattr(g.input[0].type.tensor_type.shape.dim[0], "dim_value", -3))
    for op in ("Elephant", "", "Loop", "Scan", "__import__", "lstm"):
        yield f"operator {op}", node(lambda n, op=op: setattr(n, "op_type", op))
    yield "another domain", node(lambda n: setattr(n, "domain", "com.microsoft"))
    yield "too few inputs", node(lambda n: n.ClearField("input"))
    yield "too many inputs", node(lambda n: n.input.extend(["X"] * 5))
    yield "too many outputs", node(lambda n: n.output.extend(["more"]))
    yield "no W", node(lambda n: n.input.__setitem__(1, ""))
    yield "no branch", node(lambda n: n.attribute.pop(), 3)
    yield "branches without outputs", node(lambda n: [a.g.ClearField("output") for a in n.attribute], 3)
    yield "a branch that is a number", node(lambda n: [setattr(a, "type", AttributeProto.INT) for a in n.attribute], 3)
    for depth in (30, 90, 1000):
        yield f"{depth} graphs in each other", nested(depth)


def nested(depth):
    """If in If in If: bytes by hand, since a library would copy every message into the one around it."""
    output = helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)
    head = helper.make_graph([], "g", [], [output]).SerializeToString()
    least = helper.make_graph([helper.make_node("Identity", ["X"], ["Y"])], "g", [], [output]).SerializeToString()

    def field(number, data):
        return varint(number << 3 | 2) + varint(len(data)) + data

    def branch(name, graph):
        return field(5, field(1, name) + field(6, graph) + varint(20 << 3) + varint(AttributeProto.GRAPH))

    inner = least
    for _ in range(depth):
        inner = head + field(1, field(1, b"yes") + field(2, b"Y") + field(4, b"If") + branch(b"then_branch", inner) + branch(b"else_branch", least))
    base = helper.make_model(helper.make_graph([], "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, None)], [],
                                               [numpy_helper.from_array(np.array(True), "yes")]), opset_imports=[helper.make_opsetid("", 17)])
    return base.SerializeToString() + field(7, inner)


def varint(n):
    found = b""
    while n > 127:
        found, n = found + bytes([n & 127 | 128]), n >> 7
    return found + bytes([n])


def attributes():
    nan, inf = float("nan"), float("inf")
    for name, value in {"direction": ("up", 3, ""), "hidden_size": (-1, 0, 4, 2**40, 1.5, "3"), "clip": (nan, inf, -1.0, 0.0, 1, "x"),
                        "activations": (["Sigmoid"], ["Sigmoid", "Tanh", "Elephant"], [""] * 3, 3, ["Tanh"] * 1000), "input_forget": (2, -1, 0.5, "yes"),
                        "layout": (2, -1, "1"), "activation_alpha": ([nan], [inf], 3, ["a"], [0.0]), "activation_beta": ([-inf], "b")}.items():
        for v in value:
            def change(model, graph, name=name, v=v):
                kept = [a for a in graph.node[4].attribute if a.name != name]
                graph.node[4].ClearField("attribute")
                graph.node[4].attribute.extend([*kept, helper.make_attribute(name, v)])

            yield f"{name} {str(v)[:30]}", changed(change)
    yield "an attribute twice", changed(lambda m, g: g.node[4].attribute.append(g.node[4].attribute[0]))
    yield "a reference to an attribute", changed(lambda m, g: setattr(g.node[4].attribute[0], "ref_attr_name", "other"))
    yield "an unknown kind", changed(lambda m, g: setattr(g.node[6].attribute[0], "type", AttributeProto.TYPE_PROTO))
    yield "an unknown attribute", changed(lambda m, g: g.node[4].attribute.append(helper.make_attribute("output_sequence", 1)))
    yield "one of another cell", changed(lambda m, g: g.node[4].attribute.append(helper.make_attribute("linear_before_reset", 1)))
    yield "slopes without a limit", one("LeakyRelu", alpha=nan)


def constants():
    """Nodes whose inputs are constant: refused while they are computed."""
    big = np.array([2**40, 2**40])
    for shape in (np.array([-1]), np.array([[2]]), np.array([2.0]), np.zeros(0, "f")):
        yield f"ConstantOfShape {shape.tolist()}", one("ConstantOfShape", ("s",), constants={"s": shape})
    yield "ConstantOfShape of two values", one("ConstantOfShape", ("s",), constants={"s": big}, value=helper.make_tensor("v", 1, [2], [1, 2]))
    yield "Range without an end", one("Range", ("a", "b", "c"), constants={"a": np.float32(0), "b": np.float32(np.inf), "c": np.float32(1)})
    yield "Range by nothing", one("Range", ("a", "b", "c"), constants={"a": np.float32(0), "b": np.float32(1), "c": np.float32(0)})
    yield "Reshape", one("Reshape", ("a", "s"), constants={"a": np.eye(2), "s": np.array([3])})
    yield "Reshape to -2", one("Reshape", ("a", "s"), constants={"a": np.eye(2), "s": np.array([-2, 2])})
    yield "Reshape of no axis", one("Reshape", ("a", "s"), constants={"a": np.eye(2), "s": np.array([2, 2, 0])})
    yield "Transpose", one("Transpose", ("a",), constants={"a": np.eye(2)}, perm=[0, 0])
    yield "Transpose beyond", one("Transpose", ("a",), constants={"a": np.eye(2)}, perm=[0, 7])
    yield "Gather beyond", one("Gather", ("a", "i"), constants={"a": np.eye(2), "i": np.array([2])})
    yield "Gather far beyond", one("Gather", ("a", "i"), constants={"a": np.eye(2), "i": np.array([2**62])})
    yield "Gather by floats", one("Gather", ("a", "i"), constants={"a": np.eye(2), "i": np.array([0.0])})
    yield "Concat of unlike", one("Concat", ("a", "b"), constants={"a": np.eye(2), "b": np.eye(3)}, axis=0)
    yield "Concat of types", one("Concat", ("a", "b"), constants={"a": np.eye(2), "b": np.eye(2, dtype="f")}, axis=0)
    yield "Concat without an axis", one("Concat", ("a", "a"), constants={"a": np.eye(2)})
    yield "Split", one("Split", ("a", "s"), constants={"a": np.eye(2), "s": np.array([3])})
    yield "Slice by 0", one("Slice", ("a", "s", "e", "x", "t"), constants={"a": np.eye(2), "s": np.array([0]), "e": np.array([2]), "x": np.array([0]),
                                                                        "t": np.array([0])})
    yield "Slice beyond", one("Slice", ("a", "s", "e", "x"), constants={"a": np.eye(2), "s": np.array([0]), "e": np.array([2]), "x": np.array([9])})
    yield "Squeeze", one("Squeeze", ("a", "x"), constants={"a": np.eye(2), "x": np.array([0])})
    yield "Unsqueeze", one("Unsqueeze", ("a", "x"), constants={"a": np.eye(2), "x": np.array([9])})
    yield "Add of types", one("Add", ("a", "b"), constants={"a": np.eye(2), "b": np.eye(2, dtype="f")})
    yield "Add of shapes", one("Add", ("a", "b"), constants={"a": np.eye(2), "b": np.eye(3)})
    yield "MatMul", one("MatMul", ("a", "b"), constants={"a": np.eye(2), "b": np.eye(3)})
    yield "Gemm of one axis", one("Gemm", ("a", "b"), constants={"a": np.ones(2), "b": np.eye(2)})
    yield "Conv along two axes", one("Conv", ("a", "b"), constants={"a": np.ones((1, 1, 4, 4), "f"), "b": np.ones((1, 1, 2, 2), "f")}, pads=[0] * 4)
    yield "MaxPool along two axes", one("MaxPool", ("a",), constants={"a": np.ones((1, 1, 4, 4), "f")}, kernel_shape=[2, 2])
    yield "MaxPool beyond", one("MaxPool", ("a",), constants={"a": np.ones((1, 1, 4), "f")}, kernel_shape=[9])
    yield "AveragePool of a part", one("AveragePool", ("a",), constants={"a": np.ones((1, 1, 4), "f")}, kernel_shape=[3], strides=[2], ceil_mode=1)
    yield "Cast to nothing", one("Cast", ("X",), to=99)
    yield "Cast to strings", one("Cast", ("X",), to=TensorProto.STRING)
    yield "Constant without a value", one("Constant", ())
    yield "Constant of strings", one("Constant", (), value_strings=["a"])
    yield "If by a number", one("If", ("a",), constants={"a": np.array(1)}, then_branch=empty(), else_branch=empty())
    yield "If by many", one("If", ("a",), constants={"a": np.array([True, True])}, then_branch=empty(), else_branch=empty())
    yield "Pad", one("Pad", ("a", "p"), constants={"a": np.eye(2), "p": np.array([1, 1])})
    yield "no such mode", one("Pad", ("a", "p"), constants={"a": np.eye(2), "p": np.array([1] * 4)}, mode="elephant")
    yield "LSTM of no weights", one("LSTM", ("X", "W", "R"), constants={"W": np.zeros((1, 0, 4), "f"), "R": np.zeros((1, 0, 0), "f")})
    yield "LSTM of whole numbers", one("LSTM", ("X", "W", "R"), constants={"W": np.zeros((1, 8, 4), "i"), "R": np.zeros((1, 8, 2), "i")})
    yield "LSTM of flat weights", one("LSTM", ("X", "W", "R"), constants={"W": np.zeros((8, 4), "f"), "R": np.zeros((1, 8, 2), "f")})
    yield "RNN with coupled gates", one("RNN", ("X", "W", "R"), constants={"W": np.zeros((1, 2, 4), "f"), "R": np.zeros((1, 2, 2), "f")}, input_forget=1)


def empty():
    return helper.make_graph([], "g", [], [])


def hostile():
    """name -> bytes or a ModelProto, each of which must be refused with FormatError."""
    for family in (tensors, models, graphs, attributes, constants):
        for name, model in family():
            yield f"{family.__name__}: {name}", model


def mutated(count=500, seed=0):
    """The good model's bytes with some of them changed, left out, doubled or cut off."""
    rng, (model, _) = np.random.default_rng(seed), good()
    data = model.SerializeToString()
    yield from ((f"first {n} bytes", data[:n]) for n in range(0, len(data), 41))
    for i in range(count):
        found = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at, kind = int(rng.integers(len(found))), rng.integers(4)
            if kind < 2:
                found[at] = rng.integers(256) if kind else found[at] ^ 1 << int(rng.integers(8))
            elif kind == 2:
                del found[at:at + int(rng.integers(1, 9))]
            else:
                found[at:at] = found[at:at + int(rng.integers(1, 30))]
        yield f"mutation {i}", bytes(found)
