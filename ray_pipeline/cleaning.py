"""``ray-pipeline clean``: list what a run directory no longer needs, and delete it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ray_pipeline.errors import ConfigError, StorageError
from ray_pipeline.results.documents import UnitsRecord
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import RECORD, RESULTS, UNITS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.storage.replacing import NEXT, finish_replacing, is_replacing
from ray_pipeline.versions.kept import VERSIONS, read_version
from ray_pipeline.versions.names import is_version_name
from ray_pipeline.versions.serving import finish_change, note_event, versions_beyond, who_is_here
from ray_pipeline.wording import plural, size_text

__all__ = ["Cleaning", "Leftover", "clean_run", "cleaning_lines", "survey_run"]

_N_THREADS = 16

_OF_NO_UNIT = "folds"
"""Below ``units/``: cached results of folds, which the next training replaces in place."""

Kind = Literal["units", "version", "unfinished version", "attempt"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that is no longer needed.

    Attributes
    ----------
    name
        Stage of the units, name of the version, or the folder.
    paths
        Files and folders of the run directory.
    """

    kind: Kind
    name: str
    paths: tuple[str, ...]
    n_files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What can be deleted.

    Attributes
    ----------
    notes
        What is kept although it may not be needed, and why.
    """

    run: str
    leftovers: tuple[Leftover, ...]
    notes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all of it. A hard-linked file counts once per name."""
        return sum(each.size_bytes for each in self.leftovers)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"size_bytes": self.size_bytes}


def survey_run(uri: str, keep: int | None = None, *, unfinished: bool = False) -> Cleaning:
    """Find what a run directory no longer needs; nothing is changed.

    Never its result, the units from which the same command would resume, the version that serves,
    or the one before it.

    Parameters
    ----------
    keep
        Number of versions to keep; None: the config's number.
    unfinished
        Also the units from which an unfinished run would resume.

    Raises
    ------
    DiscoveryError
        When there is no run.
    DamagedFileError
        When a file that decides this is damaged.
    """
    run, result = RunDirectory(uri), open_run(uri)
    keep = result.config().output.keep_versions if keep is None else keep
    if keep < 1:
        raise ConfigError(f"--keep {keep}: it must be at least 1.")
    notes: list[str] = []
    found = [*_versions(run, keep), *_attempt(run)]
    why = _why_units_stay(run, result, unfinished=unfinished)
    if why:
        notes.append(why)
    else:
        found += _units(run, result.document(UNITS, UnitsRecord))
    return Cleaning(run.uri, tuple(found), tuple(notes))


def clean_run(
    uri: str,
    keep: int | None,
    agreed: Callable[[Cleaning], bool],
    say: Callable[[str], None],
    *,
    unfinished: bool = False,
) -> tuple[Cleaning, bool]:
    """Find what a run directory no longer needs, and delete it after confirmation.

    The lease is held from the first look to the last removal, so that no run begins in between.

    Parameters
    ----------
    agreed
        Receives what would be deleted; returns whether to delete it.

    Returns
    -------
    tuple
        What was found, and whether it was removed.
    """
    run = RunDirectory(uri)
    open_run(uri)
    with DriverLease(run, say, "RUN_DIR").held() as lease:
        if is_replacing(run):
            finish_replacing(run, RESULTS)
        finish_change(run)
        found = survey_run(uri, keep, unfinished=unfinished)
        if not found.leftovers or not agreed(found):
            return found, False
        for each in found.leftovers:
            lease.check()
            with ThreadPoolExecutor(_N_THREADS) as pool:
                # A version's record goes first: an incomplete one must not look complete.
                run.remove(each.paths[0])
                list(pool.map(run.remove, each.paths[1:]))
            if each.kind == "version":
                note_event(run, "removed", each.name, None, who_is_here(), "cleaned by hand")
        run.remove_temporary()
    return found, True


def cleaning_lines(found: Cleaning, *, removed: bool) -> list[str]:
    """Format the findings for a person."""
    lines = [
        f"{size_text(each.size_bytes):>10}  {plural(each.n_files, 'file')}  {_told(each)}"
        for each in found.leftovers
    ]
    lines.extend(found.notes)
    if not found.leftovers:
        return [*lines, f"{found.run}: nothing to delete"]
    done = "freed" if removed else "would be deleted"
    return [*lines, f"{size_text(found.size_bytes)} {done} in {found.run}"]


def _told(each: Leftover) -> str:
    match each.kind:
        case "units":
            return f"units of {each.name} that the result no longer refers to"
        case "version":
            return f"version {each.name}, beyond those that are kept"
        case "unfinished version":
            return f"version {each.name}, which was never whole"
        case "attempt":
            return f"{each.name}/, of a run that has not replaced the result"


def _versions(run: RunDirectory, keep: int) -> list[Leftover]:
    """Return versions beyond the number, and folders of versions that have no record."""
    there = run.listed(VERSIONS)
    sizes = {name: file.size_bytes for name, file in there.items()}
    found = []
    for name in versions_beyond(run, keep):
        read_version(run, name)
        own = [each for each in sizes if each.split("/")[1].split(".")[0] == name]
        paths = (f"{VERSIONS}/{name}.json", f"{VERSIONS}/{name}.decision.json")
        found.append(_leftover("version", name, (*paths, f"{VERSIONS}/{name}"), own, sizes))
    folders = {each.split("/")[1] for each in sizes if each.count("/") > 1}
    for name in sorted(filter(is_version_name, folders)):
        if f"{VERSIONS}/{name}.json" not in sizes:
            own = [each for each in sizes if each.startswith(f"{VERSIONS}/{name}/")]
            folder = f"{VERSIONS}/{name}"
            found.append(_leftover("unfinished version", name, (folder,), own, sizes))
    return found


def _attempt(run: RunDirectory) -> list[Leftover]:
    """Return what a run left in the folder of the next result."""
    if is_replacing(run):
        return []
    sizes = {name: file.size_bytes for name, file in run.listed(NEXT).items()}
    return [_leftover("attempt", NEXT, (NEXT,), list(sizes), sizes)] if sizes else []


def _why_units_stay(run: RunDirectory, result: Results, *, unfinished: bool) -> str:
    """Say why it is unknown which units are still needed; empty if it is known."""
    if result.record.status != "done":
        return (
            f"units/ is left alone: the run is {result.record.status}, and the same command "
            "resumes from its units"
        )
    if not result.files.exists(UNITS):
        return (
            f"units/ is left alone: the result has no {UNITS}, which lists its units. Run the same "
            "command again: it writes the file, and redoes nothing"
        )
    beside = run.below(NEXT)
    if not unfinished and not is_replacing(run) and beside.exists(RECORD):
        return (
            "units/ is left alone: a run that will replace the result has not finished, and its "
            "command resumes from its units. Add --unfinished to delete them anyway"
        )
    return ""


def _units(run: RunDirectory, used: UnitsRecord) -> list[Leftover]:
    """Return the units of each stage that the result does not use."""
    sizes = {name: file.size_bytes for name, file in run.listed("units").items()}
    kept = {f"units/{stage}/{digest}" for stage, own in used.units.items() for digest in own}
    kept |= _shared_folders(run, sorted(f"{name}.json" for name in kept if f"{name}.json" in sizes))
    by_stage: dict[str, dict[str, list[str]]] = {}
    for name in sizes:
        parts = name.split("/")
        unit = "/".join([*parts[:2], parts[2].partition(".")[0]]) if len(parts) > 2 else name
        if unit not in kept and name not in used.files and parts[1] != _OF_NO_UNIT:
            by_stage.setdefault(parts[1], {}).setdefault(unit, []).append(name)
    found = []
    for stage, units in sorted(by_stage.items()):
        names = [name for own in units.values() for name in own]
        paths = dict.fromkeys(
            name if name.count("/") < 3 else "/".join(name.split("/")[:3]) for name in names
        )
        found.append(_leftover("units", stage, tuple(paths), names, sizes))
    return found


def _shared_folders(run: RunDirectory, records: Sequence[str]) -> set[str]:
    """Name folders other than the units' own in which units left files."""

    def files_of(record: str) -> Iterable[str]:
        try:
            files: Mapping[str, object] = run.read_json(record).get("files", {})
        except (StorageError, AttributeError):
            return ()  # it counts as unfinished work by now, and a resumed run redoes it
        return list(files)

    with ThreadPoolExecutor(_N_THREADS) as pool:
        names = {name for files in pool.map(files_of, records) for name in files}
    return {"/".join(name.split("/")[:3]) for name in names if name.startswith("units/")}


def _leftover(
    kind: Kind, name: str, paths: tuple[str, ...], files: Sequence[str], sizes: Mapping[str, int]
) -> Leftover:
    return Leftover(kind, name, paths, len(files), sum(sizes[each] for each in files))
