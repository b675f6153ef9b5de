"""What a run left behind, read by its names: typed, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ray_pipeline.config import ExperimentConfig, parse_experiment_config, read_config_values
from ray_pipeline.config.document import dotted
from ray_pipeline.errors import ConfigError, DamagedFileError
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.results.documents import (
    FORMAT_VERSION,
    ModelRecord,
    PlanRecord,
    PredictionsRecord,
    Record,
    RunRecord,
    SymbolsRecord,
    TrainedRecord,
)
from ray_pipeline.results.schemas import (
    PREDICTED,
    TABLES,
    Columns,
    check_columns,
    check_values,
    completed,
)
from ray_pipeline.results.tables import (
    CONFIG,
    PLAN,
    PREDICTIONS,
    RANKED_TARGETS,
    RECORD,
    SYMBOLS,
    USER_STAGES,
)
from ray_pipeline.storage import RunDirectory, may_hold, table_batches

__all__ = ["Results", "read_predictions_record", "refuse_later_format"]

_AGAIN = "Run the command that made this run again: it writes the file again."
_NEEDS = {
    "bool_type": "true or false is",
    "dict_type": "a mapping is",
    "float_type": "a number is",
    "int_from_float": "a whole number is",
    "int_type": "a whole number is",
    "mapping_type": "a mapping is",
    "model_type": "a mapping is",
    "string_type": "text is",
    "too_short": "at least one entry is",
    "tuple_type": "a list is",
}
_SHOWN = 60

Kind = TypeVar("Kind", bound=Record)


class Results:
    """The files of a run, opened for reading.

    Every method raises `DamagedFileError` for a file that holds something else than runs write,
    and `StorageError` for one that cannot be read.

    Parameters
    ----------
    files
        Where they are.
    """

    def __init__(self, files: RunDirectory) -> None:
        self.files = files

    @property
    def uri(self) -> str:
        """Address of the run directory."""
        return self.files.uri

    @cached_property
    def written_record(self) -> Mapping[str, Any]:
        """``run.json`` with every key that it has.

        Raises
        ------
        ConfigError
            When a later version wrote it, in a format that this one does not know.
        """
        with _told(_AGAIN):
            written = self.files.read_document(RECORD)
        refuse_later_format(written, self.uri)
        found: Mapping[str, Any] = written
        return found

    @cached_property
    def record(self) -> RunRecord:
        """``run.json``; raises ConfigError as `written_record` does."""
        return self._typed(RECORD, self.written_record, RunRecord)

    def trained_record(self) -> TrainedRecord:
        """Return what using the models of a run that is done takes of ``run.json``."""
        return self._typed(RECORD, self.written_record, TrainedRecord)

    def symbols(self) -> SymbolsRecord | None:
        """Read ``symbols.json``; None where it is missing."""
        return self.document(SYMBOLS, SymbolsRecord) if self.files.exists(SYMBOLS) else None

    def plan(self) -> PlanRecord | None:
        """Read ``training_plan.json``; None where it is missing."""
        return self.document(PLAN, PlanRecord) if self.files.exists(PLAN) else None

    def model(self, job_id: str) -> ModelRecord:
        """Read what people want to know of a model."""
        return self.document(f"models/{job_id}/metadata.json", ModelRecord)

    def trained_jobs(self) -> frozenset[str]:
        """Find finished models with one listing; a folder without metadata is an unfinished one."""
        return frozenset(
            name.split("/")[1]
            for name in self.files.list("models")
            if name.endswith("/metadata.json")
        )

    def config(self) -> ExperimentConfig:
        """Read ``config.yaml``.

        Raises
        ------
        ConfigError
            When it is none, or of a version whose keys this one does not know.
        """
        return parse_experiment_config(self._config_text(), f"{self.uri}/{CONFIG}")

    def config_values(self) -> Mapping[str, Any]:
        """Read ``config.yaml`` as it is written; see `read_config_values`."""
        return read_config_values(self._config_text(), f"{self.uri}/{CONFIG}")

    def _config_text(self) -> str:
        with _told(_AGAIN):
            if not self.files.exists(CONFIG):
                raise DamagedFileError(f"{self.uri}/{CONFIG} is missing.")
            return self.files.read_text(CONFIG)

    def table(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: tuple[str, Sequence[str]] | None = None,
    ) -> pa.Table | None:
        """Read a table of `TABLES`; None where it is missing.

        Parameters
        ----------
        columns
            Those to read, which the table's entry has; None: all that the file has. What a version
            of before did not write has its default.
        where
            A column, and the texts of the rows to keep: there may be millions of others.
        """
        if not self.files.exists(name):
            return None
        known = TABLES[name]

        def there(schema: pa.Schema) -> list[str]:
            check_columns(schema, known)
            return [each for each in schema.names if columns is None or each in columns]

        with self._table_errors(name):
            if where is None:
                table = self.files.read_table(name, there)
                check_values(table, known)
            else:
                with self.files.open_table(name) as file:
                    table = _kept(file, known, there(file.schema_arrow), *where)
            return completed(table, known if columns is None else columns, known)

    def pooled_predictions(
        self, families: Mapping[str, str], max_rows: int
    ) -> Iterator[tuple[str, pa.Table]]:
        """Read the out-of-sample predictions of pooled models, from a table that is opened once.

        Parameters
        ----------
        families
            Of the models, by target.

        Yields
        ------
        tuple of str and pa.Table
            A target, and the rows of its model: columns of `PREDICTED` but those that name it.
            Left out are those without a row, those of which more than `max_rows` rows would be
            read, and all of them where there is no table.
        """
        if not (families and self.files.exists(PREDICTIONS)):
            return
        with self._table_errors(PREDICTIONS), self.files.open_table(PREDICTIONS) as file:
            check_columns(file.schema_arrow, PREDICTED)
            for target, family in families.items():
                names = {"target": target, "view": "cross_sectional", "family": family}
                rows = _predicted(file, names, max_rows)
                if rows is not None and rows.num_rows:
                    yield target, rows

    def target_rows(self) -> tuple[TargetRow, ...] | None:
        """Read the target ranking; None where it is missing."""
        table = self.table(RANKED_TARGETS)
        if table is None:
            return None
        known = TABLES[RANKED_TARGETS]
        figures = [name for name, column in known.items() if column.type == "double"]
        rows = []
        for row in table.select([name for name in known if name in table.column_names]).to_pylist():
            unmeasured = {name: math.nan for name in figures if row.get(name) is None}
            rows.append(TargetRow(**(row | unmeasured)))
        return tuple(rows)

    def user_tables(self) -> dict[str, pa.Table]:
        """Read the tables of user-defined stages, by stage; their columns are the user's."""
        found = {}
        files = [name for name in self.files.names_in(USER_STAGES) if name.endswith(".parquet")]
        for file in files:
            name = f"{USER_STAGES}/{file}"
            with self._table_errors(name):
                table = self.files.read_table(name, _checked_names)
                check_values(table, {})
            found[file.removesuffix(".parquet")] = table
        return found

    @contextmanager
    def _table_errors(self, name: str) -> Iterator[None]:
        with _told(_AGAIN):
            try:
                yield
            except DamagedFileError:
                raise
            except ValueError as error:
                raise DamagedFileError(f"{self.uri}/{name} {error}.") from error

    def document(self, name: str, kind: type[Kind], what_to_do: str = _AGAIN) -> Kind:
        """Read a JSON document that has to be there.

        Parameters
        ----------
        what_to_do
            What a person can do about one that is damaged, a sentence.
        """
        with _told(what_to_do):
            value = self.files.read_document(name)
            return _typed_record(f"{self.uri}/{name}", value, kind)

    def _typed(self, name: str, value: object, kind: type[Kind]) -> Kind:
        with _told(_AGAIN):
            return _typed_record(f"{self.uri}/{name}", value, kind)


def refuse_later_format(record: object, uri: str) -> None:
    """Raise ConfigError when ``run.json``, as it was written, is in a format that came later."""
    version = record.get("format_version") if isinstance(record, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        raise ConfigError(
            f"{uri} was written by a later version of ray_pipeline, in format {version}; this one "
            f"reads formats up to {FORMAT_VERSION}. Upgrade ray_pipeline."
        )


def read_predictions_record(folder: RunDirectory, name: str) -> PredictionsRecord:
    """Read what predictions wrote into a folder before.

    Raises
    ------
    DamagedFileError
        When the file is something else.
    """
    with _told("Give another folder, or remove this one."):
        return _typed_record(f"{folder.uri}/{name}", folder.read_document(name), PredictionsRecord)


def _checked_names(schema: pa.Schema) -> list[str]:
    check_columns(schema, {})
    names: list[str] = schema.names
    return names


def _predicted(file: pq.ParquetFile, names: Mapping[str, str], max_rows: int) -> pa.Table | None:
    """Read a model's predictions; None where more than `max_rows` rows would be read for them."""
    there = [name for name in PREDICTED if name in file.schema_arrow.names]
    groups = [
        group
        for group in range(file.metadata.num_row_groups)
        if all(may_hold(file, group, name, value) for name, value in names.items())
    ]
    if sum(file.metadata.row_group(group).num_rows for group in groups) > max_rows:
        return None
    kept = [file.schema_arrow.empty_table().select(there)]
    for group in groups:
        rows = file.read_row_group(group, columns=there)
        check_values(rows, PREDICTED)
        for name, value in names.items():
            rows = rows.filter(pc.equal(rows.column(name), value))
        kept.append(rows)
    return pa.concat_tables(kept).drop_columns(list(names))


def _kept(
    file: pq.ParquetFile,
    known: Columns,
    names: Sequence[str],
    column: str,
    values: Sequence[str],
) -> pa.Table:
    """Read the rows with certain texts in a column; all are checked, and never all are held."""
    wanted = pa.array(values, pa.string())
    kept = []
    for batch in table_batches(file):
        check_values(pa.Table.from_batches([batch]), known)
        kept.append(batch.filter(pc.is_in(batch.column(column), value_set=wanted)))
    return pa.Table.from_batches(kept, file.schema_arrow).select(names)


def _typed_record(address: str, value: object, kind: type[Kind]) -> Kind:
    """Turn a value of JSON into a record.

    Raises
    ------
    DamagedFileError
        Naming the first thing that is wrong with it.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise DamagedFileError(f"{address} {_wrong(error.errors(include_url=False)[0])}.") from None


@contextmanager
def _told(what_to_do: str) -> Iterator[None]:
    """Add to the message of a damaged file what to do about it."""
    try:
        yield
    except DamagedFileError as error:
        raise DamagedFileError(f"{error} {what_to_do}") from error


def _wrong(details: ErrorDetails) -> str:
    """Say what is wrong, as it follows the file's address."""
    path = dotted(details["loc"])
    if details["type"] == "missing":
        return f"has no {path}"
    need = _NEEDS.get(details["type"])
    if need is None:
        need = f"{details['msg'].removeprefix('Input should be ')} is"
    where = f" as {path}" if path else ""
    return f"has {_shown(details['input'])}{where}, where {need} needed"


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
    if isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind}" if value else f"an empty {kind}"
    return repr(value)
