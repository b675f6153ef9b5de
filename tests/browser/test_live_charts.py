"""Charts of time under the hand: they are read, zoomed and compared together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from browsing import PHONE, WIDE, Show

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

DAY = r"\d{4}-\d\d-\d\d"


def drawn(page: Page) -> list[Locator]:
    """Bring every figure into sight, and return the canvases of all."""
    for figure in page.locator("figure.live:visible").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("each => each.matches('.is-live')", arg=figure.element_handle())
    found = page.locator(".drawing:visible").all()
    assert len(found) >= 4
    return found


def shown_days(plot: Locator) -> str:
    """Return what the legend says of the time under the cursor."""
    return plot.locator(".u-series .u-value").first.inner_text()


def days_at(page: Page, plot: Locator, share: float) -> str:
    """Put the mouse over a share of a plot's width, and read the time there."""
    plot.scroll_into_view_if_needed()
    over = plot.locator(".u-over").bounding_box()
    assert over is not None
    page.mouse.move(over["x"] + share * over["width"], over["y"] + over["height"] / 2)
    page.wait_for_function(
        "plot => plot.querySelector('.u-series .u-value').textContent !== '–'",
        arg=plot.element_handle(),
    )
    return shown_days(plot)


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_a_point_in_time_is_read_in_all_of_them(show: Show, width: int) -> None:
    """The cursor of one is the cursor of each, and each says its figures there."""
    page = show("quickstart", width)
    plots = drawn(page)
    there = days_at(page, plots[1], 0.5)
    assert re.match(DAY, there)
    for plot in plots:
        said = shown_days(plot)
        assert re.match(DAY, said), said
        # Folds are read at their ends, portfolios where they were formed.
        assert said[:7] == there[:7]
    values = plots[1].locator(".u-series:not(.u-hidden) .u-value").all_inner_texts()
    assert all(re.fullmatch(r"[±+−]?\d+\.\d+", value) for value in values[1:]), values


def test_a_stretch_that_is_drawn_over_is_enlarged_in_all(show: Show) -> None:
    """With the mouse; a double click shows all of the time again."""
    page = show("quickstart")
    plots = drawn(page)
    whole = [days_at(page, plot, 0.02) for plot in plots[:3]]
    plots[1].scroll_into_view_if_needed()
    over = plots[1].locator(".u-over").bounding_box()
    assert over is not None
    y = over["y"] + over["height"] / 2
    page.mouse.move(over["x"] + 0.5 * over["width"], y)
    page.mouse.down()
    page.mouse.move(over["x"] + 0.8 * over["width"], y, steps=5)
    page.mouse.up()
    enlarged = [days_at(page, plot, 0.02) for plot in plots[:3]]
    assert all(later > early for later, early in zip(enlarged, whole, strict=True))
    plots[1].locator(".u-over").dblclick()
    assert [days_at(page, plot, 0.02) for plot in plots[:3]] == whole


def test_the_keyboard_reads_and_enlarges(show: Show) -> None:
    """Arrows go from point to point and say it; plus, minus and Escape zoom; buttons do too."""
    page = show("quickstart")
    plot = drawn(page)[1]
    said = plot.locator("[aria-live]")
    plot.focus()
    page.keyboard.press("ArrowRight")
    first = said.inner_text()
    page.keyboard.press("ArrowRight")
    assert re.match(f"Time {DAY}.*, ", first)
    assert said.inner_text() > first
    whole = days_at(page, plot, 0.98)
    plot.focus()
    page.keyboard.press("+")
    assert days_at(page, plot, 0.5) <= whole
    figure = plot.locator("xpath=..")
    figure.get_by_role("button", name="Show all of the time").click()
    assert days_at(page, plot, 0.98) == whole
    figure.get_by_role("button", name="Zoom in").click()
    assert days_at(page, plot, 0.98) != whole
    plot.focus()
    page.keyboard.press("Escape")
    assert days_at(page, plot, 0.98) == whole


def test_lines_are_switched_off_and_on(show: Show) -> None:
    """From the keyboard as well, and the name says whether its line is on."""
    page = show("quickstart")
    name = drawn(page)[0].locator(".u-label[role=button]").first
    assert name.get_attribute("aria-pressed") == "true"
    name.focus()
    page.keyboard.press("Enter")
    assert name.get_attribute("aria-pressed") == "false"
    page.keyboard.press(" ")
    assert name.get_attribute("aria-pressed") == "true"


def test_a_theme_is_followed_while_the_page_is_open(show: Show) -> None:
    """The same charts in other colours."""
    page = show("quickstart")
    n_plots = len(drawn(page))
    colour = "getComputedStyle(document.querySelector('.drawing .u-marker')).borderTopColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{colour} !== {light!r}")
    assert len(drawn(page)) == n_plots


@pytest.mark.parametrize("scripts", [True, False])
def test_paper_and_pages_without_scripts_have_the_still_pictures(show: Show, scripts: bool) -> None:
    """As many as there are plots, each with its axis; canvases are for screens."""
    page = show("quickstart", java_script_enabled=scripts)
    if scripts:
        drawn(page)
        assert page.locator(".still:visible").count() == 0
        page.emulate_media(media="print")
    assert page.locator(".drawing:visible, .zoom:visible").count() == 0
    for still in page.locator("figure.live .still").all():
        assert still.is_visible()
        assert still.locator("svg.row polyline, svg.row circle").count() >= 1
