"""The documentation as a site: its pages open, fit, and can be read by everybody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsing import PHONE, WIDE, Show, axe_violations, missing

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "index.html",
    "tutorial.html",
    "how-to/read-report.html",
    "how-to/read-results.html",
    "reference/config.html",
    "explanation/numbers.html",
    "explanation/results.html",
    "benchmarks.html",
)
OF_THE_THEME = {
    "landmark-unique": {"enabled": False},
    "scrollable-region-focusable": {"enabled": False},
}
"""What Material for MkDocs breaks: two levels of navigation have one name, and the boxes that its
script puts around wide tables have no place among the tabs (browsers give them one).
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the site that CI has built, or build it."""
    found = os.environ.get("DOCS_SITE")
    folder = Path(found) if found else tmp_path_factory.mktemp("site")
    if not found:
        command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
        environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
        built = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if "No module named" in built.stderr:
            missing("needs mkdocs, or the built site in DOCS_SITE: pip install '.[docs]'")
        assert built.returncode == 0, built.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_and_axe_finds_nothing(
    show: Show, site: str, axe: str, name: str, width: int
) -> None:
    """In both themes, on a desk and on a phone, and without asking anybody else for anything."""
    for scheme in ("light", "dark"):
        page = show("", width, scheme, url=f"{site}/{name}")
        theme = page.locator("body").get_attribute("data-md-color-scheme")
        assert theme == {"light": "default", "dark": "slate"}[scheme]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert axe_violations(page, axe, rules=OF_THE_THEME) == [], scheme
        assert page.locator("h1").count() == 1


def test_pictures_are_shown_and_described(show: Show, site: str) -> None:
    """Each one is there, and is told in words."""
    page = show("", url=f"{site}/how-to/read-report.html")
    pictures = page.locator("article img").all()
    assert len(pictures) >= 5
    for picture in pictures:
        picture.scroll_into_view_if_needed()
        page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
        assert len(picture.get_attribute("alt") or "") > 20


@pytest.mark.parametrize("asked", ["min_stability", "ray-pipeline monitor", "StorageError"])
def test_search_finds_keys_commands_and_errors(show: Show, site: str, asked: str) -> None:
    """What is typed is found, and the first result leads to a page that has it."""
    page = show("", url=f"{site}/index.html")
    page.get_by_role("textbox", name="Search").first.click()
    page.keyboard.type(asked, delay=20)
    first = page.locator(".md-search-result__link").first
    first.wait_for(state="visible", timeout=20_000)
    first.click()
    page.wait_for_load_state()
    assert asked.rsplit(maxsplit=1)[-1] in page.locator("article").inner_text()
