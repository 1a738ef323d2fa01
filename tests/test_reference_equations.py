"""Proves that the reference's forward is what its equations say: one step of one sequence, written out in scalars.

This is a second text of every cell and option, in `math` alone and without the reference; for the options that
no other framework has, it is the only witness. It also states what layers, masks and taps are made of steps.
"""

import math

import numpy as np
import pytest

from cases import Case
from cells import FORWARD, GATES, VARIANTS, by_part, make, make_mask, make_masks, name_of, settings, state_of, variants_on
from lstmc import reference

pytestmark = pytest.mark.reference

LN_EPS = {"haste": 1e-5, "tfa": 1e-3}
ONE_STEP = [Case(1, 1, 2, 3), Case(1, 1, 2, 3, bias=False), Case(1, 1, 3, 4, P=2)]


def value(activation, a):
    """An activation of the number a."""
    name, *p = (activation,) if isinstance(activation, str) else activation
    if name == "sigmoid":
        return 1 / (1 + math.exp(-a))
    if name == "tanh":
        return math.tanh(a)
    if name == "relu":
        return a if a > 0 else 0.0
    if name == "linear":
        return a
    if name == "affine":
        return p[0] * a + p[1]
    if name == "leaky_relu":
        return a if a > 0 else (p or [0.01])[0] * a
    if name == "thresholded_relu":
        return a if a > p[0] else 0.0
    if name == "scaled_tanh":
        return p[0] * math.tanh(p[1] * a)
    if name == "hard_sigmoid":
        alpha, beta = p or (0.2, 0.5)
        return max(0.0, min(1.0, alpha * a + beta))
    if name == "elu":
        return a if a > 0 else (p or [1.0])[0] * (math.exp(a) - 1)
    if name == "softsign":
        return a / (1 + abs(a))
    assert name == "softplus"
    return math.log(1 + math.exp(a))


def dot(p, q):
    return sum(s * t for s, t in zip(p, q, strict=True))


def normed(v, gamma, beta, eps):
    mean = sum(v) / len(v)
    variance = sum((e - mean) ** 2 for e in v) / len(v)
    return [g * (e - mean) / math.sqrt(variance + eps) + b for e, g, b in zip(v, gamma, beta, strict=True)]


def masked(mask, v):
    return [m * e for m, e in zip(mask, v, strict=True)]


class Step:
    """One layer's numbers as lists: w by part, and the masks of one step (1 and 0.0 where there is none)."""

    def __init__(self, variant, case, w, masks):
        G, H, R, s = GATES[variant.cell], case.H, case.R, variant.settings
        self.H, self.s, self.w = H, s, w
        zoneout = s.get("zoneout", 0.0)
        zh, zc = zoneout if isinstance(zoneout, tuple) else (zoneout, zoneout)
        self.input = masks.get("input", [1.0] * len(w["weight_ih"][0]))
        self.recurrent = masks.get("recurrent", [[1.0] * R] * G)
        self.zh, self.zc = masks.get("zoneout_h", [zh] * R), masks.get("zoneout_c", [zc] * H)
        self.b_ih, self.b_hh = w.get("bias_ih", [0.0] * G * H), w.get("bias_hh", [0.0] * G * H)

    def clip(self, a):
        clip = self.s.get("clip")
        return a if clip is None else max(-clip, min(clip, a))

    def products(self, x, h):
        """W x and U h', G*H numbers each, without biases."""
        x = masked(self.input, x)
        u = [dot(row, masked(self.recurrent[n // self.H], h)) for n, row in enumerate(self.w["weight_hh"])]
        return [dot(row, x) for row in self.w["weight_ih"]], u

    def zoned(self, z, old, new):
        return [q * a + (1 - q) * b for q, a, b in zip(z, old, new, strict=True)]

    def lstm(self, x, h, c):
        H, w, s = self.H, self.w, self.s
        f_act, g_act, h_act = s.get("activations", ("sigmoid", "tanh", "tanh"))
        wx, uh = self.products(x, h)
        kind = s.get("layer_norm")
        if kind:
            ih, hh = (w[name] if kind == "tfa" else (w[name], [0.0] * 4 * H) for name in ("norm_ih", "norm_hh"))
            wx, uh = normed(wx, *ih, LN_EPS[kind]), normed(uh, *hh, LN_EPS[kind])
        a = [p + q + r + t for p, q, r, t in zip(wx, uh, self.b_ih, self.b_hh, strict=True)]
        rows = {True: "ifo", "all": "ifgo"}.get(s.get("peephole"), "")
        p = {k: w["peephole"][n] for n, k in enumerate(rows)}
        off = s.get("gates_off", ())
        raw, o = [], []
        for k in range(H):
            def gate(name, activation, seen, k=k):
                if name in off:
                    return 1.0
                seen = p[name][k] * seen if name in p else 0.0
                return value(activation, self.clip(a[H * "ifgo".index(name) + k] + seen))

            i = gate("i", f_act, c[k])
            f = 1 - i if s.get("coupled") else gate("f", f_act, c[k])
            raw.append(f * c[k] + i * gate("g", g_act, c[k]))
            o.append(gate("o", f_act, raw[k]))
        new_c = normed(raw, *w["norm_c"], LN_EPS[kind]) if kind else raw
        m = [o[k] * value(h_act, new_c[k]) for k in range(H)]
        new_h = [dot(row, m) for row in w["weight_hr"]] if "weight_hr" in w else m
        return self.zoned(self.zh, h, new_h), self.zoned(self.zc, c, new_c if kind == "tfa" else raw)

    def gru(self, x, h):
        H, s = self.H, self.s
        f_act, g_act = s.get("activations", ("sigmoid", "tanh"))
        wx, uh = self.products(x, h)
        r, z = ([value(f_act, self.clip(wx[n] + self.b_ih[n] + uh[n] + self.b_hh[n])) for n in range(k * H, k * H + H)]
                for k in (0, 1))
        reset = [r[k] * h[k] for k in range(H)]
        new = []
        for k in range(H):
            n = 2 * H + k
            if s.get("reset_after", True):
                a = wx[n] + self.b_ih[n] + r[k] * (uh[n] + self.b_hh[n])
            else:
                a = wx[n] + self.b_ih[n] + dot(self.w["weight_hh"][n], masked(self.recurrent[2], reset)) + self.b_hh[n]
            new.append((1 - z[k]) * value(g_act, self.clip(a)) + z[k] * h[k])
        return (self.zoned(self.zh, h, new),)

    def rnn(self, x, h):
        wx, uh = self.products(x, h)
        return ([value(self.s.get("nonlinearity", "tanh"), self.clip(wx[k] + self.b_ih[k] + uh[k] + self.b_hh[k]))
                 for k in range(self.H)],)


@pytest.mark.parametrize("dropped", [False, True], ids=["", "masks"])
@pytest.mark.parametrize(("case", "name"), variants_on(ONE_STEP), ids=name_of)
def test_one_step_in_scalars(case, name, dropped):
    variant = VARIANTS[name]
    numbers = make(case, variant)
    masks = make_masks(case, variant) if dropped else None
    w = {part.removesuffix("_l0"): a.tolist() for part, a in numbers["params"].items()}
    given = {kind.removesuffix("_l0"): a for kind, a in (masks or {}).items()}
    step = Step(variant, case, w, {kind: (a[:, 0] if kind == "recurrent" else a.reshape(-1)).tolist() for kind, a in given.items()})
    state = [numbers[f"{s}0"][0, 0].tolist() for s in variant.parts]
    expected = getattr(step, variant.cell)(numbers["x"][0, 0].tolist(), *state)

    y, new, _ = FORWARD[variant.cell](numbers["x"], numbers["params"], state_of(variant, numbers), masks=masks,
                                      **settings(case, variant))
    np.testing.assert_allclose(y[0, 0], expected[0], rtol=1e-12, atol=1e-12)
    for (part, got), want in zip(by_part(variant, new, "{}").items(), expected, strict=True):
        np.testing.assert_allclose(got[0, 0], want, rtol=1e-12, atol=1e-12, err_msg=part)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_is_its_steps(name):
    """Two layers, both directions, a mask with holes, all masks: the same as one step at a time by hand."""
    variant, case = VARIANTS[name], Case(6, 4, 3, 4, L=2, D=2)
    numbers, mask = make(case, variant), make_mask(case)
    masks, forward = make_masks(case, variant), FORWARD[variant.cell]
    sizes = settings(case, variant) | {"num_layers": 1, "bidirectional": False}
    y, state, tape = forward(numbers["x"], numbers["params"], state_of(variant, numbers), mask=mask, masks=masks, taps=True,
                             **settings(case, variant))
    below = numbers["x"]
    for layer in range(2):
        outputs = np.zeros((6, 4, 8))
        for d, suffix in enumerate((f"l{layer}", f"l{layer}_reverse")):
            params = {f"{n.removesuffix(suffix)}l0": w for n, w in numbers["params"].items() if n.endswith(suffix)}
            taps = tape.taps[2 * layer + d]
            for b in range(4):
                now = {s: numbers[f"{s}0"][2 * layer + d : 2 * layer + d + 1, b : b + 1] for s in variant.parts}
                steps = np.flatnonzero(mask[:, b])
                for t in steps[::-1] if d else steps:
                    own = {f"{n.removesuffix(suffix)}l0": m[:, b : b + 1] if n.startswith("rec") else
                           m[t : t + 1, b : b + 1] if n.startswith("zone") else m[b : b + 1]
                           for n, m in masks.items() if n.endswith(suffix)}
                    y_t, new, one = forward(below[t : t + 1, b : b + 1], params, state_of(variant, now, "{}"), masks=own,
                                            taps=True, **sizes)
                    now = by_part(variant, new, "{}")
                    outputs[t, b, 4 * d : 4 * d + 4] = y_t[0, 0]
                    np.testing.assert_allclose(taps.gates[t, b], one.taps[0].gates[0, 0], atol=1e-12)
                    np.testing.assert_allclose(taps.pre[t, b], one.taps[0].pre[0, 0], atol=1e-12)
                    if "c" in now:
                        np.testing.assert_allclose(taps.c[t, b], now["c"][0, 0], atol=1e-12)
                for s, got in by_part(variant, state, "{}").items():
                    np.testing.assert_allclose(got[2 * layer + d, b], now[s][0, 0], atol=1e-12)
            assert not taps.gates[~mask].any()
            assert taps.c is None or not taps.c[~mask].any()
        below = outputs
    np.testing.assert_allclose(y, below, atol=1e-12)


@pytest.mark.parametrize("setting", ["relu", "tanh", "sigmoid", ("affine", 0.7, 0.2), "leaky_relu", ("leaky_relu", 0.0),
                                     ("thresholded_relu", 0.6), ("scaled_tanh", -1.5, 0.5), "hard_sigmoid", ("elu", 0.5),
                                     "softsign", "softplus", "linear"], ids=str)
def test_activations(setting):
    a = np.array([-30.0, -2.7, -1.0, -0.3, -1e-3, 1e-3, 0.3, 1.1, 2.3, 30.0])
    f, step = reference.activation(setting), 1e-4
    np.testing.assert_allclose(f.of(a), [value(setting, e) for e in a.tolist()], rtol=1e-12, atol=1e-15)
    slope = (8 * (f.of(a + step) - f.of(a - step)) - (f.of(a + 2 * step) - f.of(a - 2 * step))) / (12 * step)
    np.testing.assert_allclose(f.slope(f.of(a)), slope, atol=1e-9)
    assert np.isnan(f.of(np.array([np.nan])))


def test_activations_do_not_overflow():
    a = np.array([-np.inf, -800.0, 800.0, np.inf])
    with np.errstate(over="raise"):
        for setting, low, high in (("sigmoid", 0, 1), ("softplus", 0, None), ("elu", -1, None), ("tanh", -1, 1)):
            f = reference.activation(setting)
            expected = [low, low, 800 if high is None else high, np.inf if high is None else high]
            assert f.of(a).tolist() == expected, setting
            f.slope(f.of(a)[:3])


def test_sigmoid():
    a = np.array([-np.inf, -800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0, np.inf, np.nan])
    expected = [0.0, 0.0, math.exp(-40), 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1.0, 1.0, 1.0, np.nan]
    np.testing.assert_allclose(reference.sigmoid(a), expected, rtol=1e-15, atol=0)
