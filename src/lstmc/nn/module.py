"""What every recurrent module has: named parameters, and the way from a caller's arrays to the kernels' axes and back.

Inside, arrays are time-major (T, B, ·) views; batch_first and unbatched calls differ in strides only.
"""

import numpy as np

from lstmc.kernels.schedule import Schedule
from lstmc.nn import checks
from lstmc.nn.tape import Call, describe

MAX_UNITS = 2**50       # more than any address space holds; below it no size computed in the kernels overflows


class Module:
    """Base of the recurrent modules; a subclass sets the sizes below, `_params` and `_packed`.

    Attributes
    ----------
    input_size, hidden_size, output_size, num_layers, num_directions : int
        I, H, R, L, D.
    batch_first : bool
    dtype : numpy.dtype
    """

    def __getstate__(self):
        """For copy and pickle: everything but the packed weights, which the next call makes again.

        `copy.deepcopy` and `pickle` give an independent module, with the seed and step that this one has. `copy.copy`
        gives one that has seed and step of its own but these very parameters: a write changes both, as in PyTorch.
        """
        return {**self.__dict__, "_packed": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.dtype = checks.float_dtype(self.dtype)     # NumPy's own object, which fast paths recognise; a copy is not

    def state_dict(self):
        """The parameters by PyTorch's names, gates in the order i, f, g, o.

        Returns
        -------
        dict of ndarray
            The live arrays: writing to them changes the module, at its next call. Who writes to an array by its bare
            address must hold the array, or a view of it, until then.
        """
        return self._params.lend()

    def load_state_dict(self, state_dict, strict=True):
        """Copy parameters from arrays; nothing is written unless all of them fit.

        Parameters
        ----------
        state_dict : dict of array_like
            Floating point, of the module's precision or less.
        strict : bool
            Whether missing and unexpected names are errors.

        Returns
        -------
        LoadResult
            (missing_keys, unexpected_keys)

        Raises
        ------
        ValueError, TypeError
            Names (strict) or shapes do not match, or a dtype would lose precision.
        """
        return self._params.load(state_dict, strict)

    def named_parameters(self):
        """Iterate over (name, live array)."""
        return iter(self._params.lend().items())

    def parameters(self):
        """Iterate over the live parameter arrays, in the order of `state_dict`."""
        return iter(self._params.lend().values())

    # From the caller's arrays and back ----------------------------------------------------------------------

    def _check(self, x, hx, lengths):
        x = checks.array(x, "x", self.dtype)
        batched = x.ndim == 3
        if (not batched and x.ndim != 2) or x.shape[-1] != self.input_size:
            axes = "(B, T, I)" if self.batch_first else "(T, B, I)"
            raise ValueError(f"x: expected shape {axes} or unbatched (T, I) with I = {self.input_size}, "
                             f"received {checks.shape_text(x.shape)}")
        x = self._inside(x, batched)
        T, B, _ = x.shape
        if T * B * (self.hidden_size + 16) > MAX_UNITS:
            raise MemoryError(f"x: {T} steps of {B} sequences of {self.hidden_size} units do not fit into any memory")
        if lengths is not None and not batched and np.ndim(lengths) == 0:
            lengths = [lengths]
        if lengths is not None:
            lengths = checks.lengths(lengths, B, T)
        h0, c0 = self._check_state(hx, "hx", ("h_0", "c_0"), B, batched)
        return Call(x, h0, c0, Schedule(T, B, lengths), batched)

    def _check_out(self, out, call, width, x, hx, lengths):
        """`out` as a (T, B, D*R) view, zeroed where the kernels will not write; not before the call is known to be right.

        x, hx and lengths are the caller's: of those, `call` may hold copies.
        """
        T, B, _ = call.x.shape
        checks.output(out, self.dtype, *self._shape_outside(T, B, width, "D*R", call.batched))
        checks.apart(out, "x", x)
        checks.apart(out, "lengths", lengths)
        for part, a in zip(("h_0", "c_0"), hx or (), strict=False):
            checks.apart(out, f"hx: {part}", a)
        if call.schedule.ragged:
            out[...] = 0
        return self._inside(out, call.batched)

    def _check_state(self, state, name, parts, B, batched, optional=False):
        """(h, c) as (L*D, B, ·) arrays with unit feature stride; each may be None if optional."""
        if state is None:
            return None, None
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise ValueError(f"{name}: expected a pair ({', '.join(parts)}), received {describe(state)}")
        LD, found = self.num_layers * self.num_directions, []
        for value, part, width, letter in zip(state, parts, (self.output_size, self.hidden_size),
                                              ("P" if self.proj_size else "H", "H"), strict=True):
            if value is None and optional:
                found.append(None)
                continue
            shape, axes = ((LD, B, width), f"(L*D, B, {letter})") if batched else ((LD, width), f"(L*D, {letter})")
            a = checks.shaped(value, f"{name}: {part}", self.dtype, shape, axes)
            found.append(checks.unit_stride(a if batched else a[:, None]))
        return found

    def _output(self, T, B, width, ragged, batch_major):
        """A (T, B, width) array, or a view of a (B, T, width) one; zeroed if parts of it will not be written."""
        make = np.zeros if ragged else np.empty
        return make((B, T, width), self.dtype).swapaxes(0, 1) if batch_major else make((T, B, width), self.dtype)

    def _shape_outside(self, T, B, width, letters, batched):
        """Shape and axes, for messages, of a (T, B, width) array in the caller's layout."""
        if not batched:
            return (T, width), f"(T, {letters})"
        return ((B, T, width), f"(B, T, {letters})") if self.batch_first else ((T, B, width), f"(T, B, {letters})")

    def _inside(self, a, batched):
        """(T, B, ·) view of an array in the caller's layout."""
        return a[:, None] if not batched else a.swapaxes(0, 1) if self.batch_first else a

    def _outside(self, a, batched):
        """(T, B, ·) in the caller's layout."""
        return a[:, 0] if not batched else a.swapaxes(0, 1) if self.batch_first else a

    @staticmethod
    def _state_outside(h, c, batched):
        return (h, c) if batched else (h[:, 0], c[:, 0])
