"""Embedding: a table of vectors that are looked up by number; its gradient is that of the rows in the batch alone."""

from typing import ClassVar

import numpy as np

from lstmc import initializers, regularizers
from lstmc.arguments import NO_CONSTRAINT
from lstmc.kernels import rows
from lstmc.layers.base import Layer
from lstmc.layers.casts import as_numbers
from lstmc.layers.rows import summed
from lstmc.layers.variable import Variable
from lstmc.nn import checks
from lstmc.warned import warn


class Embedding(Layer):
    """Whole numbers (batch, ...) to rows (batch, ..., output_dim) of a table (input_dim, output_dim).

    Parameters
    ----------
    input_dim : int
        Numbers are from 0 to input_dim - 1.
    output_dim : int
    embeddings_initializer : str or lstmc.initializers.Initializer
    embeddings_regularizer : str or lstmc.regularizers.Regularizer, optional
        Its gradient is that of the whole table.
    mask_zero : bool
        Whether 0 is padding: the mask of the layers that follow, beside what is padding already.
    input_length : int, optional
        Of Keras 2: it warns, for any length is accepted.
    name, dtype, seed
        See `Layer`.

    Notes
    -----
    Gradients are `lstmc.layers.rows.Rows`. SGD without momentum and Adagrad change the rows of the batch alone, unless weights decay. The definition
    of the other optimizers moves every row that was ever looked up at every step, so they pass over the whole table, without a dense gradient: results
    are exactly those of one.
    """

    fixed = Layer.fixed | {"input_dim", "output_dim", "mask_zero"}
    unsupported: ClassVar = {
        "embeddings_constraint": (None, NO_CONSTRAINT),
        "weights": (None, "call set_weights after the model is built"),
        "lora_rank": (None, "train all weights"),
        "lora_alpha": (None, "train all weights"),
        "quantization_config": (None, "use dtype float32 or float64"),
    }

    def __init__(self, input_dim, output_dim, embeddings_initializer="uniform", embeddings_regularizer=None, *, mask_zero=False, input_length=None,
                 name=None, dtype=None, seed=None, **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.input_dim, self.output_dim = checks.size(input_dim, "input_dim"), checks.size(output_dim, "output_dim")
        self.embeddings_initializer = initializers.get(embeddings_initializer, "embeddings_initializer")
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer, "embeddings_regularizer")
        self.mask_zero = checks.flag(mask_zero, "mask_zero")
        if input_length is not None:
            checks.integer(input_length, "input_length", 1)
            warn("input_length: expected None, as in Keras 3: any length is accepted", DeprecationWarning)

    def cast(self, x):
        return as_numbers(x, "x")

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def weight_shapes(self, input_shape):
        return {"embeddings": (self.input_dim, self.output_dim)}

    def create(self, input_shape):
        self.variables = [Variable("embeddings", np.zeros((self.input_dim, self.output_dim), self.dtype), regularizer=self.embeddings_regularizer)]

    def initialize(self, input_shape):
        self.variables[0].set(self.draw(self.embeddings_initializer, (self.input_dim, self.output_dim), 0))

    def forward(self, x, mask=None, training=False, step=0):
        x = np.array(self.cast(x), order="C")       # a copy: the caller's may change after it was checked
        numbers, y = x.reshape(-1), np.empty((*x.shape, self.output_dim), self.dtype)
        wrong = rows.gather(numbers, self.variables[0].array, y.reshape(-1, self.output_dim))
        if wrong >= 0:
            raise ValueError(f"{self.name}: x: expected numbers from 0 to {self.input_dim - 1}, received {numbers[wrong]}")
        if self.mask_zero:
            own = x != 0
            mask = own if mask is None else own & mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
        return y, mask, x if training else None

    def backward(self, tape, dy, need_dx=True):
        return None, [summed(tape.reshape(-1), dy.reshape(-1, self.output_dim), (self.input_dim, self.output_dim))]

    def get_config(self):
        return {"input_dim": self.input_dim, "output_dim": self.output_dim, "embeddings_initializer": initializers.config_of(self.embeddings_initializer),
                "mask_zero": self.mask_zero, **regularizers.configs_of(self, ("embeddings_regularizer",)), **super().get_config()}
