"""compile, and one batch at a time: loss, metrics, gradients, update."""

import numpy as np

from lstmc import losses, optimizers, seeds
from lstmc import metrics as measures
from lstmc.layers.base import refuse
from lstmc.metrics import LossMean
from lstmc.nn import checks
from lstmc.training import data as arrays
from lstmc.training.stack import Stack

COMPILE_UNSUPPORTED = {
    "loss_weights": (None, "a Sequential has one loss"),
    "weighted_metrics": (None, "metrics are not weighted"),
    "run_eagerly": (False, "kernels are compiled once for all"),
    "steps_per_execution": (1, "every batch is one step"),
    "jit_compile": ("auto", "kernels are compiled once for all"),
    "auto_scale_loss": (True, "gradients need no scaling"),
}


class Stepper(Stack):
    """A stack with an optimizer, a loss and metrics."""

    def __init__(self, layers=None, name=None):
        super().__init__(layers, name)
        self.optimizer = self.loss = self.shuffle_seed = None
        self.step = self.passes = 0
        self._metric_names, self.metrics, self._mean = [], [], LossMean()

    def compile(self, optimizer="rmsprop", loss=None, metrics=None, **arguments):
        """Set how the model is trained and measured.

        Parameters
        ----------
        optimizer : str or lstmc.optimizers.Optimizer
        loss : str or lstmc.losses.Loss
        metrics : list, optional
            Names, lstmc.metrics objects, or functions of (y_true, y_pred) that give a value per sample.
        """
        refuse("compile", arguments, COMPILE_UNSUPPORTED)
        found = [] if metrics is None else list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
        found = [measures.check(m) for m in found]
        optimizer, loss = optimizers.get(optimizer), None if loss is None else losses.get(loss)
        self.optimizer, self.loss = optimizer, loss
        self._metric_names, self.metrics, self._mean = found, [], LossMean()
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

    def _prepare(self, x, y, sample_weight=None, class_weight=None):
        """Checked data; metrics are chosen at the first call, when y is known."""
        found = arrays.prepare(self, x, y, sample_weight, class_weight)
        if not self.metrics and self._metric_names:
            shape = self.compute_output_shape(found.x.shape)
            self.metrics = [measures.get(m, found.y, shape) for m in self._metric_names]
            names = ["loss", *(m.name for m in self.metrics)]
            if len(set(names)) < len(names):
                self.metrics = []
                raise ValueError(f"metrics: expected different names, received {', '.join(names[1:])}")
        return found

    @staticmethod
    def _some(found):
        """Data, of which there must be some."""
        if not found.size:
            raise ValueError("x: expected at least one sample, received none")
        return found

    def _measure(self, batch, p, mask):
        """Take the loss and the metrics of a batch into the running means; how much each value counts."""
        values = self.loss.values(batch.targets, p)
        c = arrays.counts(values.shape, batch.weights, mask)
        # Selecting keeps a NaN under a mask out of the sum.
        loss = float(np.where(np.asarray(c) != 0, values * c, 0).sum())
        self._mean.update_state(loss, batch.size)
        for m in self.metrics:
            m.update_state(batch.y, p, mask)
        return c

    def _train(self, batch):
        p, mask, tapes = self.run(batch.x, True, self.step)
        c = self._measure(batch, p, mask)
        fused = self.loss.fuses is not None and self.loss.fuses == self.final_activation
        dp = self.loss.gradient(batch.targets, p, fused)
        if np.ndim(c):
            c = c[..., None].astype(p.dtype)
            dp = np.where(c != 0, dp * c, p.dtype.type(0))
        else:
            dp = dp * p.dtype.type(c)
        self.optimizer.apply(self.gradients(tapes, dp, fused), self.weights)
        self.step += 1

    def _test(self, batch):
        p, mask, _ = self.run(batch.x)
        self._measure(batch, p, mask)

    def reset_metrics(self):
        """Forget the running means of loss and metrics."""
        for m in (self._mean, *self.metrics):
            m.reset_state()

    @property
    def metrics_names(self):
        """Names in the order of what `evaluate` returns."""
        return ["loss", *(m.name for m in self.metrics)]

    def _logs(self):
        logs = {"loss": self._mean.result(), **{m.name: m.result() for m in self.metrics}}
        return dict(sorted(logs.items()))

    def _result(self, logs, return_dict):
        values = [logs[name] for name in self.metrics_names]
        return logs if return_dict else values if len(values) > 1 else values[0]

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step; loss (and metrics) of the batch before the step."""
        self._need_loss("train_on_batch")
        return_dict, batch = checks.flag(return_dict, "return_dict"), self._some(self._prepare(x, y, sample_weight, class_weight))
        self.reset_metrics()
        self._train(batch)
        return self._result(self._logs(), return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Loss (and metrics) of a batch."""
        self._need_loss("test_on_batch")
        return_dict, batch = checks.flag(return_dict, "return_dict"), self._some(self._prepare(x, y, sample_weight))
        self.reset_metrics()
        self._test(batch)
        return self._result(self._logs(), return_dict)

    def predict_on_batch(self, x):
        """Output for a batch."""
        return self.run(self.accept(x)[0])[0]

    def __call__(self, x, training=False):
        """Output for a batch; with training=True, dropout is applied as in the next training step."""
        return self.run(self.accept(x)[0], checks.flag(training, "training"), self.step)[0]
