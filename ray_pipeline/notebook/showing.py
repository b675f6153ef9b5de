"""Display of a run in a notebook: a verdict, texts, a page and charts as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ray_pipeline.notebook.next_steps import next_steps
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.report.rendering import rendered
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import is_measured, probability, with_error
from ray_pipeline.results.headline import write_headline

__all__ = ["ShownPage", "Story", "verdict_html", "verdict_text"]

_MAX_ROWS = 8
_PAGE_HEIGHT = 720


class Story(Mapping[str, Any]):
    """An account of a run: lines for a person, and the same as plain values by key.

    ``print`` shows the lines, and so does a notebook; ``story["ranking"]`` is a part of the
    underlying document, and ``dict(story)`` all of it.

    Parameters
    ----------
    document
        Plain values.
    lines
        The same, for a person.
    """

    def __init__(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        self._document, self._lines = document, tuple(lines)

    def __getitem__(self, key: str) -> Any:
        """Return a part of the document."""
        return self._document[key]

    def __iter__(self) -> Iterator[str]:
        """Name the parts of the document."""
        return iter(self._document)

    def __len__(self) -> int:
        """Count the parts of the document."""
        return len(self._document)

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(self._lines)

    def __repr__(self) -> str:
        """Return the lines, for display in a console."""
        return str(self)

    def _repr_html_(self) -> str:
        return rendered("notebook", "story.html", text=str(self))


class ShownPage:
    """An HTML page that a notebook shows in its own frame.

    Parameters
    ----------
    html
        The whole page.
    title
        Its title, for consoles.
    height
        Of its frame, in pixels.
    """

    def __init__(self, html: str, title: str, height: int = _PAGE_HEIGHT) -> None:
        self.html = html
        self._title, self._height = title, height

    def __repr__(self) -> str:
        """Describe it, because a console cannot show a page."""
        return f"<{self._title}; .save(path) writes it, and a notebook shows it>"

    def save(self, path: str | Path) -> Path:
        """Write the page to a local file, which any browser can open."""
        file = Path(path)
        file.write_text(self.html, encoding="utf-8")
        return file

    def _repr_html_(self) -> str:
        # A frame separates the page's style and scripts from the notebook's.
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(self._title)}" width="100%" '
            f'height="{self._height}" style="border:0" sandbox="allow-scripts"></iframe>'
        )


def verdict_html(contents: RunContents, uri: str) -> str:
    """Summarise what a run found, how certain that is, what is doubtful and what to do next."""
    doubtful = {each.target for each in contents.doubted}
    rows = sorted(contents.targets or (), key=_strongest_first)
    shown = [
        {
            "target": row.target,
            "view": VIEW_NAMES[row.view],
            "skill": with_error(row.skill, row.std_error),
            "q_value": probability(row.q_value),
            "verdict": _verdict(row.predictable, row.target in doubtful),
            "reason": row.reason,
            "strong": row.predictable and row.target not in doubtful,
        }
        for row in rows[:_MAX_ROWS]
    ]
    return rendered(
        "notebook",
        "verdict.html",
        name=contents.record.name,
        uri=uri,
        headline=write_headline(contents),
        rows=shown,
        n_more=max(0, len(rows) - _MAX_ROWS),
        warnings=contents.record.warnings,
        steps=next_steps(contents),
    )


def verdict_text(contents: RunContents, uri: str) -> str:
    """Return the same in a few lines, for consoles."""
    headline = write_headline(contents)
    lines = [f"Run {contents.record.name!r}, {headline.status}, {uri}", headline.sentence]
    lines += [text for text in (headline.detail, headline.error) if text]
    lines += [
        f"  {step.code}  # {step.why}" if step.code else f"  {step.why}"
        for step in next_steps(contents)
    ]
    return "\n".join(lines)


def _strongest_first(row: TargetRow) -> tuple[bool, float, str]:
    q_value = row.q_value if is_measured(row.q_value) else math.inf
    return not row.predictable, q_value, row.target


def _verdict(predictable: bool, doubtful: bool) -> str:
    if doubtful:
        return "doubtful"
    return "predictable" if predictable else "no evidence"
