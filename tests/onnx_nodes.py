"""ONNX's LSTM, GRU and RNN in NumPy, as the operators' texts say: what onnx's own reference leaves out (lengths, clip, functions, coupled gates).
And Erf, which that computes in float32.

`session(path)` runs a file with them.
"""

import math

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

# name -> (function of x, alpha, beta; which of these it reads)
FUNCTIONS = {
    "Sigmoid": (lambda x, a, b: 1 / (1 + np.exp(-x)), ""),
    "Tanh": (lambda x, a, b: np.tanh(x), ""),
    "Relu": (lambda x, a, b: np.maximum(x, 0), ""),
    "Affine": (lambda x, a, b: a * x + b, "ab"),
    "LeakyRelu": (lambda x, a, b: np.where(x < 0, a * x, x), "a"),
    "ThresholdedRelu": (lambda x, a, b: np.where(x >= a, x, 0), "a"),
    "ScaledTanh": (lambda x, a, b: a * np.tanh(b * x), "ab"),
    "HardSigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), "ab"),
    "Elu": (lambda x, a, b: np.where(x < 0, a * (np.exp(np.minimum(x, 0)) - 1), x), "a"),
    "Softsign": (lambda x, a, b: x / (1 + np.abs(x)), ""),
    "Softplus": (lambda x, a, b: np.log(1 + np.exp(x)), ""),
}


def functions(names, alphas, betas):
    """Functions of x, which take alpha and beta of the lists if they read them."""
    alphas, betas, found = list(alphas or ()), list(betas or ()), []
    for name in names:
        f, reads = FUNCTIONS[name]
        a, b = alphas.pop(0) if "a" in reads else 0, betas.pop(0) if "b" in reads else 0
        found.append(lambda x, f=f, a=a, b=b: f(x, a, b))
    return found


class Recurrent(OpRun):
    op_domain = ""
    gates = 0

    def node(self, X, W, R, B, lengths, initial, P, direction, hidden_size, names, alphas, betas, **options):
        """(Y, final states) of every direction, step by step and sequence by sequence."""
        T, batch, _ = X.shape
        D, H = W.shape[0], hidden_size
        of = functions(names, alphas, betas)
        B = np.zeros((D, 2 * self.gates * H), X.dtype) if B is None else B
        P = np.zeros((D, 3 * H), X.dtype) if P is None else P
        Y, final = np.zeros((T, D, batch, H), X.dtype), [s.copy() for s in initial]
        for d in range(D):
            at = slice(d * len(of) // D, (d + 1) * len(of) // D)
            for n in range(batch):
                steps = range(T if lengths is None else lengths[n])
                state = [s[d, n] for s in initial]
                for t in reversed(steps) if direction == "reverse" or d else steps:
                    state = self.step(X[t, n], state, W[d], R[d], *np.split(B[d], 2), P[d], of[at], **options)
                    Y[t, d, n] = state[0]
                for s, last in zip(final, state, strict=True):
                    # onnxruntime gives 0 for a sequence of no steps.
                    s[d, n] = last if steps else 0
        return (Y, *final)


def bounded(x, clip):
    return x if clip is None else np.clip(x, -clip, clip)


class LSTM(Recurrent):
    gates = 4

    def _run(self, X, W, R, B=None, sequence_lens=None, initial_h=None, initial_c=None, P=None, activation_alpha=None, activation_beta=None,
             activations=None, clip=None, direction=None, hidden_size=None, input_forget=None, layout=None):
        return self.node(X, W, R, B, sequence_lens, (initial_h, initial_c), P, direction, hidden_size, activations, activation_alpha,
                         activation_beta, clip=clip, coupled=input_forget)

    def step(self, x, state, W, R, Wb, Rb, P, of, clip, coupled):
        (h, c), (f, g, last) = state, of
        zi, zo, zf, zc = np.split(W @ x + R @ h + Wb + Rb, 4)
        pi, po, pf = np.split(P, 3)
        i = f(bounded(zi + pi * c, clip))
        forget = 1 - i if coupled else f(bounded(zf + pf * c, clip))
        c = forget * c + i * g(bounded(zc, clip))
        return f(bounded(zo + po * c, clip)) * last(c), c


class GRU(Recurrent):
    gates = 3

    def _run(self, X, W, R, B=None, sequence_lens=None, initial_h=None, activation_alpha=None, activation_beta=None, activations=None, clip=None,
             direction=None, hidden_size=None, layout=None, linear_before_reset=None):
        return self.node(X, W, R, B, sequence_lens, (initial_h,), None, direction, hidden_size, activations, activation_alpha, activation_beta,
                         clip=clip, after=linear_before_reset)

    def step(self, x, state, W, R, Wb, Rb, P, of, clip, after):
        (h,), (f, g) = state, of
        Rz, Rr, Rh = np.split(R, 3)
        xz, xr, xh = np.split(W @ x + Wb, 3)
        bz, br, bh = np.split(Rb, 3)
        z, r = f(bounded(xz + Rz @ h + bz, clip)), f(bounded(xr + Rr @ h + br, clip))
        n = g(bounded(xh + (r * (Rh @ h + bh) if after else Rh @ (r * h) + bh), clip))
        return ((1 - z) * n + z * h,)


class RNN(Recurrent):
    gates = 1

    def _run(self, X, W, R, B=None, sequence_lens=None, initial_h=None, activation_alpha=None, activation_beta=None, activations=None, clip=None,
             direction=None, hidden_size=None, layout=None):
        return self.node(X, W, R, B, sequence_lens, (initial_h,), None, direction, hidden_size, activations, activation_alpha, activation_beta, clip=clip)

    def step(self, x, state, W, R, Wb, Rb, P, of, clip):
        return (of[0](bounded(W @ x + R @ state[0] + Wb + Rb, clip)),)


class Erf(OpRun):
    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


def session(path):
    return ReferenceEvaluator(str(path), new_ops=[LSTM, GRU, RNN, Erf])
