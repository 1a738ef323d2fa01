# arena.pxd -- giving workspaces back from a destructor.
cdef void give_back(list arrays) noexcept
