"""Any change to any file below ``units/``: the same command ends with the same result, and says so.

One serial run with every kind of unit is the reference. A copy of it is damaged, the command is
given again, and the result has to be the reference's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from every_kind import EveryKind
from panels import read_json

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

WRITTEN_ANEW = ("axis/*.parquet", "cross_section/*/batch.parquet")
"""Files of the driver's own, which it writes in every run: no run relies on an earlier one's."""


class Listening(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Keep it."""
        self.said.append(text)


def kinds(run_dir: Path) -> dict[str, list[Path]]:
    """Return the files below ``units/`` by kind: stage, depth and name, less what hashes name."""
    found: dict[str, list[Path]] = {}
    for path in sorted((run_dir / "units").rglob("*")):
        if path.is_file():
            stage, *folders, name = path.relative_to(run_dir / "units").parts
            name = name if folders else f"*{path.suffix}"
            found.setdefault("/".join([stage, *("*" for _ in folders), name]), []).append(path)
    return found


Damage = Callable[[Path, Path], None]
"""Changes a file; the second is another of its kind, or itself where there is none."""


def flip(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 16
    path.write_bytes(bytes(content))


def change_digit(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    at = max(k for k, byte in enumerate(content) if byte in b"0123456789")
    content[at] = b"1234567890"[content[at] - ord("0")]
    path.write_bytes(bytes(content))


def truncate(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path, _: Path) -> None:
    path.unlink()


def exchange(path: Path, other: Path) -> None:
    if other == path or other.read_bytes() == path.read_bytes():
        truncate(path, other)
    else:
        path.write_bytes(other.read_bytes())


DAMAGES: Mapping[str, Damage] = {
    "flipped bit": flip,
    "changed digit": change_digit,
    "truncated": truncate,
    "emptied": empty,
    "missing": remove,
    "another's": exchange,
}


def is_record(kind: str) -> bool:
    """Whether files of a kind are records, rather than what units leave beside them."""
    return kind.count("/") == 1 and kind.endswith(".json")


@pytest.fixture
def run_dir(every_kind: EveryKind, tmp_path: Path) -> Path:
    """Copy the reference."""
    return Path(shutil.copytree(every_kind.run_dir, tmp_path / "run"))


def run_again(every_kind: EveryKind, run_dir: Path) -> Sequence[str]:
    """Give the same command again, and return what it said of work that it did again."""
    listening = Listening()
    run_pipeline(every_kind.config(run_dir), listening)
    before, now = (read_json(each / "run.json") for each in (every_kind.run_dir, run_dir))
    assert now["content_sha256"] == before["content_sha256"]
    return [text for text in listening.said if "done again" in text]


def is_restored(path: Path, original: Path) -> bool:
    """Whether a file is what it was, but for the seconds that its unit took."""
    if path.suffix != ".json" or path.parent.parent.name != "units":
        return path.read_bytes() == original.read_bytes()
    records = [read_json(each) | {"sha256": "", "seconds": 0.0} for each in (path, original)]
    return bool(records[0] == records[1])


def test_the_reference_has_every_kind_of_unit(every_kind: EveryKind) -> None:
    """What is not there is not tested: pooled and own, in every stage, and all that they leave."""
    stages = {unit.stage for unit in every_kind.units}
    assert stages == {
        *("cross_section", "cross_section_base", "doubt_late", "doubt_pooled", "doubt_slice"),
        *("doubt_symbol", "evaluate_pooled", "evaluate_symbol", "inspect"),
        *(
            "compare_models",
            "join_curves",
            "join_predictions",
            "pool",
            "pool_slice",
            "pooled_predictions",
        ),
        "reliability",
        *("rank_pool_shifted", "rank_pooled", "rank_pooled_fold", "rank_symbol"),
        *("rank_symbol_shifted", "rank_symbols_shifted", "search_trials", "select_pooled"),
        *("select_pooled_fold", "prove_pooled_fold", "prove_pooled", "prove_symbol"),
        *("select_symbol", "stage_shape", "train_average", "train_pooled", "train_pooled_fold"),
        *("train_symbol", "training_slice"),
    }
    shared = {"pool", "pooled_predictions"}
    found = kinds(every_kind.run_dir)
    assert {kind.partition("/")[0] for kind in found} == stages - shared | {"axis"}
    assert {kind for kind in found if kind.endswith("/*.json") and kind.count("/") == 1} == {
        f"{stage}/*.json" for stage in stages - shared
    }


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_every_kind_of_file(every_kind: EveryKind, run_dir: Path, damage: str) -> None:
    """One file of each kind at a time: each is told, and each is as before afterwards.

    A record that is gone looks like one that never was, and is not told.
    """
    damaged: dict[str, Path] = {}
    for kind, paths in kinds(run_dir).items():
        if not (damage == "missing" and is_record(kind)):
            path = damaged[kind] = paths[len(paths) // 2]
            DAMAGES[damage](path, paths[0])
    told = {text.partition(":")[0] for text in run_again(every_kind, run_dir)}
    assert told == {kind.partition("/")[0] for kind in damaged if kind not in WRITTEN_ANEW}
    for path in damaged.values():
        assert is_restored(path, every_kind.run_dir / path.relative_to(run_dir)), path
    assert run_again(every_kind, run_dir) == []


def test_missing_records(every_kind: EveryKind, run_dir: Path) -> None:
    """A stage's first record is gone, and in the end all of them."""
    for stage in (run_dir / "units").iterdir():
        for path in sorted(stage.glob("*.json"))[:1]:
            path.unlink()
    assert run_again(every_kind, run_dir) == []
    for path in (run_dir / "units").glob("*/*.json"):
        path.unlink()
    assert run_again(every_kind, run_dir) == []


def test_damage_to_one_file_alone(every_kind: EveryKind, run_dir: Path) -> None:
    """In each stage: nothing else is done again, and the message names the file."""
    last_of_stage = {kind.partition("/")[0]: paths[-1] for kind, paths in kinds(run_dir).items()}
    del last_of_stage["axis"]
    for stage, path in last_of_stage.items():
        name = path.relative_to(run_dir)
        flip(path, path)
        reason = f"{name} is not as it was written: its checksum does not agree"
        said = run_again(every_kind, run_dir)
        assert [text.partition(" ")[2] for text in said] == [
            f"1 finished unit is done again: {reason}"
        ]
        assert is_restored(path, every_kind.run_dir / name), stage
