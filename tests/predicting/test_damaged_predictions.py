"""Predictions whose files or records were damaged: the same command writes the same again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from trained_runs import Trained, predict


def files_of(out: Path) -> dict[str, bytes]:
    """Return scores and all that lies below ``units/``, but for what names times."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*.parquet"))
    }


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, empty, Path.unlink])
def test_damage_is_repaired(
    trained: Trained, tmp_path: Path, stages: list[str], damage: Callable[[Path], None]
) -> None:
    """A symbol's scores, its record, and what symbols are compared by, one after the other."""
    out = tmp_path / "out"
    predict(trained, out)
    good = files_of(out)
    stages.clear()
    kinds = {
        (path.suffix, path.relative_to(out).parts[:2] if "units" in path.parts else "scores"): path
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.suffix in (".json", ".parquet") and path.parent != out
    }
    assert len(kinds) >= 2
    for path in kinds.values():
        damage(path)
        predict(trained, out)
        assert files_of(out) == good
        assert len(stages) == (0 if path.name == "batch.parquet" else 1), path
        stages.clear()
    shutil.rmtree(out)
