"""``training.search`` in the config: what it takes, what it refuses, and when."""

from __future__ import annotations

import sys
from typing import Any

import jsonschema
import pytest
import yaml

from ray_pipeline.config import config_schema, dump_config
from ray_pipeline.config.loading import parse_experiment_config
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import check_families

SPACES = (
    "{lightgbm: {num_leaves: [4, 63], learning_rate: [1e-2, 0.2, log], extra_trees: [true, false], "
    "lambda_l2: null}, ridge: }"
)


def parsed(search: str) -> Any:
    """Read a config with this search."""
    text = f"data: {{data_dir: panel}}\ntraining:\n  search: {search}\n"
    jsonschema.validate(yaml.safe_load(text.replace("1e-2", "0.01")), config_schema())
    return parse_experiment_config(text, "run.yaml")


def test_it_is_off_unless_it_is_asked_for() -> None:
    """Null is off; an empty mapping is a search with all defaults."""
    assert parsed("null").training.search is None
    search = parsed("{}").training.search
    assert (search.n_trials, search.n_splits, search.batch_size) == (20, 3, 5)
    assert (search.max_trials, search.accept, search.spaces) == (None, "if_better", {})


def test_spaces_keep_their_values_and_survive_writing() -> None:
    """Ranges, log, truth values and null are taken as written, and read back from config.yaml."""
    config = parsed(f"{{spaces: {SPACES}}}")
    assert config.training.search.spaces == {
        "lightgbm": {
            "num_leaves": (4, 63),
            "learning_rate": (0.01, 0.2, "log"),
            "extra_trees": (True, False),
            "lambda_l2": None,
        },
        "ridge": {},
    }
    assert parse_experiment_config(dump_config(config), "config.yaml") == config


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{n_trials: 1}", r"training\.search\.n_trials: found 1; must be at least 2"),
        ("{n_splits: 1}", r"training\.search\.n_splits: found 1; must be at least 2"),
        ("{max_trials: 0}", r"max_trials: found 0; must be at least 1"),
        ("{accept: maybe}", r"accept: found 'maybe'; must be 'if_better' or 'always'"),
        ("{n_trial: 5}", r"unknown key 'training\.search\.n_trial'. Did you mean 'n_trials'\?"),
        (
            "{spaces: {ridge: {penalty: 3}}}",
            r"^run\.yaml:3: training\.search\.spaces\.ridge\.penalty: found 3; must be a range "
            r"\(\[4, 63\] or \[0\.01, 0\.2, log\]\), a list of choices, or null to leave the "
            r"hyperparameter out of the search$",
        ),
        ("{spaces: {ridge: {penalty: [1]}}}", r"found a list; must be a range"),
        ("{spaces: {ridge: {penalty: [1, [2]]}}}", r"found a list; must be a range"),
        ("{spaces: {ridge: {penalty: [1, .inf]}}}", r"found a list; must be a range"),
    ],
)
def test_what_is_no_search_is_refused(search: str, message: str) -> None:
    """With the line, the key, and what is needed."""
    text = f"data: {{data_dir: panel}}\ntraining:\n  search: {search}\n"
    with pytest.raises(ConfigError, match=message):
        parse_experiment_config(text, "run.yaml")


def test_a_key_can_be_overridden() -> None:
    """From the command line, also where the file leaves the search off."""
    text = "data: {data_dir: panel}\ntraining: {search: null}\n"
    overrides = ["training.search.n_trials=7", "training.search.spaces.ridge.penalty=[1, 9, log]"]
    search = parse_experiment_config(text, "run.yaml", overrides).training.search
    assert search is not None
    assert (search.n_trials, search.spaces) == (7, {"ridge": {"penalty": (1, 9, "log")}})


def test_spaces_are_checked_before_any_work() -> None:
    """Where families are checked, so that `check` tells as much as a run."""
    check_families(parsed(f"{{spaces: {SPACES}}}"))
    message = r"^training\.search\.spaces: the family 'forest' is not among training\.families"
    with pytest.raises(ConfigError, match=message):
        check_families(parsed("{spaces: {forest: {depth: [1, 2]}}}"))


def test_optuna_is_only_needed_for_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a run without a search goes on, and one with a search does not begin."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    check_families(parsed("null"))
    with pytest.raises(ConfigError, match=r"training\.search is on, and optuna is not installed"):
        check_families(parsed("{}"))
