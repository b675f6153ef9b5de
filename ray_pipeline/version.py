"""The version of this package, in a module of its own.

Only the code that writes it into a model's metadata depends on it; other work is not redone for a
release that does not change its code.
"""

__all__ = ["__version__"]

__version__ = "0.5.0"
