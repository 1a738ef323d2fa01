"""Modules that together are one recurrent node, where one module of lstmc.nn does not say it all."""

import numpy as np

from lstmc.nn import checks


class Directions:
    """Modules side by side, each from the first step to the last or the other way, called as a module of `lstmc.nn` is.

    `lstmc.from_onnx(node=)` returns one where a node runs in reverse, where its two directions have different activations, or where initial
    values or lengths are stored in the model; a module of `lstmc.nn` is returned otherwise.

    Attributes
    ----------
    modules : tuple
        of `lstmc.nn`, with the weights of a direction each, or of both.
    reverse : tuple of bool
        Whether a module, which runs forward by itself, is given its sequences from the end; y is in the order of x again.
    initial : ndarray, tuple or None
        State to begin with where a call gives none, as the module's hx.
    lengths : ndarray or None
        (B,) lengths where a call gives none.
    """

    def __init__(self, parts, initial=None, lengths=None):
        self.modules, self.reverse = zip(*parts, strict=True)
        self.initial, self.lengths = initial, lengths
        first = self.modules[0]
        self.hidden_size, self.batch_first, self._parts = first.hidden_size, first.batch_first, first._parts

    @property
    def plain(self):
        """Whether its one module computes the same by itself."""
        return len(self.modules) == 1 and not self.reverse[0] and self.initial is None and self.lengths is None

    def __repr__(self):
        return f"Directions({', '.join(f'reversed {m!r}' if r else repr(m) for m, r in zip(self.modules, self.reverse, strict=True))})"

    def __call__(self, x, hx=None, lengths=None, *, threads=None):
        """y (T, B, D*H) and the final state, from x (T, B, I), or batch first, or unbatched; see a call of `lstmc.nn.LSTM`.

        Parameters
        ----------
        x : ndarray
        hx : tuple of ndarray, or ndarray
            Of all directions: (D, B, H), D of the modules together.
        lengths : array_like of int, optional
        threads : int, optional

        Returns
        -------
        y : ndarray
        state : tuple of ndarray, or ndarray
        """
        hx = self.initial if hx is None else hx
        lengths = self.lengths if lengths is None else lengths
        if len(self.modules) == 1:
            return self._one(0, x, hx, lengths, threads)
        found = [self._one(d, x, self._part(hx, d), lengths, threads) for d in range(len(self.modules))]
        ys, states = zip(*found, strict=True)
        y = np.concatenate(ys, -1)
        if isinstance(states[0], tuple):
            return y, tuple(np.concatenate(parts) for parts in zip(*states, strict=True))
        return y, np.concatenate(states)

    def _part(self, hx, d):
        """The state of module d, of one direction; what is no state the module refuses."""
        if hx is None:
            return None
        if isinstance(hx, (tuple, list)):
            return tuple(self._part(s, d) for s in hx)
        if np.ndim(hx) < 1 or len(hx) != len(self.modules):
            raise ValueError(f"hx: expected states of {len(self.modules)} directions, received shape {np.shape(hx)}")
        return hx[d:d + 1]

    def _one(self, d, x, hx, lengths, threads):
        m = self.modules[d]
        if not self.reverse[d]:
            return m(x, hx, lengths, threads=threads)
        x = checks.array(x, "x", m.dtype)
        if x.ndim not in (2, 3):
            return m(x, hx, lengths, threads=threads)       # which says what was expected
        axis = 1 if self.batch_first and x.ndim == 3 else 0
        mask = None
        if lengths is not None:
            T, B = x.shape[axis], 1 if x.ndim == 2 else x.shape[1 - axis]
            given = checks.lengths(np.reshape(lengths, 1) if x.ndim == 2 and np.ndim(lengths) == 0 else lengths, B, T)
            mask = np.arange(T)[:, None] >= T - given           # its sequences end together now
            mask = mask[:, 0] if x.ndim == 2 else mask.T if axis else mask
        y, state = m(np.flip(x, axis), hx, mask=mask, threads=threads)
        return np.flip(y, axis), state
