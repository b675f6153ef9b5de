"""Charts of time: what the script is given, what stands there without it, and the library."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from markupsafe import Markup

from ray_pipeline.report.timelines import (
    DrawnLine,
    LivePlot,
    TimeFigure,
    compared,
    embedded_json,
)
from ray_pipeline.report.vendored_library import VENDORED, vendored_library
from ray_pipeline.report.worth_timelines import compared_worth, worth_curve, worth_timeline

DAYS = np.array([datetime(2020, 1, day, tzinfo=UTC).timestamp() for day in (2, 3, 6, 7)])


def plot(values: list[float], band: list[float] | None = None) -> LivePlot:
    line = DrawnLine("Net", "yes", np.array(values))
    return LivePlot("Returns", DAYS, (line,), np.array(band or []), "Chance")


def read_back(numbers: dict[str, object]) -> list[float]:
    """Do what the script does with times."""
    time = numbers["time"]
    assert isinstance(time, dict)
    steps = [0, *time["steps"]]
    return [time["start"] + time["unit"] * int(n) for n in np.cumsum(steps)]


def test_times_are_steps_of_their_largest_unit() -> None:
    """Days are ones and threes, and come back to the second; hours are told from days."""
    numbers = plot([0.0, 1.0, 2.0, 3.0]).numbers
    assert numbers["time"] == {"start": int(DAYS[0]), "unit": 86_400, "steps": [1, 3, 1]}
    assert (read_back(numbers), numbers["daily"]) == (DAYS.tolist(), True)
    line = DrawnLine("Net", "yes", np.zeros(2))
    hours = LivePlot("Returns", DAYS[0] + np.array([0.0, 5400.0]), (line,), np.empty(0))
    assert (hours.numbers["time"]["unit"], hours.numbers["daily"]) == (5400, False)


def test_figures_keep_four_digits_of_the_largest() -> None:
    """What is not measured is null: JSON has no NaN."""
    numbers = plot([0.123456, -12.34567, float("nan"), 2.0]).numbers
    assert numbers["lines"][0]["values"] == [0.12, -12.35, None, 2]


def test_a_line_is_broken_where_it_is_not_measured() -> None:
    """Two polylines, and nothing between them; the band is one area with both edges."""
    still = plot([0.0, 1.0, float("nan"), 3.0], [1.0, 1.0, 2.0, 2.0]).still
    lines = re.findall(r'<polyline class="path yes" points="([^"]*)"', still)
    assert [len(line.split()) for line in lines] == [2, 1]
    (band,) = re.findall(r'<polygon class="band" points="([^"]*)"', still)
    assert len(band.split()) == 8
    assert (">2020-01-02<" in still, ">2020-01-07<" in still) == (True, True)


def test_several_lines_are_read_at_the_same_times() -> None:
    """The last value until then; nothing before a line begins or after it ends."""
    first = ("a", np.array([0.0, 10.0]), np.array([1.0, 2.0]))
    second = ("b", np.array([5.0, 10.0, 20.0]), np.array([7.0, 8.0, 9.0]))
    found = compared("Both", [first, second])
    assert found.seconds.tolist() == [0.0, 5.0, 10.0, 20.0]
    a, b = (line.values for line in found.lines)
    np.testing.assert_array_equal(a, [1.0, 1.0, 2.0, np.nan])
    np.testing.assert_array_equal(b, [np.nan, 7.0, 8.0, 9.0])
    assert [line.style for line in found.lines] == ["c0", "c1"]
    assert found.has_key


def test_embedded_text_neither_ends_the_script_nor_steers_what_is_read() -> None:
    """A name with an end tag or a bidirectional override arrives as it is shown elsewhere."""
    text = embedded_json(["</script>", "A\u202eB", "a & b"])
    assert isinstance(text, Markup)
    assert not set(text) & set("<>&\u202e")
    assert json.loads(text) == ["</script>", r"A\u202eB", "a & b"]


def test_numbers_that_json_has_not_are_refused() -> None:
    """A NaN would be a syntax error for the script."""
    with pytest.raises(ValueError, match="JSON"):
        embedded_json([float("nan")])


def rows(*net: float) -> list[dict[str, object]]:
    return [
        {"ts": datetime.fromtimestamp(at, UTC), "gross": 2 * value, "net": value}
        for at, value in zip(DAYS, net, strict=True)
    ]


def test_a_portfolio_has_its_drawdown_below() -> None:
    """From the best so far, which is 0 at first; the label says what a picture shows."""
    figure = worth_timeline("cs_a__ridge", worth_curve(rows(-0.25, 0.5, 0.25, 1.0)))
    returns, drawdown = figure.plots
    assert [line.name for line in returns.lines] == ["Gross", "Net"]
    assert drawdown.lines[0].values.tolist() == [-0.25, 0.0, -0.25, 0.0]
    assert "+1.000 net and +2.000 gross in the end, at worst −0.250 below" in figure.label
    assert str(figure.__html__()).count("<svg") == 4


def test_portfolios_are_compared_where_there_are_two() -> None:
    """One has its own figure already."""
    curve = worth_curve(rows(0.0, 1.0, 2.0, 3.0))
    assert compared_worth({"a": curve}) is None
    both = compared_worth({"a": curve, "b": curve})
    assert both is not None
    assert [line.name for line in both.plots[0].lines] == ["a", "b"]


def test_a_figure_without_plots_is_its_picture() -> None:
    """Where no time is known there are the folds alone."""
    assert TimeFigure("Skill", (), Markup("<svg></svg>")).__html__() == "<svg></svg>"


def test_the_library_is_what_was_published() -> None:
    """Each file has the checksum that stands beside it, and the license is in the folder."""
    told = json.loads((VENDORED / "library.json").read_text("utf-8"))
    found = {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in VENDORED.iterdir()
        if each.name != "library.json"
    }
    assert found == told["files"]
    assert (told["name"], told["version"], told["license"]) == ("uplot", "1.6.32", "MIT")
    assert told["integrity"].startswith("sha512-KIMVnG68zvu5XXUbC4LQ")
    first = (VENDORED / "uPlot.iife.min.js").read_text("utf-8").partition("\n")[0]
    assert f"(v{told['version']})" in first
    assert "Permission is hereby granted, free of charge" in found_text("LICENSE")


def found_text(name: str) -> str:
    return (VENDORED / name).read_text("utf-8")


def test_a_page_thanks_the_library_and_names_no_address() -> None:
    """All of the script but its first line, under the license."""
    script = vendored_library().script
    assert "http" not in script
    assert script.startswith("/*! uplot 1.6.32, MIT")
    assert "Leon Sorokin" in script
    assert script.endswith(found_text("uPlot.iife.min.js").partition("\n")[2])
    assert "</script" not in script
