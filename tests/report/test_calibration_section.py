"""Whether the page says that probabilities can be believed, and what it draws of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_runs import SampleRun

from ray_pipeline.report import calibration_section
from ray_pipeline.report.calibration_section import write_calibration_section
from ray_pipeline.report.curves import level_chart, match_chart
from ray_pipeline.report.page import render_page
from ray_pipeline.report.scales import share_scale
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.reading import Results


@pytest.fixture
def contents(run_uri: str) -> RunContents:
    return read_contents(Results(SampleRun().write(run_uri)))


def test_each_target_has_a_verdict_and_a_chart_of_each_figure(contents: RunContents) -> None:
    """Those of the plan, in its order; the same sentences are on the page."""
    section = write_calibration_section(contents)
    targets = section.targets.rows
    assert [each.target for each in targets] == list(
        dict.fromkeys(job.target for job in contents.jobs)
    )
    for each in targets:
        n = 1 if each.target.startswith("y_") else 2
        assert (len(each.sentences), len(each.charts)) == (n, n)
    page = render_page(contents)
    assert page.count('id="calibration"') == 1
    assert 'href="#calibration"' in page
    for each in targets:
        for sentence in each.sentences:
            assert sentence in page
        for _, chart in each.charts:
            assert chart in page


def test_without_the_table_there_is_no_section(contents: RunContents) -> None:
    """A run of an older version, or one that trained nothing, has no promise to keep."""
    assert contents.calibration is not None
    for table in (None, contents.calibration.slice(0, 0)):
        without = replace(contents, calibration=table)
        assert write_calibration_section(without).targets.rows == ()
        assert "#calibration" not in render_page(without)


def test_many_targets_are_cut_and_counted(
    contents: RunContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page stays small and says where the rest is."""
    monkeypatch.setattr(calibration_section, "MAX_TARGETS", 1)
    section = write_calibration_section(contents)
    assert len(section.targets.rows) == 1
    assert section.targets.note.endswith("evaluation/calibration.parquet has them all.")
    assert section.targets.note in render_page(contents)


def test_dots_on_the_diagonal_are_where_both_agree() -> None:
    """Across and up are one scale; filled is what the interval does not explain."""
    scale = share_scale([0.2, 0.8])
    svg = match_chart([0.3, 0.5, 0.7], [0.3, 0.5, 0.4], [0.05, None, 0.1], ["a", "b", "c"], scale)
    dots = re.findall(r'<circle class="dot (\w+)" cx="([\d.]+)%" cy="([\d.]+)"', svg)
    assert [kind for kind, _, _ in dots] == ["no", "no", "yes"]
    line = re.search(
        r'<line class="path no" x1="([\d.]+)%" y1="([\d.]+)" x2="([\d.]+)%" y2="([\d.]+)"', svg
    )
    assert line is not None
    x1, y1, x2, y2 = map(float, line.groups())
    for _, x, y in dots[:2]:
        assert float(y) == pytest.approx(y1 + (y2 - y1) * (float(x) - x1) / (x2 - x1), abs=0.2)
    assert svg.count('class="whisker end"') == 2
    assert svg.count(">60%<") == 2


def test_a_level_is_drawn_with_what_lies_beside_it() -> None:
    """Hollow where nothing stands out, filled where an interval is on one side of the level."""
    scale = share_scale([0.5, 1.0])
    svg = level_chart(
        [0.9, 0.7, None],
        [0.05, 0.05, None],
        0.9,
        [0.8, None, 0.6],
        [(0.0, "a"), (1.0, "b")],
        list("xyz"),
        scale,
    )
    assert re.findall(r'<circle class="dot (\w+)"', svg) == ["no", "yes"]
    assert svg.count('<rect class="square"') == 2
    assert '<line class="zero"' in svg


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_scale_of_shares_holds_all_and_names_each_tick_once(values: list[float]) -> None:
    """Whatever their span: no two ticks read alike."""
    scale = share_scale(values)
    assert all(scale.holds(value) for value in values)
    assert len(set(scale.labels)) == len(scale.ticks) >= 2
    assert all(scale.holds(tick) for tick in scale.ticks)
