"""What every recurrent module has: named parameters, and the way from a caller's arrays to the kernels' axes and back.

Inside, arrays are time-major (T, B, ·) views; batch_first and unbatched calls differ in strides only.
"""

import numpy as np

from lstmc import names, received
from lstmc.kernels.schedule import Schedule
from lstmc.nn import checks
from lstmc.nn.fixed import Fixed
from lstmc.nn.tape import Call

MAX_UNITS = checks.MOST
ABSENT = names.missing("nn.Module")


class Absent:
    """A name that PyTorch's modules have and these have not. A `__getattr__` for all of them would make each look-up of what is there four times as long."""

    def __init__(self, instead):
        self.__doc__ = f"Not here: {instead}."

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, module, kind):
        raise names.absent(f"{kind.__name__!r} object", "nn.Module", self.name)


class Module(Fixed):
    """Base of the recurrent modules; a subclass sets the sizes below, `_params` and `_packed`.

    `_parts` names the parts of the state, h first.

    Attributes
    ----------
    input_size, hidden_size, output_size, num_layers, num_directions : int
        I, H, R, L, D.
    batch_first : bool
    dtype : numpy.dtype

    Notes
    -----
    What the constructor was given stays as it is, but for `seed`, which like `step` may be set.
    """

    _made_with = "_params"
    vars().update({name: Absent(instead) for name, instead in ABSENT.items()})

    def __dir__(self):
        return [name for name in super().__dir__() if name not in ABSENT]

    def __getstate__(self):
        """For copy and pickle: everything but the packed weights, which the next call makes again.

        `copy.deepcopy` and `pickle` give an independent module, with the seed and step that this one has. `copy.copy`
        gives one that has seed and step of its own but these very parameters: a write changes both, as in PyTorch.
        """
        return {**self.__dict__, "_packed": None, "_options": None}

    def __setstate__(self, state):
        # NumPy's own dtype object, which fast paths recognise; a copy is not
        self.__dict__.update({**state, "dtype": checks.float_dtype(state["dtype"])})

    def state_dict(self):
        """The parameters by PyTorch's names, gates in the order i, f, g, o.

        Returns
        -------
        dict of ndarray
            The live arrays, views made for this call: writing to them changes the module, at its next call. Who writes to an
            array by its bare address must hold the array, or a view of it, until then.
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

    def _check(self, x, hx, lengths, mask=None):
        listed = False
        if not checks.is_plain(x, self.dtype):
            listed = isinstance(x, (list, tuple)) and len(x) > 0 and all(map(checks.is_table, x))
            if not listed:
                x = checks.array(x, "x", self.dtype)
            elif lengths is not None or mask is not None:
                raise ValueError(f"x: expected one array with {'mask' if lengths is None else 'lengths'}, received a list of {len(x)} "
                                 "arrays, which have lengths of their own")
            else:
                x, lengths = self._padded(x)
        shape = x.shape
        batched = listed or len(shape) == 3
        if (not batched and len(shape) != 2) or shape[-1] != self.input_size:
            axes = "(B, T, I)" if self.batch_first else "(T, B, I)"
            raise ValueError(f"x: expected shape {axes} or unbatched (T, I) with I = {self.input_size}, "
                             f"received {checks.shape_text(shape)}")
        if not listed:
            x = self._inside(x, batched)
        T, B, _ = x.shape
        if T * B * (self.hidden_size + 16) > MAX_UNITS:
            raise MemoryError(f"x: {T} steps of {B} sequences of {self.hidden_size} units do not fit into any memory")
        if lengths is not None:
            if mask is not None:
                raise ValueError("mask: expected None with lengths, received both")
            lengths = checks.lengths([lengths] if not batched and np.ndim(lengths) == 0 else lengths, B, T)
        elif mask is not None:
            shape, axes = self._shape_outside(T, B, None, None, batched)
            mask = self._inside(checks.mask(mask, shape, axes), batched)
        state = None if hx is None else self._check_state(hx, "hx", "{}_0", B, batched)
        return Call(x, state, Schedule(T, B, lengths, mask), batched, tuple(lengths) if listed else None)

    def _padded(self, arrays):
        """A list of (T, I) arrays as one (T, B, I) array, whose padding is never read, and their lengths."""
        found = [checks.array(a, f"x[{i}]", self.dtype) for i, a in enumerate(arrays)]
        for i, a in enumerate(found):
            if a.shape[1] != self.input_size:
                raise ValueError(f"x[{i}]: expected shape (T, I) with I = {self.input_size}, received {checks.shape_text(a.shape)}")
        return self._together(found), [len(a) for a in found]

    def _together(self, arrays):
        """Arrays (T, features) side by side in one, with whatever memory holds after their ends."""
        padded = np.empty((max(map(len, arrays)), len(arrays), arrays[0].shape[1]), self.dtype)
        for b, a in enumerate(arrays):
            padded[: len(a), b] = a
        return padded

    def _check_out(self, out, call, width, x, hx, lengths):
        """`out` as a (T, B, D*R) view.

        x, hx and lengths are the caller's: of those, `call` may hold copies.
        """
        if call.listed is not None:
            raise ValueError("out: expected None with a list of arrays, whose outputs are arrays of their own")
        T, B, _ = call.x.shape
        out = checks.output(out, self.dtype, *self._shape_outside(T, B, width, "D*R", call.batched))
        checks.apart(out, "x", x if isinstance(x, np.ndarray) else call.x)
        checks.apart(out, "lengths", lengths)
        for part, a in zip(self._parts, (hx,) if len(self._parts) == 1 else hx or (), strict=False):
            checks.apart(out, f"hx: {part}_0", a)
        return self._inside(out, call.batched)

    def _check_state(self, state, name, part_name, B, batched, optional=False):
        """A state, (h, c) or h, as a tuple of (L*D, B, ·) arrays with unit feature stride, or None; parts may be None if optional."""
        state = self._state_inside(state, name, part_name)
        return None if state is None else self._check_parts(state, name, part_name, B, batched, optional)

    def _state_inside(self, state, name, part_name):
        """A state, (h, c) or h, as a tuple of its parts, or None."""
        if state is None:
            return None
        parts = self._parts
        if len(parts) == 1:
            return (state,)
        if not isinstance(state, (tuple, list)) or len(state) != len(parts):
            raise ValueError(f"{name}: expected a pair ({', '.join(map(part_name.format, parts))}), received {received.length(state)}")
        return tuple(state)

    def _check_parts(self, state, name, part_name, B, batched, optional):
        """The first parts of a state, as a tuple like `_check_state`."""
        parts, dtype = self._parts, self.dtype
        LD, found = self.num_layers * self.num_directions, []
        for value, part in zip(state, parts, strict=False):
            if value is None and optional:
                found.append(None)
                continue
            width = self.output_size if part == "h" else self.hidden_size
            shape = (LD, B, width) if batched else (LD, width)
            a = value           # as most are; others in more steps
            if type(a) is not np.ndarray or a.dtype is not dtype or a.shape != shape or not a.flags.carray:
                if len(parts) == 1 and isinstance(value, (tuple, list)) and any(isinstance(a, np.ndarray) for a in value):
                    raise TypeError(f"{name}: expected one array, the h of {type(self).__name__}, received {received.length(value)}")
                letter = "P" if part == "h" and self.output_size != self.hidden_size else "H"
                a = checks.unit_stride(checks.shaped(value, name if len(parts) == 1 else f"{name}: {part_name.format(part)}", dtype, shape,
                                                     f"(L*D, B, {letter})" if batched else f"(L*D, {letter})"))
            found.append(a.view() if batched else a[:, None])
        return tuple(found)

    def _check_dy(self, dy, call, y_shape):
        if call.listed is not None:
            if not isinstance(dy, (list, tuple)) or len(dy) != len(call.listed):
                raise ValueError(f"dy: expected a list of {len(call.listed)} arrays, shaped like y, received {received.length(dy)}")
            return self._together([checks.shaped(a, f"dy[{i}]", self.dtype, (n, y_shape[2]), "(T, D*R)")
                                   for i, (a, n) in enumerate(zip(dy, call.listed, strict=True))])
        T, B, width = y_shape
        batched = call.batched
        shape = (T, width) if not batched else (B, T, width) if self.batch_first else y_shape
        if not (checks.is_plain(dy, self.dtype) and dy.shape == shape):
            dy = checks.shaped(dy, "dy", self.dtype, *self._shape_outside(T, B, width, "D*R", batched))
        return self._inside(dy, batched)

    def _new_state(self, B, LD=None, parts=None):
        """A state, or its first parts, uninitialised, as a tuple."""
        LD, dtype = LD or self.num_layers * self.num_directions, self.dtype
        h = np.empty((LD, B, self.output_size), dtype)
        return (h,) if (parts or len(self._parts)) == 1 else (h, np.empty((LD, B, self.hidden_size), dtype))

    def _output(self, rows, width, batch_major):
        """A (T, B, width) array, or a view of a (B, T, width) one, to be written; rows: (T, B), or (N,) of a packed one."""
        return np.empty((*rows[::-1], width), self.dtype).swapaxes(0, 1) if batch_major else np.empty((*rows, width), self.dtype)

    def _shape_outside(self, T, B, width, letters, batched):
        """Shape and axes, for messages, of a (T, B, width) array in the caller's layout; width None: of (T, B)."""
        axes = ("T",) if not batched else ("B", "T") if self.batch_first else ("T", "B")
        shape = (T,) if not batched else (B, T) if self.batch_first else (T, B)
        if width is not None:
            axes, shape = (*axes, letters), (*shape, width)
        return shape, f"({', '.join(axes)})" if len(axes) > 1 else "(T,)"

    def _inside(self, a, batched):
        """(T, B, ·) view of an array in the caller's layout: one of our own, whose shape nobody else can set while it is in use."""
        return a[:, None] if not batched else a.swapaxes(0, 1) if self.batch_first else a.view()

    def _outside(self, a, call):
        """(T, B, ·) in the caller's layout."""
        if call.listed is not None:
            return [a[:n, b] for b, n in enumerate(call.listed)]
        return a[:, 0] if not call.batched else a.swapaxes(0, 1) if self.batch_first else a

    @staticmethod
    def _state_outside(state, batched):
        parts = state if batched else tuple(s[:, 0] for s in state)
        return parts if len(parts) > 1 else parts[0]
