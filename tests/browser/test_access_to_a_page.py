"""Pages for all readers: axe finds nothing, keys reach everything, and no script is needed."""

from __future__ import annotations

import pytest
from browsing import PHONE, WIDE, Show, axe_violations, unfold
from shown_pages import PAGES

pytestmark = pytest.mark.browser

MADE_OF_THE_SAME = {"bars", "series", "large"}
"""Kinds with parts of others alone, and of no more use to axe than the minutes it takes."""

MARKS = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const contrast = (colour) => {
    if (!/^rgb/.test(colour) || /, 0\\)$/.test(colour)) return 1;
    const own = luminance(colour);
    return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05);
  };
  const weak = {};
  const marks = ".row circle, .row rect, .row polyline, .row path, .row .whisker, .stack > *," +
    " .swatch, .filter";
  for (const mark of document.querySelectorAll(marks)) {
    // The track is what a bar is not, and a band what a line may be in: neither is a mark.
    if (mark.matches(".track, .band")) continue;
    const style = getComputedStyle(mark);
    const isSvg = mark instanceof SVGElement;
    const best = Math.max(...(isSvg ? [style.fill, style.stroke] : [style.borderTopColor])
      .map(contrast));
    if (best < 3) weak[mark.getAttribute("class")] = best;
  }
  return weak;
}"""
"""Marks of charts and borders of controls with a contrast to the page below 3:1 (WCAG 1.4.11)."""

FOCUS = """() => {
  const own = document.activeElement;
  if (!own || own === document.body) return null;
  window.places ??= new Map([...document.querySelectorAll("*")].map((each, i) => [each, i]));
  const style = getComputedStyle(own);
  const box = own.getBoundingClientRect();
  return {
    place: window.places.get(own),
    name: own.tagName + " " + (own.ariaLabel || own.textContent).trim().slice(0, 40),
    is_marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    is_in_sight: box.bottom > 0 && box.top < innerHeight && box.width > 0,
  };
}"""

CONTROLS = """() => {
  const places = new Map([...document.querySelectorAll("*")].map((each, i) => [each, i]));
  return [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
    .filter((each) => each.checkVisibility({visibilityProperty: true}))
    .map((each) => places.get(each));
}"""


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("kind", [kind for kind in PAGES if kind not in MADE_OF_THE_SAME])
def test_axe_finds_nothing(show: Show, axe: str, kind: str, width: int) -> None:
    """All of its rules in light; in dark those on colours, as nothing else is another one."""
    page = show(kind, width)
    unfold(page)
    assert axe_violations(page, axe) == []
    page.emulate_media(color_scheme="dark")
    colours = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    assert axe_violations(page, axe, runOnly=colours) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["quickstart", "groups", "failed", "odd", "live"])
def test_marks_stand_out_in_both_themes(show: Show, kind: str, scheme: str) -> None:
    """Text and paper change places with the theme, and no mark is too faint to be seen."""
    page = show(kind, scheme=scheme)
    unfold(page)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.body).color")
    (light, dark) = (paper, ink) if scheme == "light" else (ink, paper)
    assert min(map(int, light.strip("rgb()").split(","))) > 200
    assert max(map(int, dark.strip("rgb()").split(","))) < 50
    assert page.evaluate(MARKS) == {}


@pytest.mark.parametrize("kind", ["quickstart", "failed", "live"])
def test_keys_reach_every_control(show: Show, kind: str) -> None:
    """The tab key goes through all of them in their order, each one marked and in sight."""
    page = show(kind)
    wanted = page.evaluate(CONTROLS)
    reached = []
    for _ in range(2 * len(wanted)):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None or focus["place"] in reached:
            break
        assert focus["is_marked"], focus
        assert focus["is_in_sight"], focus
        reached.append(focus["place"])
    # Those that are drawn when they come near are reached as well.
    assert set(wanted) <= set(reached)
    assert [place for place in reached if place in set(wanted)] == wanted


def test_keys_do_what_a_mouse_does(show: Show) -> None:
    """They unfold, sort, scroll and filter."""
    page = show("quickstart")
    summary = page.locator("details:not([open]) > summary").first
    folded = summary.locator("..")
    handle = folded.element_handle()
    summary.press("Enter")
    assert handle.evaluate("part => part.open")
    head = page.locator("#model-rows button.sort").first
    head.press("Enter")
    assert head.locator("..").get_attribute("aria-sort") == "ascending"
    head.press(" ")
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    frame = page.get_by_role("group", name="Models trained", exact=True)
    frame.press("End")
    page.wait_for_function("frame => frame.scrollTop > 0", arg=frame.element_handle())
    box = page.get_by_label("Filter rows of: Models trained")
    box.press_sequentially("SYM03")
    shown = page.locator("#model-rows tbody tr:visible")
    assert 0 < shown.count() < page.locator("#model-rows tbody tr").count()
    box.press("Escape")
    assert shown.count() == page.locator("#model-rows tbody tr").count()


@pytest.mark.parametrize("kind", PAGES)
def test_without_scripts_all_of_it_can_be_read(show: Show, kind: str) -> None:
    """All sections and rows are there, nothing is there that does nothing, and folds unfold."""
    with_scripts = show(kind)
    page = show(kind, java_script_enabled=False)
    # More routes than a page can have as rows are written by a script, and said to be in a file.
    apart = ":not(.drawing *, [data-written] *)"
    for what in ("section", "tbody tr", "figure", "dt", "li"):
        found = page.locator(what + apart)
        assert found.count() == with_scripts.locator(what + apart).count(), what
    if kind == "large":
        assert page.locator("#route-rows tbody tr:visible").count() == 200
        assert "routing/routes.parquet" in page.locator("#route-note").inner_text()
    assert page.locator("section h2:visible").count() == page.locator("section").count()
    assert page.locator("input:visible, button:visible").count() == 0
    assert page.locator("tbody tr[hidden]").count() == 0
    for figure in page.locator("figure:visible").all():
        assert figure.locator("svg:visible").count() >= 1
    folded = page.locator("details:not([open]) > summary:visible")
    if folded.count():
        body = folded.first.locator("xpath=following-sibling::*[not(self::input or @hidden)]").first
        handle = body.element_handle()
        assert not handle.is_visible()
        folded.first.click()
        assert handle.is_visible()
