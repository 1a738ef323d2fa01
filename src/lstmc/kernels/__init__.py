"""The compiled kernels: GIL, threads and time loops over the C core. Private; `lstmc.nn` and the layers are the faces."""
