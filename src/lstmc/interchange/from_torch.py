"""`lstmc.from_torch`: PyTorch's recurrent layers, from a module, a state_dict or a file, as modules of `lstmc.nn`.

What the weights are is read from their names (torch_names.py) and shapes; where they are is the matter of torch_weights.py.
"""

import contextlib
import os
import sys

from lstmc import nn, received
from lstmc.interchange import torch_names, torch_weights
from lstmc.nn import checks
from lstmc.warned import warn


def from_torch(obj, verify=False, *, prefix=None, batch_first=None, dropout=None, nonlinearity=None, seed=None):
    """A PyTorch LSTM, GRU or RNN as a module of `lstmc.nn` with the same weights.

    Parameters
    ----------
    obj : torch.nn.Module, dict, or path-like
        A torch.nn.LSTM, GRU, RNN or one of their cells, or a model that has such a module; what torch.export or torch.jit made of one; a state_dict
        of either, with tensors or NumPy arrays, also inside a checkpoint; or the path of a .safetensors file, or of a .pt, .pth, .bin or .ckpt file
        that torch.save wrote of a state_dict, which torch reads (weights only: no code of the file is run).
    verify : bool
        Whether to run torch's own module and this one on the same random and extreme inputs, ragged ones too, and print the largest differences;
        ValueError where one is larger than 2e-5 in float32 or 1e-12 in float64.
    prefix : str, optional
        With which the names of the layer's weights begin in a whole model, such as "encoder.rnn."; not needed if there is one recurrent layer.
    batch_first : bool, optional
        None: as the module has it, or False for weights alone, which do not tell.
    dropout : float, optional
        None: as the module has it, or 0 for weights alone.
    nonlinearity : {"tanh", "relu"}, optional
        Of an RNN. None: as the module has it, or "tanh" for weights alone.
    seed : int, optional
        Of dropout.

    Returns
    -------
    lstmc.nn.LSTM, GRU or RNN
        With copies of the weights, of their dtype; float16 and bfloat16 are widened to float32, with a warning, since it holds them exactly. Of a
        module whose weights are computed of others (weight_norm, pruning), it has what they are now.

    Raises
    ------
    lstmc.FormatError
        A file is damaged, of another kind, has no recurrent layer, or its shapes do not fit together.
    ValueError, TypeError
        An argument does, or a prefix is needed.
    ImportError
        torch is needed and missing.

    Notes
    -----
    `lstmc.interchange.verify.compare` gives the numbers of any two engines, as an object.
    """
    verify = checks.flag(verify, "verify")
    if prefix is not None and not isinstance(prefix, str):
        raise TypeError(f"prefix: expected a string, received {type(prefix).__name__}")
    with weights_of(obj, prefix) as (weights, module):
        with weights.naming():
            layers = torch_names.layers_of(weights.shapes)
        names = layers[torch_names.chosen(layers, "" if module is not None else prefix)]
        with weights.naming():
            sizes = torch_names.sizes_of(names, weights.shapes, weights.shapes)
            arrays, dtype = weights.take(names)
    m = made(sizes, module, batch_first, dropout, nonlinearity, seed, "float64" if dtype == "float64" else "float32")
    m.load_state_dict(arrays)
    if dtype not in ("float32", "float64"):
        warn(f"weights of {dtype} are widened to float32, which holds them exactly")
    if verify:
        from lstmc.interchange import torch_proof

        torch_proof.prove(m, arrays, module if dtype == str(m.dtype) else None)
    return m


@contextlib.contextmanager
def weights_of(obj, prefix):
    """(Weights, the recurrent module that they are of, or None)."""
    torch = sys.modules.get("torch")
    if isinstance(obj, (str, os.PathLike)):
        with torch_weights.of_path(obj) as weights:
            yield weights, None
    elif torch is not None and isinstance(obj, torch.jit.ScriptModule):
        yield torch_weights.of_dict(obj.state_dict()), None
    elif torch is not None and isinstance(obj, torch.nn.Module):
        module = recurrent_in(obj, prefix, torch)
        yield torch_weights.of_dict(effective(module)), module
    elif hasattr(obj, "items"):
        yield torch_weights.of_dict(obj), None
    elif hasattr(getattr(obj, "state_dict", None), "items"):        # of what torch.export made
        yield torch_weights.of_dict(obj.state_dict), None
    else:
        raise TypeError(f"obj: expected a torch module, a state_dict, or a path, received {received.whole_kind(obj)}")


def made(sizes, module, batch_first, dropout, nonlinearity, seed, dtype):
    """An `lstmc.nn` module of these sizes; settings that are None are the torch module's, if there is one."""
    def setting(value, name, default):
        return getattr(module, name, default) if value is None else value

    settings = {"batch_first": setting(batch_first, "batch_first", False)}
    if dropout is not None or sizes.num_layers > 1:
        settings["dropout"] = setting(dropout, "dropout", 0.0)
    if sizes.kind == "RNN":
        settings["nonlinearity"] = setting(nonlinearity, "nonlinearity", "tanh")
    elif nonlinearity is not None:
        raise ValueError(f"nonlinearity: expected None, since the weights are of {sizes.kind} layers, received {nonlinearity!r}")
    if sizes.proj_size:
        settings["proj_size"] = sizes.proj_size
    return getattr(nn, sizes.kind)._blank(sizes.input_size, sizes.hidden_size, sizes.num_layers, bias=sizes.bias, bidirectional=sizes.bidirectional,
                                          dtype=dtype, seed=seed, **settings)


# Modules ----------------------------------------------------------------------------------------------------


def recurrent_in(module, prefix, torch):
    """The recurrent module that is meant: the module itself, or the one in it of this prefix, or the only one."""
    kinds = (torch.nn.RNNBase, torch.nn.RNNCellBase)        # which those of lstmc.torch are, too
    found = {f"{name}." if name else "": m for name, m in module.named_modules() if isinstance(m, kinds)}
    if not found:
        for name, m in module.named_modules():
            if ".quantized." in f"{type(m).__module__}." and hasattr(m, "hidden_size"):
                raise TypeError(f"obj: expected weights of floats, received the quantized {type(m).__name__} {name!r}; give the model as it was before "
                                "it was quantized")
        raise TypeError(f"obj: expected a torch.nn.LSTM, GRU, RNN or a model with one, received {type(module).__name__}; if it computes what one of "
                        "these does with weights of the same names, give its state_dict()")
    return found[torch_names.chosen(found, "" if prefix is None and "" in found else prefix)]


def effective(module):
    """name -> tensor of a recurrent module's weights, of those that are computed of others what they are now."""
    layers = getattr(module, "num_layers", None)
    ends = [""] if layers is None else [f"_l{n}{way}" for n in range(layers) for way in ("", "_reverse")]
    names = [kind + end for end in ends for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]
    found = {name: getattr(module, name, None) for name in names}
    for hook in module._forward_pre_hooks.values():     # by which weights were computed before torch had parametrizations, and pruning still does
        if hasattr(hook, "compute_weight"):
            found[hook.name] = weight_now(hook, module)
        elif hasattr(hook, "apply_mask"):
            found[hook._tensor_name] = hook.apply_mask(module)
    return {name: a for name, a in found.items() if a is not None}


def weight_now(hook, module):
    """What a hook of weight_norm or spectral_norm computes; the latter without a step of its iteration."""
    try:
        return hook.compute_weight(module, do_power_iteration=False)
    except TypeError:
        return hook.compute_weight(module)
