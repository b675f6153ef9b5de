"""The version of this package, in a module of its own.

What writes it into a model's metadata depends on it; all other work does not, and is not done again
for a release that leaves its code as it is.
"""

__all__ = ["__version__"]

__version__ = "0.5.0"
