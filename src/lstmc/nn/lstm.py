"""nn.LSTM: PyTorch's LSTM on NumPy arrays and its published variants, forward and backward on the fused kernels."""

from lstmc.nn import checks, variants
from lstmc.nn.recurrent import Recurrent


class LSTM(Recurrent):
    r"""Long short-term memory over sequences, with the conventions of ``torch.nn.LSTM``.

    .. math::
        i_t = \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}), \quad
        f_t = \sigma(\ldots), \quad g_t = \tanh(\ldots), \quad o_t = \sigma(\ldots), \\
        c_t = f_t c_{t-1} + i_t g_t, \qquad h_t = W_{hr}\,(o_t \tanh c_t) \text{ with, or } o_t \tanh c_t \text{ without projection}

    Parameters
    ----------
    input_size, hidden_size : int
        I and H, at least 1.
    num_layers : int
        L. Layer l > 0 reads the concatenated outputs of layer l-1.
    bias : bool
        Whether the layers have `bias_ih` and `bias_hh`.
    batch_first : bool
        x and y are (B, T, ...) instead of (T, B, ...). States are not affected.
    dropout : float
        Probability of zeroing an output of every layer but the last, in `forward(train=True)` only.
    bidirectional : bool
        D = 2: a second set of weights runs from the last valid step to the first; outputs are concatenated.
    proj_size : int
        P > 0 projects h to P < H values; R below is P with, H without projection.
    dtype : {"float32", "float64"}
    seed : int, optional
        Of the initial weights, U(-1/sqrt(H), 1/sqrt(H)), and of dropout. Chosen at random if None.
    peephole : {False, True, "all"}
        Diagonal peepholes, parameters `peephole_l0` (3, H) for the gates i, f (which see c_{t-1}) and o (which sees c_t), or (4, H)
        for i, f, g, o.
    coupled : bool
        f = 1 - i.
    clip : float, optional
        Bound of every argument of a gate, peepholes included.
    activations : tuple
        Of i, f and o; of g; of c_t in h_t. Each a name (sigmoid, tanh, relu, affine, linear, leaky_relu, thresholded_relu,
        scaled_tanh, hard_sigmoid, elu, softsign, softplus), or (name, alpha) or (name, alpha, beta) with ONNX's meaning and
        defaults. Keras 3's hard_sigmoid is ("hard_sigmoid", 1/6, 0.5), Keras 2's is ONNX's.
    input_dropout : float
        Probability of zeroing an input of every layer, in `forward(train=True)` only; one mask for all steps of a sequence, as the
        dropout of Keras' layers.
    recurrent_dropout : float
        Probability of zeroing a value of h before its product, in `forward(train=True)` only; a mask for each gate and sequence, the
        same at all steps, as in Keras. With layer normalisation the products are what is normalised.
    zoneout : float or tuple
        Probability that a unit keeps its old h (after a projection: that a value of it does), its old c, in `forward(train=True)`; its
        expectation in inference.
    gates_off : collection
        Out of "i", "f", "o": these gates are the constant 1.
    layer_norm : {None, "haste", "tfa"}
        W x and U h are each normalised over their 4H values before biases and peepholes join them, and c_t over its H values before
        its activation in h_t. "haste": eps 1e-5, `norm_ih_l0` and `norm_hh_l0` (4H,) are gamma alone, and the next step sees c_t as it
        was. "tfa": eps 1e-3, both are (2, 4H), gamma and beta, and the next step sees c_t normalised. `norm_c_l0` is (2, H). Gammas
        begin as 1, betas as 0.

    Attributes
    ----------
    seed : int
    step : int
        Number of `forward(train=True)` calls so far; with `seed` it determines the dropout masks. Both may be set; what else the
        constructor was given stays as it is.

    Notes
    -----
    For one dtype, the result for a sequence is bit for bit the same whatever batch it is in, for any number of
    threads, whole, in blocks or step by step, and on AVX2, AVX-512 and NEON. Gradients are the same for any number
    of threads and on those instruction sets. The baseline without fused multiply-add has bits of its own.

    `copy.deepcopy` and `pickle` give an independent module, with `seed` and `step` as they are; `copy.copy` gives one that
    shares the parameters with this one.

    Source: torch.nn.LSTM of PyTorch 2.13; Hochreiter and Schmidhuber 1997, Sak et al. 2014 (projection), Gers et al. 2002
    (peepholes), Greff et al. 2017 (coupled, gates_off), Krueger et al. 2017 (zoneout), ONNX (clip, activations), Ba et al. 2016
    (layer normalisation), as in haste's LayerNormLSTM and in TensorFlow Addons' LayerNormLSTMCell.
    """

    cell = "lstm"
    _parts = ("h", "c")

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, *, dtype="float32", seed=None, peephole=False, coupled=False, clip=None,
                 activations=("sigmoid", "tanh", "tanh"), input_dropout=0.0, recurrent_dropout=0.0, zoneout=0.0, gates_off=(), layer_norm=None):
        self._set_up(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed, input_dropout, recurrent_dropout)
        self.proj_size = checks.integer(proj_size, "proj_size", 0)
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"proj_size: expected less than hidden_size = {self.hidden_size}, received {self.proj_size}")
        self.output_size = self.proj_size or self.hidden_size
        self.peephole = variants.peephole(peephole)
        self.coupled = checks.flag(coupled, "coupled")
        self.clip = variants.clip(clip)
        self.activations = variants.activations(activations, 3)
        self.zoneout = variants.zoneout(zoneout, 2)
        self.gates_off = variants.gates_off(gates_off, self.coupled)
        self.layer_norm = variants.layer_norm(layer_norm)
        self._create()

    def _more_shapes(self):
        if self.peephole:
            yield "peephole", (variants.PEEPHOLE_ROWS[self.peephole], self.hidden_size)
        if self.layer_norm:
            H = self.hidden_size
            rows = (2, 4 * H) if self.layer_norm == "tfa" else (4 * H,)
            yield from {"norm_ih": rows, "norm_hh": rows, "norm_c": (2, H)}.items()

    def _start(self):
        self._params.norms()

    def _make_options(self):
        return variants.lstm_options(self)

    def _settings(self):
        return {"proj_size": 0, "peephole": False, "coupled": False, "clip": None,
                "activations": variants.activations(("sigmoid", "tanh", "tanh"), 3), "input_dropout": 0.0, "recurrent_dropout": 0.0, "zoneout": (0.0, 0.0),
                "gates_off": (), "layer_norm": None}
