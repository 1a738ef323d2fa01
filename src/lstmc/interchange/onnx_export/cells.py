"""One LSTM, GRU or RNN node of ONNX from one layer of a module of `lstmc.nn`: its attributes, its weights, and what cannot be one."""

import numpy as np

from lstmc import layouts
from lstmc.nn import variants

# What nodes call the functions, and whether they read alpha and beta.
FUNCTIONS = {
    "sigmoid": ("Sigmoid", ""), "tanh": ("Tanh", ""), "relu": ("Relu", ""), "affine": ("Affine", "ab"), "linear": ("Affine", "ab"),
    "leaky_relu": ("LeakyRelu", "a"), "thresholded_relu": ("ThresholdedRelu", "a"), "scaled_tanh": ("ScaledTanh", "ab"),
    "hard_sigmoid": ("HardSigmoid", "ab"), "elu": ("Elu", "a"), "softsign": ("Softsign", ""), "softplus": ("Softplus", ""),
}
OPEN = 100.0            # the argument of a sigmoid that is 1 in every precision


def kind(m):
    """The cell of a module by its name in `lstmc.layouts`."""
    return m.cell.removesuffix("_before")


def check(m, name):
    """Raise ValueError for a module that no node expresses."""
    def refuse(argument, hint):
        raise ValueError(f"{name}: {argument}={getattr(m, argument)!r} cannot be exported: {hint}")

    if m.proj_size:
        refuse("proj_size", "ONNX's LSTM has no projection")
    if m.layer_norm:
        refuse("layer_norm", "ONNX's LSTM has no layer normalisation")
    if any(getattr(m, "zoneout", ())):
        refuse("zoneout", "its expectation mixes states, which ONNX's nodes do not")
    if getattr(m, "peephole", False) == "all":
        refuse("peephole", "ONNX's LSTM has peepholes of i, f and o alone; use peephole=True")
    if getattr(m, "gates_off", ()) and (m.activations[0][0] != "sigmoid" or m.clip is not None):
        refuse("gates_off", "a gate is switched off by a large bias, which needs the sigmoid and no clip")


def functions(m):
    """The attributes of a node's activations, for one direction: (names, alphas, betas)."""
    used = (variants.activation(m.nonlinearity, "nonlinearity"),) if m.cell == "rnn" else m.activations
    names, alphas, betas = [], [], []
    for function, alpha, beta in used:
        name, reads = FUNCTIONS[function]
        names.append(name)
        alphas += [alpha] * ("a" in reads)
        betas += [beta] * ("b" in reads)
    return names, alphas, betas


def attributes(m):
    """Those of a node for every direction of a module."""
    D = m.num_directions
    names, alphas, betas = (list(values) * D for values in functions(m))
    found = {"hidden_size": m.hidden_size, "direction": "bidirectional" if D == 2 else "forward", "activations": names}
    found |= {"activation_alpha": alphas} if alphas else {}
    found |= {"activation_beta": betas} if betas else {}
    if getattr(m, "clip", None) is not None:
        found["clip"] = m.clip
    if kind(m) == "gru":
        found["linear_before_reset"] = int(m.reset_after)
    if getattr(m, "coupled", False):
        found["input_forget"] = 1
    return found


def weights(m, layer):
    """(W, R, B or None, P or None) of a layer of a module, (D, ...) as nodes have them."""
    cell, arrays = kind(m), m.state_dict()
    ways = [f"_l{layer}{way}" for way in ("", "_reverse")[:m.num_directions]]
    W = np.stack([layouts.matrix_out(arrays[f"weight_ih{way}"], cell, "onnx") for way in ways])
    R = np.stack([layouts.matrix_out(arrays[f"weight_hh{way}"], cell, "onnx") for way in ways])
    B = P = None
    if m.bias:
        B = np.stack([layouts.biases_out(arrays[f"bias_ih{way}"], arrays[f"bias_hh{way}"], cell, "onnx") for way in ways])
    if getattr(m, "peephole", False):
        rows = layouts.LAYOUTS["pytorch"].peephole, layouts.LAYOUTS["onnx"].peephole
        P = np.stack([layouts.blocks(arrays[f"peephole{way}"].reshape(-1), *rows) for way in ways])
    if getattr(m, "gates_off", ()):
        W, R, B, P = switched_off(m, W, R, B, P)
    return W, R, B, P


def switched_off(m, W, R, B, P):
    """The weights with which the gates of `gates_off` are 1."""
    H, row = m.hidden_size, layouts.LAYOUTS["onnx"]
    W, R = W.copy(), R.copy()
    B = np.zeros((len(W), 8 * H), W.dtype) if B is None else B.copy()
    P = None if P is None else P.copy()
    for gate in m.gates_off:
        at = row.lstm.index(gate) * H
        W[:, at:at + H] = R[:, at:at + H] = 0
        B[:, at:at + H], B[:, 4 * H + at:5 * H + at] = OPEN, 0
        if P is not None:
            at = row.peephole.index(gate) * H
            P[:, at:at + H] = 0
    return W, R, B, P


def node(b, m, layer, x, lengths, state, name):
    """(Y (T, D, B, H), final state: h or h and c, (D, B, H) each) of a layer over x (T, B, I), from a state of (D, B, H) each.

    lengths: (B,) int32, or "" for all steps. A sequence of no steps keeps its state.
    """
    W, R, B, P = weights(m, layer)
    given = [x, b.constant(W, name=f"{name}/W"), b.constant(R, name=f"{name}/R"), "" if B is None else b.constant(B, name=f"{name}/B"), lengths, *state]
    given += ["" if P is None else b.constant(P, name=f"{name}/P")] if P is not None else []
    Y, *final = b.op(kind(m).upper(), *given, outputs=1 + len(state), name=f"{name}/Y", **attributes(m))
    if lengths:
        some = b.unsqueeze(b.op("Greater", lengths, b.constant(0, np.int32)), 0, 2)
        final = [b.op("Where", some, new, old) for new, old in zip(final, state, strict=True)]
    return Y, final


def joined(b, Y, D, H):
    """Y (T, D, B, H) as (T, B, D*H)."""
    return b.squeeze(Y, 1) if D == 1 else b.reshape(b.transpose(Y, 0, 2, 1, 3), 0, 0, D * H)


def repeated(b, state, size):
    """A state (n, B or 1, H) for a batch of `size` (1,)."""
    return b.op("Expand", state, b.op("Concat", b.ints(1), size, b.ints(1), axis=0))
