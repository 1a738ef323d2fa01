"""lstmc.from_keras: a model of Keras, an object or a file, as one of this package.

Reading order: `keras_configs.py` (one layer), `keras_nodes.py` and `keras_graphs.py` (models), `keras_weights.py` (layouts), `hdf5.py` and
`keras_files.py` (files), `keras_compile.py` (how it was compiled), `keras_optimizer.py` (its state), `keras_objects.py` (objects, and the comparison
with Keras itself).
"""

import contextlib
import os

from lstmc import received
from lstmc.errors import FormatError
from lstmc.interchange import hdf5, keras_compile, keras_files, keras_graphs, keras_objects, keras_optimizer, keras_weights
from lstmc.nn import checks
from lstmc.training import architecture, files
from lstmc.training.reading import MAX_MESSAGE, kinds


def from_keras(obj, verify=False, *, model=None):
    """A model or a layer of Keras as a model of this package, with the same weights.

    Parameters
    ----------
    obj : Keras model, Keras layer or path-like
        A Sequential, a functional model or a layer of Keras 3 or 2, which has weights; a .keras archive; or an HDF5 file (.h5, .hdf5,
        .weights.h5) of Keras 1, 2 or 3. Files are read with h5py alone: Keras need not be there, and no code in a file is run.
    verify : bool
        Run Keras and this package on random and extreme inputs, print the largest differences, and raise ValueError where one is too large.
        Needs Keras; a file is then loaded by `keras.saving.load_model(safe_mode=True)`, too.
    model : lstmc.Sequential or lstmc.Model, optional
        For a file of weights alone: the built model that they are for; it gets them, layer by layer in their order, and is returned.
        Not for models in models.

    Returns
    -------
    lstmc.Sequential or lstmc.Model
        A Model of a functional model, and of what has several inputs or outputs. Compiled, if Keras' was and the package has all of it, with the state
        of the optimizer: training goes on.

    Raises
    ------
    ValueError
        Something is not supported; it and its layer are named.
    lstmc.FormatError
        The same of a file, or the file is damaged.
    OSError
        The file cannot be read.

    Notes
    -----
    Models in models are taken apart into their layers. Left out are initializers that the package has not, since weights are given; with a warning,
    constraints and compile settings that are not supported. What Keras computes in float16 or bfloat16 (mixed precision) is computed in float32.
    """
    verify = checks.flag(verify, "verify")
    known = keras_objects.is_keras(obj) and not isinstance(obj, type)
    if not known and not isinstance(obj, (str, os.PathLike)):
        raise TypeError(f"obj: expected a model or a layer of Keras, or a path, received {received.whole_kind(obj)}")
    path = None if known else files.path_of(obj)
    if path is None:
        if model is not None:
            raise ValueError("model: expected None with an object of Keras, received a model; it is for files of weights")
        made = built(keras_objects.Source(obj))
    else:
        with naming(path), files.reading(path) as f, contextlib.closing(keras_files.source_of(f.read())) as source:
            made = built(source, model)
    if verify:
        keras_objects.verified(obj if path is None else path, made)
    return made


@contextlib.contextmanager
def naming(path):
    """What is wrong in a file as a FormatError that begins with its path."""
    try:
        yield
        return
    except KeyError as error:
        text = f"expected {error}, received a file without it"
    except RecursionError:
        text = "expected a config of usual depth, received a deeper one"
    except OSError as error:
        if error.errno is not None and error.filename is not None:
            raise
        text = f"expected an HDF5 file, received a damaged one: {error}"
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        text = str(error)
    raise FormatError(f"{path}: {text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + ' ...'}")


def built(source, model=None):
    """The model of a source, or `model` with the weights of a source that has nothing else."""
    if source.entry is None:
        return loaded(source, model)
    if model is not None:
        raise ValueError("model: expected None, since the file says what its model is, received a model")
    plan = keras_graphs.Plan(source.entry, source.version, getattr(source, "input_shape", None))
    found = [leaf.layer for leaf in plan.leaves]
    expected = architecture.expected_weights(found, plan.config)
    held = keras_graphs.holders(plan.leaves)
    leaves = [leaf for leaf, _ in held]
    wanted = [{name.removeprefix(start): shape for name, shape in expected.items() if name.startswith(start)} for _, start in held]
    values = arranged(source, leaves, wanted)
    made = architecture.model(kinds()[plan.kind], plan.config, found, draw=False)
    if plan.kind == "Sequential":
        made.build(plan.config["input_shape"], draw=False)
    holders = [leaf.layer for leaf in leaves]
    put(holders, values)
    keras_compile.apply(made, source.compiled)
    keras_optimizer.apply(made, holders, source)
    return made


def loaded(source, model):
    """`model`, with the weights of a file that has weights alone."""
    if not isinstance(model, kinds()["Model"]):
        raise ValueError("model: expected the built lstmc model that these weights are for, since the file has weights alone, "
                         f"received {'None' if model is None else type(model).__name__}")
    model.build()
    counts = {}
    leaves = [keras_graphs.Leaf(n, layer, ((keras_graphs.unique(keras_graphs.snake(type(layer).__name__), counts), layer.name),))
              for n, layer in enumerate(model.layers)]
    wanted = [{v.name: v.shape for v in leaf.layer.variables} for leaf in leaves]
    put([leaf.layer for leaf in leaves], arranged(source, leaves, wanted))
    return model


def arranged(source, leaves, wanted):
    """For each layer [(shape, arrays, function of these)], all of which fit."""
    given = source.arrays(leaves, wanted)
    found = [keras_weights.arranged(leaf.layer, w, g) for leaf, w, g in zip(leaves, wanted, given, strict=True)]
    if source.size is not None:
        hdf5.check_sizes([a for some in given for _, a in some], source.size)
    return found


def put(found, values):
    """Give layers their weights."""
    made = [[function(*(a.read() for a in arrays)).reshape(shape) for shape, arrays, function in some] for some in values]
    for layer, arrays in zip(found, made, strict=True):
        layer.set_weights(arrays)
