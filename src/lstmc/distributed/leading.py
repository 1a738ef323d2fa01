"""Callbacks of a distributed `fit`: rank 0 runs them, and what they decide is so on all ranks."""

import tempfile
import zlib
from pathlib import Path

from lstmc.callbacks import Callback, CallbackList
from lstmc.training import backup

OF_EPOCHS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
OF_BATCHES = ("on_train_batch_begin", "on_train_batch_end")


class Silent(Callback):
    """On ranks that leave it to rank 0 to warn."""

    watches_loss = True


class Led(CallbackList):
    """Callbacks of rank 0, after which all ranks have its `stop_training`, learning rate, weights, running means, and the backup that it found.

    Others have History.
    """

    def __init__(self, hooks, shares):
        super().__init__(hooks.callbacks if shares.comm.rank == 0 else [hooks.callbacks[-1], Silent()], hooks.model, hooks.params)
        self.shares, self.followed = shares, OF_EPOCHS
        of_batches = shares.comm.size > 1 and shares.comm.gather(any(self.calls(hook) for hook in OF_BATCHES))[0]
        if of_batches:
            self.followed += OF_BATCHES

    def calls(self, hook):
        """As that of CallbackList; what rank 0 calls is followed by all."""
        return super().calls(hook) or (hook in OF_BATCHES and hook in self.followed)

    def call(self, hook, *arguments, logs=None):
        """As that of CallbackList."""
        m, comm = self.model, self.shares.comm
        follows = comm.size > 1 and hook in self.followed
        before = (checksum(m), means(m)) if follows and comm.rank == 0 else None
        # What a callback asks of the model is asked of this process alone.
        m._shares = None
        try:
            super().call(hook, *arguments, logs=logs)
        finally:
            m._shares = self.shares
        if follows:
            self._follow(comm.gather(self._decided(hook, before) if comm.rank == 0 else None)[0])

    def _decided(self, hook, before):
        m, rate, state = self.model, self.model.optimizer._learning_rate, None
        if hook == "on_train_begin" and m._fitting.state is not None:
            state = next(c.path for c in self.callbacks if isinstance(c, backup.BackupAndRestore)).read_bytes()
        return {"stop": m.stop_training, "rate": rate if isinstance(rate, float) else None, "backup": state,
                "weights": m.get_weights() if state is None and checksum(m) != before[0] else None,
                "means": means(m) if state is None and str(means(m)) != str(before[1]) else None}

    def _follow(self, decided):
        m = self.model
        if self.shares.comm.rank == 0:
            return
        m.stop_training = decided["stop"]
        if decided["backup"] is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / backup.FILE
                path.write_bytes(decided["backup"])
                m._fitting.state = {**backup.restored(m, path), "callbacks": [[type(c).__name__, c.get_state()] for c in m._fitting._others()]}
        if decided["rate"] is not None:
            m.optimizer.learning_rate = decided["rate"]
        if decided["weights"] is not None:
            m.set_weights(decided["weights"])
        if decided["means"] is not None:
            for x, state in zip(running(m), decided["means"], strict=True):
                x.set_state(state)


def checksum(model):
    """Of all weights."""
    found = 0
    for w in model.weights:
        found = zlib.crc32(w, found)
    return found


def running(model):
    """The running means of losses, and metrics."""
    return (model._mean, *model._means, *model.metrics)


def means(model):
    """Their states."""
    return [x.get_state() for x in running(model)]
