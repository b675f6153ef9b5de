"""Scales and charts: places by hand, escaping, and the limits of a chart."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.report.charts import (
    StripPoint,
    bar,
    fold_bar,
    interval,
    scale_axis,
    stacked_bar,
    strip,
)
from ray_pipeline.report.curves import column_chart, curve_chart
from ray_pipeline.report.scales import Scale, date_names, skill_scale

SCALE = Scale(-0.1, 0.1, (-0.05, 0.0, 0.05))


def places(svg: str, attribute: str) -> list[float]:
    return [float(found) for found in re.findall(rf'\b{attribute}="(-?[\d.]+)%"', svg)]


@given(st.lists(st.floats(-1, 1), max_size=30))
def test_scale_holds_zero_and_all_values(values: list[float]) -> None:
    """No value lies outside, ticks are few, rise evenly, lie inside and have distinct labels."""
    scale = skill_scale(values)
    assert all(scale.holds(value) for value in [0.0, *values])
    assert 3 <= len(scale.ticks) <= 8
    assert 0.0 in scale.ticks
    assert all(scale.holds(tick) for tick in scale.ticks)
    assert sorted(scale.ticks) == list(scale.ticks)
    assert len(set(scale.labels)) == len(scale.labels)


def test_ticks_are_round_and_labelled_with_their_places() -> None:
    """The step is 1, 2 or 5 times a power of ten; labels have as many places as it needs."""
    scale = skill_scale([-0.02, 0.071])
    assert scale.ticks == (-0.02, 0.0, 0.02, 0.04, 0.06)
    assert scale.labels == ("−0.02", "0", "+0.02", "+0.04", "+0.06")
    assert skill_scale([-0.4, 0.45], n_ticks=4).labels == ("−0.4", "−0.2", "0", "+0.2", "+0.4")
    assert skill_scale([-1, 1]).labels == ("−1.0", "−0.5", "0", "+0.5", "+1.0")
    assert skill_scale([]).labels[0] == "−0.10"


def test_percent_is_linear_and_held_inside() -> None:
    """The ends are 0 and 100, the middle 50, and nothing lies beyond."""
    assert SCALE.percent(-0.1) == 0
    assert SCALE.percent(0.1) == 100
    assert math.isclose(SCALE.percent(0.0), 50)
    assert SCALE.percent(7.0) == 100


def test_interval_draws_dot_and_whisker_in_place() -> None:
    """A skill of 0.05 ± 0.025 on −0.1 … 0.1 is at 75 % with ends at 62.5 % and 87.5 %."""
    svg = interval(0.05, 0.025, SCALE, marked=True, title="A & B")
    assert places(svg, "cx") == [75.0]
    assert 'class="dot yes"' in svg
    assert 'x1="62.50%" x2="87.50%"' in svg
    assert "arrow" not in svg
    assert "<title>A &amp; B</title>" in svg


def test_interval_beyond_the_scale_ends_in_an_arrow() -> None:
    """Each end outside has an arrowhead at the edge, so that nobody takes the edge for the end."""
    svg = interval(0.0, 0.5, SCALE, marked=False, title="")
    assert svg.count("<path") == 2
    assert 'x1="0.00%" x2="100.00%"' in svg


def test_what_was_not_measured_draws_no_mark() -> None:
    """No skill, no dot; no error, no whisker."""
    assert "circle" not in interval(math.nan, math.nan, SCALE, marked=False, title="x")
    svg = interval(0.05, None, SCALE, marked=False, title="x")
    assert "circle" in svg
    assert "whisker" not in svg
    assert 'width="0.0%"' in bar(None, marked=True)


def test_few_points_are_named_and_many_are_one_path() -> None:
    """Up to 150 dots carry their symbol; 500 are a path with one step each."""
    points = [StripPoint(i / 5000, i % 2 == 0, f"S{i}<") for i in range(500)]
    few = strip(points[:150], SCALE)
    assert few.count("<circle") == 150
    assert "<title>S3&lt;</title>" in few
    many = strip(points, SCALE)
    assert "<circle" not in many
    assert many.count("h.01") == 500
    assert len(many) < 12_000


def test_equal_points_do_not_cover_each_other() -> None:
    """Seven symbols with one skill lie on seven lanes, inside the row."""
    svg = strip([StripPoint(0.01, False, f"S{i}") for i in range(7)], SCALE)
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', svg)]
    assert len(set(heights)) == 7
    assert all(0 < height < 34 for height in heights)


def test_marked_points_lie_on_top() -> None:
    """Predictable symbols are drawn last."""
    svg = strip([StripPoint(0.05, True, "yes"), StripPoint(0.06, False, "no")], SCALE)
    assert svg.index("<title>no<") < svg.index("<title>yes<")


def test_charts_say_in_words_what_they_show() -> None:
    """Beside figures of the same row they are silent; a mark that is not drawn has no name."""
    points = [StripPoint(0.05, True, "B <+0.05>"), StripPoint(-0.06, False, "A")]
    assert 'role="img" aria-label="from A to B &lt;+0.05&gt;"' in strip(points, SCALE)
    assert 'role="img" aria-label="t: 0.05"' in interval(
        0.05, 0.1, SCALE, marked=True, title="t: 0.05"
    )
    assert "aria-label" not in interval(None, None, SCALE, marked=True, title="t")
    columns = column_chart([0.1, 0.2], [None, None], "ab", ["a <1>", "b 2"], skill_scale([0.2]))
    assert 'role="img" aria-label="a &lt;1&gt;; b 2"' in columns
    for silent in (bar(0.4, marked=True), fold_bar(0.1, 0.5, 0.6), scale_axis(SCALE)):
        assert 'aria-hidden="true"' in silent
        assert "aria-label" not in silent


def test_stacked_segments_adjoin_and_fill_the_width() -> None:
    """Counts 1, 0, 3 give segments 0–25 % and 25–100 %."""
    drawn = stacked_bar([("BOTH", 1), ("SYMBOL_SPECIFIC", 0), ("BLOCKED", 3)])
    assert re.findall(r'class="(\w+)" style="width: ([\d.]+)%"', drawn) == [
        ("BOTH", "25.00"),
        ("BLOCKED", "75.00"),
    ]
    assert 'title="BLOCKED: 3 of 4"' in drawn
    assert "<span" not in stacked_bar([("BOTH", 0)])


def test_bars_and_folds_are_shares_of_the_width() -> None:
    """A bar of 0.4 ends at 40 %; shares outside [0, 1] are held inside."""
    assert 'class="bar yes" width="40.0%"' in bar(0.4, marked=True)
    assert 'width="100.0%"' in bar(1.7, marked=False)
    svg = fold_bar(0.1, 0.5, 0.6)
    assert 'class="bar no" x="10.00%" width="40.00%"' in svg
    assert 'x="50.00%" width="10.00%"' in svg


def test_axis_labels_stand_under_their_gridlines() -> None:
    """The texts have the places of the ticks."""
    assert places(scale_axis(SCALE), "x") == [25.0, 50.0, 75.0]
    assert ">−0.05<" in scale_axis(SCALE)


@pytest.mark.parametrize(
    ("first", "last", "between"),
    [
        ("2015-06-01", "2017-10-26", ["2016-07"]),
        ("2010-04-01", "2020-03-01", ["2014", "2016"]),
        ("2024-01-10", "2024-03-20", []),
        ("1950-05-01", "2020-05-01", ["1980"]),
    ],
)
def test_a_time_axis_has_its_ends_and_round_dates(
    first: str, last: str, between: list[str]
) -> None:
    """The days at the ends are exact, those between are where a month or a year begins."""
    start, end = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last))
    names = date_names(start, end)
    assert (names[0], names[-1]) == ((0.0, first), (1.0, last))
    assert [name for _, name in names[1:-1]] == between
    for share, name in names[1:-1]:
        at = datetime.fromisoformat(f"{name}-01-01"[:10]).replace(tzinfo=UTC)
        assert math.isclose(share, (at - start) / (end - start))


@given(st.integers(0, 80_000), st.dates().filter(lambda day: 1700 < day.year < 2200))
def test_dates_of_a_time_axis_leave_each_other_room(n_hours: int, day: object) -> None:
    """They rise, and none stands where another does; few hours are told by the minute."""
    start = datetime.fromisoformat(f"{day}T09:30:00+00:00")
    names = date_names(start, start + timedelta(hours=n_hours))
    shares = [share for share, _ in names]
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    gaps = [later - earlier for earlier, later in pairwise(shares)]
    assert all(gap > 0.18 for gap in gaps)
    assert names[0][1].endswith("09:30") is (n_hours < 72)


def test_curves_have_their_first_and_last_day_at_the_ends() -> None:
    """The texts begin and end where the axis does; those under columns stand below them."""
    names = date_names(datetime(2015, 6, 1), datetime(2017, 10, 26))
    svg = curve_chart([("yes", [0.0, 1.0])], [0.0, 1.0], names, skill_scale([0.0, 1.0]), "")
    texts = dict(re.findall(r'<text class="(\w+)" x="([\d.]+)%" y="130">', svg))
    assert (texts["first"], texts["last"]) == ("14.00", "98.00")
    assert svg.index('"first"') < svg.index(">2015-06-01<") < svg.index(">2016-07<")
    columns = column_chart([0.1, 0.2], [None, None], "ab", ["", ""], skill_scale([0.2]))
    assert re.findall(r'<text class="between" x="([\d.]+)%"', columns) == ["35.00", "77.00"]
