"""Packed weights: from PyTorch's matrices to the panels and columns that the kernels read."""

from cython.parallel cimport prange

from lstmc.kernels.core cimport LSTMC_GATES, Span, lstmc_kernels, span, span_or_null, table
from lstmc.kernels.plan cimport team

from lstmc.kernels import arena


cdef char *block(list keep, Py_ssize_t nbytes) except NULL:
    """A workspace that lives as long as `keep`."""
    keep.append(arena.take(nbytes))
    return span(keep[len(keep) - 1]).p


cdef class Weights:
    """Packed weights of one layer and direction, immutable after construction.

    Parameters are arrays in PyTorch's shapes with contiguous rows: w_ih (4H, I), w_hh (4H, R), biases (4H,) or None,
    w_hr (P, H) or None. With train, the operands of backward are packed too.
    """

    def __cinit__(self, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, bint train=False):
        cdef Span wi = span(w_ih), wh = span(w_hh), hr, b1, b2
        cdef const lstmc_kernels *k = table(wi.itemsize)
        cdef Py_ssize_t es = wi.itemsize, nu = k.nu, G = LSTMC_GATES, p, threads, panel, n_units
        cdef list keep = []
        cdef Operands *o = &self.o
        self.k = k
        self.itemsize = es
        self.train = train
        o.H, o.I, o.R = wi.shape[0] // G, wi.shape[1], wh.shape[1]
        o.P = 0 if w_hr is None else o.R
        o.panels = round_up(o.H, nu) // nu
        panel = (o.I + o.R) * G * nu
        o.w = block(keep, o.panels * panel * es)
        o.bias = block(keep, o.panels * G * nu * es)
        b1, b2 = span_or_null(b_ih), span_or_null(b_hh)
        hr = wh          # only read with a projection
        k.pack_bias(o.bias, b1.p, b2.p, G, o.H)
        threads = team(16.0 * panel * o.panels, o.panels)
        for p in prange(o.panels, nogil=True, schedule="static", num_threads=threads):
            k.pack_gates(o.w, panel, wi.p, wi.stride[0], G, o.H, o.I, p, p + 1)
            k.pack_gates(o.w + o.I * G * nu * es, panel, wh.p, wh.stride[0], G, o.H, o.R, p, p + 1)
        if o.P:
            hr = span(w_hr)
            o.hr = self.columns(keep, hr.p, hr.stride[1], hr.stride[0], o.H, o.P, 0)
        if train:
            o.u_cols = self.columns(keep, wh.p, wh.stride[0], wh.stride[1], G * o.H, o.R, G)
            o.w_cols = self.columns(keep, wi.p, wi.stride[0], wi.stride[1], G * o.H, o.I, G)
            if o.P:
                o.hr_cols = self.columns(keep, hr.p, hr.stride[0], hr.stride[1], o.P, o.H, 0)
        self._keep = keep

    cdef char *columns(self, list keep, char *w, Py_ssize_t ks, Py_ssize_t ns, Py_ssize_t K, Py_ssize_t N,
                       Py_ssize_t G) except NULL:
        cdef Py_ssize_t nu = self.k.nu, groups = round_up(N, 4 * nu) // (4 * nu), q
        cdef Py_ssize_t threads = team(8.0 * K * N, groups)
        cdef char *dst = block(keep, K * round_up(N, nu) * self.itemsize)
        for q in prange(groups, nogil=True, schedule="static", num_threads=threads):
            self.k.pack_columns(dst, w, ks, ns, K, N, G, q, q + 1)
        return dst

    def __dealloc__(self):
        if self._keep is not None:
            arena.give(*self._keep)
