"""The comparison as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ray_pipeline.columns import width_of_last, with_text
from ray_pipeline.quickstart.comparison import Comparison, PlantedFinding, Verdict

__all__ = ["comparison_lines"]

_WIDTH_OF_WHAT = 13
"""Marks of verdicts."""

_MARKS: Mapping[Verdict, str] = {"right": "✓", "wrong": "✗", "open": "·"}


def comparison_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Format what was planted and what was found, ending with a sentence about the difference.

    Parameters
    ----------
    comparisons
        The result of `compare`.
    """
    findings = [finding for each in comparisons for finding in each.findings]
    widths = [
        max(len(text) for text in ("planted", *(finding.planted for finding in findings))),
        max(len(text) for text in ("found", *(finding.found for finding in findings))),
    ]
    widths = [_WIDTH_OF_WHAT, *widths]
    widths[-1] = width_of_last(widths)
    lines = _lines(PlantedFinding("", "planted", "found", "open"), "", widths)
    for each in comparisons:
        lines.append(f"{each.heading}: {each.story}")
        for finding in each.findings:
            lines += _lines(finding, _MARKS[finding.verdict], widths)
    return [*lines, "", _sentence(comparisons)]


def _lines(finding: PlantedFinding, mark: str, widths: Sequence[int]) -> list[str]:
    row = [f"{mark:1} {finding.what}", finding.planted, finding.found]
    return with_text(row, widths, n_left=len(row))


def _sentence(comparisons: Sequence[Comparison]) -> str:
    wrong = [
        f"{each.heading} ({finding.what})"
        for each in comparisons
        for finding in each.findings
        if finding.verdict == "wrong"
    ]
    n_promised = sum(f.verdict != "open" for each in comparisons for f in each.findings)
    if not wrong:
        return f"All {n_promised} things that the sample promises were found as planted."
    return (
        f"{len(wrong)} of {n_promised} things that the sample promises were NOT found as planted: "
        f"{', '.join(wrong)}."
    )
