"""Stop and resume: how far a `fit` is (fitting.py), written to a file and taken up from it, to the bit."""

import json
from pathlib import Path

import numpy as np

from lstmc.callbacks import Callback
from lstmc.layers import Layer
from lstmc.layers.around import AroundModule
from lstmc.nn import checks
from lstmc.training import reading, saving

FILE = "backup.safetensors"


class BackupAndRestore(Callback):
    """Write how far training is, and go on from there in the next `fit` that has this callback, whatever ended the one before.

    The run that goes on has the weights, to the bit, and the history of one that was not interrupted, if it has the same data, arguments and
    callbacks. A kill at any moment leaves the backup that was there or a new one, whole.

    Parameters
    ----------
    backup_dir : path-like
        Directory of the backup, made if need be; its file is backup.safetensors, which `lstmc.load` can read, too.
    save_freq : "epoch" or int
        When to write: after every epoch, or after so many batches and every epoch.
    delete_checkpoint : bool
        Whether the backup is removed when `fit` comes to its end.
    """

    def __init__(self, backup_dir, save_freq="epoch", *, delete_checkpoint=True):
        try:
            self.path = Path(backup_dir) / FILE
        except TypeError:
            raise TypeError(f"backup_dir: expected a directory's name, received {type(backup_dir).__name__}") from None
        if not str(backup_dir):
            raise ValueError("backup_dir: expected a directory's name, received an empty one")
        self.save_freq = save_freq if isinstance(save_freq, str) and save_freq == "epoch" else checks.integer(save_freq, "save_freq", 1)
        self.delete_checkpoint = checks.flag(delete_checkpoint, "delete_checkpoint")
        self._ended = False

    def on_train_begin(self, logs=None):
        self._ended = False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.model._fitting.state = restored(self.model, self.path)

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq != "epoch" and (batch + 1) % self.save_freq == 0:
            self._write()

    def on_epoch_end(self, epoch, logs=None):
        # The callbacks after this one have not seen the epoch's end: the backup is written when all have, at the next begin.
        self._ended = True

    def on_epoch_begin(self, epoch, logs=None):
        if self._ended:
            self._write()
        self._ended = False

    def on_train_end(self, logs=None):
        if self.delete_checkpoint:
            self.path.unlink(missing_ok=True)

    def _write(self):
        saving.save(self.model, self.path, self.model._fitting.progress())


def restored(model, path):
    """Make a model that which a file holds, its optimizer included; the progress of its `fit`."""
    other, progress = reading.load_progress(path)
    if progress is None:
        raise ValueError(f"{path}: expected a backup, received a model that was saved without the progress of a fit")
    if _alike(model) != _alike(other):
        raise ValueError(f"{path}: expected a backup of this model, received one of another: remove it, or give another backup_dir")
    if type(model.optimizer) is not type(other.optimizer):
        raise ValueError(f"{path}: expected the optimizer of the backup, {type(other.optimizer).__name__}, received {type(model.optimizer).__name__}")
    if not model.built:
        model.build(other.input_shape)
    for mine, its in zip(model.graph.layers, other.graph.layers, strict=True):
        _same_seeds(mine, its)
    model.set_weights(other.get_weights())
    model.optimizer.iterations, model.optimizer._learning_rate = other.optimizer.iterations, other.optimizer._learning_rate
    model.optimizer.state = [{slot: np.array(a) for slot, a in slots.items()} for slots in other.optimizer.state]
    model.shuffle_seed, model.step, model.passes = other.shuffle_seed, other.step, other.passes
    model._fitting.stream.seed = None if model._fitting.stream.seed is None else other.shuffle_seed
    return progress


def _same_seeds(mine, its):
    mine.seed = its.seed
    if isinstance(mine, AroundModule):
        mine.module.seed = its.module.seed
    for name, inner in vars(mine).items():
        if isinstance(inner, Layer) and inner.built:
            _same_seeds(inner, getattr(its, name))


def _alike(model):
    """What must be equal of two models: their config without seeds, and without the shape that data may have given to a row of layers."""
    def cleared(thing):
        if isinstance(thing, dict):
            return {k: cleared(v) for k, v in thing.items() if k != "seed"}
        return [cleared(v) for v in thing] if isinstance(thing, list) else thing

    config = cleared(json.loads(json.dumps(model.get_config())))
    return {k: v for k, v in config.items() if k != "input_shape"}
