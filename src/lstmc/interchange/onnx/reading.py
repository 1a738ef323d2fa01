"""From a path, bytes or a ModelProto to a model whose claims about itself are plain: it parses, has a graph, and is of an operator set that is known.

What is inside a graph is looked at by plan.py, tensor by tensor and node by node.
"""

import os
import stat
from typing import NamedTuple

from lstmc.errors import FormatError

OLDEST, NEWEST = 7, 28          # operator sets of the default domain
LARGEST = 2**31 - 1             # bytes of a protobuf message


class Source(NamedTuple):
    """model: a ModelProto. path: its file, None if it has none. opset: of the default domain."""

    model: object
    path: str | None
    opset: int

    @property
    def folder(self):
        """Where external data may be."""
        return None if self.path is None else os.path.dirname(os.path.abspath(self.path))


def package():
    """The `onnx` package."""
    try:
        import onnx
    except ImportError:
        raise ImportError('from_onnx needs the package onnx: pip install "lstmc[onnx]"') from None
    return onnx


def read(obj):
    """A Source from a path, bytes or a ModelProto."""
    onnx = package()
    if isinstance(obj, onnx.ModelProto):
        return Source(obj, None, opset_of(obj))
    if isinstance(obj, (bytes, bytearray, memoryview)):
        data, path = bytes(obj), None
    elif isinstance(obj, (str, os.PathLike)):
        data, path = contents(obj), os.fspath(obj)
    else:
        raise TypeError(f"obj: expected a path, bytes or an onnx.ModelProto, received {type(obj).__name__}")
    from google.protobuf.message import DecodeError
    if len(data) > LARGEST:
        raise FormatError(f"a model of at most {LARGEST} bytes was expected, received {len(data)}")
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise FormatError(f"not an ONNX model: {error}") from None
    return Source(model, path, opset_of(model))


def contents(path):
    """The bytes of a file, if it is a plain one of a size that a model can have."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise FormatError(f"{os.fspath(path)}: expected a file, received something else")
        if found.st_size > LARGEST:
            raise FormatError(f"{os.fspath(path)}: a model of at most {LARGEST} bytes was expected, received {found.st_size}")
        return file.read()


def opset_of(model):
    """The operator set of the default domain."""
    if not model.HasField("graph"):
        raise FormatError("not an ONNX model: it has no graph")
    found = {entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")}
    if len(found) != 1:
        raise FormatError(f"opset_import: expected one version of the operators of ONNX, received {sorted(found) or 'none'}")
    version = found.pop()
    if not OLDEST <= version <= NEWEST:
        raise FormatError(f"opset_import: expected a version from {OLDEST} to {NEWEST}, received {version}")
    return version
