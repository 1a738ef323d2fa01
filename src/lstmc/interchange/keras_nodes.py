"""Calls of layers as configs of Keras write them: Keras 3 as arguments, Keras 1 and 2 as lists of tensors, each (layer, node, output)."""

from typing import NamedTuple

from lstmc.interchange.keras_configs import plain


class Node(NamedTuple):
    """A call of a layer of Keras: the tensors that it takes, and takes as initial states, each (layer, node, output); whether a mask is among its arguments.

    Keras 3 writes every mask there, those too that follow from Masking and Embedding(mask_zero=True).
    """

    inputs: list
    states: list
    masked: bool


def listed(value, what):
    if not isinstance(value, list):
        raise ValueError(f"{what}: expected a list, received {str(value)[:100]}")
    return value


def node(entry, name):
    """The Node of a call of the layer of a name, as one version or the other writes it."""
    if isinstance(entry, dict):
        args, kwargs = entry.get("args", []), entry.get("kwargs", {})
        args = [] if args == {} else listed(plain(args), f"{name}: args")
        found = [tensors(a, name) for a in args]
        states = [t for some in found[1:] for t in some]
        inputs = found[0] if found else []
        more = kwargs if isinstance(kwargs, dict) else {}
    else:
        several = listed(entry, f"{name}: inbound_nodes")
        inputs, states, more = [ref(t[:3], name) for t in several if isinstance(t, list)], [], {}
        for t in several:
            if not isinstance(t, list) or len(t) not in (3, 4) or not isinstance((t[3:] and t[3]) or {}, dict):
                raise ValueError(f"{name}: expected calls as [layer, node, output], received {str(t)[:100]}")
            more |= t[3] if len(t) == 4 else {}
    masked = isinstance(entry, dict) and more.get("mask") is not None
    for key, value in more.items():
        if key == "initial_state" and value is not None:
            states = tensors(plain(value), name)
        elif value is not None and not (key == "training" and value is False) and not (key == "mask" and masked):
            raise ValueError(f"layer {name!r}: a call with {key}={str(value)[:60]} is not supported")
    return Node(inputs, states, masked)


def tensors(value, name):
    """The references of a tensor, or of a list of them; None is none."""
    if value is None:
        return []
    if isinstance(value, list) and not (value and isinstance(value[0], str)):
        return [ref(v, name) for v in value if v is not None]
    return [ref(value, name)]


def refs(value, what):
    """The references in input_layers or output_layers: one, a list of them, or a dict, which Keras flattens by the order of its keys."""
    value = plain(value)
    value = [value[key] for key in sorted(value)] if isinstance(value, dict) else listed(value, what)
    return tensors(value, what)


def ref(value, name):
    """(layer, node, output) of a tensor."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__" and isinstance(value.get("config"), dict):
        value = value["config"].get("keras_history")
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str) or not all(type(n) is int for n in value[1:]):
        raise ValueError(f"{name}: expected a tensor as [layer, node, output], received {str(value)[:100]}")
    return tuple(value)
