"""What layers of one model have together: one dtype, and each a name of its own."""

from lstmc import received
from lstmc.layers import Layer
from lstmc.reprs import default_name


def any_dtype(layer):
    """Whether a layer leaves the dtype to others."""
    return getattr(layer, "any_dtype", False)


def unique_names(layers):
    """Give layers whose names were made a number where one of the same name is before them; ValueError for two equal names that were given."""
    taken, given = set(), {layer.name for layer in layers if not layer.auto_named}
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"layer: expected an lstmc.layers.Layer, received {received.kind(layer)}")
        if layer.name in taken or (layer.auto_named and layer.name in given):
            if not layer.auto_named:
                raise ValueError(f"name: expected a unique name, received {layer.name!r} twice")
            base, n = default_name(type(layer).__name__), 1
            while f"{base}_{n}" in taken | given:
                n += 1
            layer.name = f"{base}_{n}"
        taken.add(layer.name)


def one_dtype(layers):
    """Raise ValueError unless all layers have one dtype."""
    fixed = [layer for layer in layers if not any_dtype(layer)]
    for layer in fixed[1:]:
        if layer.dtype != fixed[0].dtype:
            raise ValueError(f"dtype: expected {fixed[0].dtype}, as of {fixed[0].name!r}, received {layer.dtype} for {layer.name!r}")


def name_input(layer, key):
    """Let an input have the name by which a dict has it."""
    if layer.name != key and not layer.auto_named:
        raise ValueError(f"inputs: expected a dict by the names of its inputs, received the key {key!r} of Input(name={layer.name!r})")
    layer.name, layer.auto_named = key, False
