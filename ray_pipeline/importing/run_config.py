"""The config that goes with an imported panel."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Collection

from ray_pipeline.intervals import parse_interval
from ray_pipeline.records import BAR_FIELDS
from ray_pipeline.storage import absolute_uri, is_local, open_filesystem

__all__ = ["config_path", "write_config"]

_DAY_S = 86_400


def config_path(out: str, given: str | None) -> str:
    """Return where the config goes: as given, else beside the panel, or here for one on a store."""
    if given is not None:
        return given
    name = f"{posixpath.basename(absolute_uri(out).rstrip('/')) or 'panel'}.yaml"
    fs, path = open_filesystem(out)
    return os.path.join(os.path.dirname(path), name) if is_local(fs) else name


def write_config(path: str, out: str, interval: str, columns: Collection[str]) -> bool:
    """Write the config of a first run, unless there is a file of that name.

    Returns
    -------
    bool
        Whether it was written.
    """
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(_text(out, interval, columns))
    except FileExistsError:
        return False
    return True


def _text(out: str, interval: str, columns: Collection[str]) -> str:
    name = posixpath.basename(absolute_uri(out).rstrip("/")) or "panel"
    safe = "".join(
        char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name
    )
    lines = [
        "# Written by `ray-pipeline import`. `ray-pipeline check` says what a run would do with",
        "# it; `ray-pipeline init` writes a longer one.",
        "",
        "experiment:",
        f"  name: {json.dumps(safe.lstrip('._-') or 'panel')}",
        "  seed: 0",
        "",
        "data:",
        f"  data_dir: {json.dumps(absolute_uri(out), ensure_ascii=False)}",
        f"  interval: {json.dumps(interval)}",
        "  # symbol_batch_size: 15       # a first look at a sample",
        "  # min_rows_per_symbol: 300    # symbols with fewer rows are left out",
    ]
    missing = [field for field in BAR_FIELDS if field not in columns]
    if missing:
        lines += [
            "",
            f"# These are no bars ({', '.join(missing)} missing). Which columns are predicted",
            "# is told by their names (fwd_ret_60m, y_*) or here:",
            "# columns:",
            "#   targets: [my_target]",
            "#   horizons: {my_target: 5d}",
        ]
    elif parse_interval(interval).is_intraday:
        lines += [
            "",
            "labeling:",
            "  features: standard",
            "  targets: [fwd_ret_12b, y_will_peak_12b_1.0]   # b: bars; also 60m, 5d (sessions)",
        ]
    else:
        lines += [
            "",
            "labeling:",
            "  features: standard",
            "  targets: [fwd_ret_5d, fwd_ret_20d]            # d: sessions; also 12b (bars)"
            if parse_interval(interval).seconds == _DAY_S
            else "  targets: [fwd_ret_1b, fwd_ret_3b]             # b: bars",
        ]
    return "\n".join(lines) + "\n"
