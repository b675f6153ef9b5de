"""Failed units, the symbols lost to them, and how many a run tolerates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Failed
from ray_pipeline.wording import plural

__all__ = ["FailureLedger", "require_tolerable"]

T = TypeVar("T")


def require_tolerable(
    n_failed: int, n_symbols: int, max_failed_fraction: float, the_first: str
) -> None:
    """Raise ExecutionError when more symbols of a batch failed than a run tolerates.

    Parameters
    ----------
    the_first
        A sentence about the first of them.
    """
    if n_failed > max_failed_fraction * n_symbols:
        raise ExecutionError(
            f"{n_failed} of {plural(n_symbols, 'symbol')} failed, more than "
            f"execution.max_failed_fraction={max_failed_fraction:g} allows. {the_first}"
        )


class FailureLedger:
    """Keeps failures and quarantines their symbols: later stages go on without them.

    Parameters
    ----------
    symbols
        The batch.
    max_failed_fraction
        Share of the batch that may be quarantined.
    all_of_them
        Where the user finds all failures, for messages that show the first.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        max_failed_fraction: float,
        all_of_them: str = "failures.parquet has them all",
    ) -> None:
        self._symbols = tuple(symbols)
        self._max_failed_fraction = max_failed_fraction
        self._all_of_them = all_of_them
        self.failures: list[Failed] = []
        self.quarantined: dict[str, Failed] = {}

    def add(self, failures: Sequence[Failed]) -> None:
        """Keep a stage's failures.

        Raises
        ------
        ExecutionError
            When more symbols are quarantined than the run tolerates.
        """
        self.failures.extend(failures)
        for failure in failures:
            if failure.unit.key in self._symbols:
                self.quarantined.setdefault(failure.unit.key, failure)
        if self.quarantined:
            require_tolerable(
                len(self.quarantined),
                len(self._symbols),
                self._max_failed_fraction,
                self._the_first(),
            )

    @property
    def n_left_out(self) -> int:
        """Symbols with unusable data."""
        return sum(failure.is_of_data for failure in self.quarantined.values())

    @property
    def n_failed(self) -> int:
        """Units that failed for reasons other than their symbol's data."""
        return sum(
            not (failure.is_of_data and failure.unit.key in self._symbols)
            for failure in self.failures
        )

    def healthy(self, by_symbol: Mapping[str, T]) -> dict[str, T]:
        """Return the entries of the symbols that are not quarantined.

        Raises
        ------
        ExecutionError
            When none is left: a run without symbols would find nothing and call that a result.
        """
        left = {
            symbol: value for symbol, value in by_symbol.items() if symbol not in self.quarantined
        }
        if not left:
            raise ExecutionError(
                f"none of {plural(len(self._symbols), 'symbol')} is left. {self._the_first()}"
            )
        return left

    def _the_first(self) -> str:
        symbol, first = next(iter(sorted(self.quarantined.items())))
        reason = first.reason.removesuffix(".")
        return f"The first, {symbol}, in {first.unit.stage}: {reason} ({self._all_of_them})."
