"""Tables sort and are filtered, and what exists is never answered with an empty table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from browsing import Show

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def cells(table: Locator, column: int) -> list[str]:
    """Return the texts of a column, of the rows that are shown."""
    found: list[str] = table.evaluate(
        "(table, column) => [...table.tBodies[0].rows].filter((row) => row.offsetParent !== null)"
        ".map((row) => row.cells[column].textContent.trim())",
        column,
    )
    return found


def figure(text: str) -> float | None:
    """Read the first figure of a cell as a person does; None where nothing was measured."""
    plain = text.replace("−", "-").replace(",", "")
    found = re.search(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", plain)
    if found is None:
        return None
    unit = re.match(r" (kB|MB|GB|B)\b", plain[found.end() :])
    return float(found[0]) * UNITS[unit[1] if unit else "B"]


SORTED_THRICE = """table => [...table.querySelectorAll("button.sort")].map((button) => {
  const head = button.parentElement;
  const texts = () => [...table.tBodies[0].rows].map((row) =>
    row.cells[head.cellIndex].textContent.trim());
  const turns = [[null, texts()]];
  for (let turn = 0; turn < 3; turn++) {
    button.click();
    const sorted = table.querySelectorAll("[aria-sort]");
    const isOther = sorted.length > 1 || (sorted.length === 1 && sorted[0] !== head);
    if (isOther) throw Error(head.innerText);
    turns.push([head.getAttribute("aria-sort"), texts()]);
  }
  return [head.classList.contains("n"), turns];
})"""
"""For each column: whether it has figures, and how and into what each press sorted it."""


@pytest.mark.parametrize("kind", ["quickstart", "groups", "failed", "odd", "live"])
def test_every_column_sorts_and_the_order_of_the_run_comes_back(show: Show, kind: str) -> None:
    """Figures fall first and then rise, missing ones stay last, no row is lost; then as it was."""
    n_sorted = 0
    for table in show(kind).locator("table.list").all():
        for has_figures, turns in table.evaluate(SORTED_THRICE):
            before = turns[0][1]
            told_turns = ["descending", "ascending"] if has_figures else ["ascending", "descending"]
            assert [turn for turn, _ in turns] == [None, *told_turns, None]
            assert turns[3][1] == before
            for turn, after in turns[1:3]:
                assert sorted(after) == sorted(before)
                values = [
                    figure(text) if has_figures else text.strip("–") or None for text in after
                ]
                told = [each for each in values if each is not None]
                assert values == [*told, *[None] * (len(values) - len(told))], after
                if has_figures:
                    assert told == sorted(told, reverse=turn == "descending"), after
            n_sorted += 1
    assert n_sorted > 10


def test_texts_sort_as_people_count(show: Show) -> None:
    """S2 comes before S10; the other way round when it is pressed again."""
    table = show("groups").locator("#route-rows")
    symbols = table.get_by_role("button", name="Symbol", exact=True)
    symbols.click()
    rising = cells(table, 1)
    assert rising == sorted(rising, key=lambda name: int(name.removeprefix("S")))
    symbols.click()
    assert cells(table, 1) == rising[::-1]


@pytest.mark.parametrize("kind", ["quickstart", "groups", "odd", "large", "live"])
def test_a_filter_finds_every_row_by_its_name(show: Show, kind: str) -> None:
    """A row is found by its first texts, in any case; nothing else is lost when it is emptied."""
    page = show(kind)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    boxes = [box for box in page.locator("input.filter").all() if box.is_visible()]
    assert boxes
    for box in boxes:
        table = page.locator("#" + (box.get_attribute("data-table") or ""))
        rows = table.evaluate(
            "table => [...table.tBodies[0].rows].map((row) => row.textContent.trim())"
        )
        names = [*dict.fromkeys([*cells(table, 0), *cells(table, 1)])]
        assert len(rows) >= 15
        # Of the routes a script holds more than it has written.
        is_whole = kind != "large" or "route-rows" not in (table.get_attribute("id") or "")
        status = box.locator("xpath=following-sibling::*[1]")
        for name in names[:: max(1, len(names) // 12)]:
            box.fill(name.upper())
            wanted = [row for row in rows if all(w in row.lower() for w in name.lower().split())]
            shown = table.locator("tbody tr:visible").count()
            if is_whole:
                assert shown == len(wanted), name
            assert shown >= len(wanted) > 0, name
            if name:
                assert re.match(rf"{shown} of [\d,]+ ro(w|ute)s", status.inner_text())
        box.fill("   ")
        assert table.locator("tbody tr:visible").count() == len(rows)
        assert not is_whole or not status.is_visible()


def test_a_row_far_down_is_found(show: Show) -> None:
    """The table shows the first of 3,600 routes, and finds and sorts all of them."""
    page = show("large")
    table = page.locator("#route-rows")
    n_written = table.locator("tbody tr").count()
    assert 100 < n_written < 3_600
    box = page.get_by_label("Filter rows of: Routes symbol by symbol")
    told = box.locator("xpath=following-sibling::*[1]")
    assert f"3600 of 3600 routes, of which the first {n_written} are shown" in told.inner_text()
    box.fill("fwd_ret_12d S299")
    assert cells(table, 0) == ["fwd_ret_12d"]
    assert cells(table, 1) == ["S299"]
    box.fill("nobody")
    assert cells(table, 0) == []
    assert "None of the 3600 routes has “nobody”" in told.inner_text()
    box.fill("")
    table.get_by_role("button", name="Symbol", exact=True).click(click_count=2)
    assert set(cells(table, 1)) >= {"S299", "S298"}


def test_models_that_the_page_leaves_out_are_not_denied(show: Show) -> None:
    """What is not among those that are listed has its place told."""
    page = show("large")
    box = page.get_by_label("Filter rows of: Models trained")
    box.fill("nobody")
    assert page.locator("#model-rows tbody tr:visible").count() == 0
    told = box.locator("xpath=following-sibling::*[1]").inner_text()
    assert "rows here has “nobody”. Showing 200 of" in told
    assert "models/ has them all" in told


def test_sorting_keeps_a_filter(show: Show) -> None:
    """What was left out stays out, wherever its row goes."""
    page = show("odd")
    table = page.locator("#route-rows")
    page.get_by_label("Filter rows of: Routes symbol by symbol").fill("SYM03")
    before = cells(table, 1)
    assert set(before) == {"SYM03"}
    for head in table.locator("button.sort").all():
        head.click()
        assert sorted(cells(table, 1)) == sorted(before)
