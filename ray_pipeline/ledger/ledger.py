"""Predictions as they were made, in parts that are added and never changed.

A part is two tables, of predictions and of outcomes of earlier ones, and a record that is written
last: without it they do not count. Each record has the checksum of the one before it and of its own
tables, so that any change or gap in a ledger shows.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.errors import DamagedFileError, ExecutionError
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.documents import parse_json
from ray_pipeline.storage.parquet_writing import table_bytes
from ray_pipeline.wording import plural

__all__ = [
    "MEANINGS",
    "OUTCOMES",
    "PREDICTIONS",
    "UPDATE",
    "LedgerPart",
    "PredictionLedger",
    "last_update",
    "rows_in",
    "rows_not_in",
]

FOLDER = "ledger"

UPDATE = "update.json"
"""What the last update did."""

_N_THREADS = 16
_KEY = ("ts", "symbol", "target")
_TIME = pa.timestamp("ns", "UTC")

PREDICTIONS = pa.schema(
    [
        ("ts", _TIME),
        ("symbol", pa.string()),
        ("target", pa.string()),
        ("view", pa.string()),
        ("job_id", pa.string()),
        ("version", pa.string()),
        ("score", pa.float64()),
        ("prob", pa.float64()),
        ("expected", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("prediction", pa.float64()),
        ("n_unusual", pa.int32()),
        ("unusual", pa.string()),
        ("inputs_sha256", pa.string()),
    ]
)
"""One row per timestamp, symbol and target. `view` and `job_id` are of the models that served it,
joined by ``+`` where these are several; `score` is the standing that ``predict`` gives, and
`prob`, `expected`, `low` and `high` what that means, null where it means none of these;
`prediction` the raw one of the first of the models; `inputs_sha256` is of the features that they
saw."""

MEANINGS = ("prob", "expected", "low", "high")
"""Columns with the meaning of a score."""

OUTCOMES = pa.schema(
    [
        ("ts", _TIME),
        ("symbol", pa.string()),
        ("target", pa.string()),
        ("known_ts", _TIME),
        ("actual", pa.float64()),
    ]
)
"""The outcome of a prediction, and when its label became known."""


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """The record of a part.

    Attributes
    ----------
    number
        From 1.
    previous_sha256
        Of the previous part's record; empty for the first.
    made_at
        When it was written, by the writer's clock, ISO 8601.
    version, content_sha256
        The models that predicted.
    input_fingerprint
        Of the files that were read.
    upto
        Time before which rows were used, ISO 8601; None: all rows.
    n_predictions, n_outcomes, predictions_sha256, outcomes_sha256
        Of the two tables.
    """

    number: int
    previous_sha256: str
    made_at: str
    version: str
    content_sha256: str
    input_fingerprint: str
    upto: str | None
    n_predictions: int
    n_outcomes: int
    predictions_sha256: str
    outcomes_sha256: str


class PredictionLedger:
    """The ledger of a run directory.

    Parameters
    ----------
    run
        The run directory.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._read: list[tuple[LedgerPart, str]] | None = None

    def parts(self) -> list[LedgerPart]:
        """Return the records, in their order.

        Raises
        ------
        DamagedFileError
            When a part is missing between others, or a record does not match its successor.
        """
        return [part for part, _ in self._records()]

    def predictions(self) -> pa.Table:
        """Return all predictions, sorted by time, symbol and target; see `PREDICTIONS`."""
        return self._table("predictions", PREDICTIONS)

    def outcomes(self) -> pa.Table:
        """Return the outcomes known so far, sorted in the same way; see `OUTCOMES`."""
        return self._table("outcomes", OUTCOMES)

    def table(self) -> pa.Table:
        """Return the predictions with their outcomes.

        Returns
        -------
        pyarrow.Table
            `PREDICTIONS`, ``known_ts`` and ``actual`` (null if not known yet), and ``made_at``,
            sorted by time, symbol and target.
        """
        made_at: list[str] = []
        tables = []
        for part, table in self._tables("predictions"):
            tables.append(table)
            made_at += [part.made_at] * table.num_rows
        joined = pa.concat_tables(tables) if tables else PREDICTIONS.empty_table()
        joined = joined.append_column("made_at", pa.array(made_at, pa.string()))
        joined = joined.join(self.outcomes(), list(_KEY), join_type="left outer")
        return joined.sort_by([(name, "ascending") for name in _KEY])

    def append(
        self, predictions: pa.Table, outcomes: pa.Table, facts: Mapping[str, str | None]
    ) -> LedgerPart:
        """Add a part.

        Parameters
        ----------
        predictions, outcomes
            Rows that are not in the ledger yet, of `PREDICTIONS` and `OUTCOMES`.
        facts
            ``version``, ``content_sha256``, ``input_fingerprint`` and ``upto`` of `LedgerPart`.

        Raises
        ------
        ExecutionError
            When another process added a part in the meantime.
        """
        records = self._records()
        number = len(records) + 1
        content = {
            name: table_bytes(table.cast(schema).sort_by([(key, "ascending") for key in _KEY]))
            for name, table, schema in (
                ("predictions", predictions, PREDICTIONS),
                ("outcomes", outcomes, OUTCOMES),
            )
        }
        for name, written in content.items():
            self._run.write_bytes(_name(number, name, "parquet"), written)
        part = LedgerPart(
            number=number,
            previous_sha256=records[-1][1] if records else "",
            made_at=datetime.now(tz=UTC).isoformat(timespec="seconds"),
            version=str(facts["version"]),
            content_sha256=str(facts["content_sha256"]),
            input_fingerprint=str(facts["input_fingerprint"]),
            upto=facts["upto"],
            n_predictions=predictions.num_rows,
            n_outcomes=outcomes.num_rows,
            predictions_sha256=_sha256(content["predictions"]),
            outcomes_sha256=_sha256(content["outcomes"]),
        )
        text = json.dumps(asdict(part), indent=2).encode()
        self._read = None
        if not self._run.swap_bytes(_name(number, "part", "json"), None, text):
            raise ExecutionError(
                f"{self._run.uri}/{FOLDER}: another process has added part {number} meanwhile. "
                "Give the same command again."
            )
        return part

    def _records(self) -> list[tuple[LedgerPart, str]]:
        """Return the records with their checksums, read once until a part is added."""
        if self._read is None:
            self._read = self._read_records()
        return self._read

    def _read_records(self) -> list[tuple[LedgerPart, str]]:
        names = [name for name in self._run.names_in(FOLDER) if name.endswith(".part.json")]
        with ThreadPoolExecutor(_N_THREADS) as pool:
            found = list(pool.map(lambda name: self._run.read_bytes(f"{FOLDER}/{name}"), names))
        records: list[tuple[LedgerPart, str]] = []
        for place, (name, content) in enumerate(zip(names, found, strict=True), 1):
            part = self._parsed(name, content)
            before = records[-1][1] if records else ""
            if part.number != place or part.previous_sha256 != before:
                raise DamagedFileError(
                    f"{self._run.uri}/{FOLDER}/{name} does not follow the record before it: one of "
                    "them was changed, or a part is missing. Restore the folder as it was written; "
                    "what a ledger says must not be mended."
                )
            records.append((part, _sha256(content)))
        self._require_end(records)
        return records

    def _require_end(self, records: Sequence[tuple[LedgerPart, str]]) -> None:
        """Refuse a ledger that ends before the last update's part."""
        end = (last_update(self._run) or {}).get("ledger")
        if not isinstance(end, dict) or not isinstance(end.get("n_parts"), int):
            return  # of an update before this was recorded
        n_parts = end["n_parts"]
        if n_parts <= 0 or (len(records) >= n_parts and records[n_parts - 1][1] == end["sha256"]):
            return
        raise DamagedFileError(
            f"{self._run.uri}/{FOLDER} has {plural(len(records), 'part')}, and the last update "
            f"left {n_parts}, of which the last is not there as it was written. Restore the "
            "folder: past predictions cannot be recreated. To begin another ledger, move the "
            f"folder and {UPDATE} away."
        )

    def end(self) -> dict[str, Any]:
        """Return how many parts there are and the checksum of the last one's record."""
        records = self._records()
        return {"n_parts": len(records), "sha256": records[-1][1] if records else ""}

    def _parsed(self, name: str, content: bytes) -> LedgerPart:
        try:
            return LedgerPart(**parse_json(content))
        except (ValueError, TypeError) as error:
            raise DamagedFileError(
                f"{self._run.uri}/{FOLDER}/{name} is not a record of a ledger: {error}."
            ) from error

    def _table(self, name: str, schema: pa.Schema) -> pa.Table:
        tables = [table for _, table in self._tables(name)]
        joined = pa.concat_tables(tables) if tables else schema.empty_table()
        return joined.sort_by([(key, "ascending") for key in _KEY])

    def _tables(self, name: str) -> Iterator[tuple[LedgerPart, pa.Table]]:
        parts = self.parts()

        def read(part: LedgerPart) -> pa.Table:
            path = _name(part.number, name, "parquet")
            content = self._run.read_bytes(path)
            if _sha256(content) != getattr(part, f"{name}_sha256"):
                raise DamagedFileError(
                    f"{self._run.uri}/{path} is not as it was written: its checksum does not agree "
                    "with its record. Restore the file."
                )
            return pq.ParquetFile(io.BytesIO(content)).read()

        with ThreadPoolExecutor(_N_THREADS) as pool:
            yield from zip(parts, pool.map(read, parts), strict=True)


def last_update(run: RunDirectory) -> dict[str, Any] | None:
    """Return the last update's own record; None if there was none.

    Raises
    ------
    DamagedFileError
        When the file holds something else.
    """
    if not run.exists(UPDATE):
        return None
    what_to_do = "Restore the file, or remove it: the next update writes it again."
    try:
        found = run.read_document(UPDATE)
    except DamagedFileError as error:
        raise DamagedFileError(f"{error} {what_to_do}") from error
    if not isinstance(found, dict):
        raise DamagedFileError(f"{run.uri}/{UPDATE} is not a mapping. {what_to_do}")
    return found


def _name(number: int, name: str, suffix: str) -> str:
    return f"{FOLDER}/{number:06d}.{name}.{suffix}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def rows_not_in(table: pa.Table, known: pa.Table) -> pa.Table:
    """Return the rows of a table whose time, symbol and target are not in another."""
    if not known.num_rows or not table.num_rows:
        return table
    return table.join(known.select(_KEY), list(_KEY), join_type="left anti")


def rows_in(table: pa.Table, known: pa.Table) -> pa.Table:
    """Return the rows of a table whose time, symbol and target are in another."""
    return table.join(known.select(_KEY), list(_KEY), join_type="left semi")
