"""Whole models of another run in the place of this one's: their scores are not taken for its."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from panels import quick_config, read_json, symbol_folder
from trained_runs import FAMILIES, ONE_FEATURE, POOLED, TARGET, Trained, arguments, predict

from ray_pipeline import load_run
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ArtifactError
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.training.seal import sealed

OWN = f"sym_{TARGET}__S00__ridge"
OTHERS = ["S01", "S02", "S03"]
FOREIGN = (
    r"is that of another model: it has the SHA-256 \w{12}…, and that of the model that the run"
)


@pytest.fixture(scope="module")
def other(labeled: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Run on the same data with another penalty: models of the same names and features."""
    run_dir = tmp_path_factory.mktemp("other") / "run"
    hyperparameters = {"lightgbm": {"n_estimators": 5}, "ridge": {"penalty": 1e3}}
    training = FAMILIES | {"hyperparameters": hyperparameters}
    config = quick_config(labeled.data_dir, run_dir, **ONE_FEATURE, training=training)
    run_pipeline(config, Silent())
    return replace(labeled, run_dir=run_dir)


@pytest.fixture
def ours(labeled: Trained, tmp_path: Path) -> Trained:
    """Copy the run that the tests share, to be spoiled."""
    run_dir = tmp_path / "run"
    shutil.copytree(labeled.run_dir, run_dir, ignore=shutil.ignore_patterns("units", "versions"))
    return replace(labeled, run_dir=run_dir)


def put(model: str, source: Trained, target: Trained) -> None:
    """Put a whole model of one run in its place in another."""
    folder = Path("models") / model
    shutil.rmtree(target.run_dir / folder)
    shutil.copytree(source.run_dir / folder, target.run_dir / folder)


def forget_seals(run: Trained) -> None:
    """Make a run's record that of a version that kept no seals of models."""
    path = run.run_dir / "run.json"
    record = read_json(path)
    del record["models"]
    path.write_text(json.dumps(record))


def scores_of(out: Path, symbol: str = "S00") -> bytes:
    """Read the file of a symbol's scores."""
    return (symbol_folder(out, symbol) / f"{symbol}.parquet").read_bytes()


def reseal(run: Trained, model: str, **changes: Any) -> None:
    """Change a model's metadata into whole ones of another model."""
    path = run.run_dir / "models" / model / "metadata.json"
    path.write_text(json.dumps(sealed(read_json(path) | changes)))


def files_of(run: Trained, model: str) -> Mapping[str, str]:
    """Return the checksums that a model's metadata have."""
    found: Mapping[str, str] = read_json(run.run_dir / "models" / model / "metadata.json")["files"]
    return found


def test_a_run_records_the_seals_of_its_models(trained: Trained) -> None:
    """Of all of them, pooled ones too, whose metadata are amended when they are published."""
    seals = read_json(trained.run_dir / "run.json")["models"]
    found = {
        path.parent.name: read_json(path)["sha256"]
        for path in trained.run_dir.glob("models/*/metadata.json")
    }
    assert len(found) == 3 * 5
    assert seals == found


def test_a_foreign_own_model_costs_its_symbol(
    ours: Trained, other: Trained, labeled: Trained, tmp_path: Path, scored: list[str]
) -> None:
    """The reason is told, the others are scored; restored, it scores what it would have scored."""
    predict(labeled, tmp_path / "plain")
    scored.clear()
    put(OWN, other, ours)
    out = tmp_path / "out"
    found = predict(ours, out)
    (failure,) = found["failures"]
    assert failure["symbol"] == "S00"
    assert failure["error"].startswith(
        f"ArtifactError: {ours.run_dir}/models/{OWN}/metadata.json is that of another model: "
    )
    assert OWN not in found["models"]
    assert [name for name, each in found["symbols"].items() if each["file"]] == OTHERS
    assert not list(out.rglob("S00.parquet"))
    put(OWN, labeled, ours)
    scored.clear()
    again = predict(ours, out)
    assert (scored, again["failures"]) == (["S00"], [])
    assert again["models"][OWN] == files_of(labeled, OWN)
    assert scores_of(out) == scores_of(tmp_path / "plain")


def test_a_foreign_pooled_model_is_refused(
    ours: Trained, other: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 2 and nothing written; `load_run` refuses it as well."""
    put(POOLED, other, ours)
    assert main(arguments(ours, tmp_path / "out")) == 2
    output = capsys.readouterr()
    (sentence,) = output.err.splitlines()
    place = ours.run_dir / "models" / POOLED / "metadata.json"
    assert sentence.startswith(
        f"ray-pipeline: {place} is that of another model: it has the SHA-256"
    )
    assert output.out == ""
    assert not (tmp_path / "out").exists()
    with pytest.raises(ArtifactError, match=FOREIGN):
        load_run(str(ours.run_dir))


def test_a_foreign_own_model_is_refused_in_python(
    ours: Trained, other: Trained, labeled: Trained
) -> None:
    """When the symbol is scored that it serves, the first of all of them; the others are."""
    put(OWN, other, ours)
    run = load_run(str(ours.run_dir))
    assert run.predict(labeled.tables["S01"], symbol="S01", in_sample=True).num_rows == 320
    with pytest.raises(ArtifactError, match=FOREIGN):
        run.predict(labeled.tables["S00"], symbol="S00")
    with pytest.raises(ArtifactError, match=FOREIGN):
        run.model(f"sym_{TARGET}__S00__rank_average")


def test_without_seals_other_models_redo_what_they_score(
    ours: Trained, other: Trained, labeled: Trained, tmp_path: Path, scored: list[str]
) -> None:
    """A run of a version that recorded none: every model is taken, and never another's scores."""
    forget_seals(ours)
    out = tmp_path / "out"
    predict(ours, out)
    first = scores_of(out)
    for source in (other, labeled):
        put(OWN, source, ours)
        scored.clear()
        found = predict(ours, out)
        assert (scored, found["failures"]) == (["S00"], [])
        assert found["models"][OWN] == files_of(source, OWN)
        assert (scores_of(out) == first) == (source is labeled)
    put(POOLED, other, ours)
    scored.clear()
    predict(ours, out)
    assert scored == ["S00", *OTHERS]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": ["cs_rank_oracle"]}, r"planned none of its features 'cs_rank_oracle'\. "),
        ({"features": []}, r"it has 0 of the 1 feature that the run planned"),
        (
            {"target": "y_other_1d"},
            r"its target is 'y_other_1d', and the run planned 'fwd_ret_1d' ",
        ),
        ({"family": "lightgbm"}, r"its family is 'lightgbm', and the run planned 'ridge' under "),
        ({"members": ["cs_y__ridge"]}, r"planned none of its members 'cs_y__ridge'\. Restore "),
    ],
)
def test_without_seals_a_model_that_was_not_planned_is_refused(
    ours: Trained,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: Mapping[str, Any],
    told: str,
) -> None:
    """Whole metadata of another model: one sentence, in place of features that nobody reads."""
    forget_seals(ours)
    reseal(ours, POOLED, **changes)
    assert main(arguments(ours, tmp_path / "out")) == 2
    output = capsys.readouterr()
    (sentence,) = output.err.splitlines()
    assert re.search(rf"{POOLED}/metadata\.json is that of another model: .*{told}", sentence)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ArtifactError, match=told):
        load_run(str(ours.run_dir))


def test_without_seals_an_own_model_that_was_not_planned_costs_its_symbol(
    ours: Trained, labeled: Trained, tmp_path: Path
) -> None:
    """In Python the symbol is refused, and an average that has the model among its members."""
    forget_seals(ours)
    reseal(ours, OWN, features=["unheard_of"])
    found = predict(ours, tmp_path / "out")
    (failure,) = found["failures"]
    told = "is that of another model: the run planned none of its features 'unheard_of'."
    assert failure["symbol"] == "S00"
    assert told in failure["error"]
    run = load_run(str(ours.run_dir))
    for use in (
        lambda: run.predict(labeled.tables["S00"], symbol="S00"),
        lambda: run.model(f"sym_{TARGET}__S00__rank_average"),
    ):
        with pytest.raises(ArtifactError, match=told):
            use()


def test_without_seals_a_damaged_own_model_costs_its_symbol(
    ours: Trained, tmp_path: Path, scored: list[str]
) -> None:
    """Its seal cannot be read, which is not a reason to refuse the others."""
    forget_seals(ours)
    path = ours.run_dir / "models" / OWN / "metadata.json"
    path.write_text(json.dumps(read_json(path) | {"seed": 1}))
    found = predict(ours, tmp_path / "out")
    assert [failure["symbol"] for failure in found["failures"]] == ["S00"]
    assert "its values have the SHA-256" in found["failures"][0]["error"]
    assert scored == ["S00", *OTHERS]


def test_the_same_models_are_not_asked_again(
    ours: Trained, tmp_path: Path, scored: list[str]
) -> None:
    """What else a run found is not what its models score."""
    predict(ours, tmp_path / "out")
    amend(ours, content_sha256="0" * 64)
    scored.clear()
    assert predict(ours, tmp_path / "out")["run"]["content_sha256"] == "0" * 64
    assert scored == []


def test_a_model_that_the_run_does_not_name_is_refused(ours: Trained, tmp_path: Path) -> None:
    """As many models as it counts, one of them of another name."""
    seals = read_json(ours.run_dir / "run.json")["models"]
    amend(ours, models={name: seal for name, seal in seals.items() if name != OWN})
    with pytest.raises(
        ArtifactError,
        match=rf": models/ holds {OWN}, and run\.json has no model of that name\. Copy",
    ):
        predict(ours, tmp_path / "out")


def amend(run: Trained, **changes: Any) -> None:
    """Change keys of ``run.json``."""
    path = run.run_dir / "run.json"
    path.write_text(json.dumps(read_json(path) | changes))
