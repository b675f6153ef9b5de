"""Trainings leave versions, one of which serves; predictions come from that one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from panels import planted_panel, quick_config, read_json, symbol_names, write_panel

from ray_pipeline import load_run
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ArtifactError, ConfigError, RunInUseError
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.versions.changing import change_version, list_versions, version_lines
from ray_pipeline.versions.kept import VERSIONS, read_version
from ray_pipeline.versions.serving import CURRENT, current_version, read_journal

TARGET = "fwd_ret_1d"
START = 264
"""Where the last fold of 300 bars begins."""
TABLES = planted_panel(symbol_names(4), n_bars=360)


class Told(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Remember a sentence."""
        self.sentences.append(text)


def train(root: Path, n_bars: int, run_dir: object = None, **sections: Any) -> list[str]:
    """Train on the first bars; return what was said."""
    data_dir = write_panel(
        root / "data", {name: table.slice(0, n_bars) for name, table in TABLES.items()}
    )
    sections.setdefault("training", {"families": ["ridge"]})
    sections.setdefault("feature_selection", {"accept": "always", "top_m_features": 1})
    told = Told()
    config = quick_config(data_dir, run_dir or root / "run", **sections)
    run_pipeline(config, told)
    return told.sentences


def names(run_dir: Path) -> list[str]:
    """Name the versions, that of the newest data first."""
    return [each["version"] for each in list_versions(str(run_dir))["versions"]]


def statuses(run_dir: Path) -> list[str]:
    """Tell how they stand, that of the newest data first."""
    return [each["status"] for each in list_versions(str(run_dir))["versions"]]


def scores(run_dir: Path, version: str | None = None) -> list[float]:
    """Score new rows by the version that serves, or another."""
    found = load_run(str(run_dir), version=version).predict(TABLES["S00"], "S00")
    column: list[float] = found[f"{TARGET}__score"].to_pylist()
    return column[-10:]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train three times, each on more rows; no test changes it."""
    root = tmp_path_factory.mktemp("grown")
    for n_bars in (240, 300, 340):
        train(root, n_bars, validation={"n_splits": 5, "min_train_fraction": 0.4})
    return root / "run"


def test_a_training_leaves_a_version(tmp_path: Path) -> None:
    """Named by the end of its data and its content; the same command again adds none."""
    run_dir = tmp_path / "run"
    told = train(tmp_path, 240)
    record = read_json(run_dir / "run.json")
    (name,) = names(run_dir)
    assert name == f"{record['data']['last_ts'][:10]}T0000Z-{record['content_sha256'][:8]}"
    assert f"version {name} serves: it is the first" in told
    kept = {
        path.relative_to(run_dir / VERSIONS / name).as_posix()
        for path in (run_dir / VERSIONS / name).rglob("*")
        if path.is_file()
    }
    version = read_json(run_dir / VERSIONS / f"{name}.json")
    assert kept == set(version["files"])
    assert {f"models/{job}/metadata.json" for job in record["models"]} < kept
    assert {"run.json", "config.yaml", "training_plan.json", "routing/routes.parquet"} < kept
    # On one disk nothing is there twice.
    large = "predictions/out_of_sample.parquet"
    assert (run_dir / large).samefile(run_dir / VERSIONS / name / large)
    before = scores(run_dir)
    train(tmp_path, 240)
    assert names(run_dir) == [name]
    assert [event.event for event in read_journal(RunDirectory(run_dir))] == ["promoted"]
    assert scores(run_dir) == before == scores(run_dir, name)


def test_newer_versions_serve_unless_worse(grown: Path) -> None:
    """What was found is kept beside each, and shown; each scores as it did."""
    newest, middle, first = list_versions(str(grown))["versions"]
    assert [each["status"] for each in (newest, middle, first)] == ["current", "earlier", "earlier"]
    assert first["decision"] is None
    assert newest["decision"]["over"] == middle["version"]
    assert newest["decision"]["promoted"] is True
    compared = middle["decision"]["compared"]
    assert {each["view"] for each in compared} == {"cross_sectional", "symbol_specific"}
    for each in compared:
        # Rows 240 to 299 are later than all that the first one learned from; the fold of those
        # before START has learned from nothing newer.
        assert each["n_rows"] == 4 * (300 - START)
        assert each["n_timestamps"] == 300 - START
        assert each["n_older_rows"] == 4 * (START - 240)
        assert each["p_adjusted"] >= each["p_worse"] > 0.05
        assert each["difference"] == pytest.approx(each["skill_new"] - each["skill_present"])
        assert each["skill_present"] > 0.1
    lines = version_lines(list_versions(str(grown)))
    assert lines[0].startswith(f"{newest['version']}  current since ")
    told = "on the same 144 rows at 36 times (left out: 96 later rows of folds that were made like"
    assert any(told in line for line in lines)
    assert len({tuple(scores(grown, each)) for each in names(grown)}) == 3
    assert scores(grown) == scores(grown, newest["version"])


def test_a_versions_skill_is_that_of_what_is_served(tmp_path: Path) -> None:
    """That of the families' average; without one the mean over their jobs, and it says so."""
    for name, families in (
        ("average", ["ridge", "lightgbm", "rank_average"]),
        ("alone", ["ridge", "lightgbm"]),
    ):
        run_dir = tmp_path / name
        train(tmp_path, 240, run_dir, training={"families": families})
        of_jobs = {
            path.parent.name: read_json(path)["out_of_sample"]["skill"]
            for path in (run_dir / "models").glob("cs_*/metadata.json")
        }
        found = list_versions(str(run_dir))
        (skill,) = [
            each["skill"]
            for each in found["versions"][0]["targets"]
            if each["view"] == "cross_sectional"
        ]
        if name == "average":
            assert skill == of_jobs[f"cs_{TARGET}__rank_average"]
            assert skill != pytest.approx(sum(of_jobs.values()) / 3)
        else:
            assert skill == pytest.approx(sum(of_jobs.values()) / 2)
        assert version_lines(found)[-1].startswith(
            "skill: of the walk-forward; of several families"
        )


def test_promoting_and_rolling_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both change what `predict` uses at once; the journal says who, when and why."""
    run_dir = tmp_path / "run"
    for n_bars in (240, 300):
        train(tmp_path, n_bars)
    newest, first = names(run_dir)
    by_newest, by_first = scores(run_dir), scores(run_dir, first)
    assert main(["versions", str(run_dir), "--rollback", "--why", "odd scores"]) == 0
    assert capsys.readouterr().out.startswith(f"{newest}  earlier since ")
    assert statuses(run_dir) == ["earlier", "current"]
    assert scores(run_dir) == by_first != by_newest
    told = f"This result is not what serves, which is version {first} since "
    assert told in (run_dir / "report.html").read_text()
    assert main(["explain", str(run_dir), "--target", TARGET]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Version {first} serves since " in said
    assert told in said
    assert main(["explain", str(run_dir), "--target", TARGET, "--json"]) == 0
    serving = json.loads(capsys.readouterr().out)["version"]
    # What a person chose rests on no comparison.
    assert (serving["serves"], serving["is_this_result"], serving["decision"]) == (
        *(first, False),
        None,
    )
    assert main(["versions", str(run_dir), "--promote", newest, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [each["status"] for each in printed["versions"]] == ["current", "earlier"]
    assert scores(run_dir) == by_newest
    page = (run_dir / "report.html").read_text()
    assert f"Version {newest}, this result, serves since " in page
    assert "This result is not what serves" not in page
    journal = read_journal(RunDirectory(run_dir))
    assert [event.event for event in journal] == [
        *("promoted", "promoted", "rolled-back", "promoted")
    ]
    assert [event.number for event in journal] == [1, 2, 3, 4]
    assert (journal[2].version, journal[2].over, journal[2].why) == (first, newest, "odd scores")
    assert "@" in journal[2].who
    # Promoting what serves already changes nothing.
    said: list[str] = []
    change_version(str(run_dir), newest, None, said.append)
    assert len(read_journal(RunDirectory(run_dir))) == 4
    assert len(said) == 1
    assert f"version {newest} serves already, since " in said[0]


def test_what_a_person_chose_stays(tmp_path: Path) -> None:
    """The same run again does not promote again what was rolled back."""
    run_dir = tmp_path / "run"
    for n_bars in (240, 300):
        train(tmp_path, n_bars)
    newest, first = names(run_dir)
    change_version(str(run_dir), None, None, print)
    told = train(tmp_path, 300)
    assert f"version {first} serves; {newest} is not new" in told
    assert statuses(run_dir) == ["earlier", "current"]


def test_two_configs_in_turn(tmp_path: Path) -> None:
    """A result that replaces another serves again, although it served before."""
    run_dir = tmp_path / "run"
    data_dir = write_panel(tmp_path / "data", TABLES)
    configs = [
        quick_config(data_dir, run_dir, training={"families": [family]})
        for family in ("ridge", "lightgbm")
    ]
    for config in (*configs, *configs):
        run_pipeline(config, Silent(), replace=True)
        current = current_version(RunDirectory(run_dir))
        assert current is not None
        served = read_version(RunDirectory(run_dir), current.version).content_sha256
        assert served == read_json(run_dir / "run.json")["content_sha256"]
    assert len(names(run_dir)) == 2
    assert [event.event for event in read_journal(RunDirectory(run_dir))] == ["promoted"] * 4


@pytest.mark.parametrize(("rule", "status"), [("never", "challenger"), ("always", "current")])
def test_the_rule_of_the_config(tmp_path: Path, rule: str, status: str) -> None:
    """never: compared, kept and not promoted; always: promoted without a comparison."""
    training = {"families": ["ridge"], "promote": rule}
    for n_bars in (240, 300):
        train(tmp_path, n_bars, training=training)
    run_dir = tmp_path / "run"
    assert statuses(run_dir)[0] == status
    decision = list_versions(str(run_dir))["versions"][0]["decision"]
    assert f"training.promote is {rule}" in decision["why"]
    assert bool(decision["compared"]) == (rule == "never")
    # Of two folds the last one begins before the first version's data end.
    assert decision["evidence"] == ("nothing_newer" if rule == "never" else "none")
    newest, first = names(run_dir)
    assert scores(run_dir) == scores(run_dir, newest if rule == "always" else first)


def test_a_worse_training_is_rejected(tmp_path: Path) -> None:
    """One that was given a feature of noise alone; the run's own result is not what serves."""
    train(tmp_path, 240)
    columns = {"features": ["noise_a"]}
    run_dir = tmp_path / "run"
    data_dir = write_panel(tmp_path / "data", {k: t.slice(0, 340) for k, t in TABLES.items()})
    config = quick_config(
        data_dir,
        run_dir,
        columns=columns,
        target_ranking={"families": ["ridge"], "alpha": 0.999},
        training={"families": ["ridge"]},
        feature_selection={"accept": "always"},
    )
    told = Told()
    run_pipeline(config, told, replace=True)
    newest, first = names(run_dir)
    assert statuses(run_dir) == ["rejected", "current"], told.sentences
    assert any(
        f"version {first} goes on serving, and {newest} is kept" in t for t in told.sentences
    )
    assert scores(run_dir) == scores(run_dir, first)
    assert read_json(run_dir / "run.json")["content_sha256"].startswith(newest[-8:])


def test_the_oldest_go_but_not_those_that_serve(tmp_path: Path) -> None:
    """With two kept: the one that serves and the one before it stay, whatever their age."""
    run_dir = tmp_path / "run"
    keep = {"run_dir": str(run_dir), "keep_versions": 2}
    for n_bars in (200, 240, 280):
        told = train(tmp_path, n_bars, output=keep)
    assert len(names(run_dir)) == 2
    assert any("was removed: output.keep_versions=2" in text for text in told)
    second = names(run_dir)[1]
    change_version(str(run_dir), None, None, print)
    for n_bars in (300, 320):
        train(tmp_path, n_bars, output=keep, training={"families": ["ridge"], "promote": "never"})
    assert second in names(run_dir)
    assert current_version(RunDirectory(run_dir)).version == second  # type: ignore[union-attr]
    folders = {path.name for path in (run_dir / VERSIONS).iterdir() if "Z-" in path.name}
    assert {name.split(".")[0] for name in folders} == set(names(run_dir))


def test_a_change_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    """The journal decides; a version without its record is none and is kept again."""
    run_dir = tmp_path / "run"
    for n_bars in (240, 300):
        train(tmp_path, n_bars)
    newest, first = names(run_dir)
    before = (run_dir / CURRENT).read_bytes()
    change_version(str(run_dir), first, None, print)
    (run_dir / CURRENT).write_bytes(before)  # as if killed between the entry and the pointer
    train(tmp_path, 300)
    assert current_version(RunDirectory(run_dir)).version == first  # type: ignore[union-attr]
    (run_dir / VERSIONS / f"{newest}.json").unlink()
    assert names(run_dir) == [first]
    train(tmp_path, 300)
    assert names(run_dir) == [newest, first]


def test_damage_and_wrong_names_are_told(tmp_path: Path) -> None:
    """Nothing serves that is not as it was kept, and no name leads out of the folder."""
    run_dir = tmp_path / "run"
    for n_bars in (240, 300):
        train(tmp_path, n_bars)
    _, first = names(run_dir)
    with pytest.raises(ConfigError, match=r"'\.\./x' is not a version"):
        change_version(str(run_dir), "../x", None, print)
    with pytest.raises(ConfigError, match="has no version 2020-01-01T0000Z-00000000"):
        load_run(str(run_dir), version="2020-01-01T0000Z-00000000")
    plan = run_dir / VERSIONS / first / "training_plan.json"
    content = plan.read_bytes()
    plan.write_bytes(content.replace(b"ridge", b"lasso"))
    for attempt in (
        lambda: change_version(str(run_dir), first, None, print),
        lambda: load_run(str(run_dir), version=first),
    ):
        with pytest.raises(ArtifactError, match=r"training_plan\.json is not as it was written"):
            attempt()
    plan.unlink()
    with pytest.raises(ArtifactError, match=r"training_plan\.json is gone"):
        load_run(str(run_dir), version=first)
    assert scores(run_dir)


def test_a_change_waits_for_nobody(tmp_path: Path) -> None:
    """Who works on the run directory is named."""
    train(tmp_path, 240)
    run = RunDirectory(tmp_path / "run")
    with DriverLease(run, print).held(), pytest.raises(RunInUseError, match="is in use by process"):
        change_version(run.uri, None, None, print)
    with pytest.raises(ConfigError, match="no other version has served before"):
        change_version(run.uri, None, None, print)


def test_an_older_result_is_made_a_version(tmp_path: Path) -> None:
    """What stands there without one is the first that a new training is compared with."""
    run_dir = tmp_path / "run"
    train(tmp_path, 240)
    (old,) = names(run_dir)
    for path in sorted((run_dir / VERSIONS).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert list_versions(str(run_dir))["versions"] == []
    assert scores(run_dir)
    train(tmp_path, 300)
    assert names(run_dir)[1] == old
    assert list_versions(str(run_dir))["versions"][0]["decision"]["over"] == old
