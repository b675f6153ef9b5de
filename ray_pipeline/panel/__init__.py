"""A symbol's table: reading, column roles, quality checks; labeling of bars."""

from ray_pipeline.panel.columns import MergedColumns, merge_columns
from ray_pipeline.panel.inspection import (
    InspectionRequest,
    SymbolInspection,
    inspect_symbol,
    inspection_request,
)
from ray_pipeline.panel.loading import TableRequest, labeled_table, load_symbol_table
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.reading import PartitionReader, read_columns
from ray_pipeline.panel.roles import resolve_roles
from ray_pipeline.panel.summary import PanelSummary, summarise_panel, table_request
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.panel.tasks import detect_task, resolve_task
from ray_pipeline.panel.time_axis import (
    decode_runs,
    encode_runs,
    merge_axes,
    modal_step_ns,
)

__all__ = [
    "InspectionRequest",
    "MergedColumns",
    "PanelSummary",
    "PartitionReader",
    "QualityFinding",
    "SymbolInspection",
    "SymbolTable",
    "TableRequest",
    "decode_runs",
    "detect_task",
    "encode_runs",
    "inspect_symbol",
    "inspection_request",
    "labeled_table",
    "load_symbol_table",
    "merge_axes",
    "merge_columns",
    "modal_step_ns",
    "read_columns",
    "resolve_roles",
    "resolve_task",
    "summarise_panel",
    "table_request",
]
