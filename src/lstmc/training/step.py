"""compile, and one batch at a time: loss, metrics, gradients, update."""

import numpy as np

from lstmc import losses, optimizers, seeds
from lstmc import metrics as measures
from lstmc.layers.base import refuse
from lstmc.layers.rows import Rows
from lstmc.layers.symbolic import is_symbolic
from lstmc.metrics import LossMean
from lstmc.nn import checks
from lstmc.training import data as arrays
from lstmc.training import hints, ragged
from lstmc.training.compiled import COMPILE_UNSUPPORTED, bind, both, final_activation, mapped, mask_of
from lstmc.training.interrupts import Interrupts
from lstmc.training.network import Network
from lstmc.turn import in_turn


class Stepper(Network):
    """A network with an optimizer, losses and metrics."""

    def __init__(self, name=None):
        super().__init__(name)
        self.optimizer = self.loss = self.shuffle_seed = None
        self.step = self.passes = 0
        self._shares = None     # in a `fit` that is distributed: lstmc.distributed.fitting.Shares
        self._settings = {"loss_weights": None, "metrics": None, "weighted_metrics": None}
        self._forget_bound()

    def _forget_bound(self):
        """What belongs to outputs is found again when they are known: at the first batch."""
        self._bound = None
        self._measures, self._mean, self._means, self._shown = None, LossMean(), [], None

    @in_turn
    def compile(self, optimizer="rmsprop", loss=None, metrics=None, *, loss_weights=None, weighted_metrics=None, **arguments):
        """Set how the model is trained and measured, and fix which layers are trained.

        Parameters
        ----------
        optimizer : str or lstmc.optimizers.Optimizer
        loss : str or lstmc.losses.Loss, or list or dict of them
            One per output, where there are several; None for one that is not trained.
        metrics : list, optional
            Names, lstmc.metrics objects, or functions of (y_true, y_pred) that give a value per sample. For several outputs a list with
            an entry for each, or a dict by their names.
        loss_weights : list or dict of float, optional
            What the losses are multiplied by in their sum.
        weighted_metrics : list, optional
            The same for metrics to which sample weights are applied.
        """
        refuse("compile", arguments, COMPILE_UNSUPPORTED)
        optimizer, loss = optimizers.get(optimizer), mapped(losses.check, loss)
        settings = {
            "loss_weights": mapped(lambda w: checks.number(w, "loss_weights"), loss_weights),
            "metrics": mapped(measures.check, metrics),
            "weighted_metrics": arrays.named(lambda: mapped(measures.check, weighted_metrics), "weighted_metrics", "metrics"),
        }
        if self.built:
            bind(settings, loss, self.output_names)        # which raises if something does not fit
        self.optimizer, self.loss, self._settings = optimizer, loss, settings
        self._forget_bound()
        if self.built:
            self.graph.plan = None
        self.shuffle_seed = seeds.next_seed()
        self.step = self.passes = 0

    @property
    def step(self):
        """Batches trained on so far."""
        return self._step

    @step.setter
    def step(self, value):
        self._step = checks.integer(value, "step", 0, 2**64 - 1)

    def _need_loss(self, what):
        if self.loss is None:
            raise ValueError(f"{what}: expected compile(optimizer, loss) first, received a model without a loss")

    # What belongs to outputs ---------------------------------------------------------------------------------

    @property
    def losses(self):
        """The loss of every output, or None; a name that the targets choose by, until there are some."""
        return self._outputs().losses

    def chosen_loss(self, n, y):
        """The loss of output n, once its targets are known: a name may stand for several."""
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

    # One batch -----------------------------------------------------------------------------------------------

    def run(self, x, training=False, step=0, samples=None):
        """`graph.Run` for accepted inputs."""
        return self.graph.run(x, training, step, samples)

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
        for n, (loss, p, mask) in enumerate(zip(self._outputs().losses, run.outputs, run.masks, strict=True)):
            value = c = dp = None
            if loss is not None:
                y, weights, how = arrays.values_of(batch.targets[n]), arrays.values_of(batch.weights[n]), mask_of(loss, mask)
                if dps is None:
                    values = loss.values(y, p, **how)
                else:
                    values, dp = loss.both(y, p, self._fused(n, loss), **how)
                c = counts(n, loss, y, values.shape, weights, None if loss.uses_mask else mask)
                # Selecting keeps a NaN under a mask out of the sum.
                value = float((values * c if np.ndim(c) == 0 else np.where(c != 0, values * c, 0)).sum())
            found.append(value)
            all_counts.append(c)
            if dps is not None:
                dps.append(dp)
        return found, all_counts

    def _update_metrics(self, batch, run):
        for n, (p, mask) in enumerate(zip(run.outputs, run.masks, strict=True)):
            y, weights = arrays.values_of(batch.y[n]), arrays.values_of(batch.weights[n])
            for m, weighted in self._measures[n]:
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

    def _train(self, batch):
        if self._shares is None:
            run, dps = self.run(batch.x, True, self.step), []
            counts = self._measure(batch, run, dps)
            grads = self._gradients(run, counts, dps)
        else:
            grads = self._shares.train(batch)
        self.optimizer.apply(self._penalized(grads), self._trained_arrays())
        self.step += 1

    def _fused(self, n, loss):
        """Whether the loss of output n gives the gradient of the input of the activation that makes it."""
        return loss is not None and loss.fuses is not None and loss.fuses == final_activation(self.graph.makers[n])

    def _gradients(self, run, counts, dps, samples=None):
        """Those of the losses, of the weights that are trained, from those of the values of the losses."""
        bound, early, scaled = self._outputs(), [], []
        for n, (loss, weight, p, c, dp) in enumerate(zip(bound.losses, bound.loss_weights, run.outputs, counts, dps, strict=True)):
            early.append(self._fused(n, loss))
            if loss is None:
                dp = None
            elif np.ndim(c):
                c = (c * weight if weight != 1 else c).reshape(c.shape + (1,) * (p.ndim - c.ndim)).astype(p.dtype)
                dp = np.where(c != 0, dp * c, p.dtype.type(0))
            else:
                dp = dp * p.dtype.type(c * weight)
            scaled.append(dp)
        if self.graph.plan is None:
            self.graph.prepare_gradients()
        return self.graph.gradients(run.tapes, scaled, early, samples)

    def _penalized(self, grads):
        """Those of the whole loss, penalties of weights included."""
        for n, (_, v) in enumerate(self.graph.trained):
            if grads[n] is None:
                grads[n] = np.zeros_like(v.array)
            if v.regularizer is not None:
                g = grads[n].dense() if isinstance(grads[n], Rows) else grads[n]
                grads[n] = g + v.penalty_gradient()
        return grads

    def _trained_arrays(self):
        return [v.array for _, v in self.graph.trained]

    def _test(self, batch):
        if self._shares is None:
            self._measure(batch, self.run(batch.x))
        else:
            self._shares.test(batch)

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
        """Go on from these running means."""
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

    @in_turn(writing=Network.changing)
    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step; loss (and metrics) of the batch before the step."""
        self._need_loss("train_on_batch")
        return_dict, batch = checks.flag(return_dict, "return_dict"), self._some(self._prepare(x, y, sample_weight, class_weight))
        self.reset_metrics()
        interrupts = Interrupts().install()
        try:
            with interrupts:
                self._train(arrays.whole(batch))
        finally:
            interrupts.remove()
        return self._result(self._logs(), return_dict)

    @in_turn
    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Loss (and metrics) of a batch."""
        self._need_loss("test_on_batch")
        return_dict, batch = checks.flag(return_dict, "return_dict"), self._some(self._prepare(x, y, sample_weight))
        self.reset_metrics()
        self._test(arrays.whole(batch))
        return self._result(self._logs(), return_dict)

    def predict_on_batch(self, x):
        """Output for a batch, or the list or dict of outputs."""
        return self.arranged(self._outputs_of(x, False))

    def __call__(self, x, training=False):
        """Output for a batch, or the list or dict of outputs; for symbolic tensors, symbolic tensors.

        With training=True, dropout is applied as in the next training step.
        """
        training = checks.flag(training, "training")
        if is_symbolic(x):
            return self.called_on(x)
        return self.arranged(self._outputs_of(x, training))

    def _outputs_of(self, x, training):
        found, _ = self.accept(x)
        return self.run(tuple(map(ragged.whole, found)), training, self.step).outputs
