"""One `fit` by pieces: what is asked of a batch, and by whom. The sums are in sums.py, who runs callbacks in leading.py."""

import math

import numpy as np

from lstmc.distributed import agreed
from lstmc.distributed.counts import counted, is_counted
from lstmc.distributed.cut import Cut
from lstmc.distributed.leading import Led
from lstmc.distributed.sums import Layout, Sums
from lstmc.distributed.tree import dealt
from lstmc.layers import BatchNormalization, Layer
from lstmc.layers.rows import Rows
from lstmc.nn.dropout import sequences_from
from lstmc.training.nonfinite import cause
from lstmc.warned import warn


class Shares:
    """The pieces of every batch of a model's `fit`, shared by the ranks of a communicator; `with` it the model trains so.

    Parameters
    ----------
    model : lstmc.Sequential or lstmc.Model
    comm : Alone or Communicator
    most : int
        Samples of a piece.
    """

    def __init__(self, model, comm, most):
        self.model, self.comm, self.most = model, comm, most
        self.layout = None
        self.kinds = {}         # of inputs -> which losses' counts are known only at the end: their numbers
        self.told = self.explained = False      # of few pieces, of a loss that is no number

    def __enter__(self):
        self.guard = self.comm.guard()
        self.guard.__enter__()
        self.model._shares = self

    def __exit__(self, *error):
        self.model._shares = None
        return self.guard.__exit__(*error)

    def begin(self, hooks, verbose, data, arguments):
        """(callbacks, verbose) of this rank, once all agree on what they train."""
        self.settings = data, (*arguments, self.most)
        if not self.model.built and self.model.input_shape is not None:
            self.model.build()
        if self.model.built:
            self._agree()
        return Led(hooks, self), verbose if self.comm.rank == 0 else 0

    def _agree(self):
        """Check, once and as soon as the model is built, that it can be trained so, and that all train the same."""
        if self.settings is not None:
            (data, arguments), self.settings = self.settings, None
            refuse(self.model)
            if self.comm.size > 1:
                agreed.check(self.comm, agreed.entries_of(self.model, data, arguments))

    def cut(self, data, index):
        """A batch as pieces."""
        self._agree()
        batch = Cut(data, index, self.most)
        if not self.told and self.comm.rank == 0 and batch.count < self.comm.size:
            warn(f"distribute: a batch of {batch.size} samples has {batch.count} piece{'s' * (batch.count > 1)} of {self.most} for {self.comm.size} "
                 "ranks, some of which wait: use a larger batch_size, or smaller pieces")
        self.told = True
        return batch

    def _mine(self, batch):
        """(number, number of its first sample, piece) of each piece of this rank."""
        for number in range(*dealt(batch.count, self.comm.size)[self.comm.rank]):
            yield number, number * self.most, batch.piece(number)

    # A batch -------------------------------------------------------------------------------------------------

    def train(self, batch):
        """The gradients of the losses of a batch, whose results are taken into the running means."""
        m = self.model
        known = self._known(batch)
        self.comm.doing = f"training step {m.step}"
        sums, before = self._sums(batch), [x.get_state() for x in m.metrics]
        for number, first, piece in self._mine(batch):
            with sequences_from(first):
                run = m.run(piece.x, True, m.step, batch.size)
            dps = []
            numbers, counts = self._numbers(piece, run, batch, known, dps)
            sums.push(number, numbers, m._gradients(run, counts, dps, batch.size, sums.told(number)))
        scale, by_rank, finite = self._results(sums, batch, before)
        if not finite and not self.explained:
            self.explained = True
            self._explain(batch, by_rank)
        grads = sums.gradients()
        if scale != 1:
            grads = [g if g is None else g._replace(values=g.values * g.values.dtype.type(scale)) if isinstance(g, Rows) else scaled(g, scale) for g in grads]
        return grads

    def test(self, batch):
        """Take the results of a batch into the running means."""
        m = self.model
        self.comm.doing = "an evaluation"
        sums, before = self._sums(batch), [x.get_state() for x in m.metrics]
        for number, _, piece in self._mine(batch):
            sums.push(number, self._numbers(piece, m.run(piece.x, samples=batch.size), batch, {})[0])
        self._results(sums, batch, before)

    def _sums(self, batch):
        return Sums(self.comm, dealt(batch.count, self.comm.size), self._layout)

    def _layout(self, sparse):
        if self.layout is None and sparse is not None:
            self.layout = Layout(self.model.graph.arrays, sparse, [ended for *_, ended in self.model.graph.plan])
        return self.layout

    def _known(self, batch):
        """Number of an output -> its N of counts.py, where that must be known before gradients of the whole loss are made.

        The gradient of one loss, and of nothing beside it, is divided by N at the end. Otherwise what a mask leaves of the batch is counted by a
        forward pass before.
        """
        m = self.model
        if sum(loss is not None for loss in m.losses) < 2 and all(layer.activity_regularizer is None for layer in m.graph.layers):
            return {}
        kind = batch.kinds()
        if self.kinds.get(kind, True):
            sums = self._sums(batch)
            for number, _, piece in self._mine(batch):
                shares = []
                run = m.run(piece.x)
                for n, (loss, p, mask) in enumerate(zip(m.losses, run.outputs, run.masks, strict=True)):
                    shape, mask = (p.shape[:1], None) if loss is not None and loss.uses_mask else (p.shape[:-1], mask)
                    shares.append(np.zeros(2) if loss is None else self._share(loss, piece, n, shape, mask))
                sums.push(number, shares)
            found = sums.small()[0]
            self.kinds[kind] = any(counts for _, counts in found)
            return {n: share for n, (share, counts) in enumerate(found) if counts}
        return {}

    @staticmethod
    def _share(loss, piece, n, shape, mask):
        targets, weights = (getattr(a, "values", a) for a in (piece.targets[n], piece.weights[n]))
        share = counted(loss, targets, shape, weights, mask)[1]
        return np.array([share, 1.0 if is_counted(loss, targets, shape, mask) else 0.0])

    def _numbers(self, piece, run, batch, known, dps=None):
        """What a piece adds to losses, penalty and metrics: a list of float64 arrays; and how much each value counts in its gradient. dps: of `_values`."""
        m, shares = self.model, [0.0] * len(run.outputs)

        def counts(n, loss, y, shape, weights, mask):
            c, share = counted(loss, y, shape, weights, mask)
            if n in known:
                return c * (1 / (known[n] or 1.0))
            if is_counted(loss, y, shape, mask):
                shares[n] = share
                return c
            return c if loss.reduction == "sum" else c * (1 / (batch.size * (share / piece.size)))

        values, all_counts = m._values(piece, run, counts, dps)
        for x in m.metrics:
            x.reset_state()
        m._update_metrics(piece, run)
        states = [state[name] for state in (x.get_state() for x in m.metrics) for name in sorted(state)]
        of_losses = [np.array([0.0 if v is None else v, share, float(n not in known and share != 0)])
                     for n, (v, share) in enumerate(zip(values, shares, strict=True))]
        return [*of_losses, np.array(run.penalty), *states], all_counts

    def _results(self, sums, batch, before):
        """Take the sums into the running means; what the gradients are still to be multiplied by, the numbers by rank, and whether the loss is finite."""
        m = self.model
        found, by_rank = sums.small()
        outputs, scale, values = len(m.losses), 1.0, []
        for loss, (value, share, counts) in zip(m.losses, found[:outputs], strict=True):
            factor = 1 / share if counts else 1.0
            scale *= factor
            values.append(None if loss is None else float(value * factor))
        at = outputs + 1
        for x, state in zip(m.metrics, before, strict=True):
            x.reset_state()
            names = sorted(x.state)
            new = dict(zip(names, found[at:at + len(names)], strict=True))
            at += len(names)
            x.set_state({name: state[name] + a if name in state else a for name, a in new.items()})
        m._take_losses(values, float(found[outputs]), batch.size)
        return scale, by_rank, all(v is None or math.isfinite(v) for v in values) and math.isfinite(found[outputs])

    def _explain(self, batch, by_rank):
        """Say which ranks made the loss what it is, and why."""
        outputs = len(self.model.losses)
        wrong = [r for r, nodes in enumerate(by_rank) if not all(np.isfinite(a).all() for _, _, value in nodes for a in value[:outputs + 1])]
        text = None
        if self.comm.rank in wrong:
            for _, first, piece in self._mine(batch):
                text = cause(piece, self.model.optimizer)
                if "are finite" not in text:
                    text += f" (samples {first} to {first + piece.size - 1} of the batch)"
                    break
        texts = self.comm.gather(text)
        batch.cause = "; ".join(f"on rank {r}: {texts[r]}" for r in wrong) if self.comm.size > 1 else text


def scaled(a, factor):
    """a times a factor, in its dtype, in place."""
    return np.multiply(a, a.dtype.type(factor), out=a)


def refuse(model):
    """Raise ValueError for layers of which a piece is not a part of the batch."""
    def inner(layer):
        return [layer, *(i for a in vars(layer).values() if isinstance(a, Layer) for i in inner(a))]

    for layer in [i for outer in model.graph.layers for i in inner(outer)]:
        if getattr(layer, "stateful", False):
            raise ValueError(f"distribute: expected layers without states of their own, received {layer.name!r} with stateful=True, whose states belong to "
                             "the sequences of a whole batch; train it without distribute")
        if isinstance(layer, BatchNormalization) and layer.trainable:
            raise ValueError(f"distribute: expected layers that see each sample by itself, received the BatchNormalization {layer.name!r}, whose mean "
                             "and variance are those of a whole batch; use LayerNormalization, or trainable=False")


