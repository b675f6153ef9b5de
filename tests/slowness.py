"""Which tests `./check` leaves out because they take seconds: those of CI and of `pytest` alone."""

from __future__ import annotations

__all__ = ["SLOW_MODULES", "SLOW_SERVERS"]

SLOW_SERVERS = {"moto", "s3_server", "s3_store", "seaweedfs", "seaweedfs_store"}
"""Servers of object stores, as fixtures and as kinds of `store`; local folders and memory stand for
them."""

SLOW_MODULES = (
    # whole runs; test_pipeline.py and releases/ stand for them
    "comparing/test_run_comparison.py",
    "docs/test_features_of_the_pages.py",
    "docs/test_site.py",
    "docs/test_snippets.py",
    "driving",
    "notebook/test_documented_example.py",
    "notebook/test_exports.py",
    "notebook/test_run_as_an_object.py",
    "notebook/test_run_from_a_frame.py",
    "predicting",
    "quickstart",
    "results/test_damaged_files.py",
    "results/test_running_on_damage.py",
    "test_bad_ticks.py",
    "test_batch_reaches_every_stage.py",
    "test_column_order.py",
    "test_hostile_numbers.py",
    "test_label.py",
    "test_documented_stage.py",
    "test_real_data.py",
    # builds the wheel
    "test_wheel.py",
    # simulations of error rates
    "evaluating/test_deflation.py",
    "ranking/test_circular_shift_null.py",
    "statistics/test_calibration.py",
    "statistics/test_leak_scores.py",
    "statistics/test_sharpe.py",
    # every family on every task, also in fresh processes
    "families/test_saved_models.py",
)
"""Modules and folders below tests/. Single tests elsewhere have the marker ``slow``."""
