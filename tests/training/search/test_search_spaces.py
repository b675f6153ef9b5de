"""Where a search may look: the families' spaces and what the config makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.families import SearchDimension
from ray_pipeline.training.search.space import first_trial, search_spaces

TREES = ("lightgbm",)


def trees(**given: Any) -> Any:
    """Return the space of trees with what the config says."""
    return search_spaces(TREES, {"lightgbm": given})["lightgbm"]


def test_without_a_word_in_the_config_the_families_decide() -> None:
    """Each family's own space, in name order."""
    spaces = search_spaces(("ridge", "lightgbm"), {})
    assert list(spaces) == ["ridge", "lightgbm"]
    assert list(spaces["ridge"]) == ["penalty"]
    assert list(spaces["lightgbm"]) == sorted(spaces["lightgbm"])
    assert spaces["lightgbm"]["num_leaves"].kind == "int"


def test_a_range_narrows_and_the_rest_stays() -> None:
    """The given hyperparameter is replaced with its default kept; the others are the family's."""
    space = trees(num_leaves=(4, 8), feature_fraction=(0.5, 0.9))
    assert space["num_leaves"] == SearchDimension("int", 4, 8)  # the rows decide: no default
    assert space["feature_fraction"] == SearchDimension("float", 0.5, 0.9, default=0.7)
    assert space["learning_rate"] == trees()["learning_rate"]


def test_ranges_choices_and_null() -> None:
    """Two numbers are a range, with log if it says so; more are choices; null is not searched."""
    space = trees(
        learning_rate=(0.05, 0.1, "log"),
        lambda_l2=(1, 5),
        max_depth=(3, 5, 7),
        extra_trees=(True, False),
        path_smooth=(0, 2.5),
        num_leaves=None,
    )
    assert space["learning_rate"] == SearchDimension("float", 0.05, 0.1, log=True)
    assert space["lambda_l2"].kind == "float"
    assert space["max_depth"] == SearchDimension("choice", choices=(3, 5, 7))
    assert space["extra_trees"].choices == (True, False)
    assert space["path_smooth"] == SearchDimension("float", 0, 2.5)
    assert trees(bagging_freq=(1, 5))["bagging_freq"].kind == "int"
    assert "num_leaves" not in space


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"forest": {"depth": (1, 2)}},
            r"^training\.search\.spaces: the family 'forest' is not among training\.families "
            r"\(lightgbm\)\. Remove its space, or train it\.$",
        ),
        (
            {"lightgbm": {"num_leaves": (63, 4)}},
            r"^training\.search\.spaces\.lightgbm\.num_leaves: the range from 63 to 4 is empty; "
            r"give the lower end first\.$",
        ),
        ({"lightgbm": {"num_leaves": (4, 4)}}, r"the range from 4 to 4 is empty"),
        (
            {"lightgbm": {"lambda_l2": (0, 1.0, "log")}},
            r"lambda_l2: a range with log starts at 0; its lower end must be above 0\.$",
        ),
        (
            {"lightgbm": {"num_leaves": (1, 8)}},
            r"^training\.search\.spaces\.lightgbm\.num_leaves: lightgbm: num_leaves is 1; a "
            r"whole number of at least 2 and at most 131,072, or auto, is needed\.$",
        ),
        ({"lightgbm": {"num_trees": (1, 8)}}, r"hyperparameter 'num_trees' is not supported"),
        (
            {"lightgbm": {"max_depth": (3, -5, 7)}},
            r"max_depth is -5; a whole number of at least -1",
        ),
        (
            {"lightgbm": {"max_depth": (3, 5, 3)}},
            r"max_depth: a choice is named twice; name each once\.$",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(given: dict[str, Any], message: str) -> None:
    """A message names the key, what is there and what to change; both ends are tried out."""
    with pytest.raises(ConfigError, match=message):
        search_spaces(TREES, given)


def test_a_dimension_that_is_too_high_at_its_upper_end_is_refused() -> None:
    """The upper end is checked as the lower one is."""
    message = r"penalty is inf; a number above 0 and at most 1e\+12, or auto, is"
    with pytest.raises(ConfigError, match=message):
        search_spaces(("ridge",), {"ridge": {"penalty": (1.0, float("inf"))}})


def test_the_configured_point_is_placed_in_the_space() -> None:
    """Defaults of the family fill in; outside, or where the data decide, there is no place."""
    space = {
        "a": SearchDimension("int", 1, 9, default=5),
        "b": SearchDimension("float", 0.0, 1.0, default=0.5),
    }
    assert first_trial(space, {"b": 0.25, "other": 3}) == {"a": 5, "b": 0.25}
    assert first_trial(space, {"a": 10}) is None
    assert first_trial({**space, "c": SearchDimension("int", 1, 2)}, {}) is None
