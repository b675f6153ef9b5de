"""What people read in this repository, searched for phrases that have a better word.

``python tests/docs/prose.py [PATH …]`` prints each phrase found, with its place and what to write
instead; the phrases are the table in ``docs/project/language.md``. It reads Markdown, templates,
the comments of configs and scripts, and every docstring, comment and text of Python modules.
Sentences that code splits are joined again, and code within them is ignored.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NOT_READ", "PHRASES", "Hit", "Phrase", "Text", "files_of", "hits_of", "texts_of"]

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "project" / "language.md"

NOT_READ = {
    "tests/releases": "what earlier versions wrote",
    "docs/project/language.md": "names the phrases to avoid",
}
"""Folders and files of ours that are not read, and why. There are no others."""

_KINDS = {".py", ".md", ".html", ".ipynb", ".yaml", ".yml", ".toml", ".sh", ""}
_PLACES = ("", ".ci", "benchmarks", "configs", "docs", "ray_pipeline", "tests")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase to avoid, as a regular expression, and what to write."""

    pattern: re.Pattern[str]
    better: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of prose; `line` is that of its first character."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase that was found."""

    path: str
    line: int
    found: str
    better: str

    def __str__(self) -> str:
        """Write it as compilers write theirs."""
        return f"{self.path}:{self.line}: '{self.found}'; better: {self.better}"


def _phrases() -> tuple[Phrase, ...]:
    """Read the table of the guide: each row has a pattern, an example and what is better."""
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    return tuple(Phrase(_compiled(pattern), better) for pattern, better in rows)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Read a pattern of the guide, in which a space is any white space and a bar is escaped."""
    spaced = pattern.replace("\\|", "|").replace(" ", r"\s+")
    return re.compile(rf"(?<![\w-])(?:{spaced})(?![\w-])", re.IGNORECASE)


PHRASES = _phrases()
_ANY = re.compile("|".join(phrase.pattern.pattern for phrase in PHRASES), re.IGNORECASE)
_JOINTS = re.compile(r"""["']\s*\n\s*[fr]{0,2}["']|\n\s*#+""")


def files_of(root: Path = ROOT) -> Iterator[Path]:
    """Yield every file that is read."""
    for place in _PLACES:
        found = (root / place).rglob("*") if place else root.iterdir()
        for path in sorted(found):
            name = path.relative_to(root).as_posix()
            skipped = any(name == each or name.startswith(f"{each}/") for each in NOT_READ)
            if path.is_file() and path.suffix in _KINDS and not skipped and _is_text(path):
                yield path


def _is_text(path: Path) -> bool:
    """Whether a file without a suffix is a script; the others are texts by their suffix."""
    return bool(path.suffix) or path.name == "Dockerfile" or path.read_bytes()[:2] == b"#!"


def hits_of(paths: Iterable[Path], root: Path = ROOT) -> Iterator[Hit]:
    """Yield what is found in files, in their order."""
    for path in paths:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        # Most files hold no phrase even with all their code, and need not be taken apart.
        if not _ANY.search(_JOINTS.sub(" ", path.read_text("utf-8"))):
            continue
        for text in texts_of(path):
            lines = re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", text.text)  # without indents
            for phrase in PHRASES:
                for match in phrase.pattern.finditer(lines):
                    line = text.line + lines.count("\n", 0, match.start())
                    yield Hit(name, line, " ".join(match[0].split()), phrase.better)


def texts_of(path: Path) -> Iterator[Text]:
    """Yield what a file says to people."""
    content = path.read_text("utf-8")
    if path.suffix == ".py":
        yield from _python(content)
    elif path.suffix == ".md":
        yield Text(
            1, _without(content, r"^( *)```.*?^ *```$", r"<!--.*?-->", r"`[^`\n]+`", r"\]\(\S+?\)")
        )
    elif path.suffix == ".ipynb":
        yield Text(1, content)  # a line of a cell is a line of the file
    elif path.suffix == ".html":
        yield Text(
            1,
            _without(
                content,
                r"<(script|style).*?</\1>",
                r"\{#.*?#\}",
                r"\{%.*?%\}",
                r"\{\{.*?\}\}",
                r"<[^>]+>",
            ),
        )
    else:
        yield from _commented(content)


def _without(text: str, *patterns: str) -> str:
    """Replace what is not prose by as many lines of a mark."""
    for pattern in patterns:
        text = re.sub(
            pattern,
            lambda found: "…" + "\n" * found[0].count("\n"),
            text,
            flags=re.DOTALL | re.MULTILINE,
        )
    return text


def _commented(content: str) -> Iterator[Text]:
    """Yield the comments of a file in which they begin with ``#``, adjacent lines as one."""
    lines = [re.search(r"(?:^|\s)#+!?(?: (.*)|$)", line) for line in content.splitlines()]
    yield from _blocks((number, found[1] or "") for number, found in enumerate(lines, 1) if found)


def _blocks(lines: Iterable[tuple[int, str]]) -> Iterator[Text]:
    """Join lines that follow one another."""
    block: list[str] = []
    begin = 0
    for number, line in lines:
        if block and number == begin + len(block):
            block.append(line)
            continue
        if block:
            yield Text(begin, "\n".join(block))
        begin, block = number, [line]
    if block:
        yield Text(begin, "\n".join(block))


def _python(content: str) -> Iterator[Text]:
    tokens = tokenize.generate_tokens(io.StringIO(content).readline)
    comments = [
        (each.start[0], each.string.lstrip("# "))
        for each in tokens
        if each.type == tokenize.COMMENT
    ]
    yield from _blocks(comments)
    yield from _strings(ast.parse(content))


def _strings(node: ast.AST) -> Iterator[Text]:
    """Yield texts of more than one word, with a mark for what an f-string fills in."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values]
        yield Text(node.lineno, "".join(parts))
    elif (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip()
    ):
        yield Text(
            node.lineno, _without(node.value, r"^ *(>>>|\.\.\.) .*?$", r"``.+?``", r"`[^`\n]+`")
        )
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from _strings(child)


def main(names: list[str]) -> int:
    """Print what is found; 1 if anything is."""
    hits = list(hits_of([Path(name).resolve() for name in names] or files_of()))
    for hit in hits:
        sys.stdout.write(f"{hit}\n")
    return min(1, len(hits))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
