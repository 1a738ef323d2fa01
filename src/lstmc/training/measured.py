"""What is measured of a model's outputs: the losses and metrics of each, for a batch and as running means."""

import numpy as np

from lstmc import losses
from lstmc import metrics as measures
from lstmc.kernels import train
from lstmc.metrics import LossMean
from lstmc.training import data as arrays
from lstmc.training import hints
from lstmc.training.compiled import bind, both, final_activation, mask_of
from lstmc.training.network import Network


class Measured(Network):
    """A network with losses and metrics."""

    def __init__(self, name=None):
        super().__init__(name)
        self.loss = None
        self._settings = {"loss_weights": None, "metrics": None, "weighted_metrics": None}
        self._forget_bound()

    def _forget_bound(self):
        """What belongs to outputs is found again when they are known: at the first batch."""
        self._bound = None
        self._measures, self._mean, self._means, self._shown = None, LossMean(), [], None

    # What belongs to outputs ---------------------------------------------------------------------------------

    @property
    def losses(self):
        """The loss of every output, or None; a name that the targets choose by, until there are some."""
        return self._outputs().losses

    def chosen_loss(self, n, y):
        """The loss of output n, once its targets y are known: a name may stand for several."""
        found = self._outputs().losses
        if isinstance(found[n], str) and y is not None:
            found[n] = losses.get(found[n], y, self.graph.outputs[n].shape)
        return found[n]

    def _outputs(self):
        if self._bound is None:
            names = self.output_names
            self._bound = bind(self._settings, self.loss, names)
            self._means = [LossMean() for name in names] if len(names) > 1 else []
        return self._bound

    @property
    def metrics(self):
        """The metrics, once they are chosen: at the first batch, when y is known."""
        return [m for several in self._measures or () for m, _ in several]

    def _prepare(self, x, y, sample_weight=None, class_weight=None):
        """Checked data; metrics are chosen at the first call, when y is known."""
        found = arrays.prepare(self, x, y, sample_weight, class_weight)
        if self._measures is None:
            self._measures, self._shown = self._chosen(found.y), None
            for maker, y, t in zip(self.graph.makers, found.y, self.graph.outputs, strict=True):
                hints.warn_of_one_softmax(final_activation(maker), t.shape, y)
        return found

    def _chosen(self, ys):
        """For each output (metric, whether it is weighted) pairs."""
        bound, chosen = self._outputs(), []
        shapes = [t.shape for t in self.graph.outputs]
        for name, y, shape, plain, weighted in zip(self.output_names, ys, shapes, bound.metrics, bound.weighted, strict=True):
            some = [(m, False) for m in plain] + [(m, True) for m in weighted]
            if some and y is None:
                raise ValueError(f"y: expected targets for the metrics of {name!r}, received None")
            chosen.append([(measures.get(m, y, shape), flag) for m, flag in some])
        names = self._names_of(chosen)
        if len(set(names)) < len(names):
            raise ValueError(f"metrics: expected different names, received {', '.join(names[1:])}")
        return chosen

    def _names_of(self, chosen):
        """The names of the loss, of the losses of several outputs, and of metrics."""
        outputs = self.output_names
        of_losses = [f"{name}_loss" for name, loss in zip(outputs, self.losses, strict=True) if loss is not None] if len(outputs) > 1 else []
        return ["loss", *of_losses, *(m.name if len(outputs) == 1 else f"{outputs[n]}_{m.name}" for n, several in enumerate(chosen) for m, _ in several)]

    @staticmethod
    def _some(found):
        """Data, of which there must be some."""
        if not found.size:
            raise ValueError("x: expected at least one sample, received none")
        return found

    # A batch -------------------------------------------------------------------------------------------------

    def _measure(self, batch, run, dps=None):
        """Take losses and metrics of a batch into the running means; for each output how much every value counts. dps as in `_values`."""
        values, counts = self._values(batch, run, type(self)._counts, dps)
        self._update_metrics(batch, run)
        self._take_losses(values, run.penalty, batch.size)
        return counts

    @staticmethod
    def _counts(n, loss, *arguments):
        return loss.counts(*arguments)

    def _values(self, batch, run, counts, dps=None):
        """For each output its loss, and how much every value counts, by counts(n, loss, y, shape, weights, mask); each None where there is no loss.

        A list dps takes in the gradients of the values, which are found together with them.
        """
        found, all_counts = [], []
        for n, loss in enumerate(self._outputs().losses):
            value = c = dp = None
            if loss is not None:
                p, mask = run.outputs[n], run.masks[n]
                y, weights, how = arrays.values_of(batch.targets[n]), arrays.values_of(batch.weights[n]), mask_of(loss, mask)
                if dps is None:
                    values = loss.values(y, p, **how)
                else:
                    values, dp = loss.both(y, p, self._fused(n, loss), **how)
                c = counts(n, loss, y, values.shape, weights, None if loss.uses_mask else mask)
                # Selecting keeps a NaN under a mask out of the sum.
                value = train.total(values, c) if isinstance(c, float) else float(np.add.reduce(np.where(c != 0, values * c, 0), None))
            found.append(value)
            all_counts.append(c)
            if dps is not None:
                dps.append(dp)
        return found, all_counts

    def _update_metrics(self, batch, run):
        for n, several in enumerate(self._measures):
            if several:
                p, mask, y, weights = run.outputs[n], run.masks[n], arrays.values_of(batch.y[n]), arrays.values_of(batch.weights[n])
                for m, weighted in several:
                    m.update_state(y, p, both(mask, weights) if weighted else mask)

    def _take_losses(self, values, penalty, samples):
        """Take the losses of a batch into the running means."""
        total = 0.0
        for n, (weight, value) in enumerate(zip(self._outputs().loss_weights, values, strict=True)):
            if value is not None:
                total += weight * value
                if self._means:
                    self._means[n].update_state(value, samples)
        # As in Keras, the penalty of what is not trained is no part of the loss.
        for layer, v in self.graph.regularized:
            if layer.trainable and v.trainable:
                total += v.penalty()
        total += penalty
        self._mean.update_state(total, samples)

    def _fused(self, n, loss):
        """Whether the loss of output n gives the gradient of the input of the activation that makes it."""
        return loss is not None and loss.fuses is not None and loss.fuses == final_activation(self.graph.makers[n])

    # Results -------------------------------------------------------------------------------------------------

    def reset_metrics(self):
        """Forget the running means of loss and metrics."""
        for m in (self._mean, *self._means, *self.metrics):
            m.reset_state()

    def get_results(self):
        """The running means of loss and metrics, and which metrics were chosen, for `set_results`."""
        self._outputs()
        chosen = [[[type(m).__name__, m.get_config(), m.get_state()] for m, _ in several] for several in self._measures or ()]
        return {"means": [m.get_state() for m in (self._mean, *self._means)], "metrics": chosen}

    def set_results(self, found):
        """Go on from the running means `found`, which `get_results` gave."""
        bound = self._outputs()
        for m, state in zip((self._mean, *self._means), found["means"], strict=True):
            m.set_state(state)
        if self._measures is None and found["metrics"]:
            asked = [[(m, False) for m in plain] + [(m, True) for m in weighted] for plain, weighted in zip(bound.metrics, bound.weighted, strict=True)]
            self._measures = [[(m if isinstance(m, measures.Metric) else measures.CLASSES[kind](**config), flag)
                               for (m, flag), (kind, config, _) in zip(some, several, strict=True)]
                              for some, several in zip(asked, found["metrics"], strict=True)]
            self._shown = None
        for (m, _), (_, _, state) in zip([pair for several in self._measures or () for pair in several],
                                         [one for several in found["metrics"] for one in several], strict=True):
            m.set_state(state)

    @property
    def metrics_names(self):
        """Names in the order of what `evaluate` returns."""
        return self._names_of(self._measures or ())

    def _results(self):
        """name -> value, in the order of `metrics_names`."""
        if self._shown is None:
            means = [m for m, loss in zip(self._means, self.losses, strict=True) if loss is not None] if self._means else []
            self._shown = list(zip(self.metrics_names, [self._mean, *means, *self.metrics], strict=True))
        return {name: m.result() for name, m in self._shown}

    def directions(self):
        """name -> "up", "down" or None: which values of a result are better."""
        self._results()
        return {name: m.direction for name, m in self._shown}

    def _logs(self):
        return dict(sorted(self._results().items()))

    def _result(self, logs, return_dict):
        values = [logs[name] for name in self.metrics_names]
        return logs if return_dict else values if len(values) > 1 else values[0]
