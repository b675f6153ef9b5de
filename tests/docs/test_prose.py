"""Phrases to avoid are found wherever people read, and none is left."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prose import GUIDE, NOT_READ, PHRASES, ROOT, files_of, hits_of, main

WORD = "".join(("a", "new"))  # not written here, where it would be found
PLANTED = {
    "module.py": '''"""Something.

A long story, whose end is
    for whom-it-may concern, and is trained
    PHRASE each day.
"""

NAMES = ["PHRASE"]
# A comment that goes on and is written
# PHRASE in its second line.
message = (
    f"the models of {NAMES} are trained "
    "PHRASE at once"
)
code = """See ``PHRASE`` and `PHRASE`."""
''',
    "page.md": """# Page

Written
PHRASE. Not `PHRASE`.

```text
PHRASE
```
""",
    "page.html": "<p>It is\n<b>written</b> PHRASE</p>\n<style>.PHRASE {}</style>\n{# PHRASE #}\n",
    "config.yaml": "key: PHRASE  # written PHRASE\n",
}
LINES = {"module.py": [5, 10, 12], "page.md": [4], "page.html": [2], "config.yaml": [1]}


@pytest.mark.parametrize("name", PLANTED)
def test_a_phrase_is_found_where_people_read(name: str, tmp_path: Path) -> None:
    """In sentences, also those that lines or code split; not in code, names or keys."""
    path = tmp_path / name
    path.write_text(PLANTED[name].replace("PHRASE", WORD), "utf-8")
    hits = list(hits_of([path], tmp_path))
    assert sorted(hit.line for hit in hits) == LINES[name]
    assert {hit.found for hit in hits} == {WORD}
    assert all(str(hit).startswith(f"{name}:{hit.line}: '{WORD}'; better: ") for hit in hits)


def test_every_row_of_the_guide_is_a_phrase() -> None:
    """A row that could not be read would look for nothing."""
    table = GUIDE.read_text("utf-8").partition("## Phrases to avoid")[2]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) == len(PHRASES) > 0
    assert not any(phrase.pattern.search("A store that answers is fast.") for phrase in PHRASES)
    assert all(phrase.better for phrase in PHRASES)


def test_no_text_of_the_repository_is_left_out() -> None:
    """All that git knows is read, but for what is named with a reason, data and licences."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("needs a checkout by git")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    known = {name for name in listed.split("\0") if (ROOT / name).is_file()}
    read = {path.relative_to(ROOT).as_posix() for path in files_of()}
    without = known - read
    unread = {name for name in without if not name.startswith(tuple(NOT_READ))}
    rest = re.compile(
        r"(.*/)?LICENSE|constraints.*\.txt|\.\w+ignore|\.git\w+|.*\.(css|js|svg|png|parquet|json|typed)"
    )
    assert [name for name in sorted(unread) if not rest.fullmatch(name)] == []
    assert all((ROOT / name).exists() and reason for name, reason in NOT_READ.items())


def test_no_phrase_is_left() -> None:
    """Each hit has its place, and what to write instead."""
    assert [str(hit) for hit in hits_of(files_of())] == []


def test_the_command_prints_hits_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 1 where a file has a phrase, and with 0 where none has."""
    for name, text in {
        "good.md": "It is written again.",
        "bad.md": f"It is written {WORD}.",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert main([str(tmp_path / "good.md")]) == 0
    assert capsys.readouterr().out == ""
    assert main([str(tmp_path / "good.md"), str(tmp_path / "bad.md")]) == 1
    assert f"bad.md:1: '{WORD}'; better: " in capsys.readouterr().out
