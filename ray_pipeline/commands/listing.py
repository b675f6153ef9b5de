"""The commands, in the order of the program's help."""

from __future__ import annotations

from ray_pipeline.commands import (
    check,
    clean,
    compare,
    completion,
    discover,
    explain,
    features,
    import_data,
    init,
    label,
    monitor,
    predict,
    quickstart,
    report,
    run,
    runs,
    schema,
    status,
    update,
    versions,
)

__all__ = ["COMMANDS"]

COMMANDS = (
    init.COMMAND,
    import_data.COMMAND,
    run.COMMAND,
    discover.COMMAND,
    check.COMMAND,
    label.COMMAND,
    predict.COMMAND,
    update.COMMAND,
    monitor.COMMAND,
    versions.COMMAND,
    clean.COMMAND,
    runs.COMMAND,
    status.COMMAND,
    report.COMMAND,
    explain.COMMAND,
    compare.COMMAND,
    quickstart.COMMAND,
    features.COMMAND,
    schema.COMMAND,
    completion.COMMAND,
)
