"""LearningRateScheduler: a learning rate for each epoch."""

from lstmc.callbacks.base import Callback
from lstmc.console import say, verbosity
from lstmc.nn import checks
from lstmc.optimizers.base import takes


class LearningRateScheduler(Callback):
    """Set the optimizer's learning rate before each epoch; the logs get a learning_rate.

    Parameters
    ----------
    schedule : callable
        Of the epoch, which counts from 0, and the rate so far, or of the epoch alone; gives the new rate.
    verbose : int
        1 prints the rate.
    """

    def __init__(self, schedule, verbose=0):
        if not callable(schedule):
            raise TypeError(f"schedule: expected a function of the epoch and the learning rate, received {type(schedule).__name__}")
        self.schedule, self.verbose = schedule, verbosity(verbose)

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        rate = self.schedule(epoch, optimizer.learning_rate) if takes(self.schedule, epoch, 0.0) else self.schedule(epoch)
        optimizer.learning_rate = checks.number(rate, "schedule: its result")
        if self.verbose:
            say(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {optimizer.learning_rate}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate
