"""Options of a cell, from the settings of a module to the kernels' flags; their meaning is in csrc/cells/."""

from libc.math cimport INFINITY
from libc.string cimport memset

from lstmc.kernels.core cimport (LSTMC_AFFINE, LSTMC_ELU, LSTMC_HARD_SIGMOID, LSTMC_LEAKY_RELU, LSTMC_RELU, LSTMC_SCALED_TANH, LSTMC_SIGMOID,
                                 LSTMC_SOFTPLUS, LSTMC_SOFTSIGN, LSTMC_TANH, LSTMC_THRESHOLDED_RELU)

# Functions by name, with the alpha and beta that they have by default (ONNX).
FUNCTIONS = {
    "sigmoid": (LSTMC_SIGMOID, 0.0, 0.0), "tanh": (LSTMC_TANH, 0.0, 0.0), "relu": (LSTMC_RELU, 0.0, 0.0),
    "affine": (LSTMC_AFFINE, 1.0, 0.0), "linear": (LSTMC_AFFINE, 1.0, 0.0), "leaky_relu": (LSTMC_LEAKY_RELU, 0.01, 0.0),
    "thresholded_relu": (LSTMC_THRESHOLDED_RELU, 1.0, 0.0), "scaled_tanh": (LSTMC_SCALED_TANH, 1.0, 1.0),
    "hard_sigmoid": (LSTMC_HARD_SIGMOID, 0.2, 0.5), "elu": (LSTMC_ELU, 1.0, 0.0), "softsign": (LSTMC_SOFTSIGN, 0.0, 0.0),
    "softplus": (LSTMC_SOFTPLUS, 0.0, 0.0),
}
SLOTS = {"i": 0, "f": 1, "o": 3}
# eps, and whether the next c is the normalised one, of both kinds of layer normalisation.
NORMS = {"haste": (1e-5, False), "tfa": (1e-3, True)}


cdef class Options:
    """Options(plain, activations, clip=None, coupled=False, gates_off=(), zoneout=(0, 0), recurrent_dropout=0, layer_norm=None).

    activations are (name, alpha, beta) in the order of lstmc_options. Randomness is that of one call: `for_call`.
    """

    def __cinit__(self, bint plain, activations, clip=None, bint coupled=False, gates_off=(), zoneout=(0.0, 0.0), double recurrent_dropout=0.0,
                  layer_norm=None):
        memset(&self.o, 0, sizeof(self.o))
        self.plain, self.recurrent_dropout = plain, recurrent_dropout
        for i, (name, alpha, beta) in enumerate(activations):
            self.o.of[i].function, self.o.of[i].alpha, self.o.of[i].beta = FUNCTIONS[name][0], alpha, beta
        self.o.clip = INFINITY if clip is None else clip
        self.o.coupled = coupled
        for gate in gates_off:
            self.o.off[SLOTS[gate]] = 1
        if layer_norm is not None:
            self.o.norm_eps, self.o.norm_state = NORMS[layer_norm]
        self.o.zoneout_h, self.o.zoneout_c = zoneout
        self.drawing = self.o.zoneout_h > 0 or self.o.zoneout_c > 0 or recurrent_dropout > 0

    def for_call(self, seed, step, layer, Py_ssize_t first=0):
        """These options, drawing zoneout with the keys of one call and layer instead of taking its expectation, and dropping."""
        cdef Options drawn = Options.__new__(Options, self.plain, ())
        drawn.o, drawn.recurrent_dropout = self.o, self.recurrent_dropout
        drawn.seed, drawn.step, drawn.layer, drawn.first = seed, step, layer, first
        drawn.o.random = 1
        return drawn
