"""PyTorch's weights as NumPy arrays, wherever they are: in a dict, in a .safetensors file, in what torch.save wrote.

A `Weights` knows names and shapes, and makes an array when it is asked for one: of a file, no more is read than what is wanted, and nothing before
all sizes are known to fit into the file. float16 and bfloat16 become float32, which holds them exactly.
"""

import contextlib
import io
import math
import os
import re
import warnings
import zipfile

import numpy as np

from lstmc.errors import FormatError
from lstmc.training import files, reading

# By safetensors' names: NumPy's type of the bytes. Others are not read.
STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
OTHERS = {".onnx": "lstmc.from_onnx reads", ".keras": "lstmc.from_keras reads", ".h5": "lstmc.from_keras reads", ".hdf5": "lstmc.from_keras reads",
          ".pt2": "torch.export.load, whose result from_torch takes, reads"}
MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."       # with which files of torch before 1.6 begin, after two bytes
DEPTH = 8       # of dicts in dicts in which weights are looked for
MAX_MESSAGE = 500


class Weights:
    """Arrays by name.

    shapes: name -> tuple. dtypes: name -> its name in torch, such as "bfloat16". read: name -> ndarray of float32 or float64.
    path: of the file, None if there is none. limit: bytes that all wanted arrays can have together.
    """

    def __init__(self, shapes, dtypes, read, path=None, limit=math.inf):
        self.shapes, self.dtypes, self.read, self.path, self.limit = shapes, dtypes, read, path, limit

    @contextlib.contextmanager
    def naming(self):
        """Of errors within, say that it is the file that is wrong."""
        try:
            yield
        except FormatError:
            raise
        except (TypeError, ValueError) as error:
            if self.path is None:
                raise
            raise format_error(self.path, error) from None

    def take(self, names):
        """name in `names` -> array of what it stands for, all of one dtype, and the name of the dtype that they had."""
        dtypes = {self.dtypes[there]: there for there in names.values()}
        for dtype, there in dtypes.items():
            if dtype not in NAMES.values():
                raise TypeError(f"{there}: expected {', '.join(NAMES.values())}, received {dtype}")
        if len(dtypes) > 1:
            raise TypeError("expected one dtype, received " + ", ".join(f"{dtype} of {there}" for dtype, there in dtypes.items()))
        dtype = next(iter(dtypes))
        size = sum(math.prod(self.shapes[there]) for there in names.values()) * {"float64": 8, "float32": 4}.get(dtype, 2)
        if size > self.limit:
            raise ValueError(f"expected weights that fit into the file's {self.limit} bytes, received shapes of {size}")
        return {name: self.read(there) for name, there in names.items()}, dtype


def format_error(path, text):
    """The FormatError that says of a file what is wrong with it, on one line; what a file or torch says may be long."""
    text = " ".join(str(text).split())
    return FormatError(f"{path}: {text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + ' ...'}")


# Dicts ------------------------------------------------------------------------------------------------------


def of_dict(d, path=None, limit=math.inf):
    """The arrays and tensors in a dict; of dicts in dicts, as checkpoints are, the names joined by points. Anything else in it is left alone."""
    found, seen, left = {}, set(), [("", d, 0)]
    while left:
        prefix, inner, depth = left.pop()
        if id(inner) in seen or depth == DEPTH:
            continue
        seen.add(id(inner))
        for key, value in inner.items():
            if isinstance(key, str):
                if hasattr(value, "shape") and hasattr(value, "dtype"):
                    found[prefix + key] = value
                elif hasattr(value, "items"):
                    left.append((f"{prefix}{key}.", value, depth + 1))
    return Weights({name: tuple(a.shape) for name, a in found.items()}, {name: dtype_of(a) for name, a in found.items()},
                   lambda name: as_array(found[name], name), path, limit)


def dtype_of(a):
    """The name of an array's or tensor's dtype, whatever the order of its bytes."""
    return getattr(a.dtype, "name", None) or str(a.dtype).removeprefix("torch.")


def as_array(a, name):
    """An array or a tensor, wherever it is, as an ndarray of float32 or float64."""
    if hasattr(a, "detach"):
        if a.is_meta or str(a.layout) != "torch.strided":
            raise TypeError(f"{name}: expected a dense tensor with values, received {'one without' if a.is_meta else a.layout}")
        a = a.detach().cpu()
        a = (a.float() if a.element_size() < 4 else a).numpy()
    a = np.asarray(a)
    return a.astype(np.float32 if a.dtype.itemsize < 4 else a.dtype.newbyteorder("="), copy=False)


# Files ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def of_path(path):
    """The weights in a file, by what its name ends with; open as long as the context."""
    path = files.path_of(path)
    kind = path.suffix.lower()
    if kind != ".safetensors" and kind not in TORCH_SUFFIXES:
        reader = OTHERS.get(kind)
        raise ValueError(f"obj: expected a path that ends with .safetensors, {', '.join(TORCH_SUFFIXES)}, received {str(path)!r}"
                         + (f"; {reader} {kind} files" if reader else ""))
    torch = None if kind == ".safetensors" else imported(f"reading {path.name}; a .safetensors file needs no torch")
    try:
        with files.reading(path) as f:
            yield safetensors_file(path, f) if torch is None else torch_file(path, f, torch)
    except FormatError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise format_error(path, error) from None


def safetensors_file(path, f):
    """Those of an open .safetensors file."""
    try:
        start, entries = reading.read_table(f)
        size = os.fstat(f.fileno()).st_size - len(start)
        entries.pop("__metadata__", None)
        check_places(entries, size)
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise format_error(path, error) from None

    def read(name):
        kind, (begin, end) = entries[name]["dtype"], entries[name]["data_offsets"]
        f.seek(len(start) + begin)
        content = f.read(end - begin)
        if len(content) < end - begin:
            raise FormatError(f"{path}: {name}: expected a file that stays as it is while it is read, received one that changes")
        a = np.frombuffer(content, STORED[kind])
        a = (a.astype("<u4") << 16).view("<f4") if kind == "BF16" else a
        return a.astype(np.float64 if kind == "F64" else np.float32).reshape(entries[name]["shape"])

    return Weights({name: tuple(e["shape"]) for name, e in entries.items()}, {name: NAMES.get(e["dtype"], e["dtype"]) for name, e in entries.items()},
                   read, path, size)


def check_places(entries, size):
    """Raise unless the tensors of a table lie one after the other in so many bytes, those of a type that is read in as many as their shapes say."""
    for name, e in entries.items():
        if not isinstance(e, dict) or e.keys() != {"dtype", "shape", "data_offsets"} or not isinstance(e["dtype"], str):
            raise FormatError(f"{name}: expected dtype, shape and data_offsets, received {e!r}")
        for key in ("shape", "data_offsets"):
            if not isinstance(e[key], list) or not all(type(n) is int and n >= 0 for n in e[key]):
                raise FormatError(f"{name}: {key}: expected a list of whole numbers, received {e[key]!r}")
        if len(e["data_offsets"]) != 2:
            raise FormatError(f"{name}: data_offsets: expected begin and end, received {e['data_offsets']}")
    at = 0
    for (begin, end), name in sorted((e["data_offsets"], name) for name, e in entries.items()):
        if begin != at or end < begin:
            raise FormatError(f"{name}: data_offsets: expected tensors one after the other, received {begin} to {end} after {at}")
        at, kind = end, entries[name]["dtype"]
        if kind in STORED and math.prod(entries[name]["shape"]) * np.dtype(STORED[kind]).itemsize != end - begin:
            raise FormatError(f"{name}: expected {kind} of shape {entries[name]['shape']} in {end - begin} bytes, received other sizes")
    if at != size:
        raise FormatError(f"expected {at} bytes of tensors, received {size}")


def torch_file(path, f, torch):
    """Those of an open file that torch.save wrote, read by torch without running any code of it."""
    size = os.fstat(f.fileno()).st_size
    try:
        start = f.read(2 + len(MAGIC))
        f.seek(0)
        if start.startswith(b"PK"):
            check_archive(f, size)
        elif start[2:] == MAGIC:
            f = io.BytesIO(f.read())       # from a file torch would read the data of old ones by its descriptor, and older archives
        else:
            raise FormatError("expected a file that torch.save wrote, received one that begins otherwise")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(f, map_location="cpu", weights_only=True)
    except FormatError as error:
        raise format_error(path, error) from None
    except Exception as error:      # whatever the bytes of a pickle let torch do
        other = re.search(r"GLOBAL (\S+)", str(error))
        what = f"what torch cannot load ({type(error).__name__}: {error})" if other is None else \
            f"an object of {other[1]}, which only running code of the file could make; torch.save(module.state_dict(), path) makes a state_dict"
        raise format_error(path, f"expected a state_dict, received {what}") from None
    if not hasattr(content, "items"):
        raise format_error(path, f"expected a dict of tensors, received {type(content).__name__}")
    return of_dict(content, path, size)


def check_archive(f, size):
    """Raise unless a zip archive has weights in it, as they are, and no more than its size."""
    try:
        entries = zipfile.ZipFile(f).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise FormatError(f"expected a whole zip archive, received a damaged one ({error})") from None
    finally:
        f.seek(0)
    if any(e.filename.endswith("/constants.pkl") for e in entries):
        raise FormatError("expected a state_dict, received a TorchScript archive; give torch.jit.load(path).state_dict()")
    if any(e.filename.endswith(("/archive_format", "serialized_exported_program.json")) for e in entries):
        raise FormatError("expected a state_dict, received a program that torch.export saved; give torch.export.load(path)")
    for e in entries:
        if e.compress_type != zipfile.ZIP_STORED or e.file_size != e.compress_size:
            raise FormatError(f"{e.filename}: expected bytes as they are, as torch.save stores them, received compressed ones")
    if sum(e.file_size for e in entries) > size:
        raise FormatError(f"expected entries of at most {size} bytes, received {sum(e.file_size for e in entries)}")


def imported(why):
    """torch, or an ImportError that says how to get it."""
    try:
        import torch
    except ImportError:
        raise ImportError(f'torch is needed for {why}: pip install "lstmc[torch]"') from None
    return torch
