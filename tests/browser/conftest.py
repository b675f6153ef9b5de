"""A headless Chromium, the pages it is shown, and what nobody may overlook while one is open."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from browsing import WIDE, Show, missing
from shown_pages import make_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start the Chromium of the machine; none is downloaded."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("needs playwright: pip install 'ray-pipeline[test]'")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next(filter(None, found), None)
    if path is None:
        missing("needs a Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Find the script of axe-core in the package that carries it."""
    try:
        import axe_playwright_python
    except ImportError:
        missing("needs axe-playwright-python: pip install 'ray-pipeline[test]'")
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make each kind of page once, when it is first asked for."""
    made: dict[str, Path] = {}

    def find(kind: str) -> Path:
        if kind not in made:
            made[kind] = make_page(kind, tmp_path_factory.mktemp(kind.replace(" ", "-")))
        return made[kind]

    return find


@pytest.fixture
def show(chromium: Browser, page_of: Callable[[str], Path]) -> Iterator[Show]:
    """Open a page; none may complain, miss something, or ask anybody else for anything."""
    complaints: list[str] = []
    opened = []

    def open_page(
        kind: str, width: int = WIDE, scheme: str = "light", *, url: str = "", **options: Any
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            **options,
        )
        context.set_default_timeout(10_000)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.on("response", lambda answer: answer.ok or complaints.append(f"not ok: {answer.url}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        address = url or page_of(kind).as_uri()
        page.on(
            "request",
            lambda request: _is_of(request.url, address) or complaints.append(request.url),
        )
        page.goto(address)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert complaints == []


def _is_of(url: str, address: str) -> bool:
    """Whether what is asked for is the page itself, a part of its site, or inside of it."""
    asked, own = urlsplit(url), urlsplit(address)
    if asked.scheme in ("data", "blob"):
        return True
    is_site = own.scheme == "http"
    return (asked.scheme, asked.netloc) == (own.scheme, own.netloc) and (
        is_site or asked.path == own.path
    )
