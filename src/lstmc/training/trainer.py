"""fit, evaluate, predict: loops over the batches of a data set."""

import itertools
import math

import numpy as np

from lstmc import seeds
from lstmc.callbacks import CallbackList, History
from lstmc.console import verbosity
from lstmc.nn import checks
from lstmc.training import data as arrays
from lstmc.training.progress import Progress
from lstmc.training.step import Stepper


class Trainer(Stepper):
    """A stack that can be trained.

    Attributes
    ----------
    stop_training : bool
        Set by callbacks to end `fit`.
    history : History
        Of the last `fit`; None before.
    """

    def __init__(self, layers=None, name=None):
        super().__init__(layers, name)
        self.stop_training, self.history = False, None

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0, steps_per_epoch=None,
            validation_batch_size=None, validation_freq=1):
        """Train.

        Parameters
        ----------
        x : (N, ...) array, or iterable
            Integers, booleans and floats of any precision are cast to the model's dtype. An iterable that is no array or list gives the
            batches, (x, y) or (x, y, sample_weight), and is iterated once per epoch.
        y : (N, ...) array
            None with an iterable, as are batch_size and sample_weight.
        batch_size : int, optional
            32 if None. The last batch of an epoch may be smaller.
        epochs : int
            Number of the last epoch, which starts at `initial_epoch`.
        verbose : {"auto", 0, 1, 2}
            Silent, a progress line that is redrawn, or a line per epoch; auto is 1 on a terminal, else 2.
        callbacks : list of lstmc.callbacks.Callback, optional
        validation_split : float
            Fraction at the end of the data that is kept for validation.
        validation_data : tuple, optional
            (x, y) or (x, y, sample_weight), or an iterable of such batches; used instead of a split.
        shuffle : bool
            Whether to go through the samples in a new random order every epoch.
        class_weight : dict, optional
            Weight of the loss by class; 1 for classes that are not named.
        sample_weight : (N,) or (N, T) array, optional
            Weight of the loss by sample, or by sample and step.
        initial_epoch : int
            To go on counting after an earlier call.
        steps_per_epoch : int, optional
            Batches per epoch; the next epoch goes on where this one stopped. How many an iterable has, if None.
        validation_batch_size : int, optional
            `batch_size` if None.
        validation_freq : int
            Validate after every so many epochs.

        Returns
        -------
        History
            `.history`: name -> one value per epoch.
        """
        self._need_loss("fit")
        given, batch_size = arrays.gives_batches(x), _size(x, y, batch_size, sample_weight)
        epochs, initial_epoch = checks.integer(epochs, "epochs", 0), checks.integer(initial_epoch, "initial_epoch", 0)
        shuffle, validation_freq = checks.flag(shuffle, "shuffle"), checks.integer(validation_freq, "validation_freq", 1)
        if steps_per_epoch is not None:
            steps_per_epoch = checks.integer(steps_per_epoch, "steps_per_epoch", 1)
        train = arrays.Batches(x, steps_per_epoch) if given else self._some(self._prepare(x, y, sample_weight, class_weight))
        if validation_data is not None:
            validation = self._prepare_validation(validation_data)
        elif given and (validation_split is None or checks.number(validation_split, "validation_split") != 0):
            raise ValueError("validation_split: expected 0 where x gives batches, of which nobody knows the last; pass validation_data")
        else:
            train, validation = (train, None) if given else arrays.split(train, validation_split)
        steps = train.steps if given else steps_per_epoch or math.ceil(train.size / batch_size)
        validation_batch = batch_size if validation_batch_size is None else checks.integer(validation_batch_size, "validation_batch_size", 1)
        verbose = verbosity(verbose)
        self.history, self.stop_training = History(), False
        params = {"verbose": verbose, "epochs": epochs, "steps": steps}
        hooks = CallbackList([*CallbackList(callbacks, self, params).callbacks, self.history], self, params)
        stream = None if given else self._stream(train, batch_size, shuffle)
        logs = {}
        hooks.call("on_train_begin")
        for epoch in range(initial_epoch, epochs):
            self.reset_metrics()
            hooks.call("on_epoch_begin", epoch)
            progress = Progress(verbose, steps, f"Epoch {epoch + 1}/{epochs} - " if epochs > 1 else "")
            for n, batch in enumerate(self._prepared(train, class_weight) if given else itertools.islice(stream, steps)):
                hooks.call("on_train_batch_begin", n)
                self._train(batch)
                logs = self._logs()
                hooks.call("on_train_batch_end", n, logs)
                progress.update(n + 1, logs)
                if self.stop_training:
                    break
            steps = steps or n + 1
            logs = dict(logs)
            if validation is not None and (epoch + 1) % validation_freq == 0:
                found = self._evaluate(validation, validation_batch, hooks)
                logs.update({f"val_{name}": value for name, value in found.items()})
            progress.end(n + 1, logs)
            hooks.call("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        hooks.call("on_train_end", logs)
        return self.history

    def _prepare_validation(self, validation_data):
        if arrays.gives_batches(validation_data):
            return arrays.Batches(validation_data, name="validation_data")
        found = arrays.unpack(validation_data)
        try:
            return self._some(self._prepare(*found))
        except (TypeError, ValueError) as error:
            raise (TypeError if isinstance(error, TypeError) else ValueError)(f"validation_data: {error}") from None

    def _stream(self, data, batch_size, shuffle):
        """Batches of one pass over the data after another."""
        while True:
            order = seeds.generator(self.shuffle_seed, self.passes).permutation(data.size) if shuffle else None
            self.passes += 1
            for index in arrays.batches(data.size, batch_size, order):
                yield data[index]

    def _prepared(self, batches, class_weight=None):
        """The `Data` of every batch of a pass."""
        for batch in batches.one_pass():
            yield self._some(self._prepare(*batch, class_weight))

    def _evaluate(self, found, batch_size, hooks, progress=None):
        hooks.call("on_test_begin")
        self.reset_metrics()
        given = isinstance(found, arrays.Batches)
        for n, batch in enumerate(self._prepared(found) if given else (found[index] for index in arrays.batches(found.size, batch_size))):
            hooks.call("on_test_batch_begin", n)
            self._test(batch)
            logs = self._logs()
            hooks.call("on_test_batch_end", n, logs)
            if progress:
                progress.update(n + 1, logs)
        hooks.call("on_test_end", logs)
        return logs

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, callbacks=None, return_dict=False):
        """Loss, or [loss, metrics...], over a data set; a dict by name with return_dict.

        Parameters are those of `fit`.
        """
        self._need_loss("evaluate")
        return_dict = checks.flag(return_dict, "return_dict")
        batch_size = _size(x, y, batch_size, sample_weight)
        found = arrays.Batches(x) if arrays.gives_batches(x) else self._some(self._prepare(x, y, sample_weight))
        steps = found.steps if isinstance(found, arrays.Batches) else math.ceil(found.size / batch_size)
        verbose = verbosity(verbose)
        hooks = CallbackList(callbacks, self, {"verbose": verbose, "epochs": 1, "steps": steps})
        progress = Progress(verbose, steps)
        logs = self._evaluate(found, batch_size, hooks, progress)
        progress.end(progress.step, logs)
        return self._result(logs, return_dict)

    def predict(self, x, batch_size=None, verbose="auto", callbacks=None):
        """The model's output for a data set. Safe to call from several threads at once.

        Parameters
        ----------
        x : (N, ...) array, or iterable of batches
            Of batches (x, y), y is left alone.
        batch_size : int, optional
            32 if None; results do not depend on it.
        verbose, callbacks
            As in `fit`.

        Returns
        -------
        (N, ...) array
        """
        batch_size = _size(x, None, batch_size)
        verbose = verbosity(verbose)
        if arrays.gives_batches(x):
            batches = arrays.Batches(x)
            parts, steps, y = (self.accept(part)[0] for part, _, _ in batches.one_pass()), batches.steps, []
        else:
            x, shape = self.accept(x)
            parts, steps = (x[index] for index in arrays.batches(len(x), batch_size)), math.ceil(len(x) / batch_size)
            y = np.empty(shape, self.dtype)
        hooks = CallbackList(callbacks, self, {"verbose": verbose, "epochs": 1, "steps": steps})
        progress = Progress(verbose, steps)
        hooks.call("on_predict_begin")
        for n, part in enumerate(parts):
            hooks.call("on_predict_batch_begin", n)
            outputs = self.run(part)[0]
            if isinstance(y, list):
                y.append(outputs)
            else:
                y[n * batch_size:(n + 1) * batch_size] = outputs
            hooks.call("on_predict_batch_end", n, {"outputs": outputs})
            progress.update(n + 1, {})
        hooks.call("on_predict_end")
        progress.end(progress.step, {})
        return np.concatenate(y) if isinstance(y, list) else y


def _size(x, y, batch_size, sample_weight=None):
    """The batch size, 32 if None; an x that gives batches comes without it and without what belongs to them."""
    if arrays.gives_batches(x):
        for name, value in (("y", y), ("batch_size", batch_size), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(f"{name}: expected None where x gives batches, received {type(value).__name__}")
    return 32 if batch_size is None else checks.integer(batch_size, "batch_size", 1)
