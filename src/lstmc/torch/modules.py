"""LSTM, GRU and RNN: `torch.nn`'s own, but for `forward`.

They have torch's parameters, attributes and initialisation because they are torch's modules; so an `isinstance` check of another library holds, and
a module can change from one to the other and back with all that it has (swapping.py).
"""

import torch

from lstmc.torch.calls import call, name_of


class OnKernels:
    """What the modules add to torch's."""

    def forward(self, input, hx=None):
        """As of the module of `torch.nn`.

        Parameters
        ----------
        input : Tensor or PackedSequence
            On the CPU, of the dtype of the weights: (T, B, I), (B, T, I) with batch_first, or (T, I).
        hx : Tensor or tuple of Tensor, optional
            h_0, of an LSTM (h_0, c_0). None: zeros.

        Returns
        -------
        output : Tensor or PackedSequence
        state : Tensor or tuple of Tensor
            h_n, of an LSTM (h_n, c_n).

        Raises
        ------
        TypeError, ValueError
            A tensor is not on the CPU, or its dtype or shape does not fit; a transform of torch.func is active.
        """
        if isinstance(input, torch.fx.Proxy):
            return input.tracer.create_proxy("call_module", input.tracer.path_of_module(self), (input, hx), {})
        if torch.compiler.is_exporting() or torch._C._get_tracing_state() is not None or torch._C._len_torch_dispatch_stack():
            return super().forward(input, hx)           # torch's own layer is what is written down or watched
        if torch.compiler.is_compiling() or compiler() is not None:
            return _outside_of_graphs(self, input, hx)
        return call(self, input, hx)

    def __prepare_scriptable__(self):
        """What torch.jit.script takes instead: torch's own layer, with these parameters."""
        if type(self).forward is not OnKernels.forward:
            return self
        theirs = next(kind for kind in type(self).__mro__ if kind.__module__ == "torch.nn.modules.rnn")
        plain = theirs.__new__(theirs)
        plain.__dict__.update({name: value for name, value in self.__dict__.items() if name != "_engines"})
        return plain

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_engines", None)
        return state

    def _replicate_for_data_parallel(self):
        raise RuntimeError(f"{name_of(self)}: expected to stay in one piece on the CPU, received a replication by torch.nn.DataParallel, which is for "
                           "several GPUs; use torch.nn.parallel.DistributedDataParallel with one process for each share of the cores")


# torch.compile goes no further. The first call imports the compiler, which takes two seconds: who compiles nothing is spared that.
compiler = torch._C._dynamo.eval_frame.get_eval_frame_callback
_outside_of_graphs = torch._disable_dynamo(call)


class LSTM(OnKernels, torch.nn.LSTM):
    """`torch.nn.LSTM` on lstmc's kernels, forward and backward.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first
        As in torch.
    dropout : float
        Below 1. Masks are lstmc's own; torch.manual_seed determines them.
    bidirectional, proj_size
        As in torch.
    device, dtype
        As in torch. A call needs the CPU and torch.float32 or torch.float64.

    Notes
    -----
    Parameters are torch's and are read where they are at each call, so whatever torch does to them is seen: optimizers, `load_state_dict`, `to`,
    parametrizations, `share_memory`. Nothing is copied between torch and the kernels, the data of a `PackedSequence` neither; gradients of what
    is frozen (`requires_grad_(False)`) are not computed.

    The number of threads is `lstmc.set_num_threads`'; after torch.set_num_threads(1) it is one. Under autocast the computation stays in the
    precision of the weights. torch.compile leaves a call as it is, as of torch's own modules, and with `torch._dynamo.config.allow_rnn = True`
    compiles what is before and after it. Second derivatives, torch.func's transforms and forward-mode differentiation raise. torch.export,
    torch.onnx.export and torch.jit write torch's own layer down.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0,
                 device=None, dtype=None):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)


class GRU(OnKernels, torch.nn.GRU):
    """`torch.nn.GRU` on lstmc's kernels, forward and backward; see `LSTM`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        As of `LSTM`.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype)


class RNN(OnKernels, torch.nn.RNN):
    """`torch.nn.RNN` on lstmc's kernels, forward and backward; see `LSTM`.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        As of `LSTM`.
    nonlinearity : {"tanh", "relu"}
        The function of a unit.
    bias, batch_first, dropout, bidirectional, device, dtype
        As of `LSTM`.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0, bidirectional=False,
                 device=None, dtype=None):
        super().__init__(input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype)
