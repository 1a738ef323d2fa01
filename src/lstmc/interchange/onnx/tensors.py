"""TensorProto -> ndarray, and the files of external data. Nothing is allocated for a size that is claimed: values are views of bytes that are there.

float16 and bfloat16 become float32, which holds them exactly, and a graph of them is computed in float32.
"""

import math
import os
import stat
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from lstmc.errors import FormatError

# Number of a type in TensorProto -> dtype of what is stored, and the field of its values where they are not raw.
TYPES = {1: ("float32", "float_data"), 2: ("uint8", "int32_data"), 3: ("int8", "int32_data"), 4: ("uint16", "int32_data"), 5: ("int16", "int32_data"),
         6: ("int32", "int32_data"), 7: ("int64", "int64_data"), 9: ("bool", "int32_data"), 10: ("float16", "int32_data"),
         11: ("float64", "double_data"), 12: ("uint32", "uint64_data"), 13: ("uint64", "uint64_data"), 16: ("uint16", "int32_data")}
HALVES = {10: "float16", 16: "bfloat16"}
OTHERS = {8: "string", 14: "complex64", 15: "complex128", 21: "uint4", 22: "int4"}
EXTERNAL = 1                # TensorProto.EXTERNAL
AXES, LONGEST = 32, 2**48   # of a tensor, and of one of its axes


def dtype_of(number, where):
    """The dtype of a type's number."""
    if number not in TYPES:
        known = ", ".join(HALVES.get(number, name) for number, (name, _) in TYPES.items())
        raise FormatError(f"{where}: expected a type among {known}, received {OTHERS.get(number, number)}")
    return np.dtype("float32" if number in HALVES else TYPES[number][0])


def array(tensor, where, folder):
    """A read-only array of a tensor's values."""
    wanted = dtype_of(tensor.data_type, where)
    dtype, shape = np.dtype(TYPES[tensor.data_type][0]), tuple(tensor.dims)
    if len(shape) > AXES or any(not 0 <= n <= LONGEST for n in shape):
        raise FormatError(f"{where}: expected at most {AXES} sizes from 0 to {LONGEST}, received {list(shape[:8])}")
    count = math.prod(shape)
    if tensor.HasField("segment"):
        raise FormatError(f"{where}: expected a whole tensor, received a segment of one")
    if tensor.data_location == EXTERNAL:
        values = little(external(tensor, where, folder, count * dtype.itemsize), dtype, count, shape, where)
    elif tensor.HasField("raw_data"):
        values = little(tensor.raw_data, dtype, count, shape, where)
    else:
        values = typed(getattr(tensor, TYPES[tensor.data_type][1]), dtype, count, shape, where)
    try:
        values = values.reshape(shape)
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
    if tensor.data_type in HALVES:
        values = values.astype(wanted) if dtype.kind == "f" else (values.astype(np.uint32) << 16).view(wanted)
    values.flags.writeable = False
    return values


def little(data, dtype, count, shape, where):
    """Little-endian bytes as values."""
    if len(data) != count * dtype.itemsize:
        raise FormatError(f"{where}: expected {count * dtype.itemsize} bytes for {dtype} of shape {list(shape)}, received {len(data)}")
    if dtype.kind == "b":
        return np.frombuffer(data, np.uint8) != 0
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False)


def typed(data, dtype, count, shape, where):
    """Values of a repeated field, in which numbers of 16 bits are whole numbers."""
    if len(data) != count:
        raise FormatError(f"{where}: expected {count} values for {dtype} of shape {list(shape)}, received {len(data)}")
    if dtype.kind == "f" and dtype != np.float16:
        return np.array(data, dtype)
    wide = np.array(data, np.uint64 if dtype.kind == "u" and dtype.itemsize > 2 else np.int64)
    found = wide.astype(np.uint16 if dtype == np.float16 else dtype)
    if (found != wide).any():
        raise FormatError(f"{where}: expected values of {dtype}, received {wide[found != wide][0]}")
    return found.view(dtype)


# External data ----------------------------------------------------------------------------------------------

def external(tensor, where, folder, size):
    """The bytes of a tensor that are in a file of the model's folder."""
    entries = {}
    for entry in tensor.external_data:
        if entry.key in entries or entry.key not in ("location", "offset", "length", "checksum"):
            raise FormatError(f"{where}: expected location, offset, length and checksum of external data, each at most once, received {entry.key!r}")
        entries[entry.key] = entry.value
    offset, length = (number(entries.get(key, default), f"{where}: {key}") for key, default in (("offset", "0"), ("length", str(size))))
    if length != size:
        raise FormatError(f"{where}: expected external data of {size} bytes, received a length of {length}")
    if folder is None:
        raise FormatError(f"{where}: its values are in another file, {entries.get('location')!r}: expected the path of the model, received the model alone")
    with opened(folder, entries.get("location", ""), where) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise FormatError(f"{where}: expected a plain file with one name as external data, received a special file or one with several hard links")
        if offset + length > found.st_size:
            raise FormatError(f"{where}: expected external data of {length} bytes at {offset}, received a file of {found.st_size}")
        file.seek(offset)
        return file.read(length)


def number(text, where):
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise FormatError(f"{where}: expected a whole number, received {text[:40]!r}")
    return int(text)


def opened(folder, location, where):
    """A file of external data, which must be inside the folder however one gets there: not by `..`, an absolute path, or a link."""
    parts = PurePosixPath(location).parts
    if (not parts or ".." in parts or "\0" in location or "\\" in location or PurePosixPath(location).is_absolute()
            or PureWindowsPath(location).drive):
        raise FormatError(f"{where}: expected a path inside the model's folder as external data, received {location[:200]!r}")
    path, real = os.path.join(folder, *parts), os.path.realpath(folder)
    if os.path.realpath(path) != os.path.join(real, *parts):
        raise FormatError(f"{where}: expected no links on the way to external data, received {location[:200]!r}")
    try:
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        return open(path, "rb", opener=lambda name, given: os.open(name, given | flags))
    except OSError as error:
        raise FormatError(f"{where}: external data {location[:200]!r}: {error.strerror}") from None
