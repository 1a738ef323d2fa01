"""What a callback is: hooks that run between epochs and batches of `fit`, `evaluate` and `predict`; several of them; and the plain ones."""

from typing import ClassVar

from lstmc import curves, received
from lstmc.nn import checks
from lstmc.reprs import constructed


class Callback:
    """Base class: override the hooks of interest.

    `logs` is a dict of results by name, floats; a hook may add to that of `on_epoch_end`.

    Attributes
    ----------
    model : lstmc.Model
        Setting `model.stop_training = True` ends training after the current batch.
    params : dict
        `epochs`, `steps` and `verbose` of the call.
    """

    model = None
    params = None
    __repr__ = constructed
    # Attributes that training which is taken up again goes on with; see `get_state`.
    kept: ClassVar = ()

    def get_state(self):
        """What must be restored where training is taken up again: a dict of JSON types, and of lists of arrays."""
        return {name: getattr(self, name) for name in self.kept}

    def set_state(self, state):
        """Go on from a `state` that `get_state` gave; after `on_train_begin`, which forgets it."""
        if not isinstance(state, dict) or state.keys() != set(self.kept):
            raise ValueError(f"state: expected the state of {type(self).__name__} ({', '.join(self.kept) or 'none'}), received "
                             f"{', '.join(map(str, state)) or 'none' if isinstance(state, dict) else type(state).__name__}")
        for name, value in state.items():
            setattr(self, name, value)

    def set_model(self, model):
        """Called before the first hook."""
        self.model = model

    def set_params(self, params):
        """Called before the first hook."""
        self.params = params

    def on_train_begin(self, logs=None):
        """Before the first epoch of `fit`."""

    def on_train_end(self, logs=None):
        """After the last epoch of `fit`."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before an epoch; epochs count from 0."""

    def on_epoch_end(self, epoch, logs=None):
        """After an epoch and its validation; logs holds all results, those of validation with a `val_` prefix."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before a batch of `fit`."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """After a batch of `fit`; logs holds the means of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch, logs=None):
        """An old name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """An old name of `on_train_batch_end`."""

    def on_test_begin(self, logs=None):
        """Before `evaluate`, also as validation in `fit`."""

    def on_test_end(self, logs=None):
        """After `evaluate`."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before a batch of `evaluate`."""

    def on_test_batch_end(self, batch, logs=None):
        """After a batch of `evaluate`."""

    def on_predict_begin(self, logs=None):
        """Before `predict`."""

    def on_predict_end(self, logs=None):
        """After `predict`."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a batch of `predict`; logs["outputs"] holds its output."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
# Hooks that others call: whoever overrides one wants the other.
CALLED_BY = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList(Callback):
    """Calls every hook of several callbacks, in order; those that do not have the hook cost nothing.

    Parameters
    ----------
    callbacks : Callback or list of them, optional
    model : lstmc.Model, optional
    params : dict, optional
        See `Callback`; further names are added to it.
    add_history : bool
        Whether to add a History if there is none.
    add_progbar : bool
        False: `fit` shows progress by `verbose`.
    """

    def __init__(self, callbacks=None, model=None, params=None, *, add_history=False, add_progbar=False, **more):
        if add_progbar:
            raise ValueError("add_progbar: expected False, received True; fit has verbose")
        self.callbacks, self._called = [], None
        self.set_params({**(params or {}), **more})
        self.set_model(model)
        for c in [] if callbacks is None else callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]:
            self.append(c)
        if checks.flag(add_history, "add_history") and not any(isinstance(c, History) for c in self.callbacks):
            self.append(History())

    def append(self, callback):
        """Add `callback` at the end."""
        if not isinstance(callback, Callback):
            raise TypeError(f"callbacks: expected lstmc.callbacks.Callback objects, received {received.kind(callback)}")
        callback.set_params(self.params)
        callback.set_model(self.model)
        self.callbacks.append(callback)
        self._called = None

    def set_model(self, model):
        super().set_model(model)
        for c in self.callbacks:
            c.set_model(model)

    def set_params(self, params):
        super().set_params(params)
        for c in self.callbacks:
            c.set_params(params)

    def calls(self, hook):
        """Whether a callback has this hook."""
        return any(has(c, hook) for c in self.callbacks)

    def call(self, hook, *arguments, logs=None):
        """Call the hook of this name on all, with `arguments`, its number if it has one, and with logs, which may be left out."""
        if self._called is None:
            self._called = {name: [c for c in self.callbacks if has(c, name)] for name in HOOKS}
        found = self._called[hook]
        if found:
            if len(arguments) <= numbered(hook):
                arguments += ({} if logs is None else logs,)
            for c in found:
                getattr(c, hook)(*arguments)


def hook_of_all(hook):
    """The method of CallbackList that calls `hook` of all, with the arguments that it has in `Callback`."""
    if "_epoch_" in hook:
        def method(self, epoch, logs=None):
            self.call(hook, epoch, logs=logs)
    elif "_batch_" in hook:
        def method(self, batch, logs=None):
            self.call(hook, batch, logs=logs)
    else:
        def method(self, logs=None):
            self.call(hook, logs=logs)
    method.__name__ = hook
    return method


for _hook in HOOKS:
    setattr(CallbackList, _hook, hook_of_all(_hook))


def numbered(hook):
    """Whether a hook is given the number of an epoch or batch."""
    return "_epoch_" in hook or "_batch_" in hook


def has(callback, hook):
    """Whether a callback does something in this hook."""
    own = getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
    return own or (hook in CALLED_BY and has(callback, CALLED_BY[hook]))


class History(Callback):
    """What `fit` returns: `history`, name -> one value per epoch; `epoch`, their numbers; `params`."""

    def __init__(self):
        self.history, self.epoch, self.places = {}, [], {}      # places: name -> the numbers of the epochs that have it

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.places.setdefault(name, []).append(epoch)

    def plot(self):
        """A matplotlib figure with the curves of the loss and of every metric, validation beside training."""
        return curves.figure(self)

    def __repr__(self):
        return curves.described(self)


class LambdaCallback(Callback):
    """A callback from functions.

    Parameters
    ----------
    **hooks : callable
        By hook name, such as ``on_epoch_end=lambda epoch, logs: print(logs)``.
    """

    def __init__(self, **hooks):
        for name, function in hooks.items():
            if name not in HOOKS:
                raise TypeError(f"LambdaCallback: expected hooks from {', '.join(HOOKS)}, received {name!r}")
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name}: expected a function, received {type(function).__name__}")
                setattr(self, name, function)
