"""Files of Keras as sources of a model: .keras archives and HDF5 files of Keras 1, 2 and 3, whole models or weights alone.

A source has an `entry` (class name and config of the model, None in a file of weights), the `version` of Keras, `compiled` (how it was compiled, or
None), the `size` that bounds what may be read, and gives the arrays of layers. Everything is read with distrust; nothing is run.
"""

import io
import json
import zipfile
import zlib

from lstmc.errors import FormatError
from lstmc.interchange import hdf5, keras_weights
from lstmc.training.reading import unique

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_JSON = 2**24        # bytes
MAX_MEMBERS = 10_000
MAX_RATIO, SLACK = 16, 2**20        # of a compressed member: floats hardly shrink
ZIP = b"PK\x03\x04"


def source_of(content):
    """The source of the content of a file."""
    if content.startswith(ZIP):
        return archive(content)
    if not content.startswith(hdf5.SIGNATURE):
        raise FormatError(f"expected a .keras archive or an HDF5 file, received other bytes, {content[:8]!r}; of a SavedModel save an .h5 file")
    f = hdf5.opened(content)
    try:
        legacy = "model_config" in f.attrs or hdf5.subgroup(f, "model_weights") is not None or any(key in f.attrs for key in ("layer_names", "layer_names0"))
        return Legacy(f, len(content)) if legacy else Tree(f, len(content), None, 3, None)
    except BaseException:
        f.close()
        raise


# Archives ---------------------------------------------------------------------------------------------------------------


def archive(content):
    """The source of a .keras archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as z:
            members = {}
            if len(z.infolist()) > MAX_MEMBERS:
                raise FormatError(f"expected at most {MAX_MEMBERS} members, received {len(z.infolist())}")
            for info in z.infolist():
                name = info.orig_filename
                if info.filename != name or name in members or name.startswith(("/", "\\")) or "\\" in name or ":" in name or ".." in name.split("/"):
                    raise FormatError(f"expected plain names in an archive, each once, received {name[:200]!r}")
                members[name] = info
            if WEIGHTS not in members and "model.weights.npz" in members:
                raise FormatError("model.weights.npz is not read: save the model with weights_format=\"h5\"")
            found = {name: member(z, members, name, largest) for name, largest in ((CONFIG, MAX_JSON), (METADATA, MAX_JSON), (WEIGHTS, None))}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, RecursionError):
            raise
        raise FormatError(f"expected a .keras archive, received a damaged or encrypted one: {error}") from None
    entry, about = parsed(found[CONFIG], CONFIG), parsed(found[METADATA], METADATA)
    version = major(about.get("keras_version"))
    return Tree(hdf5.opened(found[WEIGHTS]), len(found[WEIGHTS]), entry, version, entry.get("compile_config"))


def member(z, members, name, largest):
    """The bytes of a member, no more than are there or than floats can be packed into."""
    if name not in members:
        raise FormatError(f"expected a member {name}, received {', '.join(members)[:200] or 'none'}")
    info = members[name]
    stored = info.compress_type == zipfile.ZIP_STORED
    most = info.compress_size if stored else MAX_RATIO * info.compress_size + SLACK
    if info.file_size > (most if largest is None else min(most, largest)) or (stored and info.file_size != info.compress_size):
        raise FormatError(f"{name}: expected at most {most} bytes of {info.compress_size} in the archive, received {info.file_size}")
    with z.open(info) as f:
        found = f.read(info.file_size + 1)
    if len(found) != info.file_size:
        raise FormatError(f"{name}: expected {info.file_size} bytes, received {len(found)}")
    return found


def parsed(text, what):
    """The dict of a JSON text."""
    if len(text) > MAX_JSON:
        raise FormatError(f"{what}: expected at most {MAX_JSON} bytes, received {len(text)}")
    try:
        found = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise FormatError(f"{what}: expected JSON of usual depth, received a deeper one") from None
    except ValueError as error:
        raise FormatError(f"{what}: expected JSON: {error}") from None
    if not isinstance(found, dict):
        raise FormatError(f"{what}: expected an object, received {str(found)[:100]}")
    return found


def major(version):
    """1, 2 or 3, of a version as Keras writes it; files of Keras 1 may have none."""
    first = str(version).partition(".")[0] if version is not None else "1"
    if first not in ("1", "2", "3"):
        raise FormatError(f"keras_version: expected that of Keras 1, 2 or 3, received {str(version)[:50]!r}")
    return int(first)


# Weights ----------------------------------------------------------------------------------------------------------------


class Tree:
    """Weights as Keras 3 and late Keras 2 write them: groups like the attributes of a model, arrays by number."""

    def __init__(self, f, size, entry, version, compiled):
        self.f, self.size, self.entry, self.version, self.compiled = f, size, entry, version, compiled

    def close(self):
        self.f.close()

    def arrays(self, leaves, wanted):
        return [self._of(leaf) if w else [] for leaf, w in zip(leaves, wanted, strict=True)]

    def optimizer(self):
        """[(number, Array)] of the optimizer's state, or nothing."""
        group = hdf5.subgroup(self.f, "optimizer")
        return [] if group is None else numbered(hdf5.subgroup(group, "vars"), hdf5.Number)

    def _of(self, leaf):
        group, where = self.f, ""
        for name in [part for key, _ in leaf.path for part in f"layers/{key}".split("/")]:
            where += f"/{name}"
            group = hdf5.subgroup(group, name)
            if group is None:
                raise FormatError(f"layer {leaf.layer.name!r}: expected its weights in {where}, received no such group")
        return self._below(group, leaf.layer)

    def _below(self, group, layer):
        if type(layer).__name__ == "TimeDistributed":
            return self._below(self._inside(group, "layer"), layer.layer)
        if type(layer).__name__ == "Bidirectional":
            return [(f"{way}_{name}", a) for way in keras_weights.WAYS for name, a in self._below(self._inside(group, f"{way}_layer"), layer.layer)]
        cell = hdf5.subgroup(group, "cell")
        return numbered(hdf5.subgroup(group if cell is None else cell, "vars"), hdf5.Array)

    @staticmethod
    def _inside(group, name):
        found = hdf5.subgroup(group, name)
        if found is None:
            raise FormatError(f"{group.name}: expected a group {name}, received none")
        return found


def numbered(group, kind):
    """[(number, what it is of a kind)] of the arrays 0, 1, ... of a group, which may be None."""
    found = []
    while group is not None and (a := hdf5.member(group, str(len(found)))) is not None:
        found.append((str(len(found)), kind(a)))
    return found


class Legacy:
    """An HDF5 file as all versions of Keras can write it: a group for each layer, whose weights have names, and the config as an attribute."""

    def __init__(self, f, size):
        self.f, self.size = f, size
        config = hdf5.text(f, "model_config", MAX_JSON)
        self.entry = None if config is None else parsed(config, "model_config")
        self.weights = hdf5.subgroup(f, "model_weights")
        self.weights = f if self.weights is None else self.weights
        about = next((group for group in (self.weights, f) if "keras_version" in group.attrs), None)
        self.version = major(None if about is None else hdf5.text(about, "keras_version", 100))
        training = hdf5.text(f, "training_config", MAX_JSON)
        self.compiled = None if training is None else parsed(training, "training_config")

    def close(self):
        self.f.close()

    def arrays(self, leaves, wanted):
        names = hdf5.names(self.weights, "layer_names")
        if self.entry is None:
            held = [found for name in names if (found := self._group(name))]
            expected = [i for i, w in enumerate(wanted) if w]
            if len(held) != len(expected):
                raise FormatError(f"expected the weights of {len(expected)} layers, received those of {len(held)}")
            found = [[] for _ in leaves]
            for i, some in zip(expected, held, strict=True):
                found[i] = some
            return found
        found, together = [None] * len(leaves), {}
        for i, leaf in enumerate(leaves):
            if leaf.path:
                together.setdefault(leaf.path[0][1], []).append(i)
            else:
                found[i] = []
        for name, some in together.items():
            if name not in names and any(wanted[i] for i in some):
                raise FormatError(f"layer {name!r}: expected it in layer_names, received {str(names)[:200]}")
            given = self._group(name) if name in names else []
            parts = [given] if len(some) == 1 and len(leaves[some[0]].path) == 1 else keras_weights.shared_out(
                [leaves[i] for i in some], [wanted[i] for i in some], given, self.version)
            for i, part in zip(some, parts, strict=True):
                found[i] = part
        return found

    def _group(self, name):
        """[(name, Array)] of a layer."""
        group = hdf5.subgroup(self.weights, name)
        if group is None:
            raise FormatError(f"layer {name!r}: expected a group of its weights, received none")
        return self._named(group, f"layer {name!r}", hdf5.Array)

    def optimizer(self):
        """[(name, Array)] of the optimizer's state, or nothing."""
        group = hdf5.subgroup(self.f, "optimizer_weights")
        return [] if group is None else self._named(group, "optimizer_weights", hdf5.Number)

    @staticmethod
    def _named(group, what, kind):
        """[(name, what it is of a kind)] of the arrays that a group lists."""
        found = []
        for key in hdf5.names(group, "weight_names"):
            a = hdf5.member(group, key)
            if a is None:
                raise FormatError(f"{what}: expected an array {key[:200]!r}, received none")
            found.append((key, kind(a)))
        return found
