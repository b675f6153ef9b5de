"""Tables of user-defined stages: the first rows of each (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import DASH, count, shortened, significant
from ray_pipeline.results.tables import USER_STAGES
from ray_pipeline.wording import plural

__all__ = ["StageTable", "write_stage_section"]

MAX_ROWS = 20
MAX_COLUMNS = 12
MAX_TEXT = 80


@dataclass(frozen=True, slots=True)
class StageTable:
    """One stage's table, cut to what a page can show.

    Attributes
    ----------
    columns
        Names, and whether the column holds numbers.
    more
        The columns that are not shown, in words; empty when all are.
    """

    name: str
    columns: tuple[tuple[str, bool], ...]
    more: str
    rows: Capped[tuple[str, ...]]


def write_stage_section(contents: RunContents) -> tuple[StageTable, ...]:
    """Lay out the tables; there are none in a run without user-defined stages."""
    return tuple(_table(name, rows) for name, rows in sorted(contents.stages.items()))


def _table(name: str, table: Any) -> StageTable:
    shown = table.column_names[:MAX_COLUMNS]
    first = table.select(shown).slice(0, MAX_ROWS)
    columns = [column.to_pylist() for column in first.columns]
    source = f"{USER_STAGES}/{name}.parquet"
    n_more = table.num_columns - len(shown)
    return StageTable(
        name=name,
        columns=tuple(
            (column, _is_numeric(values)) for column, values in zip(shown, columns, strict=True)
        ),
        more=f"{source} has {plural(n_more, 'more column')}." if n_more else "",
        rows=Capped(
            tuple(tuple(map(_cell, row)) for row in zip(*columns, strict=True)),
            table.num_rows,
            "by symbol",
            source,
        ),
    )


def _is_numeric(values: Sequence[Any]) -> bool:
    return any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _cell(value: Any) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return significant(value) if math.isfinite(value) else str(value)
    return shortened(value, MAX_TEXT)
