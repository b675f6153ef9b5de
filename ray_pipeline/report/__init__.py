"""The page of a run: one self-contained HTML file."""

from ray_pipeline.report.page import REPORT, write_report

__all__ = ["REPORT", "write_report"]
