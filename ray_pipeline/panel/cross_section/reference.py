"""Where the cross-sectional columns of a batch are stored, as plain values."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ray_pipeline.wording import agreeing, plural

__all__ = ["CrossSection"]


@dataclass(frozen=True, slots=True)
class CrossSection:
    """The cross-sectional columns that were computed for a batch.

    Attributes
    ----------
    folder
        Folder in the run directory; its name contains a hash of everything the values depend on.
    n_blocks
        Number of its blocks of time, in order.
    n_groups
        Number of files of a block, each with the rows of some of the symbols.
    features, targets
        Columns.
    n_members
        Symbols of the reference set: the batch of the run.
    n_present
        How many of them had data and were compared with.
    """

    folder: str
    n_blocks: int
    n_groups: int
    features: tuple[str, ...]
    targets: tuple[str, ...]
    n_members: int
    n_present: int

    @property
    def missing_share(self) -> float:
        """Share of members without data here, 0 in a run."""
        return 1.0 - self.n_present / self.n_members if self.n_members else 0.0

    @property
    def warning(self) -> str | None:
        """A sentence for the user if members are missing, else None."""
        n_missing = self.n_members - self.n_present
        if n_missing == 0:
            return None
        return (
            f"{n_missing} of the {plural(self.n_members, 'symbol')} of the batch "
            f"({self.missing_share:.0%}) {agreeing(n_missing, 'has', 'have')} no data here: "
            f"cross-sectional columns compare with the other {self.n_present}."
        )

    def table_of(self, symbol: str, block: int) -> str:
        """Name the table that holds a symbol's rows of a block, if it has any there."""
        return self.table_name(block, self.group_of(symbol))

    def table_name(self, block: int, group: int) -> str:
        """Name a table of a block."""
        return f"{self.folder}/block-{block:05d}-{group:05d}.parquet"

    def group_of(self, symbol: str) -> int:
        """Return which of a block's files holds a symbol, without a list of them."""
        return zlib.crc32(symbol.encode()) % self.n_groups
