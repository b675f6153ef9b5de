"""The page of a run, from the run directory to HTML."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from parsed_page import ParsedPage
from sample_runs import SampleRun, failed_unit

from ray_pipeline.errors import StorageError
from ray_pipeline.report import write_report
from ray_pipeline.results import tables as results
from ray_pipeline.results.tables import REPORT

SCRIPT = "<script>alert('x')</script>"
LATER = (
    results.RANKED_TARGETS,
    results.RANKED_SYMBOLS,
    results.FEATURES,
    results.LEAKAGE,
    results.ROUTES,
    results.PLAN,
    results.FAILURES,
    "symbols.json",
)


def write(sample: SampleRun, uri: str, *missing: str) -> str:
    run = sample.write(uri)
    for name in missing:
        run.remove(name)
    assert write_report(run) == REPORT
    return run.read_text(REPORT)


def rich_run() -> SampleRun:
    """Return a run with something in every section."""
    symbols = [*(f"SYM{i:02d}" for i in range(11)), "BRK/B"]
    return SampleRun(
        symbols=symbols,
        findings={symbol: [f"{i + 1} rows were bad"] for i, symbol in enumerate(symbols)},
        rejected=[{"symbol": "EMPTY", "reason": "no Parquet file below symbol=EMPTY"}],
        quarantined=[{"symbol": "SYM03", "stage": "inspect", "reason": "120 rows"}],
        warnings=["SYM07 lacks 310 of the panel's 2500 timestamps"],
        failures=[
            failed_unit("SYM02", "ValueError: odd", "Traceback: line 3"),
            failed_unit("SYM03", "DataError: 120 rows", "Traceback: line 4", "data"),
        ],
        leaks=[
            {
                "target": "fwd_ret_5d",
                "feature": "ret_next_week",
                "test": "value",
                "value": 0.998,
                "action": "dropped",
                "reason": "equals the target of its own row",
            }
        ],
    )


def test_page_is_well_formed(run_uri: str) -> None:
    """Every tag is closed where it should be, no attribute and no id is given twice."""
    page = ParsedPage(write(rich_run(), run_uri))
    assert page.problems == []
    assert page.tags["html"] == page.tags["main"] == page.tags["h1"] == 1
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert [name for name, n in ids.items() if n > 1] == []


def test_page_fetches_nothing(run_uri: str) -> None:
    """Style, script and charts are inside: links lead to sections of the page, nothing else."""
    html = write(rich_run(), run_uri)
    page = ParsedPage(html)
    links = [value for _, name, value in page.attributes if name in ("href", "src", "srcset")]
    sections = {value for tag, name, value in page.attributes if (tag, name) == ("section", "id")}
    assert links
    assert {link.removeprefix("#") for link in links} == sections
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp", html)


def test_page_states_the_facts(run_uri: str) -> None:
    """What a reader looks for first is there in words and numbers."""
    page = ParsedPage(write(rich_run(), run_uri))
    for fact in (
        "us_equities_daily",
        "3 of 8 targets are predictable",
        "s3://bucket/panel",
        "13 discovered, 12 selected, 11 used, 1 rejected, 1 quarantined",
        "30,000 rows on 2,500 timestamps",
        "2014-01-02 to 2023-12-29",
        "7 min 12 s",
        "rank symbol",
        "2 min 21 s",
        "5eed" * 16,
        "2022-01-02 to 2023-01-02",
        "EMPTY",
        "no Parquet file below symbol=EMPTY",
        "ValueError: odd",
        "Traceback: line 3",
        "ret_next_week",
        "equals the target of its own row",
        "1 to 12 rows were bad",
        "SYM07 lacks 310 of the panel's 2500 timestamps",
        "feature selection gave no features",
        "BRK/B",
        "Newey–West",
        "Benjamini–Hochberg",
    ):
        assert fact in page.text, fact


def test_symbols_left_out_for_their_data_are_no_failed_units(run_uri: str) -> None:
    """They are listed with the reason and without a traceback, and told in short."""
    text = ParsedPage(write(rich_run(), run_uri)).text
    assert text.count("120 rows") == 2
    assert "Quarantined symbols 1: 120 rows (1 symbol: SYM03)." in text
    assert "SYM03 inspect 120 rows" in " ".join(text.split())
    assert "Traceback: line 4" not in text


def test_ranking_table_holds_every_target(run_uri: str) -> None:
    """One row per target and view, with verdict and reason apart and a dash for no figure."""
    page = ParsedPage(write(rich_run(), run_uri))
    head, *rows = page.rows("targets-cross_sectional")
    assert len(rows) == 8
    first = dict(zip(head, rows[0], strict=True))
    assert first["Verdict"] == "predictable"
    assert first["Reason"].startswith("predictable: skill +")
    last = dict(zip(head, rows[-1], strict=True))
    assert last["Target"] == "ret_zscore_60m"
    figures = ("Family", "Skill", "Std error", "t", "p", "q")
    assert {last[name] for name in figures} == {"–"}
    assert last["Verdict"] == "too little data"


def test_names_and_errors_are_escaped(run_uri: str) -> None:
    """A script in a symbol, column, error, warning or reason is shown, never run."""
    symbols = ["AAA", "BBB", SCRIPT]
    sample = SampleRun(
        symbols=symbols,
        targets=(f"y_{SCRIPT}", "fwd_ret_5d", "fwd_ret_9d"),
        feature_prefix=SCRIPT,
        status="failed",
        error=f"DataError: {SCRIPT}",
        record={"name": SCRIPT, "message": SCRIPT},
        findings={SCRIPT: [f"column {SCRIPT} is bad"]},
        rejected=[{"symbol": SCRIPT, "reason": SCRIPT}],
        quarantined=[{"symbol": SCRIPT, "stage": SCRIPT, "reason": SCRIPT}],
        warnings=[SCRIPT],
        failures=[failed_unit(SCRIPT, SCRIPT, SCRIPT)],
        leaks=[
            {"target": SCRIPT, "feature": SCRIPT, "test": "value", "value": 1.0}
            | {"action": "dropped", "reason": SCRIPT}
        ],
    )
    html = write(sample, run_uri)
    page = ParsedPage(html)
    assert page.problems == []
    data = [each for each in page.attributes if each == ("script", "type", "application/json")]
    assert page.tags["script"] - len(data) == 1
    shown = r"&lt;script&gt;alert\(&#39;x&#39;\)&lt;/script&gt;"
    embedded = r"\\u003cscript\\u003ealert\('x'\)\\u003c/script\\u003e"
    assert "alert(" not in re.sub(f"{shown}|{embedded}", "", html)
    assert page.text.count(SCRIPT) > 20


def test_what_steers_or_reorders_text_is_written_out(run_uri: str) -> None:
    """A symbol with a bidirectional override or an escape sequence cannot pass for another."""
    name = "A\x1b[31m\u202eB\x85\u200b\r"
    sample = SampleRun(
        symbols=["AAA", "BBB", name],
        status="failed",
        error=f"DataError: {name}",
        warnings=[name],
        failures=[failed_unit(name, name, name)],
    )
    html = write(sample, run_uri)
    assert not set(html) & set(name) - set("A[31mB")
    assert html.count(r"A\x1b[31m\u202eB\x85\u200b\x0d") > 4


@pytest.mark.parametrize("name", LATER)
def test_a_missing_file_is_named(run_uri: str, name: str) -> None:
    """A run that failed early still has a page, which says what is missing and why."""
    sample = rich_run()
    sample.status, sample.error = "failed", "ExecutionError: boom"
    page = ParsedPage(write(sample, run_uri, name))
    assert page.problems == []
    assert f"{name} is missing: the run failed before it was written." in page.text


def test_a_run_with_nothing_but_its_record_has_a_page(run_uri: str) -> None:
    """A run that failed before discovery has a page with its error."""
    sample = SampleRun(status="failed", error="DiscoveryError: nothing there")
    run = sample.write(run_uri)
    for name in run.list():
        if name != "run.json":
            run.remove(name)
    run.write_json(
        "run.json", {"name": "early", "status": "failed", "error": "DiscoveryError: nothing there"}
    )
    write_report(run)
    page = ParsedPage(run.read_text(REPORT))
    assert page.problems == []
    assert "The run failed. DiscoveryError: nothing there" in page.text
    assert all(f"{name} is missing" in page.text for name in LATER)


def test_without_a_run_there_is_no_page(run_uri: str) -> None:
    """Where there is no run.json the error names it."""
    run = SampleRun().write(run_uri)
    run.remove("run.json")
    with pytest.raises(StorageError, match=r"Cannot read .*run\.json: it does not exist"):
        write_report(run)


def test_nothing_predictable_is_a_result(run_uri: str) -> None:
    """A run without predictable targets is done, not failed, and shows its ranking."""
    html = write(SampleRun(strength=0.0), run_uri, results.FEATURES, results.PLAN)
    page = ParsedPage(html)
    assert "No target is predictable: nothing was trained." in page.text
    assert '<header class="failed">' not in html
    assert len(page.rows("targets-cross_sectional")) == 1 + 8
    missing = f"{results.PLAN} is missing: no target is predictable, so there was nothing to write."
    assert missing in page.text


def test_failed_run_is_red_and_shows_its_error(run_uri: str) -> None:
    """A failed run says so first, with the error, and what it had found until then."""
    sample = SampleRun(status="failed", error="ExecutionError: 9 of 15 symbols failed")
    html = write(sample, run_uri)
    assert '<header class="failed">' in html
    text = ParsedPage(html).text
    assert "The run failed. ExecutionError: 9 of 15 symbols failed Until then: 3 of 8" in text


def test_planned_jobs_without_models_are_named(run_uri: str) -> None:
    """A job that left no model is listed as such, and the headline does not count it."""
    run = SampleRun().write(run_uri)
    jobs = [job["job_id"] for job in run.read_json(results.PLAN)["jobs"]]
    run.remove(f"models/{jobs[0]}")
    write_report(run)
    text = ParsedPage(run.read_text(REPORT)).text
    assert f"{len(jobs) - 1} of {len(jobs) + 1} wanted models were trained" in text
    assert f"Planned, but without a model {jobs[0]}" in text


@pytest.mark.slow
def test_large_run_is_capped_and_says_so(run_uri: str) -> None:
    """500 symbols and 20 targets stay below 3 MB; every cut list names where the rest is."""
    sample = SampleRun(
        symbols=[f"SYMBOL{i:04d}" for i in range(500)],
        targets=[f"fwd_ret_{i + 1}d" for i in range(20)],
        n_features=60,
    )
    html = write(sample, run_uri)
    page = ParsedPage(html)
    assert page.problems == []
    assert len(html.encode()) < 3_000_000
    assert len(page.rows("route-rows")) == 1 + 200
    assert len(page.rows("model-rows")) == 1 + 200
    assert "Showing 200 of 10,000, chosen targets first" in page.text
    assert "routing/routes.parquet has them all." in page.text
    assert re.search(r"Showing 200 of 1,\d{3}, most important first; models/ has", page.text)
    assert "Showing 200 of 500, by symbol; symbols.json has them all." in page.text


def test_page_depends_on_the_run_alone(run_uri: str) -> None:
    """Writing the page again gives the same bytes: it holds no clock."""
    run = rich_run().write(run_uri)
    write_report(run)
    first = run.read_text(REPORT)
    write_report(run)
    assert run.read_text(REPORT) == first
