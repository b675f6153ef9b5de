"""What a worker refuses to compute, and what it says of the work that it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.artifacts import table_name, unit_folder, working_in
from ray_pipeline.execution.performing import Order, Worker
from ray_pipeline.records import FinishedUnit, WrittenFile

from .sample_units import FolderStore, double, no_state, unit


class Keeping(FolderStore):
    """Keeps what it was given to write."""

    @cached_property
    def written(self) -> list[tuple[FinishedUnit, Mapping[str, WrittenFile]]]:
        return []

    @contextmanager
    def collecting(self) -> Iterator[Mapping[str, WrittenFile]]:
        yield {"units/a": WrittenFile(1, "sha", "md5")}

    def write(
        self, stage: str, digest: str, unit: FinishedUnit, files: Mapping[str, WrittenFile]
    ) -> None:
        self.written.append((unit, files))


def name_table(_: object, spec: str) -> dict[str, str]:
    return {"table": table_name(spec)}


@pytest.fixture
def keeping(store: FolderStore) -> Keeping:
    return Keeping(store.folder)


@pytest.fixture
def worker(keeping: Keeping) -> Worker[None]:
    made = Worker(no_state, keeping, 1)
    made.start()
    return made


def test_a_record_comes_with_its_account(worker: Worker[None], keeping: Keeping) -> None:
    """Key, seconds, versions and the files that were written meanwhile."""
    given = unit(double, "AAPL", {"x": 2})
    report = worker.perform(Order.of(given))
    [(finished, files)] = keeping.written
    assert (finished.key, finished.record) == ("AAPL", {"value": 4})
    assert 0 <= finished.seconds <= report.seconds
    assert finished.libraries == given.libraries
    assert list(files) == ["units/a"]


def test_a_unit_has_a_folder_of_its_own(worker: Worker[None]) -> None:
    """Named by the digest that the driver computed: the worker hashes no spec."""
    given = unit(name_table, spec="rows")
    assert worker.perform(Order.of(given)).record == {"table": f"{given.folder}/rows.parquet"}
    with working_in("units/outer"), working_in("units/inner"):
        assert unit_folder() == "units/inner"
    with pytest.raises(ExecutionError, match=r"No unit is being performed.* or call it inside"):
        unit_folder()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"code_sha256": "0" * 64},
            r"the source that \S+ reaches is another\. Install the same versions on every node",
        ),
        ({"libraries": {"numpy": "1.0"}}, r"numpy is \S+ here and 1\.0 with the driver"),
        ({"libraries": {"tabfn": "2.1"}}, "tabfn is not installed here and 2.1 with the driver"),
    ],
)
def test_a_worker_with_other_code_computes_nothing(
    worker: Worker[None], keeping: Keeping, change: dict[str, Any], message: str
) -> None:
    """Its record would stand under a name that says something else of it."""
    order = replace(Order.of(unit(double, spec={"x": 2})), **change)
    report = worker.perform(order)
    assert (report.kind, report.record) == ("application", None)
    assert keeping.written == []
    with pytest.raises(ExecutionError, match=message):
        raise ExecutionError(report.message)
