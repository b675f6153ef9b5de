"""Calling your own function on a symbol's table (unit function)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from ray_pipeline.errors import ExecutionError
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.panel.reading import naming_symbol
from ray_pipeline.records import SymbolPartition
from ray_pipeline.user_code.functions import load_function
from ray_pipeline.user_code.records import plain_record
from ray_pipeline.user_code.stages import UserStage, takes_symbol

__all__ = ["UserStageSpec", "call_user_stage"]


@dataclass(frozen=True, slots=True)
class UserStageSpec:
    """One symbol, and the function to call on its table."""

    partition: SymbolPartition
    request: TableRequest
    stage: UserStage


def call_user_stage(reader: PanelReader, spec: UserStageSpec) -> dict[str, Any]:
    """Call the function on a symbol's table (unit function).

    Raises
    ------
    DataError
        When the function raises it; the message names the symbol.
    ExecutionError
        When this worker has another version of the function than the driver, or the record is not
        flat.
    """
    stage, symbol = spec.stage, spec.partition.symbol
    function, source_sha256 = load_function(stage.function)
    if source_sha256 != stage.source_sha256:
        raise ExecutionError(
            f"stage {stage.name!r}: the module of {stage.function} on this worker is another than "
            "the driver's. Install the same version on every node; if it was edited while this "
            "program ran, start the program again."
        )
    table = reader.arrow_table(spec.partition, spec.request)
    # A copy, so that a function that modifies its options does not affect the next symbol.
    options = copy.deepcopy(dict(stage.options))
    if takes_symbol(function):
        options["symbol"] = symbol
    with naming_symbol(symbol):
        value = function(table, **options)
    return {"record": plain_record(stage.name, value)}
