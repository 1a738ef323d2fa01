"""HDF5 files read with distrust: hard links, texts and arrays that lie in the file as they are; everything else is a FormatError.

No link is followed out of the file or to another name, no filter runs, no reference is resolved, and nothing is allocated for a size that the
file does not have: an array must be stored whole, without chunks, and all arrays that are read together are no larger than the file.
"""

import math
import uuid

import numpy as np

from lstmc.errors import FormatError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_NAMES = 100_000
MAX_NAME = 2000


def opened(content):
    """An h5py.File of bytes, for who closes it. It is a file in memory, whose name no other one has: files of one name would be one file to HDF5."""
    try:
        import h5py
    except ImportError:
        raise ImportError('a file of Keras needs h5py: pip install "lstmc[keras]"') from None
    if not content.startswith(SIGNATURE):
        raise FormatError("expected an HDF5 file, received other bytes")
    check_heaps(content)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_file_image(content)
    return h5py.File(h5py.h5f.open(f"lstmc-{uuid.uuid4()}".encode(), h5py.h5f.ACC_RDONLY, fapl=access))


def check_heaps(content):
    """Raise FormatError where HDF5 would read a heap of texts forever: one with a piece of free space of size 0.

    Heaps are told by their signature, wherever they are. Collection: "GCOL", version (1), 3 bytes, size (8), objects. Object: number (2), references
    (2), 4 bytes, size (8), content up to a multiple of 8; number 0 is free space, whose size is that of all of it.
    """
    at, steps = content.find(b"GCOL"), len(content) // 16
    while at >= 0:
        end = at + int.from_bytes(content[at + 8:at + 16], "little")
        place = at + 16
        while end <= len(content) and place + 16 <= end:
            size, steps = int.from_bytes(content[place + 8:place + 16], "little"), steps - 1
            whole = 16 + (size + 7) // 8 * 8 if content[place] or content[place + 1] else size
            if not whole or steps < 0:
                raise FormatError(f"expected heaps of texts that end, received another one at byte {at}")
            place += whole
        at = content.find(b"GCOL", at + 4)


def member(group, name):
    """The group or array of a name in a group, or None; only a hard link counts."""
    import h5py

    if not isinstance(name, str) or not name or len(name) > MAX_NAME or "\0" in name:
        raise FormatError(f"expected the name of a group or an array, received {name!r}"[:200])
    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or part in ("", ".", ".."):
            raise FormatError(f"{name}: expected the path of an array, received one through {part!r}")
        key = part.encode()
        if not group.id.links.exists(key):
            return None
        if group.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise FormatError(f"{group.name}/{part}: expected a group or an array of this file, received a link to another place")
        group = group[part]
    return group


def subgroup(group, name):
    """The group of a name, or None."""
    import h5py

    found = member(group, name)
    if found is not None and not isinstance(found, h5py.Group):
        raise FormatError(f"{name}: expected a group, received {type(found).__name__}")
    return found


def names(group, key):
    """An attribute that lists names, or its pieces, key0, key1, ..., in which Keras keeps a long one."""
    if key in group.attrs:
        return texts(group, key)
    found, n = [], 0
    while f"{key}{n}" in group.attrs:
        found += texts(group, f"{key}{n}")
        n += 1
        if len(found) > MAX_NAMES:
            raise FormatError(f"{group.name}: {key}: expected at most {MAX_NAMES} names, received more")
    return found


def text(group, key, largest):
    """An attribute that is one text, or None."""
    if key not in group.attrs:
        return None
    found = texts(group, key, largest)
    if len(found) != 1:
        raise FormatError(f"{key}: expected one text, received {len(found)}")
    return found[0]


def texts(group, key, largest=2**20):
    """The texts of an attribute."""
    import h5py

    attribute = group.attrs.get_id(key)
    n = math.prod(attribute.shape)
    if not n:
        return []
    kind = attribute.get_type()
    if n > MAX_NAMES or kind.get_class() != h5py.h5t.STRING or (not kind.is_variable_str() and n * kind.get_size() > largest):
        raise FormatError(f"{group.name}: {key}: expected texts of at most {largest} bytes, received shape {attribute.shape}, dtype {attribute.dtype}")
    found = np.asarray(group.attrs[key]).reshape(-1).tolist()
    found = [t.decode() if isinstance(t, bytes) else t for t in found]
    if not all(isinstance(t, str) for t in found) or sum(map(len, found)) > largest:
        raise FormatError(f"{group.name}: {key}: expected texts of at most {largest} bytes, received others")
    return found


class Array:
    """A float array in a file: its shape is known before it is read, and it is as large as what is stored."""

    KINDS = ("IEEE_F32LE", "IEEE_F64LE", "IEEE_F16LE", "IEEE_F32BE", "IEEE_F64BE")
    WHAT = "floats"

    def __init__(self, dataset):
        import h5py

        if not isinstance(dataset, h5py.Dataset):
            raise FormatError(f"{dataset.name}: expected an array, received a {type(dataset).__name__.lower()}")
        self.dataset, self.name, self.shape = dataset, dataset.name, dataset.shape
        kinds = [t for t in (getattr(h5py.h5t, name) for name in self.KINDS) if dataset.id.get_type().equal(t)]
        if not kinds or self.shape is None:
            raise FormatError(f"{self.name}: expected an array of {self.WHAT}, received dtype {dataset.dtype}, shape {self.shape}")
        made = dataset.id.get_create_plist()
        plain = made.get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) and not made.get_nfilters() and not made.get_external_count()
        self.nbytes = math.prod(self.shape) * kinds[0].get_size()
        if not plain or dataset.id.get_storage_size() != self.nbytes:
            raise FormatError(f"{self.name}: expected an array that is stored whole, in this file, without chunks and compression, as Keras writes it; "
                              f"received {self.nbytes} bytes of which {dataset.id.get_storage_size()} are stored{'' if plain else ', in another way'}")

    def read(self):
        return self.dataset[()]


class Number(Array):
    """The same, or one of whole numbers, as a count of steps is."""

    KINDS = (*Array.KINDS, "STD_I64LE", "STD_I32LE", "STD_U64LE", "STD_U32LE")
    WHAT = "numbers"


def check_sizes(arrays, size):
    """Raise FormatError if arrays claim more than the file has."""
    total = sum(a.nbytes for a in arrays)
    if total > size:
        raise FormatError(f"expected arrays that together are no larger than the file, {size} bytes, received {total}")
