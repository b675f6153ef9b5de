"""What a check says about training windows, and about the retraining policies to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ray_pipeline.evaluating.policies import n_trained
from ray_pipeline.inspecting.panel import LaidPanel
from ray_pipeline.wording import plural

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["policies_lines", "policies_record", "window_lines", "window_record"]


def window_record(laid: LaidPanel, window: str) -> dict[str, Any]:
    """Say what a fold trains on, and how much that is for the fold with the fewest rows.

    Rows are those of the symbols that were read, before the purge.
    """
    found: list[tuple[int, int]] = []
    for fold in laid.folds:
        n_rows = int(laid.rows_per_position[fold.train_start : fold.test_start].sum())
        found.append((n_rows, fold.test_start - fold.train_start))
    n_rows, n_timestamps = min(found, default=(0, 0))
    return {"trains": window, "fewest_rows": n_rows, "fewest_timestamps": n_timestamps}


def window_lines(found: Mapping[str, Any], n_symbols: int) -> list[str]:
    """Format it for a person; nothing if windows expand, which is the default."""
    if found["trains"] == "expanding":
        return []
    return [
        f"window    the {found['trains']} before a fold train for it, the fewest "
        f"{plural(found['fewest_timestamps'], 'timestamp')} and "
        f"{plural(found['fewest_rows'], 'row')} of {plural(n_symbols, 'symbol')}, less the purge"
    ]


def policies_record(config: ExperimentConfig, laid: LaidPanel) -> dict[str, int] | None:
    """Count the policies to compare, and the additional models this takes for each trained one."""
    asked = config.evaluation.policies
    if asked is None:
        return None
    n_variants = len(asked.windows) * len(asked.half_lives)
    return {
        "n_policies": len(asked.retrain_every) * n_variants,
        "n_trained": n_trained(asked, len(laid.folds)),
    }


def policies_lines(found: Mapping[str, int] | None) -> list[str]:
    """Format it for a person; nothing if none are compared."""
    if found is None:
        return []
    return [
        f"policies  {plural(found['n_policies'], 'policy', 'policies')} of retraining compared, "
        f"for which {plural(found['n_trained'], 'model')} of each job are fitted in addition to "
        "those of training"
    ]
