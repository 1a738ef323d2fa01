"""One `fit` under way: its loops over epochs and batches, how far they are, and how they go on from where another `fit` was interrupted."""

from typing import NamedTuple

from lstmc.callbacks import History
from lstmc.errors import FormatError
from lstmc.training.backup import BackupAndRestore
from lstmc.training.interrupts import Interrupts
from lstmc.training.nonfinite import Watch
from lstmc.training.progress import Progress

HISTORY = ("epoch", "history", "places")


class Validation(NamedTuple):
    """What is measured at the ends of epochs: data or None, the size of batches and how many, and whether it is to be after an epoch of a number from 1 on."""

    data: object
    batch_size: int
    steps: int
    due: object


class Fitting:
    """A `fit` of a compiled model.

    Parameters
    ----------
    model : Trainer
    stream : Stream or Given
    hooks : CallbackList
    history : History
        One of them, to be returned.
    epochs : range
    steps : int or None
        Batches of an epoch, if not all of a pass.
    verbose : {0, 1, 2}
    class_weight : dict or None
        Of batches that are given.
    validation : Validation

    Attributes
    ----------
    epoch : int
        Under way.
    done : int
        Batches of it that were trained on.
    state : dict or None
        To go on from, set by a callback in `on_train_begin`.
    """

    def __init__(self, model, stream, hooks, history, epochs, steps, verbose, class_weight, validation):
        self.model, self.stream, self.hooks, self.history, self.epochs, self.verbose = model, stream, hooks, history, epochs, verbose
        self.steps, self.class_weight, self.validation = steps, class_weight, validation
        self.epoch, self.done, self.state = epochs.start, 0, None
        self.expected = steps or stream.steps       # batches of an epoch, as far as that is known
        self.watch, self.interrupts, self.change = Watch(hooks.callbacks), Interrupts(), model._change()

    def run(self):
        """Train; the history."""
        m, logs = self.model, {}
        outer, stopping = m._fitting, m.stop_training       # of a `fit` in a callback of which this is one
        try:
            self.interrupts.install()
            m.history, m.stop_training, m._fitting = self.history, False, self
            self.hooks.call("on_train_begin")
            self._resume()
            for epoch in range(self.epoch, self.epochs.stop):
                logs = self._one_epoch(epoch)
                if m.stop_training:
                    break
            self.hooks.call("on_train_end", logs)
        finally:
            try:
                with self.interrupts:
                    m.passes, m._fitting = self.stream.begun, outer
                    if outer is not None:
                        m.history, m.stop_training = outer.history, stopping
                    self.stream.close()
            finally:
                self.interrupts.remove()
        return self.history

    def _one_epoch(self, epoch):
        """The results of an epoch, or of what is left of it."""
        m, hooks, done, logs = self.model, self.hooks, self.done, {}
        interrupts, change, watch = self.interrupts, self.change, self.watch
        shown = self.verbose == 1 or hooks.calls("on_train_batch_end")      # whether anybody sees the results of batches
        self.epoch = epoch
        if not done:
            m.reset_metrics()
        hooks.call("on_epoch_begin", epoch)
        last = self.epochs.stop
        progress = Progress(self.verbose, self.expected, f"Epoch {epoch + 1}/{last} - " if last > 1 else "")
        n = done - 1
        for n, batch in enumerate(m._batches(self.stream, None if self.steps is None else self.steps - done, self.class_weight), done):
            hooks.call("on_train_batch_begin", n)
            with interrupts, change:
                m._train(batch)
                self.done = n + 1
            watch.step(epoch, n, batch, m._mean.result(), m.optimizer)
            if shown:
                logs = m._logs()
                hooks.call("on_train_batch_end", n, logs)
                progress.update(n + 1, logs)
            if m.stop_training:
                break
        self.done, m.passes = 0, self.stream.begun
        self.expected = self.expected or n + 1
        logs = dict(logs) if shown and logs else m._logs()
        data, size, steps, due = self.validation
        if data is not None and due(epoch + 1):
            logs.update({f"val_{name}": value for name, value in m._evaluate(data, size, steps, hooks).items()})
        progress.end(n + 1, logs)
        hooks.call("on_epoch_end", epoch, logs)
        return logs

    # Stop and resume -----------------------------------------------------------------------------------------

    def progress(self):
        """All that another one needs to go on from here, beside the model, its optimizer included."""
        model, history = self.model, self.history
        return {
            "epoch": self.epoch, "done": self.done, "passes": self.stream.passes, "at": self.stream.at,
            "results": model.get_results(), "history": {name: getattr(history, name) for name in HISTORY},
            "callbacks": [[type(c).__name__, c.get_state()] for c in self._others()],
            "states": [layer.states for layer in model.graph.recurrent_layers()],
        }

    def _others(self):
        return [c for c in self.hooks.callbacks if not isinstance(c, (BackupAndRestore, History))]

    def _resume(self):
        """Go on from `state`, if there is one."""
        if self.state is None:
            return
        try:
            self._take(self.state, self.model)
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
            raise FormatError(f"expected the progress of a fit in the backup, received something else: {error!r}") from None

    def _take(self, state, model):
        numbers = [state[key] for key in ("epoch", "done", "passes", "at")]
        if not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise TypeError(f"whole numbers for where it was, not {numbers}")
        self.epoch, self.done = state["epoch"], state["done"]
        self.stream.resume(state["passes"], state["at"])
        model.reset_metrics()
        model.set_results(state["results"])
        vars(self.history).update({name: state["history"][name] for name in HISTORY})
        for layer, states in zip(model.graph.recurrent_layers(), state["states"], strict=True):
            layer.states = states
        others = self._others()
        names, before = [type(c).__name__ for c in others], [name for name, _ in state["callbacks"]]
        if names != before:
            raise ValueError(f"callbacks: expected {', '.join(before) or 'none'} beside BackupAndRestore, as in the run that was interrupted, "
                             f"received {', '.join(names) or 'none'}")
        for c, (_, found) in zip(others, state["callbacks"], strict=True):
            c.set_state(found)
