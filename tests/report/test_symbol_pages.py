"""Pages of symbols: everything of each is embedded, in few bytes, and fits what tables say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sample_runs import SampleRun

from ray_pipeline.report import symbol_pages
from ray_pipeline.report.page import render_page
from ray_pipeline.report.route_section import write_route_section
from ray_pipeline.report.short_section import MAX_FOUND
from ray_pipeline.report.symbol_pages import SymbolPages, write_symbol_pages
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.figures import with_error
from ray_pipeline.results.reading import Results
from ray_pipeline.results.steadiness import DatedSkill, FoldSkills

TARGET = "fwd_ret_5d"


@pytest.fixture
def contents(run_uri: str) -> RunContents:
    sample = SampleRun(
        findings={"SYM01": ["2 rows were bad"], "SYM02": ["2 rows were bad"]},
        rejected=[{"symbol": "EMPTY", "reason": "no Parquet file"}],
        quarantined=[{"symbol": "SYM03", "stage": "inspect", "reason": "120 rows"}],
    )
    return read_contents(Results(sample.write(run_uri)))


def pages(contents: RunContents, **skills: FoldSkills) -> SymbolPages:
    return write_symbol_pages(contents, skills, write_route_section(contents).order)


def data_of(found: SymbolPages) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(found.numbers)
    return data


def rows_of(data: dict[str, Any], symbol: str) -> list[dict[str, Any]]:
    """Do what the script does."""
    place = data["symbols"].index(symbol)
    rows = data["rows"]
    return [
        {
            "target": data["targets"][rows["target"][row]],
            "route": data["routes"][rows["route"][row]],
            "served": data["texts"][rows["served"][row]],
            "features": data["texts"][rows["features"][row]],
            "why": data["texts"][rows["why"][row]],
            "figures": rows["figures"][row].replace("-", "−").replace("±", " ± ").split("|"),
        }
        for row in range(len(rows["symbol"]))
        if rows["symbol"][row] == place
    ]


def test_every_route_of_a_symbol_is_there(contents: RunContents) -> None:
    """Targets in the order of the page, figures as its tables write them."""
    assert contents.routes is not None
    data = data_of(pages(contents))
    written = {
        row["target"]: row for row in contents.routes.to_pylist() if row["symbol"] == "SYM05"
    }
    found = rows_of(data, "SYM05")
    assert {row["target"] for row in found} == set(written)
    assert [row["target"] for row in found] == [t for t in data["targets"] if t in written]
    for row in found:
        route = written[row["target"]]
        assert (row["route"], row["why"]) == (route["route"], route["verdict"] or route["reason"])
        own = with_error(route["own_skill"], route["own_std_error"])
        assert (row["figures"][1], len(row["figures"])) == (own, 6)
        assert bool(row["served"]) == (
            route["route"] in ("CROSS_SECTIONAL", "BOTH", "SYMBOL_SPECIFIC")
        )


def test_models_and_features_of_its_own_are_named(contents: RunContents) -> None:
    """Pooled models before its own; at most three features, the best ones."""
    job = next(each for each in contents.jobs if each.view == "symbol_specific")
    found = rows_of(data_of(pages(contents)), job.symbols[0])
    row = next(each for each in found if each["target"] == job.target)
    assert row["served"].endswith("own lightgbm, ridge")
    assert 1 <= len(row["features"].split(", ")) <= 3


def test_data_of_a_symbol_is_told(contents: RunContents) -> None:
    """Findings are written once; who was left out is there with the reason."""
    data = data_of(pages(contents))
    place = {name: str(i) for i, name in enumerate(data["symbols"])}
    assert (data["leftOut"][place["EMPTY"]], data["leftOut"][place["SYM03"]]) == (
        "no Parquet file",
        "120 rows",
    )
    assert data["findings"][place["SYM01"]] == data["findings"][place["SYM02"]]
    assert data["texts"].count("2 rows were bad") == 1
    assert data["facts"][int(place["EMPTY"])] == ""
    assert "2,501|2014-01-02 to 2023-12-29" in data["facts"][int(place["SYM01"])]


def test_folds_of_a_symbol_are_told(contents: RunContents) -> None:
    """By target, with when each fold begins; a fold without skill is a dash."""
    by_symbol = {"SYM01": (0.5, float("nan")), "UNKNOWN": (0.1, 0.1)}
    skills = FoldSkills("ridge", (0, 1), (0.1, 0.2), by_symbol=by_symbol)
    data = data_of(pages(contents, **{TARGET: skills, "other": skills}))
    (found,) = data["folds"]
    assert (data["targets"][found["target"]], found["family"]) == (TARGET, "ridge")
    assert found["starts"] == ["2018-01-02", "2019-01-02"]
    assert found["skills"] == {str(data["symbols"].index("SYM01")): "+0.50|–"}


def test_routes_beyond_the_bound_are_told(
    contents: RunContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says how many it holds, and where all are."""
    assert pages(contents).note == ""
    monkeypatch.setattr(symbol_pages, "MAX_EMBEDDED", 7)
    found = pages(contents)
    assert len(data_of(found)["rows"]["symbol"]) == 7
    assert found.note.startswith("The page holds 7 of ")
    assert found.note in render_page(contents)


def test_a_run_without_symbols_says_so(contents: RunContents) -> None:
    """As one that failed before it found any."""
    empty = replace(contents, symbols=None, routes=None)
    found = pages(empty)
    assert (found.n_symbols, found.numbers) == (0, "null")
    assert found.absent == "symbols.json is missing from the run directory."
    assert 'id="symbol-data"' not in render_page(empty)


def skills_of(symbols: Sequence[str], n_folds: int = 20, n_times: int = 2_500) -> FoldSkills:
    """Return skills of ten years of days, in the folds that each half-year brings."""
    random = np.random.default_rng(len(symbols))
    drawn = random.normal(0.05, 0.2, n_times)
    of_symbols = random.normal(0.05, 0.2, (len(symbols), n_folds))
    dated = tuple(
        DatedSkill(86_400.0 * (16_000 + day), day * n_folds // n_times, float(skill))
        for day, skill in enumerate(drawn)
    )
    means = tuple(float(part.mean()) for part in np.array_split(drawn, n_folds))
    by_symbol = {name: tuple(of) for name, of in zip(symbols, of_symbols.tolist(), strict=True)}
    return FoldSkills("ridge", tuple(range(n_folds)), means, dated, by_symbol)


@pytest.mark.slow
def test_hundreds_of_symbols_and_twenty_targets_stay_below_three_megabytes(run_uri: str) -> None:
    """The whole page, with own models and with ten years of skills for as many as are drawn."""
    sample = SampleRun(
        symbols=[f"SYM{i:03d}" for i in range(500)],
        targets=[f"fwd_ret_{i + 1}d" for i in range(20)],
        strength=12.0,
    )
    large = read_contents(Results(sample.write(run_uri)))
    assert large.routes is not None
    assert large.routes.num_rows == 10_000
    skills = {target: skills_of(sample.symbols) for target in large.chosen[:MAX_FOUND]}
    assert len(skills) == MAX_FOUND
    html = render_page(large, skills=skills)
    assert html.count('<figure class="live"') > MAX_FOUND
    assert len(html.encode()) < 3_000_000
    data = data_of(pages(large, **skills))
    assert len(data["rows"]["symbol"]) == 10_000
    assert [len(each["skills"]) for each in data["folds"]] == [500] * MAX_FOUND
