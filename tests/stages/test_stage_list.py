"""The list of stages: its order, its names, and what the entries say of themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ray_pipeline
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ExecutionError
from ray_pipeline.results.stages import (
    STAGES,
    stage_place,
    table_place,
    taken_names,
    unit_place,
    unit_title,
)
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind

PACKAGE = Path(ray_pipeline.__file__).parent

OUTSIDE_STAGES = {"compare_versions", "history", "label", "score_present"}
"""Units of other commands, and of the end of a run."""


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_what_a_stage_needs_comes_before_it(stage: Stage) -> None:
    """The order of the list is one in which every stage finds what it reads."""
    earlier = [each.name for each in STAGES[: STAGES.index(stage)]]
    assert set(stage.needs) <= set(earlier)


def test_names_units_and_tables_are_of_one_stage_each() -> None:
    """A unit's words, a timing and a file lead back to one stage."""
    names = [stage.name for stage in STAGES]
    units = [kind.name for stage in STAGES for kind in stage.units]
    tables = [table for stage in STAGES for table in stage.tables]
    for given in (names, units, tables):
        assert len(set(given)) == len(given)
    assert {*names, *units} == taken_names()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_sections_are_those_that_its_module_reads(stage: Stage) -> None:
    """What an entry says of the config is what the code beside it reads."""
    module = stage.run.__module__.removeprefix("ray_pipeline.").replace(".", "/")
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    read = set(re.findall(r"\bconfig\.([a-z_]+)", text)) & set(ExperimentConfig.model_fields)
    assert read <= set(stage.sections)
    assert set(stage.sections) <= set(ExperimentConfig.model_fields)


def test_units_in_the_code_are_of_a_stage() -> None:
    """No unit is named in the code that no entry knows; shared values have no record."""
    named = {
        str(call.args[0].value)
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Unit"
        and isinstance(call.args[0], ast.Constant)
    }
    assert "train_pooled" in named
    without_record = {"pool", "pooled_predictions"}
    assert named - without_record - taken_names() == {
        "calibrate",
        "compare_versions",
        "history",
        "label",
        "score",
        "score_present",
    }


def test_places_follow_the_list() -> None:
    """Timings, units and tables sort as the stages come; what is unknown comes last."""
    assert stage_place("inspect") < stage_place("stage_mine") < stage_place("pool")
    assert stage_place("of a later version") == len(STAGES)
    assert unit_place("find_leaks") < unit_place("stage_mine") < unit_place("pool_slice")
    assert unit_title("stage_mine") == "stage mine"
    assert unit_title("of a later version") == "of a later version"
    assert table_place("leakage.parquet") < table_place("stages/mine.parquet")
    assert table_place("models/a/model.txt") < table_place("evaluation/jobs.parquet")
    assert table_place("notes.txt") > table_place("evaluation/equity.parquet")


def test_title_of_units_with_a_name_from_the_config() -> None:
    """A star stands for the rest of the name."""
    kind = UnitKind("stage_*", "stage *")
    assert kind.title_of("stage_memory") == "stage memory"
    assert kind.title_of("pool_slice") is None


def test_result_that_no_stage_has_left_is_named() -> None:
    """A stage in the wrong place of the list says what it misses, and how to mend it."""
    context = object.__new__(StageContext)
    context._results = {}
    assert context.find(Stage) is None
    with pytest.raises(ExecutionError, match=r"no stage before this one has left a Stage\."):
        context.get(Stage)
    context.put(STAGES[0])
    assert context.get(Stage) is STAGES[0]
