"""What tests in a browser do with a page before they look at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["PHONE", "WIDE", "Show", "axe_violations", "missing", "unfold"]

WIDE, PHONE = 1280, 390

Show = Callable[..., "Page"]
"""Opens a page of a kind, at a width and in a theme: the fixture `show`."""


def missing(what: str) -> NoReturn:
    """Skip, or fail where the tests have to be run, as in `.ci/run`."""
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(what)
    pytest.skip(what)


def unfold(page: Page) -> None:
    """Open all that is folded, and wait until what is drawn only when it comes near is drawn."""
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    for figure in page.locator("figure.live").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("each => each.matches('.is-live')", arg=figure.element_handle())
    page.evaluate("scrollTo(0, 0)")


def axe_violations(page: Page, axe: str, **options: Any) -> list[str]:
    """Return what axe finds wrong, each with its first place.

    Parameters
    ----------
    axe
        Its script.
    options
        Of its run, such as `runOnly`.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate(
        "options => axe.run(document, options)", {"resultTypes": ["violations"], **options}
    )
    return [
        f"{each['id']} ({len(each['nodes'])}): {each['nodes'][0]['target']} "
        f"{each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary']}"
        for each in found["violations"]
    ]
