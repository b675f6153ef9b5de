"""Skill fold by fold, counted by hand, and read from the predictions of a run."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_runs import SampleRun

from ray_pipeline.errors import DamagedFileError
from ray_pipeline.explaining import explain_target, explanation_lines
from ray_pipeline.results import steadiness
from ray_pipeline.results.contents import read_contents
from ray_pipeline.results.documents import FoldSpan
from ray_pipeline.results.reading import Results
from ray_pipeline.results.steadiness import (
    FoldSkills,
    fold_skills,
    read_fold_skills,
    served_family,
    steadiness_sentence,
)
from ray_pipeline.results.tables import PREDICTIONS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.predictions import predictions_schema

TARGET = "fwd_ret_5d"
START = datetime(2018, 1, 2, tzinfo=UTC)
SPANS = [FoldSpan(index=i, test_start=f"{2018 + i}-01-02T00:00:00+00:00") for i in range(4)]
RIGHT, WRONG = (1.0, 2.0, 3.0, 4.0), (4.0, 3.0, 2.0, 1.0)


def predictions(folds: dict[int, tuple[float, ...]], **columns: Any) -> pa.Table:
    """Give each fold two timestamps with the labels 1 to 4 and some predictions of them."""
    rows: list[dict[str, Any]] = [
        {
            "ts": START + timedelta(days=365 * fold + day),
            "symbol": f"S{place}",
            "target": TARGET,
            "view": "cross_sectional",
            "family": "ridge",
            "fold": fold,
            "prediction": value,
            "actual": float(place + 1),
            "standing": 0.5,
            **{name: values[place] for name, values in columns.items()},
        }
        for fold, values_of in folds.items()
        for day in range(2)
        for place, value in enumerate(values_of)
    ]
    return pa.Table.from_pylist(rows, predictions_schema(is_grouped="group" in columns))


def test_each_fold_has_the_mean_skill_of_its_timestamps() -> None:
    """Four symbols in the right order are 1, in the wrong one −1; a fold without skill is 0."""
    found = fold_skills(
        predictions({0: RIGHT, 2: WRONG, 3: (1.0, 1.0, 1.0, 1.0)}), "ridge", "regression"
    )
    assert (found.folds, found.skills) == ((0, 2, 3), (1.0, -1.0, 0.0))


def test_each_symbol_has_the_skill_over_its_own_time() -> None:
    """Of three days a symbol's predictions are in the right order, another's in the wrong one."""
    rows = [
        {"ts": START + timedelta(days=day), "symbol": symbol, "fold": 3, "actual": float(day)}
        | {"prediction": sign * float(day)}
        for day in range(3)
        for symbol, sign in (("A", 1), ("B", -1), ("C", 0))
    ]
    rows += [rows[0] | {"symbol": "D"}, rows[3] | {"symbol": "D"}]
    schema = pa.schema(
        [
            ("ts", pa.timestamp("ns", "UTC")),
            ("symbol", pa.string()),
            ("fold", pa.int32()),
            ("actual", pa.float64()),
            ("prediction", pa.float64()),
        ]
    )
    actual = [row["actual"] + ord(row["symbol"]) / 100 for row in rows]
    told = [row | {"actual": value} for row, value in zip(rows, actual, strict=True)]
    found = fold_skills(pa.Table.from_pylist(told, schema), "ridge", "regression")
    assert found.folds == (3,)
    assert {name: found.by_symbol[name] for name in "ABC"} == {
        "A": (1.0,),
        "B": (-1.0,),
        "C": (0.0,),
    }
    assert math.isnan(found.by_symbol["D"][0])


def test_rows_without_a_label_do_not_count() -> None:
    """A fold whose labels are not known yet has no skill."""
    table = predictions({0: RIGHT, 1: RIGHT})
    unknown = pa.array([1.0, 2.0, 3.0, 4.0] * 2 + [None] * 4 + [float("nan")] * 4)
    table = table.set_column(table.schema.get_field_index("actual"), "actual", unknown)
    assert fold_skills(table, "ridge", "regression").folds == (0,)


def test_without_any_label_there_is_no_fold() -> None:
    """A run may end before any label of its test rows is known."""
    table = predictions({0: RIGHT})
    unknown = pa.nulls(table.num_rows, pa.float64())
    table = table.set_column(table.schema.get_field_index("actual"), "actual", unknown)
    assert fold_skills(table, "ridge", "regression") == FoldSkills("ridge", (), ())


def test_symbols_are_compared_within_their_group() -> None:
    """The order is right in each of two groups of three, and wrong across them; one has none."""
    table = predictions(
        {0: (4.0, 5.0, 6.0, 1.0, 2.0, 3.0, 0.0)},
        group=["a", "a", "a", "b", "b", "b", None],
    )
    assert fold_skills(table, "ridge", "regression").skills == (1.0,)


@pytest.mark.parametrize(
    ("skills", "told"),
    [
        ((0.1, 0.2, 0.3, 0.4), "in all of 4 folds, since 2018-01-02 (+0.10 to +0.40)."),
        ((0.1, -0.2, 0.3, 0.4), "in 3 of 4 folds (−0.20 to +0.40), in all since 2020-01-02."),
        ((0.1, 0.2, 0.3, 0.0), "in 3 of 4 folds (0.00 to +0.30), and not in the last one."),
        ((-0.1, -0.2, -0.3, -0.4), "in 0 of 4 folds (−0.40 to −0.10), and not in the last one."),
    ],
)
def test_a_sentence_says_in_how_many_folds_and_since_when(
    skills: tuple[float, ...], told: str
) -> None:
    """The streak that lasts until today is what a reader bets on."""
    found = FoldSkills("ridge", (0, 1, 2, 3), skills)
    assert steadiness_sentence(found, SPANS) == f"The pooled ridge model was positive {told}"


def test_families_are_chosen_by_what_they_are() -> None:
    """What is served, else what ranking names, else the first of the plan."""
    assert served_family(["ridge", "rank_average"], "ridge") == "rank_average"
    assert served_family(["ridge", "lightgbm"], "lightgbm") == "lightgbm"
    assert served_family(["ridge", "lightgbm"], None) == "ridge"


def test_predictions_of_a_run_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pooled model alone; without the table, or with too much of it, nothing is told."""
    run = SampleRun().write(tmp_path)
    results = Results(run)
    contents = read_contents(results)
    assert read_fold_skills(results, contents, [TARGET]) == {}
    other = predictions({0: WRONG}).set_column(3, "view", pa.array(["symbol_specific"] * 8))
    run.write_table(PREDICTIONS, pa.concat_tables([other, predictions({0: RIGHT, 1: WRONG})]))
    found = read_fold_skills(results, contents, [TARGET, "ret_zscore_60m"])
    assert found == {TARGET: FoldSkills("ridge", (0, 1), (1.0, -1.0))}
    monkeypatch.setattr(steadiness, "MAX_ROWS", 10)
    assert read_fold_skills(results, contents, [TARGET]) == {}


def test_predictions_of_several_models_are_read_from_one_opened_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an object store each opening costs requests; a target without rows is left out."""
    run = SampleRun().write(tmp_path)
    first = predictions({0: RIGHT})
    place = first.column_names.index("target")
    other = first.set_column(place, "target", pa.array(["other"] * first.num_rows))
    run.write_table(PREDICTIONS, pa.concat_tables([first, other]))
    opened: list[str] = []
    open_table = RunDirectory.open_table

    def counted(directory: RunDirectory, name: str) -> AbstractContextManager[pq.ParquetFile]:
        opened.append(name)
        return open_table(directory, name)

    monkeypatch.setattr(RunDirectory, "open_table", counted)
    families = {TARGET: "ridge", "other": "ridge", "absent": "ridge"}
    found = dict(Results(run).pooled_predictions(families, 1000))
    assert {target: rows.num_rows for target, rows in found.items()} == {
        TARGET: first.num_rows,
        "other": first.num_rows,
    }
    assert opened == [PREDICTIONS]


def test_explain_has_the_sentence_and_the_folds(tmp_path: Path) -> None:
    """Those of the page; of a target without a pooled model it says why there are none."""
    run = SampleRun().write(tmp_path)
    run.write_table(PREDICTIONS, predictions({0: RIGHT, 1: WRONG, 2: RIGHT}))
    found = explain_target(run.uri, TARGET)
    told = (
        "The pooled ridge model was positive in 2 of 3 folds (−1.00 to +1.00), in all since 2020-"
    )
    assert found["steadiness"]["sentence"].startswith(told)
    assert found["steadiness"]["folds"][1] == {"fold": 1, "skill": -1.0}
    assert told in " ".join(" ".join(explanation_lines(found)).split())
    none = explain_target(run.uri, "ret_zscore_60m")["steadiness"]
    assert (none["folds"], none["absent"][:34]) == ([], "No pooled model of this target was")


def test_another_table_in_its_place_is_refused(tmp_path: Path) -> None:
    """By its address and the column that it lacks."""
    run = SampleRun().write(tmp_path)
    run.write_table(PREDICTIONS, predictions({0: RIGHT}).drop_columns(["fold"]))
    results = Results(run)
    with pytest.raises(DamagedFileError, match=r"out_of_sample\.parquet has no column fold"):
        read_fold_skills(results, read_contents(results), [TARGET])
