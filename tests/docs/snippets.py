"""Reads the fenced snippets of the documentation, and runs those that are marked for it.

A comment before a fence says what is done with it: ``<!-- snippet: run -->`` runs it (``exit=2``
names the exit code that a command has to end with, ``needs=polars`` a library that may be missing),
``file NAME`` writes it, ``output`` looks for it in what the snippet before it printed. Without a
comment it is parsed by its language. A fence with ``title="NAME"`` is written under that name too.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray_pipeline.cli import main

__all__ = ["DOCS", "PAGES", "ROOT", "Session", "Snippet", "commands_of", "snippets_of"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])

_FENCE = re.compile(
    r"(?:^(?P<before>[ ]*)<!-- snippet: (?P<mark>.+?) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w*)(?P<about>[^\n]*)\n"
    r"(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_INCLUDED = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)
_WITHOUT_RAY = {
    "run": ["--set", "execution.executor=serial"],
    "predict": ["--n-workers", "0"],
    "update": ["--n-workers", "0"],
}
"""What a command is given besides, so that it starts no Ray: the results are the same."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block of a page.

    Attributes
    ----------
    mark
        First word of the comment before it; empty where there is none.
    options
        The comment's ``key=value`` words, and what else stands there under ``""``.
    """

    page: Path
    line: int
    language: str
    text: str
    title: str
    mark: str
    options: dict[str, str]

    def __str__(self) -> str:
        """Name where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets_of(page: Path) -> list[Snippet]:
    """Return the fenced blocks of a page, in their order, with what they include."""
    return list(_read(page))


def _read(page: Path) -> Iterator[Snippet]:
    source = page.read_text("utf-8")
    for found in _FENCE.finditer(source):
        text = textwrap.dedent(found["text"])
        text = _INCLUDED.sub(lambda name: (ROOT / name[1]).read_text("utf-8"), text)
        title = re.search(r'title="(.+?)"', found["about"])
        words = (found["mark"] or "").split()
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        options[""] = " ".join(word for word in words[1:] if "=" not in word)
        yield Snippet(
            page=page,
            line=source.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=text,
            title=title[1] if title else "",
            mark=words[0] if words else "",
            options=options,
        )


def commands_of(text: str) -> list[str]:
    """Return the command lines of a shell snippet, each on one line, without comments."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


@dataclass
class Session:
    """What a reader's terminal and Python know who works through a page from its top."""

    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""

    def do(self, snippet: Snippet) -> None:
        """Do what a snippet is marked for, in the working directory."""
        name = snippet.options[""] if snippet.mark == "file" else snippet.title
        if name:
            Path(name).write_text(snippet.text, "utf-8")
        if snippet.language == "toml":
            _install(snippet.text)
        if snippet.mark == "output":
            self._require(snippet)
        elif snippet.mark == "run" and snippet.language == "python":
            self._python(snippet)
        elif snippet.mark == "run" and snippet.language == "bash":
            code = int(snippet.options.get("exit", "0"))
            self.printed = "".join(
                self._command(line, code, snippet) for line in commands_of(snippet.text)
            )

    def _require(self, snippet: Snippet) -> None:
        """Look for each piece of a text, between ``…``, in its order."""
        rest = " ".join(self.printed.split())
        for piece in " ".join(snippet.text.split()).split("…"):
            _, is_there, rest = rest.partition(piece)
            assert is_there, f"{snippet}: {piece!r} was not printed, but {self.printed}"

    def _python(self, snippet: Snippet) -> None:
        with _printed() as printed:
            exec(compile(snippet.text, str(snippet), "exec"), self.names)
        self.printed = printed.getvalue()

    def _command(self, line: str, code: int, snippet: Snippet) -> str:
        words = shlex.split(line)
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[-1]
        assert words[0] == "ray-pipeline", f"{snippet}: only commands of ours are run, not {line}"
        with _printed() as printed:
            found = main([*words[1:], *_WITHOUT_RAY.get(words[1], [])])
        assert found == code, f"{snippet}: {line} ended with {found}: {printed.getvalue()}"
        if target is not None:
            Path(target).write_text(printed.results.getvalue(), "utf-8")
        return printed.getvalue()


def _install(text: str) -> None:
    """Leave the entry points of a pyproject as an installed package does, in this folder."""
    groups = tomllib.loads(text)["project"]["entry-points"]
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    folder = Path("documented-1.0.dist-info")
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text("Name: documented\nVersion: 1.0\n", "utf-8")
    (folder / "entry_points.txt").write_text("\n".join(lines), "utf-8")


class _Printed:
    def __init__(self) -> None:
        self.results, self.messages = io.StringIO(), io.StringIO()

    def getvalue(self) -> str:
        """Return results and messages."""
        return self.results.getvalue() + self.messages.getvalue()


@contextlib.contextmanager
def _printed() -> Iterator[_Printed]:
    found = _Printed()
    with contextlib.redirect_stdout(found.results), contextlib.redirect_stderr(found.messages):
        yield found
