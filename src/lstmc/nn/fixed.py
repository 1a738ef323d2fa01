"""Attributes that are facts of what an object was made of: they can be read, and not set again.

Sizes, dtypes and options are settled in weights, packed operands and states when an object is made; kernels believe them. One that was
set later would describe other memory than there is.
"""

from typing import ClassVar

from lstmc import received


class Fixed:
    """Refuses to set or delete the attributes that a class names in `fixed`, once the object has them.

    An object whose class names `_made_with` has them all from when it has that one: also those that only its class has.
    """

    fixed: ClassVar = frozenset()
    _made_with: ClassVar = None

    def __setattr__(self, name, value):
        if name in self.fixed and (self._made_with or name) in self.__dict__:
            raise self._is_fixed(name, received.short(value))
        super().__setattr__(name, value)

    def __delattr__(self, name):
        if name in self.fixed:
            raise self._is_fixed(name, "none")
        super().__delattr__(name)

    def _is_fixed(self, name, wanted):
        kind = type(self).__name__
        return AttributeError(f"{name}: expected to stay {received.short(getattr(self, name, None))}, as this {kind} was made, received {wanted}; "
                              f"build a new {kind}")
