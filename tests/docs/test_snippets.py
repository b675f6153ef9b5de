"""Every snippet of the documentation is what it says: it runs, or at least it can be read."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from snippets import PAGES, ROOT, Session, Snippet, commands_of, snippets_of

from ray_pipeline.arguments import parse
from ray_pipeline.config import parse_experiment_config

SNIPPETS = [each for page in PAGES for each in snippets_of(page)]
WORKED_THROUGH = [page for page in PAGES if any(each.mark == "run" for each in snippets_of(page))]
PROGRAMS = {"docker", "mkdocs", "pip", "pytest", "python", "ray", "ray-pipeline"}


def of_language(name: str) -> list[Snippet]:
    return [each for each in SNIPPETS if each.language == name]


def test_there_are_snippets_of_every_kind() -> None:
    """A pattern that no longer found them would pass all tests below."""
    assert len(of_language("bash")) > 40
    assert len(of_language("python")) > 12
    assert len(of_language("yaml")) > 15
    assert len(WORKED_THROUGH) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_fence_is_found_and_has_a_language(page: Path) -> None:
    """A fence that is not closed, or says nothing of what is in it, is a mistake."""
    fences = re.findall(r"^ *```(.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(snippets_of(page))
    known = {"bash", "python", "yaml", "toml", "text", "json"}
    assert {each.language for each in snippets_of(page)} <= known


@pytest.mark.parametrize("snippet", of_language("bash"), ids=str)
def test_every_command_line_can_be_parsed(snippet: Snippet) -> None:
    """Commands, options and extras exist, also those that need a cluster or a store."""
    lines = [part for line in commands_of(snippet.text) for part in line.split(" && ")]
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        words = words[: words.index(">")] if ">" in words else words
        assert words[0] in PROGRAMS, line
        if "ray_pipeline" in words:
            words = ["ray-pipeline", *words[words.index("ray_pipeline") + 1 :]]
        if words[0] == "ray-pipeline":
            parse(words[1:])
        elif words[0] == "pip":
            _require_extras(line)
        elif words[0] == "python":
            assert (ROOT / words[1]).is_file(), line


def _require_extras(line: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for names in re.findall(r"\[([\w,]+)\]", line):
        assert set(names.split(",")) <= project["optional-dependencies"].keys(), line


@pytest.mark.parametrize("snippet", of_language("yaml"), ids=str)
def test_every_config_is_valid(snippet: Snippet) -> None:
    """A part of a config needs nothing but the data besides."""
    parse_experiment_config(snippet.text, str(snippet), ["data.data_dir=panel"])


@pytest.mark.parametrize("snippet", of_language("python"), ids=str)
def test_every_python_snippet_can_be_parsed(snippet: Snippet) -> None:
    """Also those that stand for code of somebody's own."""
    assert ast.parse(snippet.text).body


@pytest.mark.parametrize("snippet", of_language("toml") + of_language("json"), ids=str)
def test_every_other_snippet_can_be_read(snippet: Snippet) -> None:
    """TOML and JSON by their own parsers."""
    load = tomllib.loads if snippet.language == "toml" else json.loads
    assert load(snippet.text)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("page", WORKED_THROUGH, ids=lambda page: page.stem)
def test_a_page_can_be_worked_through(page: Path) -> None:
    """From its top: each snippet runs and ends as it says, and prints what is shown."""
    session = Session()
    for snippet in snippets_of(page):
        if "needs" in snippet.options:
            pytest.importorskip(snippet.options["needs"])
        session.do(snippet)
