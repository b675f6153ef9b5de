"""Features that know the future: found by structure, by value and by behaviour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ray_pipeline.bars.label_names import find_label
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition
from ray_pipeline.statistics.leak_scores import score_leaks
from ray_pipeline.statistics.leakage import LeakLimits, leak_verdict

__all__ = ["LeakFinding", "LeakSpec", "find_leaks", "merge_leaks"]

MIN_SYMBOL_SHARE = 0.5
"""A feature is accused when at least half of the symbols that have it show the leak: a chance
agreement in one short history is not a property of the feature."""


@dataclass(frozen=True, slots=True)
class LeakSpec:
    """One symbol's search for leaks among some of its features."""

    partition: SymbolPartition
    frame: PanelFrame
    limits: LeakLimits
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """A feature that knows a target's future.

    `value` is the mean |rank correlation| over the symbols that show it.
    """

    target: str
    feature: str
    test: str
    value: float
    reason: str


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
            if verdict is not None:
                finding = {"target": target.name, "feature": name} | asdict(verdict)
                findings.append(finding | asdict(score))
    return {"symbol": spec.partition.symbol, "findings": findings, "tested": tested}


def _reads_earlier_bars(target: str) -> bool:
    """Tell whether the name is that of a label in trailing deviations."""
    label = find_label(target)
    return label is not None and label.lookback > 1


def merge_leaks(records: Sequence[Mapping[str, Any]]) -> list[LeakFinding]:
    """Join the findings of all symbols (pure), sorted by target and feature."""
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
        merged.append(LeakFinding(target, feature, test, value, _reason(test, findings, n_tested)))
    return merged


def _reason(test: str, findings: Sequence[Mapping[str, Any]], n_tested: int) -> str:
    symbols = f"in {len(findings)} of {n_tested} symbols"
    if test == "value":
        shift = int(np.median([f["leaking_shift"] for f in findings]))
        direction = "later" if shift > 0 else "earlier"
        where = "its own row" if shift == 0 else f"the row {abs(shift)} {direction}"
        leaking = float(np.mean([f["leaking"] for f in findings]))
        honest = float(np.mean([f["honest"] for f in findings]))
        return (
            f"equals the target of {where} up to a monotone map (|rank correlation| "
            f"{leaking:.2f}, {honest:.2f} with anything known at the time) {symbols}"
        )
    commonest = Counter(f["evidence"] for f in findings if f["test"] == "behaviour")
    evidence = commonest.most_common(1)[0][0]
    told = [f for f in findings if f["evidence"] == evidence]
    present, earlier, known, edge = (
        float(np.mean([abs(f[name]) for f in told]))
        for name in ("present", "horizon_earlier", "known", "edge")
    )
    if evidence == "edge":
        rows = int(np.median([f["edge_shift"] for f in told]))
        return (
            f"its last change knows a bar to come: |rank correlation| {edge:.2f} with the change "
            f"of the target {rows} rows later {symbols}"
        )
    if evidence == "beyond":
        return (
            f"|rank correlation| with the target is {present:.2f}, still {earlier:.2f} with the "
            f"one that starts where it ends, and {known:.2f} with the last known one {symbols}"
        )
    vanishing = (
        f"|rank correlation| with the target is {present:.2f} and {earlier:.2f} when the feature "
        "is taken a horizon earlier"
    )
    if evidence == "profile":
        return (
            f"{vanishing}, in between as a copy of the target and not as its own memory {symbols}"
        )
    return f"{vanishing} {symbols}"
