"""Charts of time that can be zoomed and read point by point, and as still pictures (pure).

A figure is on the page twice: as inline SVG, for print and for readers without a script, and as
numbers, of which ``live.js`` draws the same lines on a canvas.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ray_pipeline.display import escaped
from ray_pipeline.report.curves import curve_chart
from ray_pipeline.report.scales import date_names, skill_scale
from ray_pipeline.results.figures import moment, signed

__all__ = ["MAX_POINTS", "DrawnLine", "LivePlot", "TimeFigure", "compared", "embedded_json"]

Floats = NDArray[np.float64]

MAX_POINTS = 500
"""Of a line: more than the plot has pixels on a phone, and few enough for dozens of plots."""

_NONE = Markup("")
_DAY = 86_400.0
_DIGITS = 4
"""Of the largest value of a line."""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line of a plot.

    Attributes
    ----------
    style
        ``yes``: the one that is meant; ``no``: one beside it; ``c0`` to ``c5``: one of several.
    values
        At each time, shape (n,); NaN where there is none.
    """

    name: str
    style: str
    values: Floats


@dataclass(frozen=True, slots=True)
class LivePlot:
    """Lines over one time axis.

    Attributes
    ----------
    name
        What is drawn, as its caption says.
    seconds
        Since 1970, rising, shape (n,).
    band
        Half widths about zero of an area behind the lines, shape (n,); empty: no area.
    band_name
        What the area is.
    picture
        Another picture of the same than its lines; empty: these.
    """

    name: str
    seconds: Floats
    lines: tuple[DrawnLine, ...]
    band: Floats
    band_name: str = ""
    picture: Markup = _NONE
    height: int = 170

    @property
    def still(self) -> Markup:
        """The plot without a script."""
        if self.picture:
            return self.picture
        start, end = (float(self.seconds[place]) for place in (0, -1))
        shares = ((self.seconds - start) / ((end - start) or 1.0)).tolist()
        curves = [(line.style, line.values.tolist()) for line in self.lines]
        found = np.concatenate([line.values for line in self.lines])
        ends = [*found[np.isfinite(found)].tolist(), *self.band.tolist(), *(-self.band).tolist()]
        names = date_names(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        scale = skill_scale(ends, n_ticks=4)
        return curve_chart(curves, shares, names, scale, self._told, self.band.tolist())

    @property
    def _told(self) -> str:
        """The plot in words: when it begins and ends, and where its lines end."""
        first, last = (
            moment(datetime.fromtimestamp(self.seconds[place], UTC).isoformat())
            for place in (0, -1)
        )
        ends = [f"{line.name} {signed(_last(line.values))}" for line in self.lines]
        return f"{self.name}, from {first} to {last}: {', '.join(ends)} at the end"

    @property
    def has_key(self) -> bool:
        """Whether the still picture needs a list of its lines."""
        return len(self.lines) > 1 and not self.picture

    @property
    def _is_known(self) -> NDArray[np.bool_]:
        return cast(
            NDArray[np.bool_],
            np.isfinite(np.stack([line.values for line in self.lines])).any(axis=0),
        )

    @property
    def numbers(self) -> dict[str, Any]:
        """What the script draws."""
        return {
            "name": self.name,
            "height": self.height,
            "time": _times(self.seconds),
            "daily": bool((self.seconds[self._is_known] % _DAY == 0.0).all()),
            "lines": [
                {"name": line.name, "style": line.style, "values": _figures(line.values)}
                for line in self.lines
            ],
            "band": _figures(self.band),
            "bandName": self.band_name,
        }


@dataclass(frozen=True, slots=True)
class TimeFigure:
    """Plots below each other.

    Attributes
    ----------
    label
        Text alternative: what there is to see.
    picture
        Shown where there is no plot.
    """

    label: str
    plots: tuple[LivePlot, ...]
    picture: Markup = _NONE

    def __html__(self) -> Markup:
        """Return the still pictures, for pages without a script."""
        name = Markup('<p class="plot-name">{}</p>{}')
        told = Markup("").join(name.format(plot.name, plot.still) for plot in self.plots)
        return told or self.picture

    @property
    def numbers(self) -> Markup:
        """All plots, for the script."""
        return embedded_json([plot.numbers for plot in self.plots])


def compared(
    name: str, lines: Sequence[tuple[str, Floats, Floats]], at_most: int = MAX_POINTS // 2
) -> LivePlot:
    """Draw several lines over one axis, each read at the same times.

    Parameters
    ----------
    lines
        Name, times in seconds and values of each.
    at_most
        Times that they are read at.
    """
    known = np.unique(np.concatenate([seconds for _, seconds, _ in lines]))
    places = np.linspace(0, len(known) - 1, min(at_most, len(known))).round().astype(np.int64)
    grid = known[places]
    drawn = tuple(
        DrawnLine(title, f"c{place}", _at(seconds, values, grid))
        for place, (title, seconds, values) in enumerate(lines)
    )
    return LivePlot(name, grid, drawn, np.empty(0), height=220)


def _last(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else math.nan


def _at(seconds: Floats, values: Floats, grid: Floats) -> Floats:
    """Read a line at other times: its last value until then, NaN before its start and its end."""
    place = np.searchsorted(seconds, grid, side="right") - 1
    inside = (place >= 0) & (grid <= seconds[-1])
    return np.where(inside, values[np.maximum(place, 0)], np.nan)


def embedded_json(value: Any) -> Markup:
    """Write plain values as JSON that can stand in a page: no text ends the script, none steers.

    Names are written out as everywhere on the page *before* they become JSON: an escape of JSON
    would be undone by the script that reads it.
    """
    text = json.dumps(_shown(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {_shown(key): _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value


def _times(seconds: Floats) -> dict[str, Any]:
    """Write times as steps of one unit: on most days that is one character each."""
    whole = seconds.round().astype(np.int64)
    steps = np.diff(whole)
    unit = int(np.gcd.reduce(steps)) if len(steps) else 1
    return {"start": int(whole[0]), "unit": unit or 1, "steps": (steps // (unit or 1)).tolist()}


def _figures(values: Floats) -> list[float | None]:
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if len(finite) else 0.0
    places = _DIGITS - 1 - math.floor(math.log10(largest)) if largest > 0.0 else 0
    return [_rounded(each, places) if math.isfinite(each) else None for each in values.tolist()]


def _rounded(value: float, places: int) -> float:
    """Without the point where there is nothing behind it."""
    found = round(value, places)
    return int(found) if found == int(found) else found
