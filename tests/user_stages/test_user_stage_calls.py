"""One call of a user's function, as a worker makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from panels import labeled_table

from ray_pipeline.errors import ExecutionError
from ray_pipeline.panel import TableRequest
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage import RunDirectory
from ray_pipeline.user_code.stages import find_stage
from ray_pipeline.user_stages.running import UserStageSpec, call_user_stage

OwnModules = Callable[..., Path]

SOURCE = """
def middle(table, symbol, column):
    return {"middle": table[column][table.num_rows // 2], "of": symbol}
"""


@pytest.fixture
def spec(tmp_path: Path, own_modules: OwnModules) -> UserStageSpec:
    """Write one symbol, and a function to call on it."""
    own_modules("own_calls", SOURCE)
    path = tmp_path / "A.parquet"
    pq.write_table(labeled_table("A"), path)
    request = TableRequest("labeled", None, ("signal",), ("fwd_ret_1d",), None, 1, 86_400, 1)
    return UserStageSpec(
        SymbolPartition("A", (PartitionFile(str(path), path.stat().st_size, ""),)),
        request,
        find_stage("m", "own_calls:middle", {"column": "fwd_ret_1d"}),
    )


@pytest.fixture
def reader(tmp_path: Path) -> PanelReader:
    return PanelReader(str(tmp_path), {}, RunDirectory(tmp_path / "run"))


def test_function_gets_table_symbol_and_options(reader: PanelReader, spec: UserStageSpec) -> None:
    """What it takes from the table is the symbol's own value."""
    expected = labeled_table("A")["fwd_ret_1d"][160].as_py()
    assert call_user_stage(reader, spec) == {"record": {"middle": expected, "of": "A"}}


def test_worker_with_another_module_refuses(reader: PanelReader, spec: UserStageSpec) -> None:
    """A node with an old version of the module must not answer for the driver's."""
    old = replace(spec, stage=replace(spec.stage, source_sha256="0" * 64))
    with pytest.raises(
        ExecutionError,
        match=r"stage 'm': the module of own_calls:middle on this worker is another than the dri",
    ):
        call_user_stage(reader, old)
