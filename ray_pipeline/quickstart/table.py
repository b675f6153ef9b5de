"""The comparison as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ray_pipeline.quickstart.comparison import Comparison, PlantedFinding, Verdict

__all__ = ["comparison_lines"]

_MARKS: Mapping[Verdict, str] = {"right": "✓", "wrong": "✗", "open": "·"}


def comparison_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Format what was planted beside what was found, and end with a sentence on the difference.

    Parameters
    ----------
    comparisons
        As `compare` gives them.
    """
    findings = [finding for each in comparisons for finding in each.findings]
    widths = [
        max(len(text) for text in ("planted", *(finding.planted for finding in findings))),
        max(len(text) for text in ("found", *(finding.found for finding in findings))),
    ]
    lines = [_line(PlantedFinding("", "planted", "found", "open"), " ", widths)]
    for each in comparisons:
        lines.append(f"{each.heading}: {each.story}")
        lines += [_line(finding, _MARKS[finding.verdict], widths) for finding in each.findings]
    return [*lines, "", _sentence(comparisons)]


def _line(finding: PlantedFinding, mark: str, widths: Sequence[int]) -> str:
    planted, found = widths
    text = f"{mark} {finding.what:11}  {finding.planted:{planted}}  {finding.found:{found}}"
    return f"  {text.rstrip()}"


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
