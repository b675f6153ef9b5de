"""The seeded batch of symbols that a run uses."""

from __future__ import annotations

import random
from collections.abc import Iterable

from ray_pipeline.errors import ConfigError

__all__ = ["select_symbol_batch"]


def select_symbol_batch(
    symbols: Iterable[str], batch_size: int | None = None, random_seed: int | None = None
) -> list[str]:
    """Draw a batch of symbols that depends only on the set of symbols and the seed.

    The batch is ``sorted(random.Random(seed).sample(sorted(set(symbols)), batch_size))``,
    regardless of the order in which the symbols were listed. The global random state is not used.

    Parameters
    ----------
    symbols
        Names; repeated ones count once.
    batch_size
        How many to draw, at least 1. None, or a number at least as large as that of the symbols:
        all of them.
    random_seed
        None draws differently each time, from the operating system's randomness.

    Returns
    -------
    list of str
        Sorted by code point.

    Raises
    ------
    ConfigError
        For a batch size below 1, or a size or seed that is not an integer.

    Examples
    --------
    >>> select_symbol_batch(["D", "B", "A", "C"], batch_size=2, random_seed=7)
    ['A', 'C']
    """
    if isinstance(symbols, str):
        raise ConfigError(f"symbols must be a list of names; got the text {symbols!r}.")
    _check_integer("symbol_batch_size", batch_size)
    _check_integer("random seed", random_seed)
    if batch_size is not None and batch_size < 1:
        raise ConfigError(
            f"symbol_batch_size must be at least 1 (or null for all symbols); got {batch_size}."
        )
    names = sorted(set(symbols))
    if batch_size is None or batch_size >= len(names):
        return names
    source = random.SystemRandom() if random_seed is None else random.Random(random_seed)
    return sorted(source.sample(names, batch_size))


def _check_integer(what: str, value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ConfigError(f"{what} must be a whole number or null; got {value!r}.")
