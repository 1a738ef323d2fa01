"""One round of the fuzzer: a module, numbers and ways to call it, all drawn from (seed, number), and what must be true of the results.

A round calls the module plainly and compares with the reference. Then it calls it in other ways: with arrays laid out otherwise, on other
numbers of threads, with checkpoints, into `out`, as lists, one sequence alone, in a session, from several Python threads, after calls that
must be refused. All of these must give the plain call's bits, and leave arguments and weights alone. The bits are also the round's digest,
which must be that of every other instruction set and number of threads.
"""

import hashlib
import threading
import zlib
from dataclasses import dataclass

import numpy as np
import pytest

from cases import Case
from cells import DRAWN, VARIANTS, expected, kinks, law_masks, make, make_mask
from conftest import assert_close, assert_same_bits, module_of, named, parts_of, state_in
from lstmc.nn import step_many

# Of the largest value of each result, in networks of any kind, some of which multiply rounding from step to step. Bits are what rounds are
# about; this would find a wrong equation.
TOLERANCE = {"float32": 2e-2, "float64": 1e-10}
MOST = 5e6              # weights times steps and sequences, which the reference computes in a second


@dataclass
class Round:
    """What a round runs on; as a text, enough to make it again."""

    case: Case
    name: str           # of the variant
    dtype: str
    settings: dict      # of dropout
    masked: bool
    stated: bool        # whether an initial state is given
    step: int
    rng: np.random.Generator


def draw(seed, number):
    """The round of this number."""
    rng = np.random.default_rng([seed, number])

    def size(low, high):
        return int(np.floor(np.exp(rng.uniform(np.log(low), np.log(high + 1)))))

    name = list(VARIANTS)[rng.integers(len(VARIANTS))]
    variant = VARIANTS[name]
    L, D = size(1, 3), int(rng.integers(1, 3))
    T, B, I, H = size(1, 60), size(1, 50), size(1, 90), size(1, 130)
    if kinks(variant):                          # numbers away from them are hard to find in a large case
        T, B, H = min(T, 6), min(B, 4), min(H, 9)
    while T * B * H * (I + H) * L * D > MOST:
        T, B = max(T // 2, 1), max(B // 2, 1)
        if T * B == 1:
            break
    if rng.random() < 0.05:
        T, B = (0, B) if rng.random() < 0.5 else (T, 0)
    P = int(rng.integers(1, H)) if variant.cell == "lstm" and H > 1 and rng.random() < 0.3 else 0
    masked = bool(T and B and rng.random() < 0.2)
    case = Case(T, B, I, H, L, D, P, bias=bool(rng.random() < 0.8), ragged=bool(not masked and rng.random() < 0.4))
    dropped = {}
    if rng.random() < 0.3:
        dropped = {setting: 0.3 for setting in DRAWN if setting not in variant.settings and rng.random() < 0.7}
    return Round(case, name, ("float32", "float64")[rng.integers(2)], dropped, masked, bool(rng.random() < 0.7), int(rng.integers(3)), rng)


# Layouts ----------------------------------------------------------------------------------------------------

def strided(a, rng):
    """A view with room between all elements but those of the last axis."""
    buffer = np.full([*(2 * n + 1 for n in a.shape[:-1]), a.shape[-1] + 3], np.nan, a.dtype)
    view = buffer[(*[slice(1, None, 2)] * (a.ndim - 1), slice(1, a.shape[-1] + 1))]
    view[...] = a
    return view


def backwards(a, rng):
    """A view whose every stride is negative."""
    flip = tuple(slice(None, None, -1) for _ in a.shape)
    return np.ascontiguousarray(a[flip])[flip]


def transposed(a, rng):
    """Axes in another order in memory."""
    order = rng.permutation(a.ndim)
    return np.ascontiguousarray(a.transpose(order)).transpose(np.argsort(order))


def unaligned(a, rng):
    b = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


LAYOUTS = [lambda a, rng: a.copy(), strided, backwards, transposed, unaligned, lambda a, rng: a.astype(a.dtype.newbyteorder()),
           lambda a, rng: memoryview(np.array(a)) if a.size else a.copy()]


def laid_out(value, rng):
    """An array, or each of a tuple, in a layout drawn by chance."""
    if value is None or isinstance(value, tuple):
        return value and tuple(laid_out(a, rng) for a in value)
    return LAYOUTS[rng.integers(len(LAYOUTS))](value, rng)


# One round --------------------------------------------------------------------------------------------------

def run(seed, number, compare=True):
    """Run a round; returns its digest. compare: with the reference as well as with itself. Raises AssertionError where something is not so."""
    r = draw(seed, number)
    try:
        return Checks(r).run(compare)
    except BaseException as error:
        error.add_note(f"seed {seed}, round {number}: {r}")
        raise


class Checks:
    def __init__(self, r):
        self.r, self.case, self.rng = r, r.case, r.rng
        numbers = make(r.case, VARIANTS[r.name], int(r.rng.integers(1000)), np.dtype(r.dtype))
        if not r.stated:
            numbers |= {name: np.zeros_like(numbers[name]) for name in ("h0", "c0") if name in numbers}
        self.n = numbers
        self.mask = make_mask(r.case, number_of(r)) if r.masked else None
        self.m = self.module()

    def module(self, **more):
        return module_of(self.case, self.r.dtype, self.n["params"], self.r.name, **self.r.settings | more)

    def run(self, compare):
        n, m, case = self.n, self.m, self.case
        frozen = {k: a.copy() for k, a in [*n.items(), *n["params"].items()] if isinstance(a, np.ndarray)}
        trained, called = self.train(m, threads=1), self.call(m, threads=1)
        if compare:
            self.compare(trained, called)
        for _ in range(2):
            self.refused(m)
            assert_same_bits(self.train(m, **self.way()), trained)
            assert_same_bits(self.call(m, threads=self.threads()), called)
        self.batch_first(trained, called)
        self.into_out(m, called)
        self.alone(m, called)
        if case.ragged and case.B and case.T:
            self.as_lists(m, trained, called)
        if case.D == 1 and self.mask is None and not case.ragged and case.B and case.T:
            self.streamed(m, called)
        if self.rng.random() < 0.3:
            self.from_threads(m, trained, called)
        assert_same_bits(m.state_dict(), n["params"])
        assert_same_bits({k: a for k, a in [*n.items(), *n["params"].items()] if k in frozen}, frozen)
        digest = hashlib.sha256()
        for name, a in [*sorted(trained.items()), *sorted(called.items())]:
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()[:16]

    def compare(self, trained, called):
        r, variant = self.r, VARIANTS[self.r.name]
        more = {} if self.mask is None else {"mask": self.mask}
        masks = law_masks(r.case, variant, r.dtype, step=r.step, **r.settings)
        assert_close(trained, expected(r.case, variant, self.n, masks=masks, **more), TOLERANCE[r.dtype])
        want = expected(r.case, variant, self.n, **more)
        assert_close(called, {name: want[name] for name in called}, TOLERANCE[r.dtype])

    # Calls by name of results, and the ways to make them

    def state(self):
        return state_in(self.n) if self.r.stated or self.rng.random() < 0.5 else None

    def threads(self):
        return (None, 1, 2, 3, 5, 8)[self.rng.integers(6)]

    def valid(self):
        return {"mask": self.mask} if self.mask is not None else {"lengths": self.n["lengths"]}

    def way(self):
        every = None if self.rng.random() < 0.6 else int(self.rng.integers(1, self.case.T + 2))
        return {"threads": self.threads(), "every": every, "lay": lambda a: laid_out(a, self.rng)}

    def call(self, m, threads=None, **more):
        return named(*m(self.n["x"], self.state(), threads=threads, **self.valid(), **more))

    def train(self, m, threads=None, every=None, lay=lambda a: a):
        m.step = self.r.step
        y, state, tape = m.forward(lay(self.n["x"]), lay(self.state()), threads=threads, checkpoint_every=every, **self.valid())
        return named(y, state, m.backward(tape, lay(self.n["dy"]), lay(state_in(self.n, "d{}_n")), threads=self.threads() if threads else None))

    # What must give the same bits

    def batch_first(self, trained, called):
        m = self.module(batch_first=True)
        x, valid = self.n["x"].swapaxes(0, 1), {k: v if k == "lengths" or v is None else v.T for k, v in self.valid().items()}
        y, state = m(laid_out(x, self.rng), self.state(), threads=self.threads(), **valid)
        assert_same_bits(named(y.swapaxes(0, 1), state), called)
        m.step = self.r.step
        y, state, tape = m.forward(x, self.state(), threads=self.threads(), **valid)
        g = m.backward(tape, laid_out(self.n["dy"].swapaxes(0, 1), self.rng), state_in(self.n, "d{}_n"))
        assert_same_bits(named(y.swapaxes(0, 1), state, g._replace(x=g.x.swapaxes(0, 1))), trained)

    def into_out(self, m, called):
        shape = called["y"].shape
        buffer = np.full([k + 2 for k in shape], 7, m.dtype)
        out = buffer[tuple(slice(1, k + 1) for k in shape)]
        assert_same_bits(self.call(m, self.threads(), out=out), called)
        assert np.count_nonzero(buffer == 7) >= buffer.size - out.size

    def alone(self, m, called):
        """One sequence has the bits that it has among others."""
        if not self.case.B:
            return
        b = int(self.rng.integers(self.case.B))
        one = slice(b, b + 1)
        state = tuple(np.ascontiguousarray(self.n[s][:, one]) for s in ("h0", "c0") if s in self.n)
        valid = {k: v if v is None else v[one] if k == "lengths" else v[:, one] for k, v in self.valid().items()}
        got = named(*m(self.n["x"][:, one], state if len(state) > 1 else state[0], threads=self.threads(), **valid))
        assert_same_bits(got, {name: np.ascontiguousarray(a[:, one]) for name, a in called.items()})

    def as_lists(self, m, trained, called):
        lengths = self.n["lengths"]
        x, dy = ([np.ascontiguousarray(self.n[name][:k, b]) for b, k in enumerate(lengths)] for name in ("x", "dy"))
        ys, state = m(x, self.state(), threads=self.threads())
        for b, k in enumerate(lengths):
            assert_same_bits(np.ascontiguousarray(ys[b]), np.ascontiguousarray(called["y"][:k, b]))
        m.step = self.r.step
        _, state, tape = m.forward(x, self.state())
        g = m.backward(tape, dy, state_in(self.n, "d{}_n"))
        assert_same_bits(parts_of(state, "{}_n"), {name: trained[name] for name in parts_of(state, "{}_n")})
        got = parts_of(g.hx, "d{}0") | {f"d{name}": a for name, a in g.params.items()}
        assert_same_bits(got, {name: trained[name] for name in got})

    def streamed(self, m, called):
        s, B, t, y = m.session(self.case.B), self.case.B, 0, []
        s.state = state_in(self.n)
        at = self.case.B // 2
        while t < self.case.T:
            kind, x = self.rng.integers(4), self.n["x"]
            if kind == 0:
                y.append(s.step(laid_out(x[t], self.rng), threads=self.threads()))
            elif kind == 1:
                y.append(s.step(x[t], np.empty((B, m.output_size), m.dtype)).copy())
            elif kind == 2 and at > 0:
                parts = [m.session(at), m.session(B - at)]
                for part, rows in zip(parts, (slice(0, at), slice(at, B)), strict=True):
                    part.state = rows_of(s.state, rows)
                y.append(np.concatenate(step_many(parts, [x[t, :at], x[t, at:]])))
                s.state = joined([p.state for p in parts])
            else:
                steps = int(self.rng.integers(1, self.case.T - t + 1))
                y.extend(s.run(x[t:t + steps], threads=self.threads()))
                t += steps - 1
            t += 1
            if self.rng.random() < 0.2:
                s = s.fork()
        assert_same_bits(named(np.stack(y), s.state), called)

    def from_threads(self, m, trained, called):
        """Several Python threads at once on one module; its step is then nobody's, so they train on copies."""
        errors, ways = [], [self.threads() for _ in range(4)]
        valid, state = self.valid(), state_in(self.n)

        def work(i):
            try:
                for _ in range(2):
                    assert_same_bits(named(*m(self.n["x"], state, threads=ways[i], **valid)), called)
                other = self.module()
                other.step = self.r.step
                y, end, tape = other.forward(self.n["x"], state, threads=ways[i], **valid)
                assert_same_bits(named(y, end, other.backward(tape, self.n["dy"], state_in(self.n, "d{}_n"))), trained)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for error in errors:
            raise error

    def refused(self, m):
        """A call that must be refused, drawn by chance, and the plain one is none the worse."""
        x, T, B, step = self.n["x"], self.case.T, self.case.B, m.step
        other = {"float32": np.float64, "float64": np.float32}[self.r.dtype]
        out = np.zeros((T + 1, B, m.num_directions * m.output_size), m.dtype)[1:]
        wrong = [
            (TypeError, lambda: m(x.astype(other))),
            (TypeError, lambda: m([list(rows) for rows in x.astype(other)] if T * B else x.astype(other))),
            (ValueError, lambda: m(np.concatenate((x, x), axis=2))),
            (ValueError, lambda: m(x[None])),
            (ValueError, lambda: m(x, lengths=np.full(B + 1, T))),
            (ValueError, lambda: m(x, lengths=np.full(B, T + 1)) if B else m(x, lengths=[1])),
            (ValueError, lambda: m(x, mask=np.ones((T, B + 1), bool))),
            (ValueError, lambda: m(x, rows_of(state_in(self.n), slice(1, None), axis=0))),
            (ValueError, lambda: m(x, threads=0)),
            (ValueError, lambda: m(x, out=out[..., :-1])),
            (ValueError, lambda: m(x, out=np.lib.stride_tricks.as_strided(out, out.shape, (0, 0, m.dtype.itemsize))) if T * B > 1 else m(x, threads=0)),
            (TypeError, lambda: m.forward(x, train=1)),
            (AttributeError, lambda: setattr(m, "hidden_size", m.hidden_size + 1)),
        ]
        kind, call = wrong[self.rng.integers(len(wrong))]
        with pytest.raises(kind, match=r"^(x|lengths|mask|hx|threads|out|train|hidden_size)(\[\d+\])?: "):
            call()
        assert m.step == step


def number_of(r):
    """A seed for what `make` does not draw."""
    return zlib.crc32(r.case.id.encode())


def rows_of(state, rows, axis=1):
    if isinstance(state, tuple):
        return tuple(rows_of(a, rows, axis) for a in state)
    return state[rows] if axis == 0 else state[:, rows]


def joined(states):
    if isinstance(states[0], tuple):
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))
    return np.concatenate(states, axis=1)
