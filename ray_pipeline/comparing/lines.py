"""A comparison in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ray_pipeline.comparing.excerpts import beside
from ray_pipeline.results.figures import count
from ray_pipeline.wording import agreeing, plural, some_of

__all__ = ["comparison_lines"]

Found = Mapping[str, Any]

_STATES = {
    "equal": "equal",
    "different": "different",
    "only_in_a": "only in A",
    "only_in_b": "only in B",
}
_UNFINISHED = {
    "failed": "failed",
    "interrupted": "was interrupted",
    "running": "is still running",
}
_FINGERPRINT = "input_fingerprint"


def comparison_lines(found: Found) -> list[str]:
    """Format what `compare_runs` found: the verdict, where it fails, and what may be why."""
    if found["equal"]:
        same = f"content_sha256 {found['a']['content_sha256']}"
        verdict = same if found["files"] else "neither run has written a result"
        return [f"equal: {verdict}", *_cautions(found)]
    lines = ["different"]
    lines += [f"  {side.upper()}: {found[side]['uri']}" for side in "ab"]
    lines += [*_cautions(found), "", *_file_lines(found["files"])]
    for difference in found["differences"]:
        lines += ["", *_LINES_OF[difference["kind"]](difference)]
    return lines + _settings_lines(found["settings"])


def _cautions(found: Found) -> Iterator[str]:
    for side in "ab":
        run, name = found[side], side.upper()
        if run["status"] != "done":
            how = _UNFINISHED.get(run["status"], f"has status {run['status']!r}")
            yield f"{name} {how}: what it has written so far was compared."
        recorded = run["recorded_content_sha256"]
        if recorded not in (None, run["content_sha256"]):
            yield (
                f"{name} was changed after the run: run.json has content_sha256 {recorded}, "
                f"its files now have {run['content_sha256']}."
            )


def _file_lines(files: Sequence[Found]) -> Iterator[str]:
    """Write a line per result, and one per state of the model files."""
    models: dict[str, list[str]] = {}
    for file in files:
        if file["name"].startswith("models/"):
            models.setdefault(file["state"], []).append(file["name"].removeprefix("models/"))
        else:
            yield f"  {_STATES[file['state']]:<9}  {file['name']}"
    for state, text in _STATES.items():
        names = models.get(state, [])
        if names:
            which = "" if state == "equal" else f": {some_of(names, 3)}"
            yield f"  {text:<9}  {plural(len(names), 'model file')}{which}"


def _table_lines(found: Found) -> Iterator[str]:
    n_rows, columns, first = found["n_rows"], found["columns"], found["first"]
    yield found["name"]
    if n_rows["a"] != n_rows["b"]:
        yield f"  rows: {count(n_rows['a'])} in A, {count(n_rows['b'])} in B"
    for side in "ab":
        if columns[f"only_in_{side}"]:
            yield f"  columns only in {side.upper()}: {', '.join(columns[f'only_in_{side}'])}"
    for kind in columns["types"]:
        yield f"  type of {kind['column']}: {kind['a']} in A, {kind['b']} in B"
    if columns["order"]:
        yield "  the columns are in another order"
    if first is not None:
        row = f"row {count(first['row'])} (from 0)"
        where = ", ".join(f"{name} {value}" for name, value in first["identity"].items())
        of_row = f"{row}, {where}" if where else row
        if first["only_in"] is None:
            yield f"  first difference: column {first['column']} of {of_row}"
            yield from _values(first)
        else:
            yield f"  first difference: only {first['only_in'].upper()} has {of_row}"
    n_columns = len(found["columns_differing"])
    if n_columns:
        n_differing = found["n_rows_differing"]
        differ = agreeing(n_differing, "differs", "differ")
        columns = plural(found["n_columns_compared"], "column")
        of = f"{count(n_differing)} of {plural(min(n_rows.values()), 'row')} {differ}"
        each = [f"{c['column']} ({count(c['n_rows'])})" for c in found["columns_differing"]]
        yield f"  {of}, in {n_columns} of {columns}: {some_of(each)}"


def _json_lines(found: Found) -> Iterator[str]:
    yield found["name"]
    yield f"  first difference: {found['path'] or 'the document as a whole'}"
    yield from _values(found)


def _text_lines(found: Found) -> Iterator[str]:
    yield found["name"]
    yield f"  first difference: character {found['character']} of line {count(found['line'])}"
    yield from _values({side: None if found[side] is None else repr(found[side]) for side in "ab"})


def _byte_lines(found: Found) -> Iterator[str]:
    yield found["name"]
    yield f"  first difference: byte {count(found['offset'])} (from 0)"
    yield from _values(found)


_LINES_OF = {
    "table": _table_lines,
    "json": _json_lines,
    "text": _text_lines,
    "bytes": _byte_lines,
}


def _values(found: Found) -> Iterator[str]:
    for side, text in zip("AB", beside(found["a"], found["b"]), strict=True):
        yield f"    {side}  {text}"


def _settings_lines(settings: Found) -> list[str]:
    differences = [*settings["record"], *settings["config"]]
    idle = [difference["key"] for difference in settings["config_without_effect"]]
    same = "nothing that the runs record is why: config, seed, input and versions are equal"
    lines = ["", "what may be why" if differences else same]
    for difference in differences:
        a, b = beside(difference["a"], difference["b"], limit=64)
        lines.append(f"  {difference['key']}: {a} in A, {b} in B")
        if difference["key"] == _FINGERPRINT:
            lines.append("    (covers paths, sizes and ETags: equal data elsewhere has another)")
    if idle:
        lines.append(f"  differ, but change no result: {', '.join(idle)}")
    return lines
