# parts.pxd -- weight gradients as sums over all steps: of what, of which factors, and where they are.
from lstmc.kernels.core cimport LSTMC_SLOTS, lstmc_tile
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


cdef Py_ssize_t sums_of(const Record *r) noexcept nogil
cdef int lay_out(Sums *g, const Record *r, bint projection, Py_ssize_t number, bint peephole, list keep) except -1
cdef void set_sources(Sums *g, const Record *r, char *products, char *dp) noexcept nogil
cdef int write_sums(const Sums *g, Py_ssize_t bands, list grads, object threads) except -1
