"""Features that know the future: found by value, by behaviour and by the data's own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from ray_pipeline.bars.label_names import find_label
from ray_pipeline.leakage.findings import MIN_SYMBOL_SHARE, LeakFinding
from ray_pipeline.leakage.other_clocks import merge_look_aheads, search_look_aheads
from ray_pipeline.leakage.reasons import reason_of_behaviour, reason_of_value
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition, TargetSpec, Task
from ray_pipeline.series import find_series_label
from ray_pipeline.statistics.bar_path import is_unforeseeable
from ray_pipeline.statistics.leak_scores import score_leaks
from ray_pipeline.statistics.leakage import LeakLimits, leak_verdict
from ray_pipeline.statistics.look_ahead import LookAheadLimits

__all__ = ["LeakFinding", "LeakSpec", "find_leaks", "merge_leaks", "path_target"]

_ADD_UP = ("fwd_ret_", "excess_ret_")
"""Targets that are sums over bars; the open-to-close return counts as one."""


@dataclass(frozen=True, slots=True)
class LeakSpec:
    """One symbol's search for leaks among some of its features."""

    partition: SymbolPartition
    frame: PanelFrame
    limits: LeakLimits
    features: tuple[str, ...]
    look_ahead: LookAheadLimits


def find_leaks(reader: PanelReader, spec: LeakSpec) -> dict[str, Any]:
    """Test features of a symbol against every target (unit function).

    Returns
    -------
    dict
        Findings of this symbol, and the features that could be tested.
    """
    table = reader.table(spec.partition, spec.frame.request)
    targets = spec.frame.targets
    columns = [table.target_names.index(target.name) for target in targets]
    suspects = [table.feature_names.index(name) for name in spec.features]
    scores = score_leaks(
        table.features[:, suspects].astype(np.float64),
        table.targets[:, columns],
        [target.horizon_bars for target in targets],
        scaled=[_reads_earlier_bars(target.name) for target in targets],
    )
    labels = dict(
        zip((target.name for target in targets), table.targets[:, columns].T, strict=True)
    )

    @cache
    def is_news(target: TargetSpec) -> bool:
        """Discard self-predicting targets: honest features predict them too."""
        is_known = find_label(target.name) is not None
        return is_known or is_unforeseeable(labels[target.name], target.horizon_bars)

    findings: list[dict[str, Any]] = []
    tested: dict[str, list[str]] = {}
    for target, of_target in zip(targets, scores, strict=True):
        measured = [
            (name, score)
            for name, score in zip(spec.features, of_target, strict=True)
            if score is not None
        ]
        tested[target.name] = [name for name, _ in measured]
        for name, score in measured:
            verdict = leak_verdict(score, spec.limits)
            if verdict is not None and (verdict.test == "value" or is_news(target)):
                finding = {"target": target.name, "feature": name} | asdict(verdict)
                findings.append(finding | asdict(score))
    record = {"symbol": spec.partition.symbol, "findings": findings, "tested": tested}
    path = path_target(targets)
    if path is None:
        return record
    of_path = labels[path.name]
    if not path.name.startswith(_ADD_UP) and not is_unforeseeable(of_path, path.horizon_bars):
        return record
    return record | {
        "look_ahead": search_look_aheads(
            table.features[:, suspects],
            spec.features,
            of_path,
            path,
            table.time_ns,
            spec.frame.request.bar_seconds,
            spec.look_ahead,
        )
    }


def path_target(targets: Sequence[TargetSpec]) -> TargetSpec | None:
    """Return the target whose labels best reveal the path of the bars (pure).

    Returns add up, so the shortest return is best, with the least overlap. Without returns, the
    shortest target with the most values, if its labels cannot be predicted from themselves.
    """
    order: dict[Task, int] = {"regression": 1, "ordinal": 2, "binary": 3}

    def rank(target: TargetSpec) -> tuple[int, int, str]:
        adds_up = target.name.startswith(_ADD_UP)
        return (0 if adds_up else order[target.task], target.horizon_bars, target.name)

    return min((t for t in targets if t.horizon_bars >= 1), key=rank, default=None)


def _reads_earlier_bars(target: str) -> bool:
    """Tell whether the name is that of a label in trailing deviations, or minus a trailing mean."""
    label = find_label(target)
    if label is None:
        return find_series_label(target) in ("fwd_change", "y_will_rise")
    return label.lookback > 1


def merge_leaks(
    records: Sequence[Mapping[str, Any]], look_ahead: LookAheadLimits
) -> list[LeakFinding]:
    """Join the findings of all symbols (pure), sorted by target and feature.

    Features accused by value or behaviour need no further evidence.
    """
    tested: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        for target, features in record["tested"].items():
            for feature in features:
                tested[target, feature] = tested.get((target, feature), 0) + 1
        for finding in record["findings"]:
            found.setdefault((finding["target"], finding["feature"]), []).append(finding)
    merged = []
    for (target, feature), findings in sorted(found.items()):
        n_tested = tested[target, feature]
        if len(findings) < MIN_SYMBOL_SHARE * n_tested:
            continue
        test = "value" if any(f["test"] == "value" for f in findings) else "behaviour"
        value = float(np.mean([f["value"] for f in findings]))
        told = reason_of_value if test == "value" else reason_of_behaviour
        merged.append(LeakFinding(target, feature, test, value, told(findings, n_tested)))
    known = {finding.feature for finding in merged}
    asked = [each["look_ahead"] for each in records if "look_ahead" in each]
    # If most symbols' labels can be predicted from themselves, so can the others', in a longer
    # history.
    enough = len(asked) >= MIN_SYMBOL_SHARE * len(records)
    by_time = merge_look_aheads(asked, look_ahead) if enough else []
    merged += [finding for finding in by_time if finding.feature not in known]
    return sorted(merged, key=lambda finding: (finding.target, finding.feature, finding.test))
