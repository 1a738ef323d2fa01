"""What every layer has: a name, a dtype, weights in Keras' layout, and a forward and backward that share a tape.

A layer keeps weights and settings only. Whatever belongs to one call is in the tape that `forward` returns and
`backward` consumes, so one layer can serve several threads. Shapes are Keras': batch first, None where a size
is free.
"""

import re
from typing import ClassVar

import numpy as np

from lstmc import received, regularizers, seeds
from lstmc.arguments import refuse
from lstmc.layers.casts import as_floats, as_mask
from lstmc.layers.symbolic import apply, first_call, is_symbolic
from lstmc.locks import Lock
from lstmc.nn import checks
from lstmc.nn.fixed import Fixed
from lstmc.reprs import constructed, text_name
from lstmc.turn import Turn, in_turn
from lstmc.whole import Changing, Reading, turns_of

# Keras arguments that every layer of Keras has: default, and what to do instead.
COMMON = {
    "autocast": (True, "inputs are always cast to the layer's dtype"),
    "input_dim": (None, "give input_shape=(..., features), or put Input(shape) first"),
}
# Held where layers and models are built. A fork may leave one half built: it is built from the beginning then, from the same seed.
building = Lock()


class Layer(Fixed):
    """Base class of layers.

    Subclasses give `compute_output_shape`, `weight_shapes`, `check_shape` where not everything fits, `forward`
    and `backward`. Parameters that they share:

    Parameters
    ----------
    name : str, optional
        Unique in a model; made from the class name if None.
    dtype : {"float32", "float64"}
        Of weights, inputs and outputs.
    seed : int, optional
        Of this layer's random numbers; drawn from `set_random_seed`'s sequence when built if None.
    trainable : bool
        Whether training changes the weights. It may be set later, and counts from the model's next `compile` on.
    input_shape : tuple, optional
        Of the first layer of a `Sequential`, instead of `Input`: without the batch axis.
    batch_shape : tuple, optional
        The same with the batch axis; `batch_input_shape` is its older name.
    activity_regularizer : str or lstmc.regularizers.Regularizer, optional
        In a model, its penalty of the outputs, divided by the size of the batch, is part of the loss.
    """

    # Attributes that may be set once: sizes of the weights, and what else is built into them.
    fixed: ClassVar = frozenset(("dtype",))
    # Keras arguments, beyond COMMON, that are refused unless at their default.
    unsupported: ClassVar = {}
    # Whether a mask on the input is passed on; otherwise it is lost, with a warning from the model.
    supports_masking = True
    # Whether it takes a list of inputs: then shapes, x, mask and dx are lists.
    merges = False

    def __init__(self, name=None, dtype=None, seed=None, *, trainable=True, input_shape=None, batch_shape=None, batch_input_shape=None,
                 activity_regularizer=None, **arguments):
        refuse(type(self).__name__, arguments, {**COMMON, **self.unsupported}, type(self))
        self.auto_named, self.name = name is None, text_name(name, self)
        if name is not None and not re.fullmatch(r"[A-Za-z0-9_.\-]+", name):
            raise ValueError(f"name: expected letters, digits and _ . -, received {name!r}")
        self.dtype = checks.float_dtype("float32" if dtype is None else dtype)
        self.seed = None if seed is None else seeds.check_seed(seed)
        self.declared_shape = declared(input_shape, batch_shape if batch_input_shape is None else batch_input_shape)
        self.built = False
        self.turns = (Turn(),)      # of whoever writes the weights
        self.variables = []
        self.trainable = trainable
        self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")

    def __setstate__(self, state):
        self.__dict__.update({**state, "dtype": checks.float_dtype(state["dtype"])})      # NumPy's own object, as in lstmc.nn

    __repr__ = constructed

    # What subclasses define ----------------------------------------------------------------------------------

    def cast(self, x):
        """A caller's x as an array that `forward` takes."""
        return as_floats(x, self.dtype, "x")

    def check_shape(self, shape):
        """Raise ValueError if an input of this shape (None: free) cannot be processed."""

    def compute_output_shape(self, input_shape):
        """Shape of the output for inputs of `input_shape`, both with the batch axis."""
        return tuple(input_shape)

    def weight_shapes(self, input_shape):
        """name -> shape in Keras' layout, in the order of `get_weights`."""
        return {}

    def create(self, input_shape):
        """Make `self.variables`, which `weight_shapes` describes; their values are set afterwards."""

    def initialize(self, input_shape):
        """Draw the values of `self.variables`."""

    def forward(self, x, mask=None, training=False, step=0):
        """Run a batch.

        Parameters
        ----------
        x : (B, ...) array of the layer's dtype
        mask : (B, T) bool array, optional
            False: the step is padding.
        training : bool
            Whether to keep what `backward` needs, and to apply dropout.
        step : int
            Counts training steps; with the seed it determines dropout.

        Returns
        -------
        y, mask, tape
            tape is None unless training.

        A class that has a `_value(x)` beside it says with it what y is of an array in inference, x itself or new, and that no mask comes out where
        none comes in.
        """
        raise NotImplementedError(f"{type(self).__name__}: expected its own forward(x, mask, training, step) and backward, received neither; `call` of "
                                  "a layer of Keras has no gradient here")

    def backward(self, tape, dy, need_dx=True):
        """Gradients of one `forward(training=True)`.

        Parameters
        ----------
        tape : object
            From forward.
        dy : array
            Gradient of the output.
        need_dx : bool
            Whether the gradient of the input is wanted.

        Returns
        -------
        dx : array or None
        grads : list of array or Rows
            For `variables`, shaped like their live arrays.
        """
        raise NotImplementedError

    def get_config(self):
        """Constructor arguments that rebuild the layer; JSON types only."""
        return {**self.plain_config(), "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        """A layer of the settings `config`, from `get_config`, with new weights."""
        return cls(**config)

    def plain_config(self):
        """`get_config` of a layer without weights and random numbers."""
        return {"name": self.name, "dtype": str(self.dtype), **({} if self.trainable else {"trainable": False}),
                **regularizers.configs_of(self, ("activity_regularizer",))}

    def check_complete(self):
        """Raise ValueError if weights and `get_config` do not say all of a built layer that its output depends on."""

    # What they inherit ---------------------------------------------------------------------------------------

    def build(self, input_shape, draw=True):
        """Create the weights for inputs of this shape (with the batch axis, None where free), once for all threads.

        They are initialised, unless `draw` is False, which is for who sets them all next.
        """
        shape = tuple(input_shape)
        if not self.built:
            with building.now:
                if not self.built:
                    self.check_shape(shape)
                    if self.seed is None:
                        self.seed = seeds.next_seed()
                    self.create(shape)
                    if draw:
                        self.initialize(shape)
                    self.built = True
        self.check_shape(shape)

    def __call__(self, x, mask=None, training=False):
        """The output for a batch, or for symbolic tensors that of a batch to come; builds the layer first if need be."""
        if is_symbolic(x):
            self.no_mask(mask)
            return apply(self, x)
        x = self.cast(x)
        self.check_shape(x.shape)
        self.build((None, *x.shape[1:]))
        return self.forward(x, None if mask is None else as_mask(mask, x.shape), checks.flag(training, "training"))[0]

    def no_mask(self, mask):
        """Raise if a mask is given to a call on symbolic tensors."""
        if mask is not None:
            raise ValueError(f"{self.name}: mask: expected None with symbolic tensors, whose masks follow from Masking and Embedding(mask_zero=True)")

    @property
    def trainable(self):
        """Whether training changes the weights."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = checks.flag(value, "trainable")

    @property
    def trainable_variables(self):
        """The variables that training changes."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def input(self):
        """The symbolic tensor, or the list of them, of the layer's first call."""
        call = first_call(self)
        found = call.inputs + call.states
        return found[0] if len(found) == 1 else found

    @property
    def output(self):
        """The symbolic tensor, or the list of them, that the layer's first call gave: with it `lstmc.Model` makes a model up to here."""
        found = first_call(self).outputs
        return found[0] if len(found) == 1 else list(found)

    @property
    def owned(self):
        """(layer, Variable) of every weight, whose training the layer decides on: a layer around others has theirs."""
        return [(self, v) for v in self.variables]

    @property
    def weight_names(self):
        """The name of each of `variables` in files and messages, behind that of the layer."""
        return [v.name for v in self.variables]

    @property
    def weights(self):
        """The live arrays, in the layout of the kernels."""
        return [v.array for v in self.variables]

    def count_params(self):
        """Number of weights."""
        return sum(v.array.size for v in self.variables)

    def get_weights(self):
        """Copies of the weights in Keras' order and layout; while another thread trains, those between two of its steps."""
        with Reading(turns_of(self)):
            return [v.get() for v in self.variables]

    @in_turn
    def set_weights(self, weights):
        """Replace the weights by arrays in Keras' order and layout; nothing is written unless all fit."""
        if not isinstance(weights, (list, tuple)) or len(weights) != len(self.variables):
            what = f"a list of the {len(self.variables)} of {self.name} ({', '.join(v.name for v in self.variables) or 'none'})"
            raise ValueError(f"weights: expected {what if self.built else f'that {self.name} is built, by build() of its model or a call'}, "
                             f"received {received.length(weights)}")
        found = [as_floats(w, self.dtype, f"{self.name}/{v.name}") for v, w in zip(self.variables, weights, strict=True)]
        for v, w in zip(self.variables, found, strict=True):
            if w.shape != v.shape:
                raise ValueError(f"{self.name}/{v.name}: expected shape {checks.shape_text(v.shape)}, "
                                 f"received {checks.shape_text(w.shape)}")
        with Changing(turns_of(self)):
            for v, w in zip(self.variables, found, strict=True):
                v.set(w)

    def draw(self, initializer, shape, index):
        """Values of an `initializer` for the weight with this index."""
        values = np.asarray(initializer(shape, seeds.generator(self.seed, index)))
        return np.ascontiguousarray(values, dtype=self.dtype)

    def wrong_shape(self, expected, shape, hint=""):
        """The ValueError for an input of another shape than `expected`, with a `hint` behind."""
        return ValueError(f"{self.name}: expected input of shape {expected}, received {checks.shape_text(shape)}{hint}")


class Plain(Layer):
    """Base of layers without weights and random numbers, whose settings are what `fixed` names."""

    def get_config(self):
        found = {name: getattr(self, name) for name in sorted(self.fixed - Layer.fixed)}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items()} | self.plain_config()


def reshaping(shape, steps=None, features=None):
    """How rows of columns become sequences of so many steps and features, None where free, as the end of a message; "" if they cannot."""
    columns, features = shape[-1], features or 1
    if len(shape) != 2 or not columns or columns % features or steps not in (None, columns // features):
        return ""
    return f"; x.reshape(-1, {columns // features}, {features}) makes sequences of the columns"


def declared(input_shape, batch_shape):
    """The shape with the batch axis that a layer's arguments say, or None."""
    name, shape = ("input_shape", input_shape) if batch_shape is None else ("batch_shape", batch_shape)
    if shape is None:
        return None
    if input_shape is not None and batch_shape is not None:
        raise ValueError(f"batch_shape: expected None with input_shape, received {batch_shape!r}")
    if not isinstance(shape, (tuple, list)):
        raise ValueError(f"{name}: expected a tuple, received {shape!r}")
    sizes = [None if n is None else checks.size(n, name) for n in shape]
    return tuple(sizes) if batch_shape is not None else (None, *sizes)
