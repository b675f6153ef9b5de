"""Nothing is cut off or written over something else: on a desk, on a phone, and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import PHONE, WIDE, Show, unfold
from shown_pages import PAGES

pytestmark = pytest.mark.browser

PAPER = 688
"""Pixels between the margins of an A4 page."""

CUT_OFF = """() => {
  const found = [];
  const shown = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = shown.nextNode(); node; node = shown.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("script, style, .unseen, title")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width === 0) continue;
    // What scrolls shows all of it, as long as it is itself inside the page.
    const frame = parent.closest(".scroll");
    const [low, high] = frame
      ? [frame.getBoundingClientRect().left - frame.scrollLeft,
         frame.getBoundingClientRect().left - frame.scrollLeft + frame.scrollWidth]
      : [0, document.documentElement.clientWidth];
    if (box.left < low - 1 || box.right > high + 1)
      found.push(`${node.data.trim().slice(0, 60)}: ${box.left} to ${box.right}`);
  }
  for (const frame of document.querySelectorAll(".scroll")) {
    const box = frame.getBoundingClientRect();
    if (box.right > document.documentElement.clientWidth + 1) found.push(frame.ariaLabel);
  }
  return found;
}"""
"""Texts that lie outside of the page, or of what scrolls inside of it."""

WRITTEN_OVER = """() => {
  const found = [];
  const overlaps = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  for (const chart of document.querySelectorAll("svg")) {
    const texts = [...chart.querySelectorAll(":scope > text")]
      .filter((text) => text.textContent && getComputedStyle(text).visibility === "visible")
      .map((text) => [text.textContent, text.getBoundingClientRect()]);
    for (const [i, [name, box]] of texts.entries())
      for (const [other, beside] of texts.slice(i + 1))
        if (overlaps(box, beside)) found.push(`${name} over ${other}`);
  }
  for (const row of document.querySelectorAll("tr")) {
    for (const cell of row.cells) {
      if (cell.scrollWidth > cell.clientWidth + 1 && !cell.querySelector("svg"))
        found.push(`${cell.textContent.trim().slice(0, 40)} leaves its cell`);
    }
  }
  return found;
}"""
"""Texts of a chart's axis over each other, and of a cell over the next one."""


@pytest.mark.parametrize("width", [WIDE, PHONE, 768])
@pytest.mark.parametrize("kind", PAGES)
def test_nothing_is_cut_off(show: Show, kind: str, width: int) -> None:
    """The page is as wide as its window, and all texts are inside of it or can be scrolled to."""
    page = show(kind, width)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(WRITTEN_OVER) == []


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("kind", PAGES)
def test_paper_has_all_of_it(show: Show, kind: str, scripts: bool) -> None:
    """What is folded or scrolled on a screen is there; what is only of use on one is not."""
    page = show(kind, PAPER, java_script_enabled=scripts)
    page.emulate_media(media="print")
    assert page.locator("nav, input").locator("visible=true").count() == 0
    for text in page.locator("details > *:not(summary, input, [hidden])").all():
        assert text.evaluate("part => part.checkVisibility()"), text.text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    for frame in page.locator(".scroll").all():
        assert frame.evaluate(
            "frame => [frame.scrollWidth <= frame.clientWidth + 1,"
            "frame.scrollHeight <= frame.clientHeight + 1]"
        ) == [True, True], frame.get_attribute("aria-label")
    assert page.evaluate(CUT_OFF) == []


def test_printing_unfolds_and_folds_again(show: Show, tmp_path: Path) -> None:
    """A PDF of several pages is made, and the page is afterwards as it was."""
    page = show("quickstart")
    page.evaluate(
        "addEventListener('beforeprint', () => window.unfolded ="
        " document.querySelectorAll('details:not([open])').length)"
    )
    folded = page.locator("details:not([open])").count()
    assert folded > 2
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert page.evaluate("window.unfolded") == 0
    assert page.locator("details:not([open])").count() == folded
    pages = (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n")
    assert pages > 4
