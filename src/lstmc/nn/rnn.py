"""nn.RNN: PyTorch's vanilla RNN on NumPy arrays, forward and backward on the fused kernels."""

from lstmc.nn import variants
from lstmc.nn.recurrent import Recurrent


class RNN(Recurrent):
    r"""Vanilla recurrent network over sequences, with the conventions of ``torch.nn.RNN``.

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed
        As of `nn.LSTM`.
    input_dropout, recurrent_dropout : float
        See `nn.LSTM`.
    nonlinearity : {"tanh", "relu"}
        Or any of the functions that `nn.LSTM` lists under activations.
    clip : float, optional
        Bound of the function's argument.

    Notes
    -----
    State, gradients and bits are as of `nn.LSTM`, with h alone for a state.

    Source: torch.nn.RNN of PyTorch 2.13; Elman 1990.
    """

    cell = "rnn"

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, *,
                 nonlinearity="tanh", dtype="float32", seed=None, input_dropout=0.0, recurrent_dropout=0.0, clip=None):
        self._set_up(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed, input_dropout, recurrent_dropout)
        variants.activation(nonlinearity, "nonlinearity")
        self.nonlinearity = nonlinearity
        self.clip = variants.clip(clip)
        self._create()

    def _make_options(self):
        return variants.rnn_options(self)

    def _settings(self):
        return {"nonlinearity": "tanh", "clip": None, "input_dropout": 0.0, "recurrent_dropout": 0.0}
