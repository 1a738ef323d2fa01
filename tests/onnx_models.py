"""Models in ONNX's format that the tests make, or take from ONNX: a recurrent node with any of its options, configurations that are drawn, and the cases
of ONNX's backend tests.
"""

import importlib
import importlib.util
import re
from pathlib import Path

import numpy as np
from onnx import helper, numpy_helper
from onnx.backend.test.case import node as backend

import lstmc

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FUNCTIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
# ONNX's names, with alpha and beta to try. The negative slope of LeakyRelu is small, so that sequences do not grow.
ACTIVATIONS = [("Sigmoid",), ("Tanh",), ("Relu",), ("HardSigmoid", 0.3, 0.4), ("LeakyRelu", 0.05), ("ScaledTanh", 0.8, 0.9), ("Elu", 0.5), ("Softsign",),
               ("Affine", 0.4, 0.1), ("ThresholdedRelu", 0.2), ("Softplus",)]

UNLIKE = ("ScaledTanh", "Affine", "ThresholdedRelu")    # whose defaults onnxruntime takes for 0, which are not ONNX's


def configuration(number):
    """(operator, attributes, sizes, options) by number; every option takes part in many of them."""
    rng = np.random.default_rng([13, number])

    def some(*values):
        return values[rng.integers(len(values))]

    op = ("LSTM", "GRU", "RNN")[number % 3]
    direction = some("forward", "reverse", "bidirectional", "bidirectional")
    sizes = {"T": int(some(1, 2, 5, 9)), "B": int(some(1, 3, 6)), "I": int(some(1, 4, 7)), "H": int(some(1, 3, 8, 17))}
    attributes = {"hidden_size": sizes["H"], "direction": direction}
    if some(False, True):
        D = 2 if direction == "bidirectional" else 1
        one = [ACTIVATIONS[rng.integers(len(ACTIVATIONS))] for _ in range(FUNCTIONS[op] * D)]
        one = one if some(False, True) else one[:FUNCTIONS[op]] * D
        if some(False, True) and not any(a[0] in UNLIKE for a in one):
            one = [a[:1] for a in one]      # alpha and beta by default
        attributes["activations"] = [a[0] for a in one]
        attributes["activation_alpha"] = [a[1] for a in one if len(a) > 1]
        attributes["activation_beta"] = [a[2] for a in one if len(a) > 2]
    if op != "RNN" and some(False, True):
        attributes["clip"] = float(some(0.5, 2.0))
    if op == "LSTM" and some(False, False, True):
        attributes["input_forget"] = 1
    if op == "GRU" and some(False, True):
        attributes["linear_before_reset"] = 1
    options = {"bias": bool(some(True, True, False)), "lengths": bool(some(False, True)), "state": bool(some(False, True)),
               "peephole": op == "LSTM" and bool(some(False, True)), "opset": int(some(7, 11, 13, 14, 21, 22)), "layout": int(some(0, 0, 1))}
    return op, {name: value for name, value in attributes.items() if value != []}, sizes, options


def drawn(op, attributes, sizes, options, seed=0, dtype=np.float32):
    """(weights, inputs) in ONNX's layout 0."""
    rng = np.random.default_rng(seed)
    T, B, I, H = sizes.values()
    G, D = GATES[op], 2 if attributes.get("direction") == "bidirectional" else 1
    shapes = {"W": (D, G * H, I), "R": (D, G * H, H)} | ({"B": (D, 2 * G * H)} if options["bias"] else {}) | ({"P": (D, 3 * H)} if options["peephole"] else {})
    weights = {name: rng.uniform(-1, 1, shape).astype(dtype) / dtype(H**0.5) for name, shape in shapes.items()}
    inputs = {"X": rng.standard_normal((T, B, I)).astype(dtype)}
    if options["lengths"]:
        inputs["sequence_lens"] = rng.integers(1, T + 1, B).astype(np.int32)
    if options["state"]:
        inputs |= {f"initial_{part}": rng.standard_normal((D, B, H)).astype(dtype) for part in ("h", "c")[: 2 if op == "LSTM" else 1]}
    return weights, inputs


def model_of(op, attributes, weights, inputs, opset=14, constants=()):
    """A model of one node; `constants` names the inputs that are stored in it."""
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h", *(["initial_c", "P"] if op == "LSTM" else [])]
    given = {**inputs, **weights}
    outputs = ["Y", "Y_h", *(["Y_c"] if op == "LSTM" else [])]
    node = helper.make_node(op, [name if name in given else "" for name in names], outputs, name="cell", **attributes)
    kind = helper.np_dtype_to_tensor_dtype(given["X"].dtype)
    stored = [numpy_helper.from_array(a, name) for name, a in given.items() if name in weights or name in constants]
    described = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), [f"{name}{i}" for i in range(a.ndim)])
                 for name, a in inputs.items() if name not in constants]
    graph = helper.make_graph([node], "g", described, [helper.make_tensor_value_info(name, kind, None) for name in outputs], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def layout_1(inputs):
    """Inputs of layout 0 as layout 1 has them."""
    return {name: a if a.ndim < 3 else np.ascontiguousarray(a.swapaxes(0, 1)) for name, a in inputs.items()}


def layout_0(outputs):
    """Outputs of layout 1 as layout 0 has them."""
    return {name: a.transpose(1, 2, 0, 3) if name == "Y" else a.swapaxes(0, 1) for name, a in outputs.items()}


def cases_of(operators):
    """The backend's cases of operators: of every module of it whose text names one, so that none is missed."""
    folder = Path(importlib.util.find_spec("onnx.backend.test.case.node").origin).parent
    wanted = re.compile(rf'"({"|".join(operators)})"')
    for path in sorted(folder.glob("*.py")):
        if wanted.search(path.read_text(encoding="utf-8")):
            importlib.import_module(f"onnx.backend.test.case.node.{path.stem}")
    return [case for case in backend._NodeTestCases if {n.op_type for n in case.model.graph.node} <= set(operators)]


def check(case):
    """Run a case of the backend and compare shapes, types and values."""
    run = lstmc.from_onnx(case.model)
    for inputs, outputs in case.data_sets:
        got = run(dict(zip([i.name for i in case.model.graph.input], inputs, strict=True)))
        for a, want in zip(got.values(), outputs, strict=True):
            assert (a.shape, a.dtype) == (want.shape, want.dtype)
            np.testing.assert_allclose(a, want, rtol=max(case.rtol, 1e-5), atol=1e-6)
