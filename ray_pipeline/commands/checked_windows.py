"""What a check says of windows of training, and of the policies of retraining to be compared."""

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
    """Say what trains for a fold, and how much that is for the fold that has the fewest rows.

    Rows are those of the symbols that were read, before the purge.
    """
    found: list[tuple[int, int]] = []
    for fold in laid.folds:
        n_rows = int(laid.rows_per_position[fold.train_start : fold.test_start].sum())
        found.append((n_rows, fold.test_start - fold.train_start))
    n_rows, n_timestamps = min(found, default=(0, 0))
    return {"trains": window, "fewest_rows": n_rows, "fewest_timestamps": n_timestamps}


def window_lines(found: Mapping[str, Any], n_symbols: int) -> list[str]:
    """Tell it for a person; nothing where windows expand, as they do unless a config asks."""
    if found["trains"] == "expanding":
        return []
    return [
        f"window    the {found['trains']} before a fold train for it, the fewest "
        f"{plural(found['fewest_timestamps'], 'timestamp')} and "
        f"{plural(found['fewest_rows'], 'row')} of {plural(n_symbols, 'symbol')}, less the purge"
    ]


def policies_record(config: ExperimentConfig, laid: LaidPanel) -> dict[str, int] | None:
    """Count the policies that are compared, and the models that this takes of each trained one."""
    asked = config.evaluation.policies
    if asked is None:
        return None
    n_variants = len(asked.windows) * len(asked.half_lives)
    return {
        "n_policies": len(asked.retrain_every) * n_variants,
        "n_trained": n_trained(asked, len(laid.folds)),
    }


def policies_lines(found: Mapping[str, int] | None) -> list[str]:
    """Tell it for a person; nothing where none are compared."""
    if found is None:
        return []
    return [
        f"policies  {plural(found['n_policies'], 'policy', 'policies')} of retraining compared, "
        f"for which {plural(found['n_trained'], 'model')} of each job "
        "are fitted beside those of training"
    ]
