"""A page as a reader without a browser sees it: well-formed or not, its texts, its tables."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

_VOID = frozenset({"meta", "input", "br", "link", "img"})


class ParsedPage(HTMLParser):
    """Parses a page and remembers what tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._table = ""
        self._texts: list[str] = []
        self._n_rows = 0
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    @property
    def text(self) -> str:
        """All text outside style and script, with single spaces."""
        return " ".join(" ".join(self._texts).split())

    def rows(self, table: str) -> list[list[str]]:
        """Cells of a table's rows, the head first."""
        return [[" ".join(cell.split()) for cell in row] for row in self.tables[table]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "table":
            self._table = dict(attrs).get("id") or ""
            self.tables.setdefault(self._table, [])
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("th", "td"):
            self.tables[self._table][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> at {self.getpos()} closes {self._open[-1:]}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("style", "script"):
            return
        self._texts.append(data)
        if "td" in self._open or "th" in self._open:
            self.tables[self._table][-1][-1] += data

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        names = [name for name, _ in attrs]
        self.problems += [
            f"<{tag}> has {name} twice" for name in set(names) if names.count(name) > 1
        ]
        self.attributes += [(tag, name, value or "") for name, value in attrs]
