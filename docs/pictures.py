"""Pictures of the report for the documentation: `python docs/pictures.py [REPORT]`.

Without a report, a small quickstart is run for them. They need Playwright, a Chromium and Pillow.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from ray_pipeline.cli import main as ray_pipeline
from ray_pipeline.quickstart import make_sample
from ray_pipeline.quickstart.command import write_quickstart

IMAGES = Path(__file__).parent / "images"
N_COLOURS = 64


def main() -> None:
    """Make them all."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else _quickstart(Path(folder))
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path)
        _save(_opened(browser, report, 1100), "report-short", height=900)
        targets = _opened(browser, report, 1100, "dark")
        _save(targets, "report-targets-dark", "#targets", height=820)
        _save(_opened(browser, report, 1100), "report-worth", "#evaluation", height=820)
        _save(_opened(browser, report, 390), "report-phone", height=844)
        paper = _opened(browser, report, 700)
        paper.emulate_media(media="print")
        _save(paper, "report-print", "#features", height=980)
        browser.close()


def _quickstart(folder: Path) -> Path:
    with contextlib.chdir(folder), contextlib.redirect_stderr(io.StringIO()) as said:
        config = write_quickstart("quickstart", make_sample(n_symbols=6, n_bars=600))
        if ray_pipeline(["run", config, "--set", "execution.executor=serial"]) != 0:
            sys.exit(said.getvalue())
    return folder / "quickstart/run/report.html"


def _opened(browser: Browser, report: Path, width: int, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report.as_uri())
    for figure in page.locator("figure.live:visible").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("each => each.matches('.is-live')", arg=figure.element_handle())
    page.evaluate("scrollTo(0, 0)")
    return page


def _save(page: Page, name: str, section: str = "header", height: int = 800) -> None:
    """Write a picture that begins where a section does, in few colours."""
    top = page.locator(section).first.evaluate(
        "section => section.getBoundingClientRect().top + scrollY"
    )
    width = page.viewport_size["width"] if page.viewport_size else 0
    top = max(0, top - 20)
    clip = {"x": 0, "y": top, "width": width, "height": height}
    taken = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    picture = Image.open(io.BytesIO(taken)).convert("RGB").quantize(N_COLOURS)
    picture.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
