from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import DataError
from ray_pipeline.panel import resolve_roles
from ray_pipeline.panel.roles import missing_bar_fields
from ray_pipeline.records import ColumnRoles


def roles(*names: str, kinds: dict[str, str] | None = None, **settings: Any) -> ColumnRoles:
    columns = [(name, (kinds or {}).get(name, "double")) for name in names]
    return resolve_roles(columns, ColumnsConfig(**settings), None)


def reason(result: ColumnRoles, name: str) -> str:
    return dict(result.ignored)[name]


def test_default_patterns_know_the_fields_prefixes() -> None:
    """Targets, by-products, bar fields and features are told apart without any config."""
    result = roles(
        "ts", "symbol", "open", "close", "volume", "rsi_14", "my_signal", "fwd_ret_5d",
        "y_will_peak_60m_0.8", "mfe_60m", "p_up_60m", "zigzag_dir",
        kinds={"symbol": "string"},
    )  # fmt: skip
    assert result.time == "ts"
    assert result.symbol == "symbol"
    assert result.bars == ("open", "close", "volume")
    assert result.targets == ("fwd_ret_5d", "mfe_60m", "y_will_peak_60m_0.8")
    assert result.by_products == ("p_up_60m", "zigzag_dir")
    assert result.features == ("my_signal", "rsi_14")
    assert result.ignored == ()


def test_by_products_win_over_targets() -> None:
    """mfe_share_* also looks like mfe_*, and is not a target; nor ever a feature."""
    result = roles("ts", "mfe_60m", "mfe_share_60m", "f", features=["*", "mfe_share_60m"])
    assert result.targets == ("mfe_60m",)
    assert result.by_products == ("mfe_share_60m",)
    assert result.features == ("f",)


def test_asking_for_few_targets_makes_no_features_of_the_others() -> None:
    """They know the future by their names; one that does not is named without a wildcard."""
    names = ("ts", "mdd_5d", "excess_ret_5d", "y_will_peak_10d_1.0", "ret_zscore_20", "f")
    result = roles(*names, targets=["mdd_*"], features=["*", "ret_zscore_20"])
    assert result.targets == ("mdd_5d",)
    assert result.features == ("f", "ret_zscore_20")
    assert reason(result, "excess_ret_5d") == (
        "a target by its name (excess_ret_*) that columns.targets leaves out; it would know the "
        "future. If it does not, name it in columns.features"
    )
    assert "(y_*)" in reason(result, "y_will_peak_10d_1.0")


def test_an_excluded_target_never_becomes_a_feature() -> None:
    """It knows the future: it is ignored, even when the feature patterns name it."""
    result = roles(
        "ts", "fwd_ret_5d", "fwd_ret_1d", "f",
        exclude_targets=["fwd_ret_1d"], features=["*", "fwd_ret_1d"],
    )  # fmt: skip
    assert result.targets == ("fwd_ret_5d",)
    assert result.features == ("f",)
    assert reason(result, "fwd_ret_1d") == (
        "target excluded by columns.exclude_targets 'fwd_ret_1d'"
    )


def test_own_targets_by_pattern() -> None:
    """What the user's patterns call a target is one, a bar field included."""
    result = roles("ts", "close", "label", "fwd_ret_5d", targets=["label", "close"])
    assert result.targets == ("close", "label")
    assert result.features == ()


def test_a_text_target_is_ignored() -> None:
    """A target has to be a number or a truth value."""
    result = roles("ts", "y_side", "y_hit", kinds={"y_side": "string", "y_hit": "bool"})
    assert result.targets == ("y_hit",)
    assert reason(result, "y_side") == "target that is text"


@pytest.mark.parametrize(
    ("arrow_type", "why"),
    [
        ("string", "text"),
        ("dictionary<values=string, indices=int8, ordered=0>", "text"),
        ("timestamp[us]", "a point in time or a duration, not a number"),
        ("list<item: double>", "nested"),
        ("null", "has no value"),
        ("binary", "neither a number nor a truth value"),
        ("mixed<double | string>", "numeric in some tables and not in others"),
    ],
)
def test_what_is_no_number_is_ignored(arrow_type: str, why: str) -> None:
    """A column that no model could use is ignored, with its reason."""
    result = roles("ts", "x", "f", kinds={"x": arrow_type})
    assert result.features == ("f",)
    assert reason(result, "x") == why


def test_features_are_chosen_by_pattern() -> None:
    """Columns left out by the patterns are ignored with the pattern that did it."""
    result = roles("ts", "a_1", "a_2", "b", features=["a_*"], exclude_features=["*_2"])
    assert result.features == ("a_1",)
    assert reason(result, "a_2") == "feature excluded by columns.exclude_features '*_2'"
    assert reason(result, "b") == "matched by no pattern of columns.features"


def test_bar_fields_are_features_only_by_name() -> None:
    """A raw price or volume level is not a feature unless it is asked for without a wildcard."""
    assert roles("ts", "close", "volume", "f").features == ("f",)
    asked = roles("ts", "close", "volume", "f", features=["volume", "f"])
    assert asked.features == ("f", "volume")
    assert asked.bars == ("close",)


def test_a_pattern_names_what_it_matches_alone() -> None:
    """What a pattern matches beside usual features is not meant by it: close, a label left out."""
    names = ("ts", "close", "volume", "vol_20", "fwd_ret_5d", "ret_zscore_20", "ret_zscore_60", "f")
    for features, expected in (
        (["*"], ("f", "vol_20")),
        (["ret_zscore_*", "f"], ("f", "ret_zscore_20", "ret_zscore_60")),
        (["vol*", "f*"], ("f", "vol_20")),
        (["*", "clo*", "volum?"], ("close", "f", "vol_20", "volume")),
        (["*", "volume"], ("f", "vol_20", "volume")),
        (["fw*"], ()),
    ):
        assert roles(*names, targets=["y_*"], features=features).features == expected


def test_exact_names_with_brackets_match_themselves() -> None:
    """A glob's brackets do not keep a column from being named."""
    assert roles("ts", "x[1]", "x1", features=["x[1]"]).features == ("x1", "x[1]")


def test_patterns_are_case_sensitive() -> None:
    """Matching does not depend on the operating system."""
    assert roles("ts", "FWD_RET_5D", "f").targets == ()


@pytest.mark.parametrize("name", ["ts", "timestamp", "datetime", "date"])
def test_known_time_columns(name: str) -> None:
    """Each of the known names is found without config."""
    assert roles("f", name).time == name


def test_a_second_time_column_is_no_feature() -> None:
    """A running number of seconds would only say which row it is."""
    result = roles("date", "ts", "f", kinds={"date": "int64"})
    assert result.time == "ts"
    assert result.features == ("f",)
    assert reason(result, "date") == "a second time column; the time axis is ts"


def test_a_configured_time_column_is_taken() -> None:
    """data.time_column comes before the known names."""
    result = resolve_roles([("when", "int64"), ("f", "double")], ColumnsConfig(), "when")
    assert result.time == "when"
    assert result.features == ("f",)


def test_missing_time_columns_are_errors() -> None:
    """The message names what was looked for, what is there, and what to change."""
    columns = [("time", "int64"), ("f", "double")]
    expected = (
        "no time column: looked for ts, timestamp, datetime, date; found time, f. "
        "Set data.columns: {time: time}. "
        "If it is a series, name the column it is about: data.columns: {time: time, value: f}."
    )
    with pytest.raises(DataError) as error:
        resolve_roles(columns, ColumnsConfig(), None)
    assert str(error.value) == expected
    with pytest.raises(DataError) as error:
        resolve_roles(columns, ColumnsConfig(), "when")
    expected = "data.columns.time='when' is not a column; found time, f."
    assert str(error.value) == expected


def test_bar_fields_have_to_be_numbers() -> None:
    """A text field does not count as a bar field."""
    columns = [("open", "double"), ("high", "int64"), ("low", "string"), ("close", "float")]
    assert missing_bar_fields(columns) == ("low", "volume")


@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from(["symbol", "close", "date", "mfe_share_5d", "fwd_ret_5d", "f"]),
            st.text(min_size=1, max_size=8),
        ),
        st.sampled_from(["double", "bool", "string", "timestamp[us]", "null", "int64"]),
        max_size=12,
    )
)
def test_every_column_has_exactly_one_role(columns: dict[str, str]) -> None:
    """Whatever the names and types, no column is lost and none counts twice."""
    columns = {**columns, "ts": "timestamp[us]"}
    result = resolve_roles(list(columns.items()), ColumnsConfig(), None)
    placed = [
        result.time,
        *([result.symbol] if result.symbol else []),
        *result.bars,
        *result.targets,
        *result.by_products,
        *result.features,
        *(name for name, _ in result.ignored),
    ]
    assert sorted(placed) == sorted(columns)
