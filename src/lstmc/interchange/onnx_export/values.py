"""What a layer takes and gives while a model is exported."""

from typing import NamedTuple

from lstmc.interchange.onnx_export.masks import Mask


class Value(NamedTuple):
    """A tensor: its name in the graph, its shape (None where free), its mask, and whether it has whole numbers (int64)."""

    name: str
    shape: tuple
    mask: Mask | None = None
    whole: bool = False


def floats(b, x):
    """x as floats."""
    return x._replace(name=b.cast(x.name), whole=False) if x.whole else x
