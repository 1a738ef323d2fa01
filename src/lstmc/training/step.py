"""compile, and one batch at a time: gradients, update."""

import numpy as np

from lstmc import losses, optimizers, seeds
from lstmc import metrics as measures
from lstmc.arguments import refuse
from lstmc.kernels import train
from lstmc.layers.rows import Rows
from lstmc.layers.symbolic import is_symbolic
from lstmc.nn import checks
from lstmc.training import data as arrays
from lstmc.training import ragged
from lstmc.training.compiled import COMPILE_UNSUPPORTED, bind, mapped
from lstmc.training.interrupts import Interrupts
from lstmc.training.measured import Measured
from lstmc.turn import in_turn
from lstmc.whole import Changing, turns_of


class Stepper(Measured):
    """A network with an optimizer, losses and metrics."""

    def __init__(self, name=None):
        super().__init__(name)
        self.optimizer = self.shuffle_seed = None
        self.step = self.passes = 0
        self._fitting = None    # a `fit` under way: `Fitting`
        self._shares = None     # in a `fit` that is distributed: lstmc.distributed.fitting.Shares

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
        if self._fitting is not None:
            raise RuntimeError("compile: expected a model that is not trained at present, received one in its fit; a callback may set "
                               "optimizer.learning_rate, or end the fit by stop_training")
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

    # One batch -----------------------------------------------------------------------------------------------

    def run(self, x, training=False, step=0, samples=None):
        """The `graph.Run` of the inputs `x`, a list of accepted arrays, with or without `training`, in step `step`; `samples` numbers its rows."""
        return self.graph.run(x, training, step, samples)

    def _change(self):
        """`with` it, nobody reads what training changes."""
        return Changing(turns_of(self, *self.changing()))

    def _train(self, batch):
        if self.graph.plan is None:
            self.graph.prepare_gradients()
        self.optimizer._take(self.graph.trained)
        if self._shares is None:
            run, dps = self.run(batch.x, True, self.step), []
            counts = self._measure(batch, run, dps)
            grads = self._gradients(run, counts, dps)
        else:
            grads = self._shares.train(batch)
        self.optimizer.apply(self._penalized(grads), self.graph.arrays)
        self._step = (self._step + 1) % 2**64      # at every step: without the checks of who sets it

    def _gradients(self, run, counts, dps, samples=None, told=None):
        """Those of the losses, of the weights that are trained, from those of the values of the losses; the last two arguments are those of the graph's."""
        bound, early, scaled = self._outputs(), [], []
        for n, (loss, weight, p, c, dp) in enumerate(zip(bound.losses, bound.loss_weights, run.outputs, counts, dps, strict=True)):
            early.append(self._fused(n, loss))
            if loss is None:
                dp = None
            elif not isinstance(c, float):
                c = (c * weight if weight != 1 else c).reshape(c.shape + (1,) * (p.ndim - c.ndim)).astype(p.dtype)
                dp = np.where(c != 0, dp * c, p.dtype.type(0))
            else:
                dp = train.times(dp, p.dtype.type(c * weight))
            scaled.append(dp)
        return self.graph.gradients(run.tapes, scaled, early, samples, told)

    def _penalized(self, grads):
        """Those of the whole loss, penalties of weights included."""
        for n, g in enumerate(grads):
            if g is None:
                grads[n] = np.zeros_like(self.graph.trained[n][1].array)
        for n, v in self.graph.penalized:
            g = grads[n].dense() if isinstance(grads[n], Rows) else grads[n]
            grads[n] = g + v.penalty_gradient()
        return grads

    def _test(self, batch):
        if self._shares is None:
            self._measure(batch, self.run(batch.x))
        else:
            self._shares.test(batch)

    @in_turn(writing=Measured.changing)
    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step on a batch; its loss (and metrics) before the step.

        Parameters
        ----------
        x, y, sample_weight : array, list or dict
            As in `fit`.
        class_weight : dict, optional
            As in `fit`.
        return_dict : bool
            As in `test_on_batch`.
        """
        self._need_loss("train_on_batch")
        return_dict, batch = checks.flag(return_dict, "return_dict"), self._some(self._prepare(x, y, sample_weight, class_weight))
        self.reset_metrics()
        interrupts = Interrupts().install()
        try:
            with interrupts, self._change():
                self._train(arrays.whole(batch))
        finally:
            interrupts.remove()
        return self._result(self._logs(), return_dict)

    @in_turn
    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Loss (and metrics) of a batch.

        Parameters
        ----------
        x, y, sample_weight : array, list or dict
            As in `fit`.
        return_dict : bool
            Whether a dict of results by name comes back, rather than the loss or a list of loss and metrics.
        """
        self._need_loss("test_on_batch")
        return_dict, batch = checks.flag(return_dict, "return_dict"), self._some(self._prepare(x, y, sample_weight))
        self.reset_metrics()
        self._test(arrays.whole(batch))
        return self._result(self._logs(), return_dict)

    def predict_on_batch(self, x):
        """Output for a batch x, as in `predict`, or the list or dict of outputs."""
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
        return self.graph.outputs_of(tuple(map(ragged.whole, found)), training, self.step)
