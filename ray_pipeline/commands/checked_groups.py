"""What ``ray-pipeline check`` says about the groups within which symbols are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.inspecting.glimpse import Glimpse
from ray_pipeline.inspecting.groups import Grouped, Grouping, find_groups, presumed_groups
from ray_pipeline.wording import plural

__all__ = ["groups_seen", "lines_of_groups"]

_MAX_GROUPS = 30
"""Number of groups to list, the largest first."""


def groups_seen(
    config: ExperimentConfig, seen: Glimpse, batch: Batch, axis: NDArray[np.int64]
) -> Grouping | None:
    """Find the groups of symbols; for symbols that were not read, from their footers."""
    column = config.columns.group
    if column is None:
        return None
    memberships = {symbol: each.membership for symbol, each in batch.partitions.items()}
    known: dict[str, Grouped] = dict(seen.inspections)
    known |= presumed_groups(column, seen.outlines, batch.partitions, axis)
    found = find_groups(column, known, axis, memberships, batch.universe_columns)
    if len(known) < seen.n_usable:
        return replace(found, is_whole=False)
    found.require_comparable(config.target_ranking)
    return found


def lines_of_groups(found: Mapping[str, Any] | None) -> list[str]:
    """Describe the groups within which symbols are compared, with their sizes."""
    if found is None:
        return []
    sources = {"files": "a column of the files", "universe": "from the table of data.universe"}
    told = [
        f"{text} of {plural(found[f'n_symbols_by_{name}'], 'symbol')}"
        for name, text in sources.items()
        if found[f"n_symbols_by_{name}"]
    ]
    lines = [
        f"groups    compared within {found['column']} ({plural(len(found['groups']), 'group')}): "
        f"{', '.join(told)}"
    ]
    sizes = [
        f"{each['name']}: {plural(each['n_symbols'], 'symbol')}, {each['median_symbols']:g} at a "
        f"timestamp{'' if each['is_compared'] else ', never compared'}"
        for each in sorted(found["groups"], key=lambda each: -each["median_symbols"])
    ]
    lines += [f"          {text}" for text in sizes[:_MAX_GROUPS]]
    if len(sizes) > _MAX_GROUPS:
        lines.append(f"          and {len(sizes) - _MAX_GROUPS} more")
    return lines
