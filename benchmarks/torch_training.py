"""lstmc.torch beside torch.nn in training loops of torch.

    python benchmarks/torch_training.py [--rounds N] [--threads N] [--filter TEXT] [--parts layers,tagger,overhead]

layers: a step of a loop (zero_grad, forward, backward, SGD) with one module, over the training shapes of `python -m lstmc bench`. tagger: a step of
training Embedding, two layers of a bidirectional LSTM, Linear, cross-entropy and Adam, on padded and on packed batches, before and after `accelerate`.
overhead: what a call of a tiny module and its backward take beyond `lstmc.nn`'s own, and what a function of torch that computes nothing takes.

Contenders are verified first, have a process each, which is stopped while the other is timed, and take turns; printed are medians over rounds, and
ratios to lstmc. The overhead is the least of many repetitions, in time of the thread.
"""

import argparse
import random
import statistics
import time

import numpy as np

import lstmc
from lstmc.bench.cases import CASES, Case
from lstmc.bench.children import Child
from lstmc.bench.contenders import PEER_TOLERANCE, TOLERANCE
from lstmc.bench.groups import mean
from lstmc.bench.peers.torch import Torch
from lstmc.bench.truth import expected

SECONDS = 0.1           # about how long a block lasts
LAYERS = [case for case in CASES if case.kind == "train" and not (case.settings or case.checkpoint)]
TAGGERS = [Case("train", 60, 32, 64, 64, L=2, D=2), Case("train", 60, 32, 64, 64, L=2, D=2, ragged=True), Case("train", 30, 16, 128, 128, L=2, D=2)]
WORDS, TAGS, STEPS = 5000, 12, 4
RATE = 1e-6             # weights change at each step and stay near where they began


class Loop(Torch):
    """A step of a training loop with one module of torch.nn."""

    def __init__(self, case):
        import torch

        super().__init__(case)
        self.sgd = torch.optim.SGD(self.module.parameters(), RATE)

    def train(self):
        found = super().train()
        self.sgd.step()
        return found


def with_threads(threads):
    """Set both libraries' threads."""
    lstmc.set_num_threads(threads)
    return f"{lstmc.__version__}, torch {Torch.use(threads)}"


class FastLoop(Loop):
    """The same after `accelerate`."""

    tolerance, use = TOLERANCE, staticmethod(with_threads)

    def __init__(self, case):
        from lstmc.torch import accelerate

        super().__init__(case)
        assert accelerate(self.module).swapped


class Tagger:
    """A step of training a tagger; a ragged case's batches are packed."""

    tolerance, ready, use = PEER_TOLERANCE, Torch.ready, Torch.use
    accelerated = False

    def __init__(self, case):
        import torch
        from torch import nn

        torch.manual_seed(0)
        self.case, self.torch = case, torch
        self.model = nn.ModuleList([nn.Embedding(WORDS, case.I), nn.LSTM(case.I, case.H, case.L, batch_first=True, bidirectional=True),
                                    nn.Linear(2 * case.H, TAGS)])
        if self.accelerated:
            from lstmc.torch import accelerate

            assert accelerate(self.model).swapped
        self.adam = torch.optim.Adam(self.model.parameters())
        rng = np.random.default_rng(0)
        self.lengths = torch.from_numpy(np.sort(rng.integers(case.T // 4, case.T + 1, case.B))[::-1].copy()) if case.ragged else None
        self.words = torch.from_numpy(rng.integers(0, WORDS, (case.B, case.T)))
        self.tags = self.words % TAGS

    def run(self):
        """The loss of one step."""
        nn, (embedding, lstm, linear) = self.torch.nn, self.model
        x, tags = embedding(self.words), self.tags
        if self.lengths is None:
            y = lstm(x)[0].flatten(0, 1)
        else:
            pack = nn.utils.rnn.pack_padded_sequence
            y, tags = lstm(pack(x, self.lengths, True))[0].data, pack(tags, self.lengths, True).data
        loss = nn.functional.cross_entropy(linear(y), tags.flatten())
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss.item()

    def results(self):
        return {"losses": np.array([self.run() for _ in range(STEPS)])}


class FastTagger(Tagger):
    """The same after `accelerate`."""

    accelerated, use = True, staticmethod(with_threads)


def turns(case, children, want, rounds):
    """Median seconds of a step by contender's name."""
    for child in children:
        child.build(case)
        child.ask("verify", want)
    blocks = {child.name: child.ask("calls", SECONDS) for child in children}
    seconds = {child.name: [] for child in children}
    for n in range(rounds):
        for child in random.Random(n).sample(children, len(children)):
            seconds[child.name].append(child.ask("block", *blocks[child.name]))
    for child in children:
        child.ask("drop")
    return {name: statistics.median(s) for name, s in seconds.items()}


def compare(cases, kinds, truth, arguments):
    """A line for each case; ratios by case."""
    children, ratios = [Child(name, f"torch_training:{kind}", arguments.threads) for name, kind in kinds.items()], {}
    try:
        for child in children:
            print(f"{child.name}: {child.hello()}", flush=True)
        for case in cases:
            found = turns(case, children, truth(case), arguments.rounds)
            ratios[case] = found["torch"] / found["lstmc"]
            print(f"{case.id:<34} lstmc {found['lstmc'] * 1e3:8.3f} ms   torch {found['torch'] * 1e3:8.3f} ms   {ratios[case]:6.2f}x", flush=True)
    finally:
        for child in children:
            child.close()
    return ratios


def layers(arguments):
    """The training shapes, and geometric means by cell and type."""
    cases = [case for case in LAYERS if arguments.filter in case.id]
    ratios = compare(cases, {"lstmc": "FastLoop", "torch": "Loop"}, expected, arguments)
    groups = {}
    for case, ratio in ratios.items():
        name = f"{case.cell} {case.dtype}" + (" ragged" if case.ragged else " of one sequence" if case.B == 1 else "")
        groups.setdefault(name, []).append(ratio)
        if not case.ragged and case.dtype == "float32":
            groups.setdefault(f"{case.cell} float32, all but ragged", []).append(ratio)
    for name, some in groups.items():
        print(f"geometric mean of {len(some):2} {name}: {mean(some):.2f}x")


def tagger(arguments):
    """Whole steps of a model."""
    def losses(case):
        return Tagger(case).results()

    compare(TAGGERS, {"lstmc": "FastTagger", "torch": "Tagger"}, losses, arguments)


def overhead(arguments):
    """Microseconds of a tiny call and its backward."""
    import torch

    with_threads(1)
    for cell in ("LSTM", "GRU"):
        theirs, ours = getattr(lstmc.torch, cell)(4, 8), getattr(lstmc.nn, cell)(4, 8)
        x, dy = torch.randn(3, 2, 4, requires_grad=True), torch.randn(3, 2, 8)
        leaves = [x, *theirs.parameters()]
        results = [torch.zeros(3, 2, 8)] + [torch.zeros(1, 2, 8)] * (2 if cell == "LSTM" else 1)
        gradients = [torch.zeros_like(t) for t in leaves]

        class Nothing(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *given):
                return tuple(r.view_as(r) for r in results)     # noqa: B023 (called at once)

            @staticmethod
            def backward(ctx, *dy):
                return tuple(gradients)     # noqa: B023

        found = least({
            "lstmc.torch": lambda: theirs(x)[0].backward(dy),                                                       # noqa: B023
            "lstmc.nn": lambda: ours.backward(ours.forward(x.detach().numpy())[2], dy.numpy()),                     # noqa: B023
            "a function of torch that computes nothing": lambda: Nothing.apply(*leaves)[0].backward(dy),            # noqa: B023
            "an addition of torch": lambda: torch.add(x, 1).backward(x.detach()),                                   # noqa: B023
        })
        print(f"{cell}(4, 8), T = 3, B = 2, forward and backward, us: " + ", ".join(f"{name} {1e6 * s:.0f}" for name, s in found.items()))
        added = found["lstmc.torch"] - found["lstmc.nn"]
        own = (added - found["a function of torch that computes nothing"]) / 2
        print(f"{cell}: autograd adds {1e6 * added:.0f} us; beyond the function of torch {1e6 * own:.0f} us a call")


def least(calls, repeats=60, number=50):
    """The least seconds of a call in time of this thread, all in turns."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            call()
            start = time.thread_time()
            for _ in range(number):
                call()
            found[name] = min(found[name], (time.thread_time() - start) / number)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--filter", default="", help="only shapes whose name contains it, such as gru or H256")
    parser.add_argument("--parts", default="layers,tagger,overhead")
    arguments = parser.parse_args()
    for part in arguments.parts.split(","):
        {"layers": layers, "tagger": tagger, "overhead": overhead}[part](arguments)


if __name__ == "__main__":
    main()
