"""A symbol's columns and kind from its files' footers, without reading a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ray_pipeline.panel.inspection import InspectionRequest, TableKind, kind_of
from ray_pipeline.panel.quality import require_rows
from ray_pipeline.panel.reading import PartitionReader, naming_symbol
from ray_pipeline.panel.roles import resolve_roles
from ray_pipeline.panel.row_groups import find_only_group
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

__all__ = ["Outlined", "SymbolOutline", "outline_symbol"]


class Outlined(Protocol):
    """What must agree in all symbols; also part of a `SymbolInspection`."""

    @property
    def symbol(self) -> str: ...  # noqa: D102 (see `SymbolOutline`)
    @property
    def kind(self) -> TableKind: ...  # noqa: D102
    @property
    def time_column(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102
    @property
    def own_symbols(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class SymbolOutline:
    """A symbol, described by the footers of its files.

    Attributes
    ----------
    symbol, kind
        The symbol, and whether its table is labeled or bars.
    time_column
        Name of its time column.
    columns
        (name, Arrow type string) of all its columns.
    n_rows
        Rows of its files; after cleaning they may be fewer.
    own_symbols
        The symbols that its rows would name.
    only_group
        The group of all its rows, if its footers show that there is only one.
    """

    symbol: str
    kind: TableKind
    time_column: str
    columns: tuple[tuple[str, str], ...]
    n_rows: int
    own_symbols: tuple[tuple[str, str], ...] = ()
    only_group: str | None = None


def outline_symbol(
    partition: SymbolPartition, fs: FileSystem, request: InspectionRequest
) -> SymbolOutline:
    """Read the footers of a symbol's files, and describe it.

    Raises
    ------
    DataError
        When they show that the symbol cannot be used. The message names the symbol.
    StorageError
        When the storage fails.
    """
    with (
        naming_symbol(partition.symbol),
        PartitionReader(partition, fs, request.rules) as reader,
    ):
        columns = tuple(sorted(reader.columns))
        roles = resolve_roles(columns, request, request.time_column)
        kind = kind_of(columns, roles, request)
        require_rows(reader.n_rows, max(1, request.min_rows))
        only_group = None if request.group is None else find_only_group(reader, request.group)
        return SymbolOutline(
            partition.symbol, kind, roles.time, columns, reader.n_rows, only_group=only_group
        )
