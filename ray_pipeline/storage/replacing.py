"""Replacing the whole result of a run directory by another, so that readers see one of them.

A store moves no folder at once. The new result is therefore written beside the old one, into
`NEXT`; once all of it is there a marker says that it is the result, and readers take it from there.
Then its files are copied to the top of the directory, the marker goes, and the folder after it. A
process that is killed in between leaves the old result whole, or the new one; the next driver
finishes what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ray_pipeline.storage.run_directory import RunDirectory

__all__ = ["MARKER", "NEXT", "finish_replacing", "is_replacing", "replace_result", "result_place"]

NEXT = "next"
"""Folder of a result that is being computed while another one stands."""

MARKER = "replacing.json"
"""While it is there the result is the one in `NEXT`, all of which was written before."""

_RECORD = "run.json"
"""Every whole result has it. Without one in `NEXT` there is nothing to put in place: the marker is
of a directory that was copied in part."""

_COPIES_AT_ONCE = 16


def is_replacing(run: RunDirectory) -> bool:
    """Whether a replacement has been decided and its files are not all in their place yet."""
    return run.exists(MARKER)


def result_place(run: RunDirectory) -> RunDirectory:
    """Return where the result of a run directory is read: there, or in `NEXT`."""
    is_there = is_replacing(run) and run.exists(f"{NEXT}/{_RECORD}")
    return run.below(NEXT) if is_there else run


def replace_result(run: RunDirectory, results: Iterable[str]) -> None:
    """Make what `NEXT` holds the result.

    Parameters
    ----------
    results
        Files and folders of a result at the top of the directory: what the new one lacks of them
        is removed.
    """
    run.write_json(MARKER, {"result": NEXT})
    finish_replacing(run, results)


def finish_replacing(run: RunDirectory, results: Iterable[str]) -> None:
    """Put the files of a decided replacement in their place; see `replace_result`.

    The record comes last. Without a whole result in `NEXT` the one that stands is kept.
    """
    if not run.exists(f"{NEXT}/{_RECORD}"):
        run.remove(MARKER)
        run.remove(NEXT)
        return
    names = [name.removeprefix(f"{NEXT}/") for name in run.list(NEXT)]
    new = frozenset(names)
    old = [name for result in results for name in run.list(result)]
    _each(run.remove, _emptied(old, new))
    _each(
        lambda name: run.copy(f"{NEXT}/{name}", name), [name for name in names if name != _RECORD]
    )
    run.copy(f"{NEXT}/{_RECORD}", _RECORD)
    run.remove(MARKER)
    run.remove(NEXT)


def _emptied(old: Sequence[str], new: frozenset[str]) -> list[str]:
    """Return the files that go, as the highest folders of which nothing stays where there are."""
    folders = {name[:i] for name in new for i, letter in enumerate(name) if letter == "/"}
    gone = dict.fromkeys(
        next(
            (
                name[:i]
                for i, letter in enumerate(name)
                if letter == "/" and name[:i] not in folders
            ),
            name,
        )
        for name in old
        if name not in new
    )
    return list(gone)


def _each(do: Callable[[str], None], names: Sequence[str]) -> None:
    with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
        list(pool.map(do, names))
