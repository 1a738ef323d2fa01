"""fit (its loops are in fitting.py), evaluate, predict: what they are given, and loops over the batches of a data set."""

import contextlib
import itertools
import math
import sys

import numpy as np

from lstmc.callbacks import CallbackList, History
from lstmc.console import verbosity
from lstmc.nn import checks
from lstmc.training import data as arrays
from lstmc.training import ragged
from lstmc.training.batches import Given, Stream, gives_batches
from lstmc.training.collected import Collected
from lstmc.training.fitting import Fitting, Validation
from lstmc.training.graph import Padded
from lstmc.training.progress import Progress
from lstmc.training.sharing import sharing
from lstmc.training.step import Stepper
from lstmc.turn import in_turn


class Trainer(Stepper):
    """A network that can be trained.

    Attributes
    ----------
    stop_training : bool
        Set by callbacks to end `fit`.
    history : History
        Of the last `fit`; None before.
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.stop_training, self.history = False, None

    def __getstate__(self):
        """For copy and pickle: a `fit` under way is the original's."""
        return {**self.__dict__, "_fitting": None, "_shares": None}

    @in_turn(writing=Stepper.changing, around=sharing)
    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0, steps_per_epoch=None,
            validation_steps=None, validation_batch_size=None, validation_freq=1, *, distribute=None):
        """Train.

        Parameters
        ----------
        x : (N, ...) array, list, dict, or iterable
            Integers, booleans and floats of any precision are cast to the model's dtype; a memory map is cast batch by batch. A list of
            arrays (T_i, ...) of unequal lengths is padded batch by batch, and the padding masked. A model of several inputs takes a list
            or a dict of these. An iterable that is no array or list gives the batches, (x, y) or (x, y, sample_weight), and is iterated
            once per epoch; what has `__getitem__` and `__len__` gives batch n as x[n], read by a thread ahead of its use.
        y : (N, ...) array, list or dict
            Where x is a list of sequences and there is a target per step, a list of them. None with an iterable, as are batch_size and
            sample_weight.
        batch_size : int, optional
            32 if None, or with steps_per_epoch N / steps_per_epoch, as in Keras. The last batch of a pass may be smaller.
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
            Whether to go through the samples in a new random order every epoch (through batches that are indexed, too).
        class_weight : dict, optional
            Weight of the loss by class; 1 for classes that are not named.
        sample_weight : (N,) or (N, T) array, optional
            Weight of the loss by sample, or by sample and step.
        initial_epoch : int
            To go on counting after an earlier call.
        steps_per_epoch : int, optional
            Batches per epoch; the next epoch goes on where this one stopped, and an epoch ends, with a warning, where the data do. All
            batches of a pass if None.
        validation_steps : int, optional
            Batches of a validation; all if None.
        validation_batch_size : int, optional
            `batch_size` if None.
        validation_freq : int or list of int
            Validate after every so many epochs, or after the epochs with these numbers, the first of which is 1.
        distribute : lstmc.distributed.Pieces or lstmc.distributed.MPI, optional
            Train piece by piece of every batch, in this process or in all of an MPI job, to the same bits.

        Returns
        -------
        History
            `.history`: name -> one value per epoch.

        Notes
        -----
        Ctrl-C ends training after the step under way: weights and optimizer are those of a whole number of steps, and `model.history` has
        the epochs that were done. As in Keras, `on_train_end` is not called then.
        """
        self._need_loss("fit")
        epochs = range(checks.integer(initial_epoch, "initial_epoch", 0), checks.integer(epochs, "epochs", 0))
        shuffle, due, verbose = checks.flag(shuffle, "shuffle"), validations(validation_freq), verbosity(verbose)
        asked, steps = optional(batch_size, "batch_size"), optional(steps_per_epoch, "steps_per_epoch")
        train, held = self._training_data(x, y, batch_size, sample_weight, class_weight, shuffle, validation_data, validation_split)
        validation = Validation(held, optional(validation_batch_size, "validation_batch_size") or asked, optional(validation_steps, "validation_steps"), due)
        stream = train if isinstance(train, Given) else Stream(
            train, asked or default_size(train.size, steps), self.shuffle_seed if shuffle else None, self.passes, take=self._take)
        history, params = History(), {"verbose": verbose, "epochs": epochs.stop, "steps": steps or stream.steps}
        hooks = CallbackList([*CallbackList(callbacks, self, params).callbacks, history], self, params)
        if self._shares is not None:
            hooks, verbose = self._shares.begin(hooks, verbose, (train, held), (
                batch_size, validation.batch_size, epochs, shuffle, steps, validation.steps, validation_freq))
        return Fitting(self, stream, hooks, history, epochs, steps, verbose, class_weight, validation).run()

    def _training_data(self, x, y, batch_size, sample_weight, class_weight, shuffle, validation_data, validation_split):
        """(what is trained on, what validates or None): `Data`, or `Given` batches."""
        given = gives_batches(x)
        train = self._given(x, y, batch_size, sample_weight, shuffle) if given else self._some(self._prepare(x, y, sample_weight, class_weight))
        if validation_data is not None:
            return train, self._prepare_validation(validation_data)
        if not given:
            return arrays.split(train, validation_split)
        if validation_split is None or checks.number(validation_split, "validation_split") != 0:
            raise ValueError("validation_split: expected 0 where x gives batches, of which nobody knows the last; pass validation_data")
        return train, None

    def _given(self, x, y, batch_size, sample_weight, shuffle=False, name="x"):
        """`Given` batches of an x that comes without what belongs to them."""
        for argument, value in (("y", y), ("batch_size", batch_size), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(f"{argument}: expected None where x gives batches, received {type(value).__name__}")
        found = Given(x, self.shuffle_seed if shuffle else None, name)
        found.passes = self.passes
        return found

    def _prepare_validation(self, validation_data):
        if gives_batches(validation_data):
            return Given(validation_data, name="validation_data")
        found = arrays.unpack(validation_data)
        try:
            return self._some(self._prepare(*found))
        except (TypeError, ValueError) as error:
            raise (TypeError if isinstance(error, TypeError) else ValueError)(f"validation_data: {error}") from None

    def _batches(self, stream, steps, class_weight=None):
        """The `Data` of every batch of an epoch."""
        if isinstance(stream, Stream):
            return stream.epoch(steps)
        return (self._take(self._some(self._prepare(*batch, class_weight)), slice(None)) for batch in stream.epoch(steps))

    def _take(self, data, index):
        """A batch: some samples, or a plan of their pieces where these are divided."""
        return data[index] if self._shares is None else self._shares.cut(data, index)

    def _evaluate(self, found, batch_size, steps, hooks, progress=None):
        hooks.call("on_test_begin")
        self.reset_metrics()
        if given := isinstance(found, Given):
            batches = self._batches(found, steps)
        else:
            batches = itertools.islice((self._take(found, index) for index in arrays.slices(found.size, batch_size or default_size(found.size, steps))), steps)
        with contextlib.closing(found) if given else contextlib.nullcontext():
            for n, batch in enumerate(batches):
                hooks.call("on_test_batch_begin", n)
                self._test(batch)
                logs = self._logs()
                hooks.call("on_test_batch_end", n, logs)
                if progress:
                    progress.update(n + 1, logs)
        if given:
            found.at = 0
        hooks.call("on_test_end", logs)
        return logs

    @in_turn
    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, steps=None, callbacks=None, return_dict=False):
        """Loss, or [loss, metrics...], over a data set; a dict by name with return_dict.

        Parameters are those of `fit`, and steps, the number of batches if not all.
        """
        self._need_loss("evaluate")
        return_dict, steps = checks.flag(return_dict, "return_dict"), optional(steps, "steps")
        if gives_batches(x):
            found = self._given(x, y, batch_size, sample_weight)
            expected = steps or found.steps
        else:
            found, batch_size = self._some(self._prepare(x, y, sample_weight)), optional(batch_size, "batch_size")
            expected = min(n for n in (steps, math.ceil(found.size / (batch_size or default_size(found.size, steps)))) if n)
        verbose = verbosity(verbose)
        hooks = CallbackList(callbacks, self, {"verbose": verbose, "epochs": 1, "steps": expected})
        progress = Progress(verbose, expected)
        logs = self._evaluate(found, batch_size, steps, hooks, progress)
        progress.end(progress.step, logs)
        return self._result(logs, return_dict)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The model's output for a data set. Safe to call from several threads at once.

        Parameters
        ----------
        x : (N, ...) array, list, dict, or iterable of batches
            As in `fit`. Of batches (x, y), y is left alone.
        batch_size : int, optional
            32 if None; results do not depend on it.
        verbose, callbacks
            As in `fit`.
        steps : int, optional
            Batches, if not all.

        Returns
        -------
        (N, ...) array
            A list of (T_i, ...) arrays where x is a list of sequences and the output has a value per step. A list or dict of all that where the
            model has several outputs.
        """
        verbose = verbosity(verbose)
        if steps is not None:
            steps = optional(steps, "steps")
        if type(x) is not np.ndarray and gives_batches(x):
            with contextlib.closing(self._given(x, None, batch_size, None)) as source:
                return self._predict(map(self._whole, source.epoch(steps)), None, steps or source.steps, verbose, callbacks)
        found, shapes = self.accept(x)
        n = len(found[0])
        size = default_size(n, steps) if batch_size is None else optional(batch_size, "batch_size")
        if n <= size and not verbose and callbacks is None and type(found[0]) is np.ndarray and (len(found) == 1 or set(map(type, found)) == PLAIN):
            return self.arranged(self.graph.outputs_of(found, own=True))        # one batch that nobody follows
        expected = min(max(math.ceil(n / size), 1), steps or n + 1)
        return self._predict(itertools.islice(pieces(found, n, size), steps), shapes, expected, verbose, callbacks)

    def _whole(self, batch):
        """The inputs of a batch of several parts that a caller gives."""
        return tuple(map(ragged.whole, self.accept(batch[0])[0]))

    def _predict(self, parts, shapes, expected, verbose, callbacks):
        """`predict` of the parts of a data set, inputs each: so many are expected, and outputs of these shapes in all, if that is known."""
        outputs = [Collected(shape, self.dtype) for shape in shapes or ()]
        hooks = CallbackList(callbacks, self, {"verbose": verbose, "epochs": 1, "steps": expected})
        progress = Progress(verbose, expected)
        hooks.call("on_predict_begin")
        for n, part in enumerate(parts):
            hooks.call("on_predict_batch_begin", n)
            ys, masks, *_ = self.run(part)
            outputs = outputs or [Collected(None, self.dtype) for _ in ys]
            lengths = next((a.mask.sum(1) for a in part if isinstance(a, Padded)), None)
            for some, y, mask in zip(outputs, ys, masks, strict=True):
                some.take(y, None if mask is None else lengths)
            hooks.call("on_predict_batch_end", n, {"outputs": self.arranged(ys)})
            progress.update(n + 1, {})
        hooks.call("on_predict_end")
        progress.end(progress.step, {})
        return self.arranged([some.result() for some in outputs])


PLAIN = {np.ndarray}


def pieces(found, n, size):
    """So many samples of all inputs at a time."""
    for index in arrays.slices(n, size):
        yield tuple([a[index] for a in found])


def default_size(n, steps):
    """The batch size of who asks for none: 32, or what makes so many steps of n samples, as in Keras."""
    return 32 if steps is None else max(math.ceil(n / steps), 1)


def optional(value, name):
    """value as an int of at least 1, or None."""
    return None if value is None else min(checks.integer(value, name, 1), sys.maxsize)


def validations(freq):
    """Whether to validate after an epoch of this number, the first of which is 1."""
    if isinstance(freq, (list, tuple, set)):
        chosen = {checks.integer(n, "validation_freq", 1) for n in freq}
        return lambda epoch: epoch in chosen
    freq = checks.integer(freq, "validation_freq", 1)
    return lambda epoch: epoch % freq == 0
