"""Names of cross-sectional columns, alone and among others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ray_pipeline.bars import STANDARD_FEATURES, feature_names
from ray_pipeline.errors import ConfigError
from ray_pipeline.panel.cross_section import (
    CROSS_SECTIONAL_FEATURES,
    computed_task,
    is_cross_sectional,
    named_features,
)
from ray_pipeline.panel.cross_section.names import base_of


def test_the_set_is_made_of_the_catalogue() -> None:
    """Every column of the set is a rank or z-score of a feature that bars give; none is twice."""
    assert 10 <= len(set(CROSS_SECTIONAL_FEATURES)) == len(CROSS_SECTIONAL_FEATURES) <= 20
    assert all(map(is_cross_sectional, CROSS_SECTIONAL_FEATURES))
    assert {base_of(name) for name in CROSS_SECTIONAL_FEATURES} <= set(STANDARD_FEATURES)
    assert not any(map(is_cross_sectional, STANDARD_FEATURES))


def test_names_are_set_apart_and_come_last() -> None:
    """A symbol's own features first, then those of the batch, each group in the order given."""
    names = ["cs_zscore_gap", "log_return_5", "cs_rank_log_return_1", "gap"]
    assert named_features(names) == (
        *("log_return_5", "gap"),
        *("cs_zscore_gap", "cs_rank_log_return_1"),
    )


def test_the_set_stands_alone_or_in_a_list() -> None:
    """A column that is both in the set and named is taken once."""
    assert named_features("cross_sectional") == CROSS_SECTIONAL_FEATURES
    assert named_features(["cross_sectional"]) == CROSS_SECTIONAL_FEATURES
    mixed = named_features(["cross_sectional", CROSS_SECTIONAL_FEATURES[3], "gap"])
    assert mixed == ("gap", *CROSS_SECTIONAL_FEATURES)


@pytest.mark.parametrize("features", ["standard", ["gap", "log_return_1"]])
def test_other_names_are_none_of_its_business(features: str | list[str]) -> None:
    """Without a cross-sectional name it is `feature_names`."""
    assert named_features(features) == feature_names(features)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["cs_rank_log_retrun_1"], r"unknown feature 'log_retrun_1'\. Did you mean 'log_return_1'"),
        (["cs_rank_gap", "cs_rank_gap"], "cs_rank_gap given more than once. Name each once."),
        (
            ["cs_rank_"],
            "'cs_rank_' has to name a feature of one symbol after its prefix, not '': "
            "cs_rank_log_return_5.",
        ),
        (
            ["cs_zscore_cs_rank_gap"],
            "'cs_zscore_cs_rank_gap' has to name a feature of one symbol after its prefix, not ",
        ),
        (["cross_sectional", "gpa"], "unknown feature 'gpa'"),
    ],
)
def test_wrong_features_are_named(features: Sequence[str], message: str) -> None:
    """A typo behind the prefix gets the suggestion that it gets without it."""
    with pytest.raises(ConfigError, match=message):
        named_features(features)


def test_a_rank_of_several_features_is_refused() -> None:
    """Where a name stands for a set of features, which one is meant is not guessed."""
    with pytest.raises(ConfigError, match="after its prefix; 'alpha158' stands for several"):
        named_features(["cs_rank_alpha158"])


def test_features_of_own_functions_can_be_ranked() -> None:
    """What the user's function gives is a feature like any other."""
    own = {"mine:body": ("body", "wick")}
    assert named_features(["mine:body", "cs_rank_wick"], own) == ("body", "wick", "cs_rank_wick")


def test_tasks_of_targets() -> None:
    """An excess return is real-valued; other labels are what they are without a batch."""
    assert computed_task("excess_ret_5d") == "regression"
    assert computed_task("excess_ret_12") == "regression"
    assert computed_task("y_will_peak_5d_1.0") == "binary"
    assert base_of("excess_ret_5d") == "fwd_ret_5d"


@pytest.mark.parametrize("name", ["excess_ret_", "excess_ret_5x", "excess_ret_5d_2", "excess_ret"])
def test_wrong_targets_are_named(name: str) -> None:
    """A name that is neither an excess return nor another label is refused."""
    with pytest.raises(
        ConfigError,
        match=rf"labeling.targets: '{name}' is not "
        r"(an excess return\. Write excess_ret_\{h\}, where h is a horizon|a target that bars "
        r"give)",
    ):
        computed_task(name)
