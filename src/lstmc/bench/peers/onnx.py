"""ONNX Runtime and OpenVINO, both on one ONNX model per case, made here. Inference only.

A layer is one node; Y (T, D, B, H) becomes (T, B, D*H). A stream's model takes and gives the state and nothing else, h being y.
GRU nodes have linear_before_reset=1, which is PyTorch's cell.
"""

import numpy as np

from lstmc.bench.cases import lengths
from lstmc.bench.contenders import Contender, Unsupported

# ONNX's order of gates, in PyTorch's i, f, g, o and r, z, n: i, o, f, g and z, r, n.
ORDER = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn": [0]}
STATES = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}


def model(case, weights):
    """The ONNX model of a case: x -> y, or for a step x, h, c -> hn, cn; without c, cn if the cell has none."""
    from onnx import TensorProto, helper, numpy_helper

    real = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[case.dtype]
    T, B, H, D = case.T, case.B, case.H, case.D
    nodes, constants, below = [], [], "x"

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def gates(name, ways):
        """(D, G*H, ...) in ONNX's order of gates."""
        order = ORDER[case.cell]
        return np.stack([weights[name + way].reshape(len(order), H, -1)[order].reshape(len(order) * H, -1) for way in ways])

    state = STATES[case.cell] if case.kind == "step" else ()
    more = {"linear_before_reset": 1} if case.cell == "gru" else {}
    ends = constant("lengths", lengths(case).astype(np.int32)) if case.ragged else ""
    for layer in range(case.L):
        ways = [f"_l{layer}{way}" for way in ("", "_reverse")[:D]]
        bias = np.concatenate([gates("bias_ih", ways), gates("bias_hh", ways)], axis=1)[:, :, 0]
        inputs = [below, constant(f"W{layer}", gates("weight_ih", ways)), constant(f"R{layer}", gates("weight_hh", ways)),
                  constant(f"B{layer}", bias), *([ends, *state] if state or ends else [])]
        nodes.append(helper.make_node(case.cell.upper(), inputs, ["", *(f"{s}n" for s in state)] if state else [f"Y{layer}"], hidden_size=H,
                                      direction="bidirectional" if D == 2 else "forward", **more))
        if state:
            continue
        apart, below = f"Y{layer}", "y" if layer == case.L - 1 else f"y{layer}"
        if D == 2:
            apart = f"t{layer}"
            nodes.append(helper.make_node("Transpose", [f"Y{layer}"], [apart], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [apart, constant(f"shape{layer}", np.array([T, B, D * H]))], [below]))

    def value(name, *shape):
        return helper.make_tensor_value_info(name, real, shape)

    graph = helper.make_graph(nodes, case.cell, [value("x", T, B, case.I), *(value(s, D, B, H) for s in state)],
                              [value(f"{s}n", D, B, H) for s in state] or [value("y", T, B, D * H)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8).SerializeToString()


class OnnxRuntime(Contender):
    """An InferenceSession on the CPU provider; a step feeds the state it was given."""

    cells, ragged = tuple(ORDER), True

    @classmethod
    def use(cls, threads):
        import onnx  # noqa: F401  makes the models
        import onnxruntime

        cls.threads = threads
        onnxruntime.set_default_logger_severity(3)
        return f"{onnxruntime.__version__}, {threads} threads in an operator"

    def __init__(self, case):
        import onnxruntime

        super().__init__(case)
        if case.dtype != "float32":
            raise Unsupported("its recurrent operators are float32 only")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        self.session = onnxruntime.InferenceSession(model(case, self.weights), options, providers=["CPUExecutionProvider"])
        self.feeds = {"x": self.x}
        self.reset()

    def forward(self):
        return {"y": self.session.run(None, self.feeds)[0]}

    def step(self):
        self.feeds.update(zip(STATES[self.case.cell], self.session.run(None, self.feeds), strict=True))
        return {"y": self.feeds["h"]}

    train = None

    def reset(self):
        if self.case.kind == "step":
            self.feeds |= dict.fromkeys(STATES[self.case.cell], np.zeros((1, self.case.B, self.case.H), self.case.dtype))


class OpenVino(Contender):
    """An inference request with its tensors bound once; a step copies the new state into the inputs."""

    cells = tuple(ORDER)

    @classmethod
    def use(cls, threads):
        import onnx  # noqa: F401  makes the models
        import openvino

        cls.settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        cls.core = openvino.Core()
        return f"{openvino.__version__.partition('-')[0]}, {threads} threads, f32, latency"

    def __init__(self, case):
        import openvino

        super().__init__(case)
        if case.dtype != "float32":
            raise Unsupported("float32 only")
        compiled = self.core.compile_model(self.core.read_model(model(case, self.weights)), "CPU", self.settings)
        self.request = compiled.create_infer_request()
        self.request.set_tensor("x", openvino.Tensor(self.x, shared_memory=True))
        self.y = {"y": self.request.get_tensor("hn" if case.kind == "step" else "y").data}
        if case.kind == "step":
            self.state = [self.request.get_tensor(name).data for name in STATES[case.cell]]
            self.new = [self.request.get_tensor(f"{name}n").data for name in STATES[case.cell]]
        self.reset()

    def forward(self):
        self.request.infer()
        return self.y

    def step(self):
        self.request.infer()
        for old, new in zip(self.state, self.new, strict=True):
            old[...] = new
        return self.y

    train = None

    def reset(self):
        if self.case.kind == "step":
            for old in self.state:
                old[...] = 0
