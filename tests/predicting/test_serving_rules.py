"""Which models serve a symbol, by its route; what is said where none does."""

from __future__ import annotations

from ray_pipeline.calibration.meanings import Meaning
from ray_pipeline.predicting.calibrating import calibrate_units
from ray_pipeline.predicting.serving import ServingTable, raw_columns
from ray_pipeline.records import View
from ray_pipeline.training.served_jobs import ServedJob, without_symbols


def job(target: str, family: str, serves: tuple[str, ...], symbol: str | None = None) -> ServedJob:
    """Return a trained job, pooled without a symbol."""
    view: View = "cross_sectional" if symbol is None else "symbol_specific"
    name = f"cs_{target}__{family}" if symbol is None else f"sym_{target}__{symbol}__{family}"
    return ServedJob(name, target, view, family, (f"{family}_a", "b"), serves, ())


JOBS = (
    job("y", "ridge", ("A", "C")),
    job("y", "trees", ("A", "C")),
    job("y", "ridge", ("B",), "B"),
    job("y", "ridge", ("C",), "C"),
    job("z", "ridge", ("C",), "C"),
)
ROUTES = {
    **{("y", "A"): "CROSS_SECTIONAL", ("y", "B"): "SYMBOL_SPECIFIC", ("y", "C"): "BOTH"},
    **{("y", "D"): "BLOCKED", ("y", "E"): "EXPERIMENTAL_ONLY", ("y", "F"): "SYMBOL_SPECIFIC"},
    **{("z", symbol): "BLOCKED" for symbol in "ABDEF"},
    ("z", "C"): "SYMBOL_SPECIFIC",
}
TABLE = ServingTable(JOBS, ROUTES, {"Q": "too short"})
NO_Z = "z is not predicted: its route is BLOCKED"


def names(symbol: str) -> list[str]:
    """Name the jobs that serve a symbol."""
    return [job.job_id for job in TABLE.of(symbol).jobs]


def test_each_route_leads_to_its_models() -> None:
    """Pooled, own, or both; in the order of the plan."""
    assert names("A") == ["cs_y__ridge", "cs_y__trees"]
    assert names("B") == ["sym_y__B__ridge"]
    assert names("C") == ["cs_y__ridge", "cs_y__trees", "sym_y__C__ridge", "sym_z__C__ridge"]
    assert TABLE.of("C").notes == ()
    assert TABLE.of("A").notes == (NO_Z,)
    assert TABLE.of("C").routes == {"y": "BOTH", "z": "SYMBOL_SPECIFIC"}


def test_what_is_blocked_is_not_predicted_by_whatever_model_there_is() -> None:
    """Nor what is experimental, unless a model was trained for it."""
    assert TABLE.of("D").jobs == ()
    assert TABLE.of("D").notes == ("y is not predicted: its route is BLOCKED", NO_Z)
    assert TABLE.of("E").notes[0] == "y is not predicted: its route is EXPERIMENTAL_ONLY"
    trained = (*JOBS, job("y", "ridge", ("E",), "E"))
    assert [each.job_id for each in ServingTable(trained, ROUTES, {}).of("E").jobs] == [
        "sym_y__E__ridge"
    ]


def test_a_route_whose_model_failed_is_said() -> None:
    """F should have had a model of its own; the pooled one does not step in."""
    assert TABLE.of("F").jobs == ()
    assert TABLE.of("F").notes[0] == (
        "y is not predicted: no model of its route (SYMBOL_SPECIFIC) was trained"
    )


def test_an_unknown_symbol_has_the_pooled_models() -> None:
    """With a note; also for targets that have none."""
    new = TABLE.of("NEW")
    assert [job.job_id for job in new.jobs] == ["cs_y__ridge", "cs_y__trees"]
    assert new.routes == {"y": None, "z": None}
    assert new.notes == (
        "not in the run: only pooled models serve here",
        "z is not predicted: it has no pooled model",
    )


def test_a_symbol_that_the_run_left_out_is_unknown_with_its_reason() -> None:
    """Its data may be good by now."""
    assert TABLE.of("Q").notes[0] == (
        "left out of the run (too short): only pooled models serve here"
    )
    assert len(TABLE.of("Q").jobs) == 2


def test_features_are_those_of_the_symbols_own_jobs() -> None:
    """Each once, in the order of first need."""
    assert TABLE.of("B").features == ("ridge_a", "b")
    assert TABLE.of("A").features == ("ridge_a", "b", "trees_a")


def test_columns_are_named_by_view_and_family_not_by_symbol() -> None:
    """So that every symbol's file has the same; quantiles stand behind their prediction."""
    assert raw_columns(JOBS, {"y__own__ridge": (0.05, 0.5)}) == (
        *("y__pooled__ridge", "y__pooled__trees"),
        *("y__own__ridge", "y__own__ridge__q0.05", "y__own__ridge__q0.5"),
        "z__own__ridge",
    )


def test_work_on_a_symbol_does_not_say_whom_else_a_job_serves() -> None:
    """It would grow as the square of the symbols; what a model is checked by is kept."""
    lean = without_symbols(TABLE.of("C").jobs)
    assert [(each.job_id, each.features) for each in lean] == [
        (each.job_id, each.features) for each in TABLE.of("C").jobs
    ]
    assert not any(each.serves for each in lean)
    of_run = {symbol: TABLE.of(symbol).jobs for symbol in "AC"}
    record = {"known_ns": 0, "outcomes": "t", "outcome_groups": {"y": [0]}}
    units = calibrate_units(
        {"y": Meaning("y", "binary", 1, 0.9)}, of_run, of_run, {"A": record}, {"A": "h", "C": "h"}
    )
    sources = [source for unit in units for source in unit.spec.sources]
    assert {source.symbol for source in sources} == {"A"}
    assert [each.job_id for source in sources for each in source.jobs] == names("A")
    assert not any(each.serves for source in sources for each in source.jobs)
