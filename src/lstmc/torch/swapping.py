"""accelerate and restore: recurrent modules of a model change their class, and keep all else they are.

The object stays the same, with its parameters, hooks and names: optimizers that know the parameters go on training them, and whoever holds the
module holds the faster one. That goes for a model that is a recurrent module itself too.
"""

from typing import NamedTuple

import torch
from torch.nn.utils.parametrize import is_parametrized

from lstmc.received import whole_kind
from lstmc.torch.engine import DTYPES
from lstmc.torch.modules import GRU, LSTM, RNN

OURS = {torch.nn.LSTM: LSTM, torch.nn.GRU: GRU, torch.nn.RNN: RNN}
THEIRS = {ours: theirs for theirs, ours in OURS.items()}


class Swaps(NamedTuple):
    """What `accelerate` and `restore` return; as text, a line for each module.

    Attributes
    ----------
    swapped : dict
        Name of a module in the model, "" for the model itself -> the class that it has now.
    kept : dict
        Name of a recurrent module that stays as it was -> why.
    """

    swapped: dict
    kept: dict

    def __str__(self):
        lines = [f"{name or 'the model'}: now {'lstmc.torch' if kind in THEIRS else 'torch.nn'}.{kind.__name__}" for name, kind in self.swapped.items()]
        lines += [f"{name or 'the model'}: kept, {why}" for name, why in self.kept.items()]
        return "\n".join(lines) or "no recurrent modules to swap"


def accelerate(model):
    """Let every torch.nn.LSTM, GRU and RNN of a model run on lstmc's kernels, in place.

    Parameters
    ----------
    model : torch.nn.Module
        May be a recurrent module itself.

    Returns
    -------
    Swaps
        What was swapped, and what was not and why. `print` shows it.

    Raises
    ------
    TypeError
        model is not a torch.nn.Module.

    Notes
    -----
    A module stays the same object, with the same parameters and hooks; its class becomes `lstmc.torch.LSTM` and so on. Optimizers made
    before go on training it, `state_dict` has the same names, and a whole model that is pickled now needs lstmc to be read: `restore` it
    before, or save its `state_dict`.
    """
    return _swap(model, OURS, _obstacle)


def restore(model):
    """Undo `accelerate`: every module of lstmc.torch in a model becomes torch.nn's again, in place.

    Parameters
    ----------
    model : torch.nn.Module
        One that `accelerate` changed, or that has modules of lstmc.torch for other reasons.

    Returns
    -------
    Swaps
        What was swapped, and what was not and why.

    Raises
    ------
    TypeError
        model is not a torch.nn.Module.
    """
    found = _swap(model, THEIRS, lambda module: None)
    for module in model.modules():
        if type(module) in OURS:
            module.__dict__.pop("_engines", None)
    return found


def _swap(model, classes, obstacle):
    """Change classes to others, where there is no obstacle."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, received {whole_kind(model)}")
    found = Swaps({}, {})
    for name, module in model.named_modules():
        if not isinstance(module, tuple(classes)):
            continue
        why = obstacle(module) if type(module) in classes else _of_subclass(module, classes)
        if why:
            found.kept[name] = why
        else:
            module.__class__ = found.swapped[name] = classes[type(module)]
    return found


def _of_subclass(module, classes):
    """Why a module of another class is kept."""
    if type(module) in classes.values():
        return "it runs on lstmc already"
    if is_parametrized(module):
        return "it is parametrized: swap before registering parametrizations, or remove them"
    return f"its class is {type(module).__name__}, a subclass, which may compute something else"


def _obstacle(module):
    """Why a module of torch.nn cannot run on lstmc, or None."""
    if "forward" in module.__dict__:
        return "its forward was replaced"
    if module.dropout >= 1 and module.num_layers > 1:
        return f"dropout is {module.dropout}, and lstmc's is below 1"
    for name, w in module.named_parameters(recurse=False):
        if not w.is_cpu or w.dtype not in DTYPES:
            return f"{name} is {w.dtype} on {w.device}, and lstmc computes in float32 and float64 on the CPU"
    return None
