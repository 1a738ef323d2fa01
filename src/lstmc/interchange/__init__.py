"""Models of other frameworks and formats: brought in, proven to compute the same, and taken out again.

A module here reads or writes one source; the layouts of weights that they differ in are rows of `lstmc.layouts`. Packages of others are
imported where they are used, never by importing these modules.
"""
