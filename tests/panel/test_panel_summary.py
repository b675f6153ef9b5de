from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ray_pipeline.bars import feature_names
from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.panel import (
    PanelSummary,
    SymbolInspection,
    TableRequest,
    encode_runs,
    summarise_panel,
    table_request,
)
from ray_pipeline.records import TargetSpec

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9
FIELDS = ("open", "high", "low", "close", "volume")


def inspection(symbol: str, columns: dict[str, str] | None = None, **changed: Any) -> Any:
    """Return a labeled symbol of ten daily rows with f, g and a real-valued target."""
    columns = columns or {"f": "double", "g": "double", "fwd_ret_5d": "double"}
    columns = {"ts": "timestamp[us, tz=UTC]", **columns}
    times = changed.pop("times", np.arange(10) * DAY)
    values = changed.pop("target_values", {name: None for name in columns if "ret" in name})
    return SymbolInspection(
        **{
            "symbol": symbol,
            "kind": "labeled",
            "time_column": "ts",
            "columns": tuple(columns.items()),
            "n_rows": len(times),
            "first_ts_ns": int(times[0]),
            "last_ts_ns": int(times[-1]),
            "runs": encode_runs(times),
            "findings": (),
            "target_values": tuple(values.items()),
            "constant": (),
            "n_missing": (),
            "clocks": ("aware",),
            **changed,
        }
    )


def bars(symbol: str, **changed: Any) -> Any:
    columns = {**dict.fromkeys(FIELDS, "double"), **changed.pop("extra", {})}
    return inspection(symbol, columns, kind="bars", target_values={}, **changed)


def summarise(
    inspections: Sequence[SymbolInspection],
    interval: str | None = "1d",
    label_targets: Sequence[str] = ("fwd_ret_5d",),
    label_features: str | Sequence[str] = "standard",
    **columns: Any,
) -> PanelSummary:
    return summarise_panel(
        inspections,
        ColumnsConfig(**columns),
        label_targets=label_targets,
        label_features=label_features,
        interval=interval,
        time_column=None,
    )


def test_a_labeled_panel() -> None:
    """Roles of the union, bar length, horizons and tasks."""
    columns = {"f": "double", "fwd_ret_5d": "double", "y_up_2d": "bool", "y_side_3d": "int8"}
    values = {"fwd_ret_5d": None, "y_up_2d": (0.0, 1.0), "y_side_3d": (0.0, 1.0)}
    other = {**values, "y_side_3d": (-1.0, 0.0)}
    summary = summarise(
        [
            inspection("A", columns, target_values=values),
            inspection("B", columns, target_values=other),
        ]
    )
    assert summary.kind == "labeled"
    assert summary.time_column == "ts"
    assert (summary.bar_seconds, summary.session_bars) == (86_400, 1)
    assert summary.roles.features == ("f",)
    assert summary.targets == (
        TargetSpec("fwd_ret_5d", 5, "regression"),
        TargetSpec("y_side_3d", 3, "ordinal"),
        TargetSpec("y_up_2d", 2, "binary"),
    )
    assert (summary.lacking, summary.dropped, summary.warnings) == ((), (), ())


def test_a_panel_of_bars() -> None:
    """Features are those of the labeling and the table's own; targets those of the labeling."""
    extra = {"pe": "double", "log_return_1": "double", "vwap": "double", "note": "string"}
    extra |= {"y_1d": "double", "p_up_1d": "double", "fwd_ret_5d": "double"}
    summary = summarise(
        [bars("A", extra=extra), bars("B")],
        label_targets=["fwd_ret_5d", "y_will_peak_10d_1.0"],
        label_features=["log_return_1"],
    )
    assert summary.kind == "bars"
    assert summary.roles.bars == FIELDS
    assert summary.roles.features == ("log_return_1", "pe")
    assert summary.own_columns == ("pe",)
    assert summary.roles.targets == ("fwd_ret_5d", "y_will_peak_10d_1.0")
    assert summary.roles.by_products == ("p_up_1d",)
    assert dict(summary.roles.ignored) == {
        "note": "text",
        "vwap": "a price level that vendors deliver with bars, which is not a feature unless "
        "columns.features names it",
        "y_1d": "the table is read as bars: targets are computed",
        "log_return_1": "labeling computes a feature of this name",
    }
    assert [target.task for target in summary.targets] == ["regression", "binary"]
    assert [target.horizon_bars for target in summary.targets] == [5, 10]
    assert summary.lacking == (("pe", ("B",)),)
    assert summarise([bars("A")]).roles.features == feature_names("standard")


def test_targets_of_labeled_tables_that_are_set_for_bars_are_a_warning() -> None:
    """They ask for targets that are not computed."""
    (told,) = summarise([bars("A")], targets=["fwd_ret_1d"]).warnings
    assert "columns.targets is set (fwd_ret_1d)" in told
    assert "labeling.targets" in told
    assert summarise([bars("A")]).warnings == ()


def test_which_columns_beside_bars_are_features() -> None:
    """Patterns decide as they do for labeled tables, and a constant tells nothing."""
    extra = {"pe": "double", "mood": "double", "vwap": "double", "lot": "double"}
    panel = [bars("A", extra=extra, constant=(("lot", 1.0),))]
    summary = summarise(panel, label_features=["log_return_1"])
    assert summary.own_columns == ("mood", "pe")
    assert summary.dropped == (("lot", "constant", "always 1, in every symbol"),)
    summary = summarise(panel, label_features=["log_return_1"], features=("p*", "vwap"))
    assert summary.own_columns == ("pe", "vwap")
    assert dict(summary.roles.ignored)["mood"] == "matched by no pattern of columns.features"


def test_columns_that_some_symbols_lack() -> None:
    """Features and targets that are not everywhere are kept and reported with the symbols."""
    full = {"f": "double", "g": "double", "fwd_ret_5d": "double", "fwd_ret_1d": "double"}
    fewer = {"f": "double", "fwd_ret_5d": "double", "note": "string"}
    summary = summarise([inspection("C", fewer), inspection("A", full), inspection("B", fewer)])
    assert summary.roles.features == ("f", "g")
    assert summary.roles.targets == ("fwd_ret_1d", "fwd_ret_5d")
    assert summary.lacking == (("g", ("B", "C")), ("fwd_ret_1d", ("B", "C")))


def test_the_order_of_symbols_does_not_matter() -> None:
    """What was inspected first decides nothing."""
    inspections = [
        inspection("A", {"f": "double", "fwd_ret_5d": "double"}),
        inspection("B", {"g": "double", "fwd_ret_5d": "double", "f": "int64"}),
        inspection("C", {"h": "double", "f": "string", "fwd_ret_5d": "float"}),
    ]
    results = [summarise(order) for order in itertools.permutations(inspections)]
    assert all(result == results[0] for result in results)


def test_types_that_do_not_go_together() -> None:
    """Numbers here and text there: the column is ignored, with a warning that names symbols."""
    summary = summarise(
        [
            inspection("A"),
            inspection("B", {"f": "double", "g": "string", "fwd_ret_5d": "double"}),
        ]
    )
    reason = "conflicting types: double in A; string in B"
    assert summary.roles.features == ("f",)
    assert summary.roles.ignored == (("g", reason),)
    assert summary.warnings == (f"1 column is ignored: 'g': {reason}",)


def test_features_that_tell_nothing_are_dropped() -> None:
    """One number everywhere, no value anywhere, or a code per symbol."""
    columns = dict.fromkeys(("same", "sector", "empty", "half", "f", "fwd_ret_5d"), "double")
    summary = summarise(
        [
            inspection(
                "A",
                columns,
                constant=(("same", 3.0), ("sector", 1.0), ("half", 0.0)),
                n_missing=(("empty", 10), ("same", 4)),
            ),
            inspection(
                "B", columns, constant=(("sector", 2.0),), n_missing=(("empty", 10), ("same", 10))
            ),
        ]
    )
    code = "one number within each symbol, 2 in 2 symbols: it names symbols or groups of them"
    assert summary.dropped == (
        ("empty", "empty", "no value in any symbol"),
        ("same", "constant", "always 3, in every symbol"),
        ("sector", "identifier", code),
    )
    assert summary.roles.features == ("f", "half")
    assert summary.roles.ignored == tuple((name, why) for name, _, why in summary.dropped)
    way_out = "; columns.features can name it"
    assert summary.warnings == (
        f"not used as a feature: same: always 3, in every symbol{way_out}",
        "not used as a feature: empty: no value in any symbol",
        f"not used as a feature: sector: {code}{way_out}",
    )


def test_a_named_feature_stays_unless_it_is_empty() -> None:
    """Who names a code or a constant has it; of nothing nothing can be made."""
    columns = dict.fromkeys(("same", "sector", "empty", "f", "fwd_ret_5d"), "double")
    panel = [
        inspection(
            symbol,
            columns,
            constant=(("same", 3.0), ("sector", code)),
            n_missing=(("empty", 10),),
        )
        for symbol, code in (("A", 1.0), ("B", 2.0))
    ]
    assert summarise(panel).roles.features == ("f",)
    named = summarise(panel, features=["*", "same", "sector", "empty"])
    assert named.roles.features == ("f", "same", "sector")
    # A pattern names what it matches where it matches nothing else.
    assert summarise(panel, features=["*", "s*"]).roles.features == ("f", "same", "sector")


def test_targets_that_tell_nothing_are_warned_of() -> None:
    """The target stays, so that the ranking reports it."""
    columns = {"f": "double", "fwd_ret_5d": "double", "fwd_ret_1d": "double"}
    summary = summarise(
        [inspection("A", columns, n_missing=(("fwd_ret_5d", 10),), constant=(("fwd_ret_1d", 0.0),))]
    )
    assert summary.roles.targets == ("fwd_ret_1d", "fwd_ret_5d")
    assert summary.warnings == (
        "2 targets cannot be ranked: 'fwd_ret_1d' (always 0, in every symbol), "
        "'fwd_ret_5d' (no value in any symbol)",
    )


def test_mixed_kinds_are_an_error() -> None:
    """Examples of both kinds are named, with the ways out."""
    with pytest.raises(ConfigError) as error:
        summarise([bars("C"), inspection("A"), inspection("B")])
    assert str(error.value) == (
        "labeled tables (A, B) and bars (C) are mixed. Set data.kind to one of them, or name the "
        "symbols of one kind in data.symbols."
    )


def _months(step: int, n_rows: int = 60) -> np.ndarray:
    """Return the last business day of every so many months."""
    after = (np.arange(n_rows) * step + 1).astype("M8[M]").astype("M8[D]")
    return np.busday_offset(after, -1, roll="backward").astype("M8[ns]").astype(np.int64)


@pytest.mark.parametrize(
    ("months", "interval", "target", "horizon", "periods"),
    [
        (1, "1mo", "fwd_ret_3mo", 3, 12),
        (1, "monthly", "fwd_ret_1q", 3, 12),
        (1, "1M", "fwd_ret_1y", 12, 12),
        (1, None, "fwd_ret_3M", 3, 12),
        (3, "1q", "fwd_ret_1y", 4, 4),
        (3, None, "fwd_ret_2q", 2, 4),
        (12, "1y", "fwd_ret_2y", 2, 1),
        (12, None, "fwd_ret_1y", 1, 1),
    ],
)
def test_months_quarters_and_years_are_intervals(
    months: int, interval: str | None, target: str, horizon: int, periods: int
) -> None:
    """A year has 12, 4 or 1 of them, whether the interval is named or found in the data."""
    columns = {"f": "double", target: "double"}
    summary = summarise([inspection("A", columns, times=_months(months))], interval=interval)
    assert str(summary.interval) == f"{months}mo"
    assert summary.targets == (TargetSpec(target, horizon, "regression"),)
    assert summary.clocks.sessions == ((1, periods, ("A",)),)
    assert summary.warnings == ()
    assert table_request(summary, max_rows=None, min_rows=1).interval == summary.interval


@pytest.mark.parametrize(
    ("step_days", "interval", "periods"), [(7, "1wk", 52), (7, None, 52), (28, None, 13)]
)
def test_weeks_are_intervals(step_days: int, interval: str | None, periods: int) -> None:
    """A year has 52 weeks, and four of them are not a month."""
    times = np.arange(60) * step_days * DAY
    columns = {"f": "double", "fwd_ret_28d": "double"}
    summary = summarise([inspection("A", columns, times=times)], interval=interval)
    assert str(summary.interval) == f"{step_days // 7}w"
    assert summary.targets[0].horizon_bars == 28 // step_days
    assert summary.clocks.sessions[0][1] == periods


@pytest.mark.parametrize(
    ("times", "interval", "meant"),
    [(np.arange(60) * MINUTE, "1M", "1m"), (_months(1), "1m", "1M")],
)
def test_a_large_and_a_small_m_are_told_apart(times: np.ndarray, interval: str, meant: str) -> None:
    """Where the data are of the other unit, the message names it."""
    with pytest.raises(ConfigError, match=rf"a small m a minute: {meant} is meant\."):
        summarise([inspection("A", times=times)], interval=interval)


def test_an_interval_that_the_data_contradict() -> None:
    """Both lengths are named: horizons and purging depend on it."""
    with pytest.raises(ConfigError) as error:
        summarise([inspection("A", times=np.arange(10) * MINUTE)], interval="5m")
    assert str(error.value) == (
        "interval 5m means 300 s between bars, but the most frequent step in the data is 60 s "
        "(100% of the steps). Set data.interval to the data's interval."
    )


def test_the_bar_length_from_the_data() -> None:
    """Without an interval the most frequent step counts, nights and weekends aside."""
    opens = (np.arange(5) * DAY)[:, None]
    times = (opens + np.arange(13) * 30 * MINUTE).ravel()
    columns = {"f": "double", "fwd_ret_2d": "double"}
    summary = summarise([inspection("A", columns, times=times)], interval=None)
    assert (summary.bar_seconds, summary.session_bars) == (1_800, 13)
    assert summary.targets[0].horizon_bars == 26


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.array([5]), "one row per symbol does not show the bar length: set data.interval"),
        (np.arange(9) * DAY // 10**6, "step in the data is 0.0864 s; bars of whole seconds are"),
    ],
)
def test_a_bar_length_that_cannot_be_told(times: np.ndarray, message: str) -> None:
    """The horizon of a target would be a guess."""
    with pytest.raises(ConfigError, match=message):
        summarise([inspection("A", times=times)], interval=None)


def test_one_row_per_symbol_with_an_interval() -> None:
    """The interval is taken at its word when the data say nothing."""
    assert summarise([inspection("A", times=np.array([5]))]).bar_seconds == 86_400


def test_an_unknown_horizon_is_an_error() -> None:
    """Purging depends on the horizon; the config can give it."""
    panel = [inspection("A", {"f": "double", "y_up": "double"}, target_values={"y_up": None})]
    with pytest.raises(ConfigError, match=r"y_up.*horizon"):
        summarise(panel)
    assert summarise(panel, horizons={"y_up": 7}).targets[0].horizon_bars == 7


def test_a_horizon_shorter_than_a_computed_label_is_refused() -> None:
    """The label looks 5 bars ahead whatever the config says; a longer purge is allowed."""
    with pytest.raises(ConfigError, match=r"'fwd_ret_5d' 3 bars, but the label looks 5 bars"):
        summarise([bars("A")], horizons={"fwd_ret_5d": 3})
    assert summarise([bars("A")], horizons={"fwd_ret_5d": 8}).targets[0].horizon_bars == 8


def test_the_config_says_what_kind_of_target_it_is() -> None:
    """For labels that are read and labels that are computed alike."""
    columns = {"f": "double", "y_grade_3d": "int8"}
    panel = [inspection("A", columns, target_values={"y_grade_3d": (-1.0, 0.0, 1.0)})]
    assert summarise(panel).targets[0].task == "ordinal"
    assert summarise(panel, tasks={"y_*": "regression"}).targets[0].task == "regression"
    computed = summarise([bars("A")], label_targets=["y_will_peak_5d_1.0"], tasks={"*": "ordinal"})
    assert computed.targets[0].task == "ordinal"
    with pytest.raises(ConfigError, match=r"'fwd_ret_5d' cannot be binary"):
        summarise([bars("A")], tasks={"fwd_*": "binary"})


def test_patterns_that_no_target_matches_are_told() -> None:
    """A misspelt entry would otherwise do nothing in silence."""
    summary = summarise([inspection("A")], horizons={"fwd_rte_*": 3}, tasks={"grade": "ordinal"})
    assert summary.warnings == (
        "columns.horizons: no target is called 'fwd_rte_*', so that entry does nothing",
        "columns.tasks: no target is called 'grade', so that entry does nothing",
    )


def test_no_feature_and_no_target() -> None:
    """A panel without either cannot be run; the message says what to change."""
    with pytest.raises(ConfigError, match=r"no feature is left; ignored: f \(feature excluded by"):
        summarise(
            [inspection("A", {"f": "double", "fwd_ret_5d": "double"})], exclude_features=["f"]
        )
    conflict = {"f": "double", "fwd_ret_5d": "string"}
    with pytest.raises(ConfigError, match=r"no target is left in any symbol\. Set columns\.targ"):
        summarise([inspection("A"), inspection("B", conflict)])


def test_no_symbols() -> None:
    """Every symbol rejected is said as such."""
    with pytest.raises(DataError, match="no symbol is left to summarise: every one was rejected"):
        summarise([])


def test_irregular_time_is_warned_of() -> None:
    """Other steps in some symbols, irregular bars, and holes against the panel's own axis."""
    whole = np.arange(40) * DAY
    holes = np.delete(whole, np.arange(10, 20))
    slow = whole[::2]
    summary = summarise(
        [inspection(name, times=axis) for name, axis in (("A", whole), ("H", holes), ("S", slow))]
    )
    assert summary.warnings == (
        "most steps are not 86400 s in S",
        "2 symbols lack more than 5% of the panel's timestamps between its first and its last: "
        "S (19 of 39), H (10 of 40)",
    )
    irregular = np.cumsum(np.array([0, 1, 2, 1, 3, 4, 1, 5, 6, 7])) * DAY
    summary = summarise([inspection("A", times=irregular)])
    assert summary.warnings == (
        "only 33% of the steps between bars are 86400 s: bars are irregular",
    )


def test_a_late_listing_lacks_nothing() -> None:
    """Timestamps before a symbol's first and after its last are not missing."""
    whole = np.arange(40) * DAY
    assert (
        summarise([inspection("A", times=whole), inspection("B", times=whole[30:35])]).warnings
        == ()
    )


def test_time_columns_that_differ() -> None:
    """Names and zones may differ between symbols: it works, and is said."""
    naive = inspection("B", time_column="date", columns={"f": "double", "fwd_ret_5d": "double"})
    columns = tuple(
        ("date", "timestamp[us]") if name == "ts" else (name, kind) for name, kind in naive.columns
    )
    changed = {"columns": columns, "clocks": ["naive"]}
    naive = SymbolInspection.from_record({**naive.to_record(), **changed})
    summary = summarise([inspection("A"), naive])
    assert summary.time_column is None
    assert summary.warnings == (
        "time columns are called date, ts in different symbols",
        "times have no zone in B and one in A; those without are read as UTC; set data.time_zone "
        "if they are not",
        "treated as missing in symbols that lack them: g (not in B)",
    )


def test_daily_bars_of_exchanges_that_share_no_timestamp() -> None:
    """One warning names the groups, and the key; their absences are not warnings of their own."""
    midnights = {"NY": 5, "NY2": 5, "TOKYO": 15, "UTC": 0}
    panel = [
        inspection(symbol, times=np.arange(10) * DAY + hour * 60 * MINUTE)
        for symbol, hour in midnights.items()
    ]
    (warning,) = summarise(panel).warnings
    assert warning.startswith(
        "symbols never share a timestamp: bars are stamped NY, NY2 at 05:00; TOKYO at 15:00; UTC "
        "at 00:00 UTC"
    )
    assert "data.trading_date: true" in warning
    summers = np.r_[np.arange(5) * DAY, np.arange(5, 10) * DAY - 60 * MINUTE]
    assert summarise([panel[3], inspection("LONDON", times=summers)]).warnings != (warning,)


def test_files_that_call_all_symbols_otherwise() -> None:
    """The folders count, and it is said."""
    panel = [
        inspection(name, own_symbols=((f"{name} US Equity", "part.parquet"),)) for name in "AB"
    ]
    (warning,) = summarise(panel).warnings
    assert warning == (
        "files name other symbols than their folders in A, B (A is 'A US Equity' inside); the "
        "names of the folders count"
    )


def test_the_request_for_the_tables() -> None:
    """The request follows the summary, or the columns that were chosen from it."""
    summary = summarise([inspection("A")])
    assert table_request(summary, max_rows=None, min_rows=300) == TableRequest(
        kind="labeled",
        time_column="ts",
        features=("f", "g"),
        targets=("fwd_ret_5d",),
        max_rows=None,
        min_rows=300,
        bar_seconds=86_400,
        session_bars=1,
    )
    chosen = table_request(summary, max_rows=9, min_rows=3, features=["g"], targets=[])
    assert (chosen.features, chosen.targets, chosen.max_rows) == (("g",), (), 9)
