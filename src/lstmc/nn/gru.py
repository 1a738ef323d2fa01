"""nn.GRU: PyTorch's GRU on NumPy arrays, forward and backward on the fused kernels."""

from lstmc.nn import checks, variants
from lstmc.nn.recurrent import Recurrent


class GRU(Recurrent):
    r"""Gated recurrent unit over sequences, with the conventions of ``torch.nn.GRU``.

    .. math::
        r_t = \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}), \quad z_t = \sigma(\ldots), \\
        n_t = \tanh(W_{in} x_t + b_{in} + r_t (W_{hn} h_{t-1} + b_{hn})), \qquad h_t = (1 - z_t)\, n_t + z_t\, h_{t-1}

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed
        As of `nn.LSTM`.
    reset_after : bool
        Whether r multiplies the product U h, as in PyTorch and in CuDNN, or h before it: n = tanh(W_in x + b_in + W_hn (r h) + b_hn),
        the default of ONNX and of Keras 1. The latter is a second product per step that waits for the first.
    clip : float, optional
        Bound of every argument of a gate; of n after the reset gate's part has joined it.
    activations : tuple
        Of r and z, and of n; see `nn.LSTM`.
    input_dropout : float
        See `nn.LSTM`.
    recurrent_dropout : float
        See `nn.LSTM`. With reset_after=False the mask of n acts on r h.
    zoneout : float
        Probability that a unit keeps its old h in `forward(train=True)`; its expectation in inference.

    Notes
    -----
    State, gradients and bits are as of `nn.LSTM`, with h alone for a state.

    Source: torch.nn.GRU of PyTorch 2.13; Cho et al. 2014; Krueger et al. 2017 (zoneout).
    """

    cell = "gru"        # or "gru_before", a cell of two stages

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, *,
                 dtype="float32", seed=None, reset_after=True, clip=None, activations=("sigmoid", "tanh"), input_dropout=0.0,
                 recurrent_dropout=0.0, zoneout=0.0):
        self._set_up(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed, input_dropout, recurrent_dropout)
        self.reset_after = checks.flag(reset_after, "reset_after")
        if not self.reset_after:
            self.cell = "gru_before"
        self.clip = variants.clip(clip)
        self.activations = variants.activations(activations, 2)
        self.zoneout = variants.zoneout(zoneout, 1)
        self._create()

    def _make_options(self):
        return variants.gru_options(self)

    def _settings(self):
        return {"reset_after": True, "clip": None, "activations": variants.activations(("sigmoid", "tanh"), 2), "input_dropout": 0.0,
                "recurrent_dropout": 0.0, "zoneout": (0.0,)}
