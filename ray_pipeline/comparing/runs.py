"""What differs between two run directories, read file by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.comparing.files import first_byte_difference, first_json_difference
from ray_pipeline.comparing.settings import compare_configs, compare_records
from ray_pipeline.comparing.tables import compare_tables
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.stages import table_place
from ray_pipeline.results.tables import content_names
from ray_pipeline.storage import RunDirectory, file_digests, joint_sha256

__all__ = ["compare_runs"]

Digests = Mapping[str, bytes]


def compare_runs(
    uri_a: str,
    uri_b: str,
    options_a: Mapping[str, Any] | None = None,
    options_b: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare what two runs computed: the content of all files that ``content_sha256`` covers.

    Parameters
    ----------
    options_a, options_b
        fsspec options of their stores, without secrets.

    Returns
    -------
    dict
        Plain values. ``equal``; per run its status and its hash, as recorded and as its files
        have it now; the ``state`` of every covered file; under ``differences`` the details of the
        first table, the first other result and the first model file that differ; under
        ``settings`` what else differs and may be why. Single values are text that shows their
        last bit, or None where there is none.

    Raises
    ------
    DiscoveryError
        When one of them is not a run directory.
    StorageError, ConfigError
        When a file of a run cannot be read.

    Notes
    -----
    Files are equal when they have the same digest in ``content_sha256``. Tables are read in
    batches, twice where they differ.
    """
    a, b = open_run(uri_a, options_a), open_run(uri_b, options_b)
    digests_a, digests_b = _digests(a.files), _digests(b.files)
    files = [
        {"name": name, "state": _state(digests_a.get(name), digests_b.get(name))}
        for name in sorted(digests_a.keys() | digests_b.keys(), key=_place)
    ]
    different = [file["name"] for file in files if file["state"] == "different"]
    return {
        "equal": all(file["state"] == "equal" for file in files),
        "a": _described(a, digests_a),
        "b": _described(b, digests_b),
        "files": files,
        "differences": [
            {"name": name, **_difference(a.files, b.files, name)}
            for name in _first_of_each_kind(different)
        ],
        "settings": {
            "record": compare_records(a.record, b.record),
            **compare_configs(a.config_values(), b.config_values()),
        },
    }


def _digests(run: RunDirectory) -> dict[str, bytes]:
    """Hash the covered files that are there."""
    return file_digests(run, content_names(run))


def _state(a: bytes | None, b: bytes | None) -> str:
    if a is None or b is None:
        return "only_in_b" if a is None else "only_in_a"
    return "equal" if a == b else "different"


def _place(name: str) -> tuple[int, str]:
    """Order names as `content_names` does, whichever of the runs has them."""
    return table_place(name), name


def _described(run: Results, digests: Digests) -> dict[str, Any]:
    return {
        "uri": run.uri,
        "name": run.record.name,
        "status": run.record.status,
        "content_sha256": joint_sha256(digests),
        "recorded_content_sha256": run.record.content_sha256,
    }


def _first_of_each_kind(names: Sequence[str]) -> list[str]:
    first: dict[tuple[bool, bool], str] = {}
    for name in names:
        first.setdefault((name.startswith("models/"), name.endswith(".parquet")), name)
    return list(first.values())


def _difference(a: RunDirectory, b: RunDirectory, name: str) -> dict[str, Any]:
    """Tell what differs in a file by what counts in it for the hash."""
    if name.endswith(".parquet"):
        with a.open_table(name) as table_a, b.open_table(name) as table_b:
            return {"kind": "table", **compare_tables(table_a, table_b)}
    if name.endswith(".json"):
        # A model's file may hold NaN.
        documents = (run.read_document(name, finite=False) for run in (a, b))
        return {"kind": "json", **first_json_difference(*documents)}
    return first_byte_difference(a.read_bytes(name), b.read_bytes(name))
