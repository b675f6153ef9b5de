"""What a family computes by: its own code and libraries, which no import of a stage leads to."""

from __future__ import annotations

from functools import cache

from ray_pipeline.families.registry import family_module, load_family
from ray_pipeline.identity import Identity, identity_of

__all__ = ["family_identity"]


@cache
def family_identity(name: str, *libraries: str) -> Identity:
    """Return the identity of a family's code and of its libraries.

    A spec that names a family carries it, so that another version of a library, or an edit of the
    family's module, redoes what that family fitted and nothing else.

    Parameters
    ----------
    libraries
        Distributions that count besides, such as ``python``.

    Raises
    ------
    ConfigError
        When there is no such family.
    """
    needed = (*load_family(name).libraries, *libraries)
    return identity_of(family_module(name), libraries=tuple(sorted(set(needed))))
