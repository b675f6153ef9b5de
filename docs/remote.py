"""What a page makes a browser load from another host (pure)."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["remote_resources"]

_LOADED_BY = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class _Resources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an element loads by itself; a link that somebody follows is none of it."""
        address = dict(attrs).get(_LOADED_BY.get(tag, "")) or ""
        if address.startswith(("http:", "https:", "//")):
            self.found.append(address)


def remote_resources(html: str) -> list[str]:
    """Return the addresses of scripts, styles, pictures and frames on other hosts.

    Examples
    --------
    >>> remote_resources('<script src="https://cdn.test/a.js"></script><a href="https://b.test">')
    ['https://cdn.test/a.js']
    """
    parser = _Resources()
    parser.feed(html)
    return parser.found
