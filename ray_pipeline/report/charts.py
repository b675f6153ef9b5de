"""Charts as inline SVG, one row of a chart at a time (pure).

Places are percentages of the width and heights are pixels, without a view box: dots stay round
and texts stay readable at every width of the page. Colours are classes of ``style.css``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ray_pipeline.report.scales import Scale
from ray_pipeline.results.figures import is_measured

__all__ = ["StripPoint", "bar", "fold_bar", "interval", "scale_axis", "stacked_bar", "strip"]

_ROW_HEIGHT = 24
_STRIP_HEIGHT = 34
_MANY_TICKS = 5
_ROOM_OF_A_TICK = 0.45
"""Share of the ticks' span that a text needs beside another one on the narrowest axis."""
_MAX_NAMED_POINTS = 150
"""Above it the points of a strip are one path without names: the page must open fast."""


@dataclass(frozen=True, slots=True)
class StripPoint:
    """A symbol on a strip: where it is, whether it stands out, and its tooltip."""

    value: float
    marked: bool
    title: str


def interval(
    value: float | None, half_width: float | None, scale: Scale, *, marked: bool, title: str
) -> Markup:
    """Draw a dot with its interval; an end beyond the scale is an arrowhead.

    Parameters
    ----------
    value
        Where the dot is; not measured: the row stays empty.
    half_width
        Of the interval; not measured: a dot alone.
    marked
        Filled in the accent colour, instead of hollow and grey.
    title
        Tooltip.
    """
    inside = Markup("")
    if is_measured(value):
        kind = "yes" if marked else "no"
        if is_measured(half_width):
            inside += _whisker(value - half_width, value + half_width, scale, kind)
        inside += Markup('<circle class="dot {}" cx="{:.2f}%" cy="{}" r="4.5"/>').format(
            kind, scale.percent(value), _ROW_HEIGHT // 2
        )
        inside += Markup("<title>{}</title>").format(title)
    return _row(_grid(scale) + inside, _ROW_HEIGHT, title if inside else "")


def _whisker(low: float, high: float, scale: Scale, kind: str) -> Markup:
    middle = _ROW_HEIGHT // 2
    drawn = Markup('<line class="whisker {0}" x1="{1:.2f}%" x2="{2:.2f}%" y1="{3}" y2="{3}"/>')
    parts = drawn.format(kind, scale.percent(low), scale.percent(high), middle)
    arrow = Markup('<svg class="arrow {}" x="{}%" y="{}"><path d="M0 -4L{} 0L0 4z"/></svg>')
    if not scale.holds(low):
        parts += arrow.format(kind, 0, middle, -6)
    if not scale.holds(high):
        parts += arrow.format(kind, 100, middle, 6)
    return parts


def strip(points: Sequence[StripPoint], scale: Scale) -> Markup:
    """Draw one dot per symbol, spread over lanes where they would cover each other."""
    named = len(points) <= _MAX_NAMED_POINTS
    placed = _spread(points, scale, 1.5, 4.0) if named else _spread(points, scale, 0.7, 2.4)
    if named:
        circle = Markup(
            '<circle class="dot small {}" cx="{:.2f}%" cy="{:.0f}" r="3"><title>{}</title></circle>'
        )
        dots = Markup("").join(
            circle.format("yes" if point.marked else "no", x, y, point.title)
            for point, x, y in placed
        )
    else:
        dots = _many_dots(placed)
    return _row(_grid(scale) + dots, _STRIP_HEIGHT, _ends(points))


def _ends(points: Sequence[StripPoint]) -> str:
    """Say in words what the strip shows, for who does not see it."""
    if not points:
        return ""
    ordered = sorted(points, key=lambda point: (point.value, point.title))
    return f"from {ordered[0].title} to {ordered[-1].title}"


def _spread(
    points: Sequence[StripPoint], scale: Scale, cell_width: float, lane_height: float
) -> list[tuple[StripPoint, float, float]]:
    """Place points as (point, percent, pixel): lanes from the middle outwards within a cell.

    Where a cell has more points than lanes they start over and cover each other.
    """
    middle = _STRIP_HEIGHT / 2
    n_lanes = 2 * int((middle - 4) / lane_height) + 1
    n_in_cell: dict[int, int] = {}
    placed = []
    for point in sorted(points, key=lambda point: (point.value, point.title)):
        x = scale.percent(point.value)
        cell = int(x / cell_width)
        place = n_in_cell.get(cell, 0) % n_lanes
        n_in_cell[cell] = n_in_cell.get(cell, 0) + 1
        lane = (place + 1) // 2 * (1 if place % 2 else -1)
        placed.append((point, x, middle + lane * lane_height))
    # The marked ones last: they lie on top.
    return sorted(placed, key=lambda item: item[0].marked)


def _many_dots(placed: Sequence[tuple[StripPoint, float, float]]) -> Markup:
    """Draw all dots of a kind as one path: round caps of lines without length.

    The inner view box is stretched to the width; ``non-scaling-stroke`` keeps the caps round.
    """
    paths = Markup("")
    for marked, kind in ((False, "no"), (True, "yes")):
        steps = "".join(
            f"M{10 * x:.0f} {y:.1f}h.01" for point, x, y in placed if point.marked is marked
        )
        if steps:
            paths += Markup('<path class="dots {}" d="{}"/>').format(kind, steps)
    box = Markup(
        '<svg viewBox="0 0 1000 {0}" preserveAspectRatio="none" width="100%" height="{0}">{1}</svg>'
    )
    return box.format(_STRIP_HEIGHT, paths)


def scale_axis(scale: Scale) -> Markup:
    """Draw the texts under the gridlines of the rows above; where there is no room, some of them.

    Zero and the end that is farther from it always have it, and the other end where it is not near.
    """
    low, high = scale.ticks[0], scale.ticks[-1]
    kept = {0.0, low if -low > high else high}
    kept |= {end for end in (low, high) if abs(end) >= _ROOM_OF_A_TICK * (high - low)}
    texts = Markup("").join(
        Markup('<text{} x="{:.2f}%" y="14">{}</text>').format(
            "" if tick in kept else Markup(' class="inner"'), scale.percent(tick), label
        )
        for tick, label in zip(scale.ticks, scale.labels, strict=True)
    )
    kind = "axis many" if len(scale.ticks) > _MANY_TICKS else "axis"
    return Markup('<div class="{}">{}</div>').format(kind, _row(texts, 20))


def bar(share: float | None, *, marked: bool) -> Markup:
    """Draw a share in [0, 1] as a bar from the left."""
    kind = "yes" if marked else "no"
    width = 100.0 * min(1.0, max(0.0, share)) if is_measured(share) else 0.0
    inside = Markup(
        '<rect class="track" width="100%" y="4" height="8"/>'
        '<rect class="bar {}" width="{:.1f}%" y="4" height="8"/>'
    )
    return _row(inside.format(kind, width), 16)


def stacked_bar(parts: Sequence[tuple[str, int]]) -> Markup:
    """Draw counts as adjoining segments that fill the width; their patterns are backgrounds.

    Parameters
    ----------
    parts
        CSS class and count of each segment, left to right.
    """
    total = sum(n for _, n in parts)
    segment = Markup('<span class="{}" style="width: {:.2f}%" title="{}"></span>')
    segments = Markup("").join(
        segment.format(kind, 100 * n / total, f"{kind}: {n} of {total}") for kind, n in parts if n
    )
    return Markup('<div class="stack" aria-hidden="true">{}</div>').format(segments)


def fold_bar(trained: float, start: float, end: float) -> Markup:
    """Draw a fold on the run's time axis: training from `trained` to `start`, test to `end`.

    Parameters
    ----------
    trained, start, end
        Shares of the time axis in [0, 1].
    """
    inside = Markup(
        '<rect class="track" width="100%" y="5" height="8"/>'
        '<rect class="bar no" x="{:.2f}%" width="{:.2f}%" y="5" height="8"/>'
        '<rect class="bar yes" x="{:.2f}%" width="{:.2f}%" y="5" height="8"/>'
    )
    shares = (trained, start - trained, start, end - start)
    return _row(inside.format(*(100 * share for share in shares)), 18)


def _grid(scale: Scale) -> Markup:
    line = Markup(
        '<line class="{}" x1="{1:.2f}%" x2="{1:.2f}%" y1="0" y2="100%"/>'.replace("{}", "{0}")
    )
    return Markup("").join(
        line.format("zero" if tick == 0 else "grid", scale.percent(tick)) for tick in scale.ticks
    )


def _row(inside: Markup, height: int, name: str = "") -> Markup:
    """Draw a row; without a name it only repeats what the cells beside it say."""
    spoken = Markup('role="img" aria-label="{}"').format(name) if name else 'aria-hidden="true"'
    row = Markup('<svg class="row" width="100%" height="{}" {}>{}</svg>')
    return row.format(height, Markup(spoken), inside)
