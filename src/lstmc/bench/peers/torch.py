"""`torch.nn.LSTM`, GRU and RNN: inference under no_grad, training through autograd, a step as a call with T = 1 that carries the state.

A ragged batch is packed and its result padded again in every call, as its users do it.
"""

import os

from lstmc.bench.contenders import LAYERS, Contender


class Torch(Contender):
    """One module on one case."""

    cells, settings, ragged = tuple(LAYERS), ("proj_size",), True

    @staticmethod
    def array(tensor):
        return tensor.detach().numpy().copy()

    @staticmethod
    def use(threads):
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        import torch

        torch.set_num_threads(threads)
        return f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"

    def __init__(self, case):
        import torch

        super().__init__(case)
        self.no_grad = torch.no_grad
        self.pack, self.pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
        layer = getattr(torch.nn, LAYERS[case.cell])
        self.module = layer(case.I, case.H, case.L, bidirectional=case.D == 2, dtype=getattr(torch, case.dtype), **dict(case.settings))
        self.module.load_state_dict({name: torch.from_numpy(w) for name, w in self.weights.items()})
        self.x, self.dy = torch.from_numpy(self.x), torch.from_numpy(self.dy)
        self.x.requires_grad_(case.kind == "train")
        if case.ragged:
            self.lengths = torch.from_numpy(self.lengths)
        self.state = None

    def sequences(self):
        """y of all sequences."""
        if self.lengths is None:
            return self.module(self.x)[0]
        packed, _ = self.module(self.pack(self.x, self.lengths, enforce_sorted=False))
        return self.pad(packed, total_length=self.case.T)[0]

    def forward(self):
        with self.no_grad():
            return {"y": self.sequences()}

    def train(self):
        self.module.zero_grad(set_to_none=True)
        self.x.grad = None
        y = self.sequences()
        y.backward(self.dy)
        return {"y": y, "dx": self.x.grad, **{f"d{name}": p.grad for name, p in self.module.named_parameters()}}

    def step(self):
        with self.no_grad():
            y, self.state = self.module(self.x, self.state)
            return {"y": y}

    def reset(self):
        self.state = None
