"""What ``symbols.json`` and the first line of a run say about the batch (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.execution.protocol import Failed
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.wording import iso_time, plural, some_within

__all__ = ["batch_sentence", "symbols_document"]


_WIDTH_OF_NAMES = 150
"""Characters for the names of symbols: two lines together with the text around them."""


def batch_sentence(batch: Batch, config: ExperimentConfig, uri: str) -> str:
    """Say which symbols a run uses, out of how many, and how they were chosen.

    Parameters
    ----------
    uri
        Where all of them are listed.
    """
    found, names = batch.discovery, list(batch.partitions)
    at = f" at {batch.interval}" if batch.interval else ""
    text = f"{len(names):,} of {plural(len(found.symbols), 'symbol')} from {found.data_dir}{at}"
    data = config.data
    if data.symbols:
        text += ", named by data.symbols"
    elif data.symbol_batch_size is not None and len(names) < len(found.symbols):
        text += f", sampled with seed {config.experiment.seed}"
    shown = some_within(names, _WIDTH_OF_NAMES)
    return f"{text}: {shown}{f' (all in {uri})' if shown != ', '.join(names) else ''}"


def symbols_document(
    batch: Batch,
    seed: int,
    inspections: Mapping[str, SymbolInspection],
    quarantined: Mapping[str, Failed],
) -> dict[str, Any]:
    """Return the document: the symbols found, selected, rejected and quarantined, and each one."""
    found = batch.discovery
    return {
        "data_dir": found.data_dir,
        "interval": found.interval,
        "layout": found.layout,
        "seed": seed,
        "discovered": found.symbols,
        "selected": list(batch.partitions),
        "rejected": [asdict(rejection) for rejection in found.rejected],
        "quarantined": [
            {"symbol": symbol, "stage": failure.unit.stage, "reason": failure.reason}
            for symbol, failure in sorted(quarantined.items())
        ],
        "symbols": {
            symbol: {
                "n_files": len(partition.files),
                "size_bytes": partition.size_bytes,
                **_inspected(inspections.get(symbol)),
            }
            for symbol, partition in batch.partitions.items()
        },
    }


def _inspected(inspection: SymbolInspection | None) -> dict[str, Any]:
    if inspection is None:
        return {"n_rows": None, "first_ts": None, "last_ts": None, "findings": []}
    return {
        "n_rows": inspection.n_rows,
        "first_ts": iso_time(inspection.first_ts_ns),
        "last_ts": iso_time(inspection.last_ts_ns),
        "findings": [finding.message for finding in inspection.findings],
    }
