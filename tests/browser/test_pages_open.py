"""Pages open without a complaint, and each of their links leads somewhere."""

from __future__ import annotations

import pytest
from browsing import Show
from shown_pages import PAGES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("kind", PAGES)
def test_every_link_leads_to_what_it_names(show: Show, kind: str) -> None:
    """A section with a heading, which is in sight once the link is followed."""
    page = show(kind)
    links = page.locator("a[href]")
    targets = {link.get_attribute("href") for link in links.all()}
    assert len(targets) >= 4
    for target in sorted(filter(None, targets)):
        assert target.startswith("#"), target
        if target.startswith("#symbol="):
            continue  # of a symbol, whose page a script writes: below
        section = page.locator(f'[id="{target.removeprefix("#")}"]')
        assert section.count() == 1, target
        page.locator(f'a[href="{target}"]').first.click()
        assert section.locator("h2").first.text_content()
        assert page.evaluate(
            "place => { const box = document.getElementById(place).getBoundingClientRect();"
            "return box.bottom > 0 && box.top < innerHeight; }",
            target.removeprefix("#"),
        ), target


@pytest.mark.parametrize("kind", ["quickstart", "odd", "large"])
def test_a_symbol_has_its_page(show: Show, kind: str) -> None:
    """Each link to one writes its page and brings it into sight, whatever it is called."""
    page = show(kind)
    links = page.locator('a[href^="#symbol="]')
    symbols = dict.fromkeys(links.all_inner_texts())
    assert len(symbols) >= 6
    for symbol in [*symbols][-4:]:
        links.get_by_text(symbol, exact=True).first.click()
        shown = page.locator("#symbol-page")
        shown.locator("h3").wait_for()
        assert shown.locator("h3").inner_text() == symbol
        assert page.locator("#symbol").evaluate(
            "section => section.getBoundingClientRect().top < innerHeight"
        )
        assert shown.locator("dd").count() >= 3
    page.get_by_label("Symbol", exact=True).fill("nobody is called this")
    assert "None of the" in page.locator("#symbol-status").inner_text()
    assert page.locator("#symbol-page > *").count() == 0


@pytest.mark.parametrize("kind", PAGES)
def test_names_are_shown_as_they_are(show: Show, kind: str) -> None:
    """No name of the data became an element: images are not used, scripts are the page's own."""
    page = show(kind)
    assert page.locator("img, iframe, object, link, a[href^=javascript]").count() == 0
    assert page.locator("[onerror], [onload], [onclick]").count() == 0
    if kind == "odd":
        assert page.get_by_text("<img src=x onerror=alert(1)>").count() > 10
