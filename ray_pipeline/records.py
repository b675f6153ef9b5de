"""The values that travel between layers: small, frozen, made of plain types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

__all__ = [
    "BAR_FIELDS",
    "DEFAULT_LABELS",
    "LARGEST_VALUE",
    "QUESTIONS",
    "TARGET_PATTERNS",
    "TIME_COLUMNS",
    "VALUE",
    "VIEW_NAMES",
    "ColumnRoles",
    "Compare",
    "Discovery",
    "FinishedUnit",
    "Horizon",
    "MembershipSpans",
    "PartitionFile",
    "Question",
    "Rejection",
    "SampleWeights",
    "SymbolPartition",
    "TargetSpec",
    "Task",
    "TimeRun",
    "UnfitUnit",
    "Unlisted",
    "View",
    "WrittenFile",
    "first_match",
]

Task = Literal["regression", "binary", "ordinal"]
Compare = Literal["z_score", "rank", "demean", "raw"]
"""How pooled models see labels relative to the other symbols at the same timestamp."""
Question = Literal["", "across symbols", "over time"]
"""The question that a figure answers: who beats whom at a timestamp, or what a symbol does over
its own time. Empty in files of version 0.2.0 and earlier."""
SampleWeights = Literal["none", "average_uniqueness"]
View = Literal["cross_sectional", "symbol_specific"]

QUESTIONS: Mapping[View, Question] = {
    "cross_sectional": "across symbols",
    "symbol_specific": "over time",
}
"""The question that the skill of a view's models answers."""

VIEW_NAMES: Mapping[View, str] = {
    "cross_sectional": "cross-sectional",
    "symbol_specific": "symbol-specific",
}
"""Views in the words of messages and of the report."""

TIME_COLUMNS = ("ts", "timestamp", "datetime", "date")
BAR_FIELDS = ("open", "high", "low", "close", "volume")
VALUE: Final = "value"
"""Name of the value column of a series."""

LARGEST_VALUE = 1e30
"""Largest magnitude of a feature, a label or a field of a bar; values beyond it count as missing.

Its square is 1e60 and its fourth power 1e120: sums of squares, of products and of fourth powers
over as many rows as a panel can have, and products of two such sums, stay finite in float64 (up to
1.8e308). In float32 (up to 3.4e38), the type of the pooled panel, it can be stored, subtracted, and
summed over 10^8 rows. Real measurements are far smaller: 64-bit integers at 1.8e19.
"""

TARGET_PATTERNS = (
    *("fwd_ret_*", "y_*", "excess_ret_*", "ret_zscore_*", "ret_ord_*"),
    *("mfe_*", "mae_*", "mdd_*"),
    *("fwd_value_*", "fwd_mean_*", "fwd_sum_*", "fwd_change_*", "excess_mean_*"),
    *("y", "target", "label"),
)
"""Default names of targets. Whatever the config says, such a column is a feature only on
request: predicting only a few targets does not turn the others into features."""

DEFAULT_LABELS = ("fwd_ret_5d", "fwd_ret_20d", "y_will_peak_10d_1.0")
"""Default targets computed from bars; for a series they mean its own defaults."""


@dataclass(frozen=True, slots=True)
class PartitionFile:
    """One Parquet file of a symbol.

    Attributes
    ----------
    path
        Path inside its filesystem, without the protocol (``bucket/panel/…`` or ``/data/…``).
    size_bytes
        Size as listed.
    version
        What distinguishes this content from another under the same path: the ETag of an object
        store, the modification time in nanoseconds of a local file, or an empty string if unknown.
    """

    path: str
    size_bytes: int
    version: str


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Something below a listed folder that could not be read.

    Attributes
    ----------
    path
        Like that of a `PartitionFile`; it ends in a slash if it is or may be a folder.
    reason
        The cause, as it follows "cannot be listed:".
    kind
        ``blocked``: the system refuses, as for a circle of links or missing rights; ``gone``: a
        link to nothing, or removed during the listing; ``circle``: a link to a folder above, which
        holds nothing new; ``special``: neither a file nor a folder.
    """

    path: str
    reason: str
    kind: Literal["blocked", "gone", "circle", "special"]


MembershipSpans = tuple[tuple[int, int], ...]
"""Spans [start, end) in nanoseconds since 1970, UTC; sorted and disjoint."""


GroupSpans = tuple[tuple[int, int, str], ...]
"""Spans (start, end, group), likewise: when a symbol belonged to which group, e.g. a sector."""


@dataclass(frozen=True, slots=True)
class SymbolPartition:
    """A symbol and its Parquet files, sorted by path.

    `membership` says when the symbol belongs to the universe; None: always. `groups` are its groups
    in the universe; None: it has none there. `rows_sha256` is the hash of all its rows in a run
    that identifies rows by content: units then depend on it instead of the files, and rows may move
    to other files without redoing work.
    """

    symbol: str
    files: tuple[PartitionFile, ...]
    membership: MembershipSpans | None = None
    groups: GroupSpans | None = None
    rows_sha256: str | None = None

    def stand_in(self) -> tuple[object, ...] | None:
        """Return what represents this in the text from which units are named; None: all of it."""
        if self.rows_sha256 is None:
            return None
        return (self.symbol, self.rows_sha256, self.membership, self.groups)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files as listed."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A symbol that the run leaves out, and why."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found under a data directory.

    Attributes
    ----------
    data_dir
        The root, as given by the user.
    interval
        The bar interval in the layout (``5m``), or None if it has none.
    layout
        ``interval=/symbol=`` ("current"), ``symbol=`` ("legacy"), or the pattern of the paths.
    partitions
        Usable symbols, sorted by code point.
    rejected
        Symbol folders without a usable Parquet file, sorted by symbol.
    """

    data_dir: str
    interval: str | None
    layout: str
    partitions: tuple[SymbolPartition, ...]
    rejected: tuple[Rejection, ...]

    @property
    def symbols(self) -> list[str]:
        """Names of the usable symbols, sorted by code point."""
        return [partition.symbol for partition in self.partitions]


@dataclass(frozen=True, slots=True)
class TimeRun:
    """Evenly spaced timestamps ``start_ns + i * step_ns`` for i in [0, count).

    A symbol's time axis is a short list of runs (one per session of a market), so that the
    driver learns every timestamp of a panel without receiving one number per row.
    """

    start_ns: int
    step_ns: int
    count: int


@dataclass(frozen=True, slots=True, order=True)
class Horizon:
    """How far a label looks ahead.

    Attributes
    ----------
    count
        At least 1.
    unit
        ``rows``: the symbol's next rows, regardless of the time between them. ``bars`` and
        ``sessions``: of the clock of the symbol's market, whether the symbol has a row there or
        not.
    """

    count: int
    unit: Literal["rows", "bars", "sessions"] = "rows"

    def in_bars(self, session_bars: int) -> int:
        """Return it in bars, given the bars of a session."""
        return self.count * (session_bars if self.unit == "sessions" else 1)

    def __str__(self) -> str:
        """Spell it as part of a column's name."""
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A target column, how far it looks ahead, and its kind.

    Attributes
    ----------
    horizon_bars
        Bars that it looks ahead; for days on intraday bars, by the longest session of any symbol in
        the batch.
    clock
        The horizon of a label that is computed on the clock; None if it counts rows, or if unknown,
        as in labeled tables.
    """

    name: str
    horizon_bars: int
    task: Task
    clock: Horizon | None = None

    @property
    def horizon(self) -> Horizon:
        """How far it looks ahead: on the clock, or in rows."""
        return self.clock or Horizon(self.horizon_bars)


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """The role of each column of a table; every column is in exactly one of the fields.

    ``ignored`` holds columns that no stage uses (text, excluded by the config, …), each with its
    reason. ``value`` is the column of a series from which features and targets are computed.
    """

    time: str
    symbol: str | None
    bars: tuple[str, ...]
    targets: tuple[str, ...]
    by_products: tuple[str, ...]
    features: tuple[str, ...]
    ignored: tuple[tuple[str, str], ...]
    value: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file as it was written.

    `md5` is stored because an object store uses it to identify most objects, so they need not be
    read.
    """

    size_bytes: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class FinishedUnit:
    """The record of a unit of work, and how it was computed.

    Attributes
    ----------
    key
        Name of the unit within its stage.
    record
        What its function returned.
    seconds
        Time inside the function.
    libraries
        Versions of the libraries that computed it.
    """

    key: str
    record: dict[str, Any]
    seconds: float
    libraries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnfitUnit:
    """A unit with an unreliable record: the file that shows it, and how."""

    name: str
    reason: str


def first_match(name: str, patterns: Iterable[str]) -> str | None:
    """Return the first pattern that is `name` itself or matches it, else None."""
    for pattern in patterns:
        if name == pattern or fnmatchcase(name, pattern):
            return pattern
    return None
