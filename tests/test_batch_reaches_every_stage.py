"""The batch of symbols is decided once and reaches every stage: nine checks on whole runs."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
from panels import planted_panel, quick_config, symbol_names, write_panel

import ray_pipeline.discovery.choosing
import ray_pipeline.discovery.scanning
from ray_pipeline.discovery.choosing import choose_batch
from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.records import Discovery

SYMBOLS = sorted([*symbol_names(19), "0700", "BRK/B", "TRUE"])
SEED = 7
BATCH_SIZE = 15


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 22 symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("data"), planted_panel(SYMBOLS))


@pytest.fixture(scope="module")
def batch_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run on a batch of 15; a second discovery, or any listing of the data, breaks the run."""
    run_dir = tmp_path_factory.mktemp("batch") / "run"
    with pytest.MonkeyPatch.context() as patch:
        _discover_once(patch, data_dir)
        run_pipeline(
            quick_config(data_dir, run_dir, data={"symbol_batch_size": BATCH_SIZE}), Silent()
        )
    return run_dir


def _discover_once(patch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """Let `discover` be called once; from then on no folder of the data may be listed."""
    discover = ray_pipeline.discovery.choosing.discover
    is_over = False

    def only_once(*arguments: Any) -> Discovery:
        nonlocal is_over
        assert not is_over, "the symbols were discovered a second time"
        found = discover(*arguments)
        is_over = True
        return found

    def guarded(listing: Callable[..., Any]) -> Callable[..., Any]:
        def list_folder(path: Any = ".", *more: Any) -> Any:
            is_data = not isinstance(path, int) and Path(path).is_relative_to(data_dir)
            assert not (is_over and is_data), f"{path} was listed after the batch was chosen"
            return listing(path, *more)

        return list_folder

    patch.setattr(ray_pipeline.discovery.choosing, "discover", only_once)
    patch.setattr(ray_pipeline.discovery.scanning, "discover", only_once)
    for name in ("scandir", "listdir"):
        patch.setattr(os, name, guarded(getattr(os, name)))


@pytest.fixture(scope="module")
def selected() -> list[str]:
    """Draw the batch by the formula that users have on record."""
    return sorted(random.Random(SEED).sample(sorted(SYMBOLS), BATCH_SIZE))


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _rows(path: Path, view: str | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return [row for row in rows if view is None or row["view"] == view]


def _symbols_of(path: Path, view: str | None = None) -> list[str]:
    return sorted({row["symbol"] for row in _rows(path, view)})


def test_batch_size_without_symbols_selects_that_many(batch_run: Path, selected: list[str]) -> None:
    """1: ``symbols`` empty and ``symbol_batch_size: 15``: 15 of the 22 discovered are taken."""
    symbols = _json(batch_run / "symbols.json")
    assert symbols["discovered"] == SYMBOLS
    assert symbols["selected"] == selected
    assert len(symbols["selected"]) == BATCH_SIZE
    assert sorted(symbols["symbols"]) == selected
    counts = _json(batch_run / "run.json")["counts"]
    assert (counts["discovered"], counts["selected"], counts["used"]) == (22, 15, 15)


def test_without_batch_size_all_are_selected(data_dir: Path, tmp_path: Path) -> None:
    """2: ``symbols`` empty and no batch size: every discovered symbol is taken."""
    run_pipeline(quick_config(data_dir, tmp_path / "run"), Silent())
    assert _json(tmp_path / "run" / "symbols.json")["selected"] == SYMBOLS
    assert _symbols_of(tmp_path / "run" / "routing" / "routes.parquet") == SYMBOLS


def test_explicit_symbols_skip_discovery(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3: exactly the named symbols are taken; nothing is discovered, and no other one is seen."""
    named = ["0700", "BRK/B", "S03", "TRUE"]
    listed: list[Path] = []
    scandir = os.scandir

    def no_discovery(*_: Any, **__: Any) -> NoReturn:
        pytest.fail("explicit symbols were discovered")

    def recorded(path: Any = ".") -> Any:
        if not isinstance(path, int) and Path(path).is_relative_to(data_dir / "interval=1d"):
            listed.append(Path(path).relative_to(data_dir / "interval=1d"))
        return scandir(path)

    monkeypatch.setattr(ray_pipeline.discovery.choosing, "discover", no_discovery)
    monkeypatch.setattr(os, "scandir", recorded)
    options = {"symbols": named[::-1], "symbol_batch_size": 2}
    config = quick_config(data_dir, tmp_path / "run", data=options)
    batch = choose_batch(config)
    folders = {unquote(path.parts[0]) for path in listed if path.parts}
    assert folders == {f"symbol={name}" for name in named}
    run_pipeline(config, Silent())
    assert list(batch.partitions) == named
    symbols = _json(tmp_path / "run" / "symbols.json")
    assert (symbols["selected"], symbols["discovered"]) == (named, named)
    assert _symbols_of(tmp_path / "run" / "routing" / "routes.parquet") == named
    assert _json(tmp_path / "run" / "run.json")["warnings"] == [
        "data.symbol_batch_size=2 has no effect: data.symbols names 4 symbols, and exactly these "
        "are taken."
    ]


def test_batch_reaches_the_cross_sectional_ranking(batch_run: Path, selected: list[str]) -> None:
    """4: the selected symbols, and only they, are ranked in the cross-sectional view."""
    ranked = batch_run / "target_ranking"
    assert _symbols_of(ranked / "symbols.parquet", "cross_sectional") == selected
    (row,) = _rows(ranked / "targets.parquet", "cross_sectional")
    assert (row["n_symbols"], row["predictable"]) == (BATCH_SIZE, True)


def test_batch_reaches_the_symbol_specific_ranking(batch_run: Path, selected: list[str]) -> None:
    """5: the selected symbols, and only they, are ranked in the symbol-specific view."""
    ranked = batch_run / "target_ranking"
    assert _symbols_of(ranked / "symbols.parquet", "symbol_specific") == selected
    (row,) = _rows(ranked / "targets.parquet", "symbol_specific")
    assert (row["n_symbols"], row["predictable"]) == (BATCH_SIZE, True)


def test_batch_reaches_feature_selection(batch_run: Path, selected: list[str]) -> None:
    """6: features are selected for the selected symbols and no other, and once for the pool."""
    features = batch_run / "feature_selection" / "features.parquet"
    assert _symbols_of(features, "symbol_specific") == selected
    pooled = _rows(features, "cross_sectional")
    assert next(row["feature"] for row in pooled if row["selected"]) == "signal"
    assert {row["symbol"] for row in pooled} == {None}


def test_batch_reaches_routing(batch_run: Path, selected: list[str]) -> None:
    """7: the selected symbols, and only they, are routed; the planted truth serves them all."""
    routes = _rows(batch_run / "routing" / "routes.parquet")
    assert [row["symbol"] for row in routes] == selected
    assert {row["route"] for row in routes} == {"BOTH"}


def test_batch_reaches_plan_and_training(batch_run: Path, selected: list[str]) -> None:
    """8: plan, models and predictions are of the selected symbols and no other."""
    jobs = _json(batch_run / "training_plan.json")["jobs"]
    pooled = [job for job in jobs if job["view"] == "cross_sectional"]
    own = [job for job in jobs if job["view"] == "symbol_specific"]
    assert [(job["symbols"], job["serves"]) for job in pooled] == [(selected, selected)] * 2
    assert sorted({symbol for job in own for symbol in job["symbols"]}) == selected
    assert len(own) == 2 * BATCH_SIZE
    folders = {path.name for path in (batch_run / "models").iterdir()}
    assert folders == {job["job_id"] for job in jobs}
    trained_on = {
        job_id: _json(batch_run / "models" / job_id / "metadata.json")["trained_on"]["symbols"]
        for job_id in folders
    }
    assert trained_on == {job["job_id"]: job["symbols"] for job in jobs}
    predictions = batch_run / "predictions" / "out_of_sample.parquet"
    for view in ("cross_sectional", "symbol_specific"):
        assert _symbols_of(predictions, view) == selected


def test_seed_reproduces_the_batch(
    data_dir: Path, tmp_path: Path, batch_run: Path, selected: list[str]
) -> None:
    """9: the same seed gives the same batch, by the published formula; another seed another."""

    def batch_of(seed: int) -> list[str]:
        config = quick_config(
            data_dir,
            tmp_path,
            experiment={"seed": seed},
            data={"symbol_batch_size": BATCH_SIZE},
        )
        return list(choose_batch(config).partitions)

    assert batch_of(SEED) == batch_of(SEED) == selected
    assert batch_of(SEED + 1) != selected
    assert _json(batch_run / "symbols.json")["seed"] == SEED
