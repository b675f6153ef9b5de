"""Symbols under a data root, and the seeded batch that a run draws from them."""

from ray_pipeline.discovery.batch import select_symbol_batch
from ray_pipeline.discovery.scanning import (
    discover,
    discover_symbols_from_data_dir,
    resolve_symbols,
)

__all__ = [
    "discover",
    "discover_symbols_from_data_dir",
    "resolve_symbols",
    "select_symbol_batch",
]
