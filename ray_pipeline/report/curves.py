"""Charts that are as high as they are wide enough to read: columns, points and curves (pure).

As in `ray_pipeline.report.charts` places along the width are percentages and heights are pixels;
colours are classes of ``style.css``.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ray_pipeline.report.scales import AxisName, Scale
from ray_pipeline.results.figures import is_measured

__all__ = ["column_chart", "curve_chart", "level_chart", "match_chart", "point_chart"]

_TOP = 6
_PLOT = 110
_HEIGHT = _TOP + _PLOT + 18
_LEFT, _WIDTH = 14.0, 84.0
"""Percent: what is left of the plot holds the texts of the ticks."""

_CURVE_WIDTH = 1000


def column_chart(
    values: Sequence[float | None],
    half_widths: Sequence[float | None],
    names: Sequence[str],
    titles: Sequence[str],
    scale: Scale,
) -> Markup:
    """Draw values as columns from zero with their intervals; what is not measured is left out.

    A column is filled where its interval is on one side of zero.
    """
    inside, column = Markup(""), 60.0 / max(1, len(values))
    for place, value in enumerate(values):
        if not is_measured(value):
            continue
        half = half_widths[place]
        middle = _across(_slot(place, len(values)))
        top, bottom = sorted((_y(value, scale), _y(0.0, scale)))
        rect = Markup(
            '<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{:.1f}" height="{:.1f}">'
            "<title>{}</title></rect>"
        )
        kind = "yes" if is_measured(half) and abs(value) > half else "no"
        width = column * _WIDTH / 100.0
        inside += rect.format(
            kind, middle - width / 2, width, top, max(0.5, bottom - top), titles[place]
        )
        inside += _whisker(middle, value, half, scale)
    return _frame(inside, scale, _in_slots(names), _said(titles))


def point_chart(
    values: Sequence[float | None],
    half_widths: Sequence[float | None],
    names: Sequence[str],
    titles: Sequence[str],
    scale: Scale,
) -> Markup:
    """Draw values as dots with their intervals, joined by lines."""
    lines, dots = Markup(""), Markup("")
    before: tuple[float, float] | None = None
    for place, value in enumerate(values):
        if not is_measured(value):
            before = None
            continue
        half = half_widths[place]
        x, y = _across(_slot(place, len(values))), _y(value, scale)
        if before is not None:
            line = '<line class="path no" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>'
            lines += Markup(line).format(*before, x, y)
        kind = "yes" if is_measured(half) and value > half else "no"
        dot = '<circle class="dot {}" cx="{:.2f}%" cy="{:.1f}" r="3.5"><title>{}</title></circle>'
        dots += _whisker(x, value, half, scale) + Markup(dot).format(kind, x, y, titles[place])
        before = x, y
    return _frame(lines + dots, scale, _in_slots(names), _said(titles))


def curve_chart(
    curves: Sequence[tuple[str, Sequence[float]]],
    shares: Sequence[float],
    names: Sequence[AxisName],
    scale: Scale,
    told: str,
    band: Sequence[float] = (),
) -> Markup:
    """Draw curves over time.

    Parameters
    ----------
    curves
        CSS class and values of each, the last on top. A curve is broken where a value is NaN.
    shares
        Places of the values on the time axis, in [0, 1].
    names
        Texts under the axis: those at its ends begin and end there, others are centred.
    told
        What the curves show, in words, for who does not see them.
    band
        Half widths about zero of an area behind the curves, one at each place; none: no area.
    """
    paths = Markup("")
    if band:
        upper = _points(shares, band, scale)
        lower = _points(shares, [-half for half in band], scale)
        paths += Markup('<polygon class="band" points="{}"/>').format(
            " ".join([*upper, *lower[::-1]])
        )
    for kind, values in curves:
        for piece in _pieces(values):
            steps = " ".join(_points(shares[piece], values[piece], scale))
            paths += Markup('<polyline class="path {}" points="{}"/>').format(kind, steps)
    # The inner view box is stretched to the width; its lines are not, see style.css.
    box = Markup(
        '<svg x="{}%" width="{}%" y="{}" height="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none">{}</svg>'
    )
    inside = box.format(_LEFT, _WIDTH, _TOP, _PLOT, _CURVE_WIDTH, _PLOT, paths)
    return _frame(inside, scale, names, told)


def _points(shares: Sequence[float], values: Sequence[float], scale: Scale) -> list[str]:
    return [
        f"{_CURVE_WIDTH * share:.0f},{_y(value, scale) - _TOP:.1f}"
        for share, value in zip(shares, values, strict=True)
    ]


def _pieces(values: Sequence[float]) -> list[slice]:
    """Return the stretches of a curve that are measured."""
    known = [is_measured(value) for value in values]
    starts = [i for i, on in enumerate(known) if on and (i == 0 or not known[i - 1])]
    ends = [i + 1 for i, on in enumerate(known) if on and (i + 1 == len(known) or not known[i + 1])]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def level_chart(
    values: Sequence[float | None],
    half_widths: Sequence[float | None],
    level: float,
    beside: Sequence[float | None],
    names: Sequence[AxisName],
    titles: Sequence[str],
    scale: Scale,
) -> Markup:
    """Draw values as dots with their intervals about a level, and others as squares beside them.

    A dot is filled where its interval is on one side of the level.
    """
    square = Markup(
        '<rect class="square" x="{:.2f}%" y="{:.1f}" width="5" height="5" '
        'transform="translate(-2.5 -2.5)"/>'
    )
    inside = _level(level, scale)
    for place, other in enumerate(beside):
        if is_measured(other):
            inside += square.format(_across(_slot(place, len(beside))), _y(other, scale))
    for place, value in enumerate(values):
        if is_measured(value):
            x, half = _across(_slot(place, len(values))), half_widths[place]
            inside += _dot(x, value, half, level, titles[place], scale)
    return _frame(inside, scale, names, _said(titles))


def match_chart(
    said: Sequence[float],
    came: Sequence[float],
    half_widths: Sequence[float | None],
    titles: Sequence[str],
    scale: Scale,
) -> Markup:
    """Draw what was said along the width and what came along the height, both on one scale.

    Where they agree dots lie on the diagonal. One is filled where its interval does not meet it.
    """
    ends = (scale.low, scale.high)
    left, right = (_x(end, scale) for end in ends)
    diagonal = '<line class="path no" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>'
    inside = Markup(diagonal).format(left, _y(ends[0], scale), right, _y(ends[1], scale))
    for place, value in enumerate(came):
        x, half = _x(said[place], scale), half_widths[place]
        inside += _dot(x, value, half, said[place], titles[place], scale)
    places = [scale.percent(tick) / 100.0 for tick in scale.ticks]
    return _frame(inside, scale, list(zip(places, scale.labels, strict=True)), _said(titles))


def _dot(
    x: float, value: float, half: float | None, level: float, title: str, scale: Scale
) -> Markup:
    kind = "yes" if is_measured(half) and abs(value - level) > half else "no"
    dot = '<circle class="dot {}" cx="{:.2f}%" cy="{:.1f}" r="3.5"><title>{}</title></circle>'
    return _whisker(x, value, half, scale) + Markup(dot).format(kind, x, _y(value, scale), title)


def _level(value: float, scale: Scale) -> Markup:
    line = '<line class="zero" x1="{}%" x2="{}%" y1="{:.1f}" y2="{:.1f}"/>'
    y = _y(value, scale)
    return Markup(line).format(_LEFT, _LEFT + _WIDTH, y, y)


def _x(value: float, scale: Scale) -> float:
    return _across(scale.percent(value) / 100.0)


def _in_slots(names: Sequence[str]) -> list[AxisName]:
    """Put each name under its column."""
    return [(_slot(place, len(names)), name) for place, name in enumerate(names)]


def _slot(place: int, n: int) -> float:
    return (place + 0.5) / n


def _across(share: float) -> float:
    """Return where a share of the axis lies across the chart, in percent of its width."""
    return _LEFT + _WIDTH * share


def _y(value: float, scale: Scale) -> float:
    return _TOP + _PLOT * (1.0 - scale.percent(value) / 100.0)


def _whisker(x: float, value: float, half: float | None, scale: Scale) -> Markup:
    if not is_measured(half):
        return Markup("")
    line = '<line class="whisker end" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1:.1f}" y2="{2:.1f}"/>'
    return Markup(line).format(x, _y(value - half, scale), _y(value + half, scale))


def _said(titles: Sequence[str]) -> str:
    return "; ".join(filter(None, titles))


def _frame(inside: Markup, scale: Scale, names: Sequence[AxisName], told: str) -> Markup:
    grid = Markup("")
    for tick, label in zip(scale.ticks, scale.labels, strict=True):
        line = Markup(
            '<line class="{0}" x1="{1}%" x2="{2}%" y1="{3:.1f}" y2="{3:.1f}"/>'
            '<text class="tick" x="{4}%" y="{5:.1f}">{6}</text>'
        )
        y = _y(tick, scale)
        kind = "zero" if tick == 0 else "grid"
        grid += line.format(kind, _LEFT, _LEFT + _WIDTH, y, _LEFT - 1.5, y + 3.5, label)
    # A text that is centred under an end of the axis would reach beyond the chart.
    anchors = {0.0: "first", 1.0: "last"}
    under = Markup('<text class="{}" x="{:.2f}%" y="{}">{}</text>')
    texts = Markup("").join(
        under.format(anchors.get(share, "between"), _across(share), _HEIGHT - 4, name)
        for share, name in names
    )
    whole = Markup(
        '<svg class="row" width="100%" height="{}" role="img" aria-label="{}">{}{}{}</svg>'
    )
    return whole.format(_HEIGHT, told, grid, inside, texts)
