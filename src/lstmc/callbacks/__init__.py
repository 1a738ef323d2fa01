"""Callbacks by Keras' names: what runs between epochs and batches of `fit`, `evaluate` and `predict`."""

from lstmc import names
from lstmc.callbacks.base import HOOKS as HOOKS
from lstmc.callbacks.base import Callback, CallbackList, History, LambdaCallback
from lstmc.callbacks.checkpoint import ModelCheckpoint
from lstmc.callbacks.logs import CSVLogger, TerminateOnNaN
from lstmc.callbacks.monitor import EarlyStopping, MonitorCallback, ReduceLROnPlateau
from lstmc.callbacks.rates import LearningRateScheduler

__all__ = ["BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
           "ModelCheckpoint", "MonitorCallback", "ReduceLROnPlateau", "TerminateOnNaN"]

__getattr__, __dir__ = names.face(__name__, __all__, {"BackupAndRestore": "lstmc.training.backup"})
