# random.pxd -- what a mask is for, and the key of a call's masks; the law of their words is csrc/random.h.
from libc.stdint cimport uint32_t, uint64_t


# `layer` of a key is the layer that a DROPOUT mask feeds, 0 for LAYER, and layer * 2 + direction for the others.
# RECURRENT + gate is the purpose of one gate's mask, likewise INPUT + gate where gates have masks of their own.
cpdef enum Purpose:
    DROPOUT = 0             # between layers: changes with time
    LAYER = 1               # a Dropout layer
    NOISE = 4               # a layer of noise
    ZONEOUT_H = 2
    ZONEOUT_C = 3
    INPUT = 16              # fixed in time
    RECURRENT = 32          # fixed in time


cdef struct Key:
    uint32_t words[2]


cdef Key key_of(uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose) except *
