# sums.pxd -- the second half of backward: what sums gradients over all steps.
from lstmc.kernels.core cimport LSTMC_SLOTS, Span, lstmc_tile
from lstmc.kernels.schedule cimport MAX_BANDS
from lstmc.kernels.tape cimport Record


cdef enum:
    MAX_PARTS = 3 + LSTMC_SLOTS


# Factors: what features are multiplied with.
cdef enum:
    SLOTS            # gradients of slots
    FED_BY_X         # ... of W x, which layer normalisation makes others
    FED_BY_H         # ... of U h
    PRODUCTS         # gradients of slots times c, for peepholes
    NORMS            # sums of layer normalisation, by rows
    FULL_H           # h before its projection
    FACTORS


# Where a factor is: unit block p of live pair n at p + p*ps + n*rs.
cdef struct Source:
    const char *p
    Py_ssize_t ps, rs


# Consecutive features that meet the same columns: sums [group][features][blocks][NU], or [features][all blocks][NU] where
# groups are several blocks across.
cdef struct Part:
    Py_ssize_t first, features       # of x | h | 1, or of dh before a projection
    Py_ssize_t tile0, tiles
    Py_ssize_t slot, blocks          # columns of a group
    Py_ssize_t mask                  # of h: 1 + which of the record's, 0: none
    int factor
    char *sums
    Py_ssize_t ld, group_stride


# The weight gradients of one band in one direction, or those of its projection.
cdef struct Sums:
    const Record *r
    bint projection
    Py_ssize_t slot, slots           # of which these are: all, those of a stage, or one of a stage whose h is masked for each
    Source source[FACTORS]
    char *dp                         # projection: dh of every live pair, [N][ldh]
    Py_ssize_t biases                # the part with their gradients
    Py_ssize_t n_parts, n_tiles, groups, all_blocks
    Part part[MAX_PARTS]
    lstmc_tile *tiles                # of all parts, one after the other
    Py_ssize_t *before               # [n_tiles]: features of all tiles before one
    bint begun                       # there are sums of later chunks of time
    char *packed                     # features of a batch of pieces, thread after thread
    Py_ssize_t cap                   # pairs of a batch
    char *masked                     # recurrent dropout: h times a mask, per thread [KBLOCK][ldh]


cdef class WeightSums:
    """Sums of one layer in one direction over chunks of time, from the last to the first."""
    cdef Sums g[LSTMC_SLOTS * MAX_BANDS]     # of each band, then of its next slots if there are several sums, or of the projection
    cdef Record record[MAX_BANDS]    # of the chunk of time that is added, and last was
    cdef Py_ssize_t bands
    cdef list keep

    cdef int add(self, const Record *records, Py_ssize_t bands, Py_ssize_t block, char **products, char *dp, Span dx, bint add_dx, object threads) except -1
    cdef int write(self, list grads, object threads) except -1
    cdef int write_stages(self, Span d_ih, Span d_hh, Span d_b_ih, Span d_b_hh, Py_ssize_t threads) except -1
