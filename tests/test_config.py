"""The config: what is accepted, what it becomes, and what is said about everything else."""

from __future__ import annotations

import json
import pickle
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ray_pipeline.bars import FEATURE_SETS
from ray_pipeline.config import (
    DataConfig,
    ExperimentConfig,
    ExperimentSection,
    config_schema,
    dump_config,
    load_experiment_config,
    parse_experiment_config,
    read_config_values,
)
from ray_pipeline.config import fields as config_fields
from ray_pipeline.errors import ConfigError
from ray_pipeline.series.catalogue import SERIES_SET

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TEMPLATE = CONFIGS.parent / "ray_pipeline" / "config" / "template.yaml"
MINIMAL = "data: {data_dir: panel}\n"

Load = Callable[..., ExperimentConfig]
Refuse = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a config from its text, as the file ``run.yaml`` of the working directory."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes, overrides: Sequence[str] = ()) -> ExperimentConfig:
        Path("run.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_experiment_config("run.yaml", overrides)

    return load_text


@pytest.fixture
def refuse(load: Load) -> Refuse:
    """Give the lines of the one ConfigError that a text and its overrides cause."""

    def refuse_text(text: str | bytes, overrides: Sequence[str] = ()) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, overrides)
        assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
        return str(caught.value).split("\n")

    return refuse_text


def under_data(line: str) -> str:
    return f"data:\n  data_dir: panel\n  {line}\n"


class TestDefaults:
    def test_data_dir_is_the_only_key_needed(self, load: Load) -> None:
        """A config with nothing but the data directory has the documented defaults."""
        config = load(MINIMAL)
        assert config.data.data_dir == "panel"
        assert (config.data.symbols, config.data.symbol_batch_size) == ((), None)
        assert config.target_ranking.views == ("cross_sectional", "symbol_specific")
        assert config.leakage.policy == "drop"
        assert config.routing.alpha is None
        assert config.symbol_alpha == config.target_ranking.alpha == 0.05
        assert config.execution.executor == "ray"
        assert config.training.hyperparameters == {"lightgbm": {"n_estimators": 100}}
        assert "mfe_share_*" in config.columns.by_products
        assert "mfe_*" in config.columns.targets

    def test_empty_keys_and_sections_are_as_if_missing(self, load: Load) -> None:
        """A section, list or mapping left empty in the file counts as not written."""
        text = (
            "data:\n  data_dir: panel\n  symbols:\n  interval:\n  storage_options:\n"
            "columns:\n  exclude_features:\n  horizons:\n"
            "target_ranking:\noutput:\n  run_dir:\nrouting:\n"
        )
        assert load(text) == load(MINIMAL)

    def test_run_dir_follows_the_name(self, load: Load) -> None:
        """Results go to runs/<name> unless a run_dir is given, which is kept as written."""
        named = "experiment: {name: us_daily}\n" + MINIMAL
        assert load(named).output.run_dir == "runs/us_daily"
        assert load(named, ["experiment.name=other"]).output.run_dir == "runs/other"
        assert load(named + "output: {run_dir: ../r}").output.run_dir == "../r"
        section = ExperimentSection(name="u")
        built = ExperimentConfig(data=DataConfig(data_dir="x"), experiment=section)
        assert built.output.run_dir == "runs/u"

    def test_configs_are_frozen_and_picklable(self, load: Load) -> None:
        """A config cannot change on the way, and reaches a worker as it was."""
        config = load(MINIMAL)
        with pytest.raises(ValidationError, match="frozen"):
            config.data.interval = "1m"
        assert pickle.loads(pickle.dumps(config)) == config

    def test_configs_share_no_mutable_defaults(self) -> None:
        """Changing the mapping of one config leaves the default of the next as it is."""
        first = ExperimentConfig(data=DataConfig(data_dir="x"))
        first.training.hyperparameters["lightgbm"]["n_estimators"] = 1
        second = ExperimentConfig(data=DataConfig(data_dir="x"))
        assert second.training.hyperparameters == {"lightgbm": {"n_estimators": 100}}


class TestText:
    SYMBOLS = ("0700", "1E5", "TRUE", "NO", "NA", "null", "~", "2024-01-01", "1_0", ".5", "BRK/B")

    @pytest.mark.parametrize("style", ["flow", "block", "quoted", "override"])
    def test_symbols_stay_as_written(self, load: Load, style: str) -> None:
        """A symbol is the text of the file, whatever YAML would make of it."""
        flow = f"[{', '.join(self.SYMBOLS)}]"
        if style == "override":
            config = load(MINIMAL, [f"data.symbols={flow}"])
        else:
            written = {
                "flow": flow,
                "block": "".join(f"\n    - {symbol}" for symbol in self.SYMBOLS),
                "quoted": str(list(self.SYMBOLS)),
            }
            config = load(under_data(f"symbols: {written[style]}"))
        assert config.data.symbols == self.SYMBOLS

    @pytest.mark.parametrize(
        ("line", "key", "value"),
        [
            ("interval: 5", "interval", "5"),
            ("interval: 1:30", "interval", "1:30"),
            ("interval: null", "interval", None),
            ("interval: 'null'", "interval", "null"),
            ("time_column: on", "time_column", "on"),
            ("time_column: 2024-01-01", "time_column", "2024-01-01"),
        ],
    )
    def test_keys_that_hold_text_take_it_as_written(
        self, load: Load, line: str, key: str, value: str | None
    ) -> None:
        """Numbers, words and dates are text where text is wanted; only a plain null is none."""
        assert getattr(load(under_data(line)).data, key) == value

    def test_names_of_columns_and_keys_stay_as_written(self, load: Load) -> None:
        """A column may be called `no` or `1`, and a mapping may have such keys."""
        config = load(
            MINIMAL + "columns: {features: [no, 1], horizons: {on: 5d, 1e3: 12}}\n"
            "labeling: {features: [1, yes]}\n"
        )
        assert config.columns.features == ("no", "1")
        assert config.columns.horizons == {"on": "5d", "1e3": 12}
        assert config.labeling.features == ("1", "yes")

    def test_columns_by_role(self, load: Load) -> None:
        """The time may be named under either key; a symbol of null is one not to be looked at."""
        data = load(under_data("columns: {time: on, close: Adj Close, symbol: , open: null}")).data
        assert data.time_name == "on"
        assert data.column_names == (("close", "Adj Close"), ("symbol", None), ("time", "on"))
        data = load(under_data("time_column: t")).data
        assert (data.time_name, data.column_names) == ("t", (("time", "t"),))

    def test_free_values_follow_yaml_1_2(self, load: Load) -> None:
        """Hyperparameters are numbers, booleans or text by the rules of YAML 1.2, not 1.1."""
        values = "{a: 1e-3, b: 5, c: 5.0, d: true, e: no, f: 010, g: 1:30, h: '5', i: 1_000}"
        config = load(MINIMAL + f"training: {{hyperparameters: {{ridge: {values}}}}}")
        assert list(config.training.hyperparameters["ridge"].items()) == [
            ("a", 0.001),
            ("b", 5),
            ("c", 5.0),
            ("d", True),
            ("e", "no"),
            ("f", "010"),
            ("g", "1:30"),
            ("h", "5"),
            ("i", 1000),
        ]
        kinds = [type(value) for value in config.training.hyperparameters["ridge"].values()]
        assert kinds == [float, int, float, bool, str, str, str, str, int]

    def test_whole_numbers_serve_as_fractions(self, load: Load) -> None:
        """A key that wants a number takes 1 for 1.0."""
        assert load(MINIMAL + "execution: {unit_timeout_s: 60}").execution.unit_timeout_s == 60.0


WRONG_VALUES = [
    ("data: {data_dir: p, symbol_batch_size: 0}", "found 0; must be at least 1"),
    ("data: {data_dir: p, symbol_batch_size: 1.0}", "found 1.0; must be a whole number"),
    (
        "data: {data_dir: p, symbol_batch_size: '5'}",
        "found '5'; must be a whole number, without quotes",
    ),
    ("data: {data_dir: p, symbol_batch_size: 05}", "found '05'; must be a whole number"),
    ("data: {data_dir: p, symbol_batch_size: true}", "found true; must be a whole number"),
    (
        "data: {data_dir: p, min_rows_per_symbol: }",
        "found nothing; must be a whole number; remove the key to use its default",
    ),
    (
        "data: {data_dir: p, max_rows_per_symbol: 5}",
        "max_rows_per_symbol (5) is below min_rows_per_symbol (300), so every symbol would be "
        "left out; raise the first or lower the second",
    ),
    (
        "training: {max_cs_rows: 3000}",
        "training.max_cs_rows (3000) is below target_ranking.max_cs_rows (500000), but pooled "
        "models always train on those rows; raise the first or lower the second",
    ),
    (
        "data: {data_dir: p, kind: bar}",
        "found 'bar'; must be 'auto', 'labeled', 'bars' or 'series'. Did you mean 'bars'?",
    ),
    (
        "data: {data_dir: p, interval: interval=5m}",
        "found 'interval=5m'; must be only the interval, e.g. 5m",
    ),
    ("data: {data_dir: p, columns: {opne: o}}", "found 'opne'; must be 'time', 'time_of_day', 'op"),
    (
        "data: {data_dir: p, columns: {open: c, close: c}}",
        "columns: close and open are both 'c'; a column has one role",
    ),
    (
        "data: {data_dir: p, time_column: ts, columns: {time: t}}",
        "time_column (ts) and columns.time (t) name different columns; leave one of them out",
    ),
    ("data: {data_dir: p, price_scale: 0}", "found 0; must be above 0.0"),
    ("data: {data_dir: p, time_zone: EDT}", "must be the IANA name of a time zone, e.g. Am"),
    ("data: {data_dir: p, time_unit: sec}", "must be 's', 'ms', 'us', 'ns' or 'date'"),
    ("data: {data_dir: p, stamp: end}", "must be 'open' or 'close'"),
    ("data: {data_dir: p, repeated_hour: both}", "must be 'rows', 'first' or 'second'"),
    ("data: {data_dir: p, missing_hour: drop}", "must be 'refuse' or 'shift'"),
    ("data: {data_dir: p, duplicates: newest}", "must be 'refuse', 'first', 'last' or 'drop'"),
    ("data: {data_dir: p, symbols: AAPL}", "found 'AAPL'; must be a list, such as [AAPL]"),
    ("data: {data_dir: p, symbols: {A: 1}}", "found a mapping; must be a list"),
    ("data: {data_dir: p, symbols: [A, '']}", "found ''; must not be empty"),
    ("data: {data_dir: p, symbols: [A, [B]]}", "found a list; must be text"),
    ('data: {data_dir: p, symbols: ["A\\n"]}', "must be text without control characters"),
    (
        "data: {data_dir: p, symbols: [B, A, C, A, B]}",
        "'B', 'A' named more than once; name each once",
    ),
    ("data: {data_dir: ''}", "found ''; must not be empty"),
    ("data: {data_dir: null}", "found nothing; must be text"),
    ("data: []", "found an empty list; must be a mapping of keys to values"),
    ("columns: {targets: []}", "found an empty list; must name at least one"),
    ("columns: {horizons: {y_*: 0}}", "found 0; must be a number of bars (12, without quotes)"),
    ("columns: {horizons: {y_*: true}}", "found true; must be a number of bars"),
    ("columns: {horizons: {y_*: '12'}}", "found '12'; must be a number of bars"),
    ("columns: {horizons: {y_*: 60x}}", "or a duration (30s, 60m, 4h, 5d, 12b, 2w, 3mo"),
    ("columns: {tasks: {y_*: grade}}", "'regression', 'binary' or 'ordinal'"),
    ("columns: {tasks: [ordinal]}", "must be a mapping"),
    (
        "target_ranking: {fdr: max_statistic}",
        "target_ranking: fdr is max_statistic, which needs circular shifts; set null to",
    ),
    ("execution: {cpus_per_worker: 1e23}", "found 1e+23; must be a whole number"),
    ("execution: {cpus_per_worker: 100000}", "found 100000; must be at most 10000"),
    (f"execution: {{n_workers: {'9' * 30}}}", "whole numbers go up to 9,223,372,036,854,775,807"),
    (f"execution: {{n_workers: {'9' * 5000}}}", "cannot read '9999"),
    ("evaluation: {cost_bps: 1e308}", "found 1e+308; must be at most 10000"),
    ("columns: {horizons: {y_*: 9999999}}", "at most 1,000,000 bars or six digits"),
    ("columns: {horizons: {y_*: 9999999d}}", "at most 1,000,000 bars or six digits"),
    (
        f"training: {{hyperparameters: {{ridge: {{penalty: {'9' * 30}}}}}}}",
        "whole numbers go up to",
    ),
    ('labeling: {targets: ["\\ud800"]}', "half of a surrogate pair is not a character"),
    (f"labeling: {{targets: [{'y' * 5000}]}}", "must have at most 4096 characters"),
    ("tracking: {mlflow_uri: 'https://h/?sig=x'}", "holds a credential"),
    (
        "labeling: {features: basic}",
        "found 'basic'; must be a set ('standard', 'alpha158'",
    ),
    ("labeling: {features: []}", "found an empty list; must be a set ('standard', 'alpha158'"),
    ("labeling: {features: [a, a]}", "'a' named more than once"),
    ("labeling: {targets: []}", "must name at least one"),
    ("experiment: {seed: -1}", "found -1; must be at least 0"),
    ("experiment: {name: a/b}", "found 'a/b'; must start with a letter or digit and hold only"),
    ("experiment: {name: .}", "found '.'; must start with a letter or digit"),
    (f"experiment: {{name: {'x' * 101}}}", "must have at most 100 characters"),
    ("validation: {n_splits: 1}", "found 1; must be at least 2"),
    ("validation: {min_train_fraction: 1}", "found 1; must be below 1.0"),
    ("validation: {min_train_fraction: 0.0}", "found 0.0; must be above 0.0"),
    ("validation: {embargo_bars: -1}", "found -1; must be at least 0"),
    ("target_ranking: {views: []}", "found an empty list; must name at least one"),
    (
        "target_ranking: {views: [cross_section]}",
        "found 'cross_section'; must be 'cross_sectional' or 'symbol_specific'. "
        "Did you mean 'cross_sectional'?",
    ),
    ("target_ranking: {families: [ridge, ridge]}", "'ridge' named more than once"),
    ("target_ranking: {families: ['']}", "found ''; must not be empty"),
    ("target_ranking: {alpha: .nan}", "found .nan; must be a finite number"),
    ("target_ranking: {alpha: 5%}", "found '5%'; must be a number"),
    ("target_ranking: {alpha: false}", "found false; must be a number"),
    ("target_ranking: {fdr: bonferroni}", "must be 'bh', 'by' or 'max_statistic'"),
    ("target_ranking: {min_cs: 2}", "found 2; must be at least 3"),
    ("target_ranking: {top_n_targets: 0}", "found 0; must be at least 1"),
    ("leakage: {policy: Drop}", "must be 'drop', 'fail' or 'warn'. Did you mean 'drop'?"),
    ("doubt: {max_skill: {fwd_ret_*: 1.5}}", "found 1.5; must be at most 1.0"),
    ("doubt: {max_skill: {fwd_ret_*: 0}}", "found 0; must be above 0.0"),
    ("doubt: {max_hit_rate: {fwd_ret_*: 0.5}}", "found 0.5; must be above 0.5"),
    ("doubt: {max_sharpe: {fwd_ret_*: high}}", "found 'high'; must be a number"),
    ("doubt: {max_skill: 0.3}", "found 0.3; must be a mapping of keys to values"),
    ("doubt: {std_errors: -1}", "found -1; must be at least 0.0"),
    ("leakage: {max_abs_correlation: 0}", "found 0; must be above 0.0"),
    ("leakage: {behaviour_min_correlation: 1.5}", "found 1.5; must be at most 1.0"),
    ("feature_selection: {methods: [gain, gain]}", "'gain' named more than once"),
    ("feature_selection: {accept: if_better}", "must be 'if_no_worse', 'always' or 'never'"),
    ("feature_selection: {top_m_features: 0}", "found 0; must be at least 1"),
    ("feature_selection: {min_stability: -0.1}", "found -0.1; must be at least 0.0"),
    ("routing: {train_experimental: yes}", "found 'yes'; must be true or false"),
    ("routing: {train_experimental: 1}", "found 1; must be true or false"),
    ("evaluation: {n_quantiles: 1}", "found 1; must be at least 2"),
    ("evaluation: {n_quantiles: 101}", "found 101; must be at most 100"),
    ("evaluation: {cost_bps: -0.5}", "found -0.5; must be at least 0.0"),
    ("training: {interval_coverage: 1.0}", "found 1.0; must be at most 0.99"),
    ("training: {interval_coverage: 0.1}", "found 0.1; must be at least 0.5"),
    ("routing: {min_difference: -1}", "found -1; must be at least 0.0"),
    ("training: {hyperparameters: {ridge: 5}}", "found 5; must be a mapping of keys to values"),
    (
        "training: {hyperparameters: {ridge: {alpha: [1]}}}",
        "found a list; must be a finite number, true, false or text",
    ),
    ("training: {hyperparameters: {ridge: {alpha: -.inf}}}", "found -.inf; must be a finite"),
    ("execution: {executor: dask}", "found 'dask'; must be 'ray' or 'serial'"),
    ("execution: {unit_timeout_s: 0}", "found 0; must be above 0.0"),
    ("execution: {max_failed_fraction: 1.1}", "found 1.1; must be at most 1.0"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_VALUES)
def test_wrong_value_is_answered_with_what_is_needed(
    refuse: Refuse, text: str, message: str
) -> None:
    """One wrong value is one line: the file's line, the key, what was found, what is needed."""
    lines = refuse(text if text.startswith("data") else f"{MINIMAL}{text}")
    section = text.partition(":")[0]
    assert len(lines) == 1
    assert re.match(rf"run\.yaml:[12]: {section}\b", lines[0])
    assert message in lines[0]


class TestKeys:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                under_data("symbol_batchsize: 5"),
                "run.yaml:3: unknown key 'data.symbol_batchsize'. "
                "Did you mean 'symbol_batch_size'?",
            ),
            (
                MINIMAL + "target_rankin: {}",
                "run.yaml:2: unknown key 'target_rankin'. Did you mean 'target_ranking'?",
            ),
            (
                under_data("n_workers: 4"),
                "run.yaml:3: unknown key 'data.n_workers'. Did you mean 'execution.n_workers'?",
            ),
            (
                MINIMAL + "alpha: 0.1",
                "run.yaml:2: unknown key 'alpha'. "
                "Did you mean 'target_ranking.alpha' or 'routing.alpha'?",
            ),
            (
                MINIMAL + "experiment: {zzz: 1}",
                "run.yaml:2: unknown key 'experiment.zzz'. The keys of 'experiment' are name, seed",
            ),
            (
                MINIMAL + "true: 1",
                "run.yaml:2: unknown key 'true'. The keys of a config are columns, data, doubt, "
                "evaluation, execution, experiment, feature_selection, labeling, leakage, output, "
                "routing, stages, target_ranking, tracking, training, validation",
            ),
        ],
    )
    def test_unknown_key_suggests_the_right_one(
        self, refuse: Refuse, text: str, message: str
    ) -> None:
        """A typing mistake, a key of another section, or neither: the list of keys."""
        assert refuse(text) == [message]

    def test_duplicate_key_names_both_lines(self, refuse: Refuse) -> None:
        """YAML would silently keep the last of two values; here it is an error."""
        text = "data:\n  data_dir: a\n  interval: 5m\n  data_dir: b\n"
        message = "run.yaml:4: duplicate key 'data.data_dir' (first on line 2); keep one"
        assert refuse(text) == [message]

    @pytest.mark.parametrize("text", ["data:\n", "experiment: {seed: 1}\n", "data: {}\n"])
    def test_missing_data_dir_says_what_it_is(self, refuse: Refuse, text: str) -> None:
        """The one key without a default is asked for with its meaning."""
        (line,) = refuse(text)
        assert re.fullmatch(
            r"run\.yaml(:1)?: data\.data_dir: missing, and it has no default\. "
            r"Folder or fsspec URI .*",
            line,
        )

    def test_only_a_key_with_a_default_may_be_removed(self, refuse: Refuse) -> None:
        """An empty data_dir is not answered with the advice to remove it."""
        message = "run.yaml:1: data.data_dir: found nothing; must be text"
        assert refuse("data: {data_dir: }") == [message]

    def test_all_problems_are_told_at_once_in_the_order_of_the_file(self, refuse: Refuse) -> None:
        """One error lists every problem, then those of the overrides."""
        text = (
            "validation:\n  n_splits: 1\n  embargo_bars: x\n"
            "data:\n  data_dir: a\n  data_dir: b\n  sybols: [A]\n"
            "feature_selection:\n  methods: [gan]\n"
        )
        assert refuse(text, ["routing.alpha=2", "nonsense"]) == [
            "run.yaml:2: validation.n_splits: found 1; must be at least 2",
            "run.yaml:3: validation.embargo_bars: found 'x'; must be a whole number",
            "run.yaml:6: duplicate key 'data.data_dir' (first on line 5); keep one",
            "run.yaml:7: unknown key 'data.sybols'. Did you mean 'symbols'?",
            "run.yaml:9: feature_selection.methods[0]: found 'gan'; must be 'gain', "
            "'permutation', 'linear', 'univariate' or 'mutual_information'. Did you mean 'gain'?",
            "--set routing.alpha: found 2; must be below 1.0",
            "--set nonsense: must be written KEY=VALUE, e.g. data.symbol_batch_size=15",
        ]


class TestStages:
    def test_stage_of_ones_own(self, load: Load) -> None:
        """A stage is a name, a function or none, and options that stay as they are written."""
        text = (
            "stages:\n  turnover: {function: my.module:f, options: {a: 0700, b: [1, {c: null}]}}\n"
            "  installed:\n"
        )
        config = load(MINIMAL + text, ["stages.turnover.options.d=2"])
        turnover, installed = config.stages["turnover"], config.stages["installed"]
        assert turnover.function == "my.module:f"
        assert turnover.options == {"a": "0700", "b": [1, {"c": None}], "d": 2}
        assert (installed.function, installed.options) == (None, {})
        assert parse_experiment_config(dump_config(config), "config.yaml") == config

    @pytest.mark.parametrize(
        ("stage", "message"),
        [
            (
                "a/b: {}",
                "run.yaml:3: stages.a/b: found 'a/b'; must hold only letters, digits, '_' and "
                "'-', because it names a file",
            ),
            (
                "a: {functon: m:f}",
                "run.yaml:3: unknown key 'stages.a.functon'. Did you mean 'function'?",
            ),
            ("a: m.f", "run.yaml:3: stages.a: found 'm.f'; must be a mapping of keys to values"),
        ],
    )
    def test_wrong_stage(self, refuse: Refuse, stage: str, message: str) -> None:
        """The line, what was found, what is needed."""
        assert refuse(f"{MINIMAL}stages:\n  {stage}\n") == [message]


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", r"run\.yaml: the file is empty\. A run needs at least 'data: {data_dir: \.\.\.}'"),
            ("# only this\n", r"run\.yaml: the file is empty"),
            ("- a\n", r"run\.yaml:1: found no mapping; a config is a mapping of sections"),
            ("\n5", r"run\.yaml:2: found no mapping"),
            ("data: [\n", r"run\.yaml:2: not valid YAML: .*a bracket or quote is not closed"),
            ("data:\n\tx: 1", r"run\.yaml:2: not valid YAML: .*indent with spaces, not tabs"),
            ("data: {symbols: [*]}", r"run\.yaml:1: not valid YAML: .* in quotes, such as \"\*\""),
            ("data: [*_x]", r"run\.yaml:1: .*undefined alias '_x'; put text that starts with"),
            ("data: a: b", r"run\.yaml:1: .*mapping values are not allowed here; check the inden"),
            ("data:\n  x\n  y: 1", r"run\.yaml:3: not valid YAML: "),
            ("a: 1\n---\nb: 1", r"run\.yaml:2: .*; keep one document in the file"),
            (b"data: \xff\xfe", r"run\.yaml: not valid YAML: invalid start byte"),
            ("data: " + "[" * 3000, r"run\.yaml: nested too deeply to be a config"),
        ],
    )
    def test_file_that_is_no_config(self, refuse: Refuse, text: str | bytes, message: str) -> None:
        """Empty files, wrong syntax and other shapes are told from each other, with the line."""
        (line,) = refuse(text)
        assert re.match(message, line)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("storage_options: &a {b: *a}", "data.storage_options.b: refers to itself"),
            ("interval: !env 5m", "data.interval: unknown YAML tag '!env'; remove it"),
            ("storage_options: {a: !!python/name:os.system }", "unknown YAML tag"),
            ("min_rows_per_symbol: !!int abc", "min_rows_per_symbol: cannot read 'abc' as int"),
            (f"max_rows_per_symbol: {'9' * 5000}", f"cannot read '{'9' * 40}…' as int"),
            ("? [a]\n  : 1", "data: found a list or mapping as a key; keys are text"),
        ],
    )
    def test_yaml_that_means_nothing_here(self, refuse: Refuse, line: str, message: str) -> None:
        """What YAML allows and a config cannot use is named with its place, once."""
        (found,) = refuse(under_data(line))
        assert found.startswith("run.yaml:3: ")
        assert message in found

    def test_aliases_repeat_a_value(self, load: Load) -> None:
        """An anchor may be used again elsewhere in the file."""
        config = load(
            MINIMAL + "target_ranking: {families: &f [ridge]}\ntraining: {families: *f}\n"
        )
        assert config.training.families == ("ridge",)

    def test_missing_file(self) -> None:
        """A path that is not there is named, with a way to get a config."""
        with pytest.raises(ConfigError, match=r"no/such\.yaml: no such file\. Give the path of"):
            load_experiment_config("no/such.yaml")

    def test_directory(self, tmp_path: Path) -> None:
        """A directory is not taken for a config."""
        with pytest.raises(ConfigError, match=r"is a directory\. Give the path of a YAML file"):
            load_experiment_config(tmp_path)

    def test_unreadable_file(self) -> None:
        """What the system says about a file that cannot be opened is passed on."""
        with pytest.raises(ConfigError, match="cannot be read: File name too long"):
            load_experiment_config("x" * 5000)

    def test_text_from_elsewhere(self) -> None:
        """The config of a run directory in an object store is read under its own name."""
        assert parse_experiment_config(MINIMAL, "s3://b/run/config.yaml").data.data_dir == "panel"
        with pytest.raises(ConfigError, match=r"^s3://b/run/config\.yaml: the file is empty"):
            parse_experiment_config("", "s3://b/run/config.yaml")

    def test_values_as_they_are_written(self) -> None:
        """Unknown keys pass, nothing is filled in, symbols stay text; syntax is still checked."""
        values = {"data": {"symbols": ["0700"], "data_dirs": "x"}}
        text = "data: {symbols: [0700], data_dirs: x}"
        assert read_config_values(text, "config.yaml") == values
        with pytest.raises(ConfigError, match=r"config\.yaml:2: duplicate key 'a'"):
            read_config_values("a: 1\na: 2", "config.yaml")
        with pytest.raises(ConfigError, match=r"config\.yaml.*found no mapping"):
            read_config_values("[1]", "config.yaml")


class TestOverrides:
    @pytest.mark.parametrize(
        ("override", "path", "value"),
        [
            ("data.symbol_batch_size=15", "data.symbol_batch_size", 15),
            ("data.symbol_batch_size=", "data.symbol_batch_size", None),
            ("data.interval=5", "data.interval", "5"),
            ("data.interval='5m'", "data.interval", "5m"),
            ("data.interval=null", "data.interval", None),
            ("data.data_dir=/a b #2: {x}", "data.data_dir", "/a b #2: {x}"),
            ("data.data_dir=s3://b/p?x=1", "data.data_dir", "s3://b/p?x=1"),
            ("output.run_dir=", "output.run_dir", "runs/run"),
            ("columns.features=['*_z', no]", "columns.features", ("*_z", "no")),
            ("columns.horizons.y_will_peak_60m_0.8=60m", "columns.horizons",
             {"y_*": "5d", "y_will_peak_60m_0.8": "60m"}),
            ("training.hyperparameters.lightgbm.n.x=7", "training.hyperparameters",
             {"lightgbm": {"n.x": 7}}),
            ("data.storage_options.client_kwargs.region_name=eu", "data.storage_options",
             {"client_kwargs": {"region_name": "eu"}}),
            ("labeling.features=[a, b]", "labeling.features", ("a", "b")),
            ("labeling.features=standard", "labeling.features", "standard"),
            ("execution={executor: serial}", "execution.executor", "serial"),
            ("validation.n_splits=3", "validation.n_splits", 3),
        ],
    )  # fmt: skip
    def test_override_replaces_one_key(
        self, load: Load, override: str, path: str, value: object
    ) -> None:
        """The value of an override takes the place of the file's, and of nothing else."""
        text = (
            "data: {data_dir: panel, interval: 1m, symbol_batch_size: 3}\nvalidation:\n"
            "columns: {horizons: {y_*: 5d}}\nlabeling: {targets: [fwd_ret_1d]}\n"
        )
        config = load(text, [override])
        found: Any = config
        for step in path.split("."):
            found = getattr(found, step)
        assert found == value
        assert config.labeling.targets == ("fwd_ret_1d",)

    def test_the_last_override_of_a_key_wins_and_mends_the_file(self, load: Load) -> None:
        """Overrides apply in order, and only what stands in the end is judged."""
        overrides = ["data.symbol_batch_size=0", "data.symbol_batch_size=4"]
        assert load(under_data("symbol_batch_size: x"), overrides).data.symbol_batch_size == 4

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            ("data.symbol_batch_size=0", "--set data.symbol_batch_size: found 0; must be at least"),
            (
                "data.symbol_batchsize=1",
                "--set data.symbol_batchsize: unknown key 'data.symbol_batchsize'. "
                "Did you mean 'symbol_batch_size'?",
            ),
            ("dta.interval.x=1", "--set dta.interval.x: unknown key 'dta'. Did you mean 'data'?"),
            ("data.symbols=AAPL", "--set data.symbols: found 'AAPL'; must be a list, such as"),
            ("data.symbols=[A, '']", "--set data.symbols: data.symbols[1]: found ''; must not"),
            ("data.symbols=[A", "--set data.symbols: not valid YAML: "),
            ("data={data_dir: a, data_dir: b}", "--set data: duplicate key 'data.data_dir'; keep"),
            ("data={interval: 5m}", "--set data: data.data_dir: missing"),
            ("data=5", "--set data: found 5; must be a mapping"),
            (
                "data.symbols.0=A",
                "--set data.symbols.0: 'data.symbols' has no keys of its own, so '0' cannot be",
            ),
            ("data.interval", "--set data.interval: must be written KEY=VALUE, e.g. data."),
            ("=5", "--set: must be written KEY=VALUE"),
            ("data.=5", "--set data.: must be written KEY=VALUE"),
        ],
    )
    def test_problem_of_an_override_names_it(
        self, refuse: Refuse, override: str, message: str
    ) -> None:
        """What is wrong on the command line is not blamed on the file."""
        (line,) = refuse("data: {data_dir: panel, symbols: [A, B]}\n", [override])
        assert line.startswith(message)

    def test_override_below_a_wrong_section_leaves_the_blame_with_the_file(
        self, refuse: Refuse
    ) -> None:
        """An override cannot go into a section that is not a mapping."""
        lines = refuse("data: 5\n", ["data.interval=5m"])
        assert lines == ["run.yaml:1: data: found 5; must be a mapping of keys to values"]


class TestCredentials:
    @pytest.mark.parametrize(
        ("options", "path"),
        [
            ("{key: HUSH}", ".key"),
            ("{secret: HUSH}", ".secret"),
            ("{token: HUSH}", ".token"),
            ("{Password: HUSH}", ".Password"),
            ("{password: cloud}", ".password"),
            ("{client_kwargs: {aws_secret_access_key: HUSH}}", ".client_kwargs.aws_secret_access"),
            ("{client_kwargs: {aws_access_key_id: HUSH}}", ".client_kwargs.aws_access_key_id"),
            ("{a: [{signingKey: HUSH}]}", ".a.signingKey"),
            ("{apikey: HUSH}", ".apikey"),
            ("{connection_string: HUSH}", ".connection_string"),
            ("{headers: {Authorization: HUSH}}", ".headers.Authorization"),
            ("{endpoint_url: 'https://me:HUSH@host'}", ".endpoint_url"),
        ],
    )
    def test_credential_is_refused_unseen(self, refuse: Refuse, options: str, path: str) -> None:
        """A secret in the config is an error that does not repeat it, from file or override."""
        for lines in (
            refuse(under_data(f"storage_options: {options}")),
            refuse(MINIMAL, [f"data.storage_options={options}"]),
            refuse(f"{MINIMAL}output: {{storage_options: {options}}}\n"),
        ):
            (line,) = lines
            assert f".storage_options{path}" in line
            assert "holds a credential; remove it. Credentials come from the environment" in line
            assert "HUSH" not in line

    def test_credential_below_an_override(self, refuse: Refuse) -> None:
        """The override is named by its key alone."""
        (line,) = refuse(MINIMAL, ["data.storage_options.client_kwargs.password=HUSH"])
        assert line.startswith("--set data.storage_options.client_kwargs.password: holds a cred")
        assert "HUSH" not in line

    @pytest.mark.parametrize(
        "text",
        [
            "data: {data_dir: 's3://me:HUSH@bucket'}",
            MINIMAL + "output: {run_dir: 's3://me:HUSH@bucket'}",
            MINIMAL + "tracking: {mlflow_uri: 'https://me:HUSH@host'}",
        ],
    )
    def test_password_in_an_address_is_refused(self, refuse: Refuse, text: str) -> None:
        """An address that holds a password is refused wherever an address may stand."""
        (line,) = refuse(text)
        assert "holds a credential; remove it" in line
        assert "HUSH" not in line

    def test_other_errors_do_not_show_options(self, refuse: Refuse) -> None:
        """Options of the wrong shape, and pydantic's own error, keep their content hidden."""
        (line,) = refuse(under_data("storage_options: key=HUSH"))
        assert line == (
            "run.yaml:3: data.storage_options: found text; must be a mapping of keys to values"
        )
        with pytest.raises(ValidationError) as caught:
            DataConfig(data_dir="x", storage_options={"secret": "HUSH"})
        assert "HUSH" not in str(caught.value)

    def test_results_have_options_of_their_own(self, load: Load) -> None:
        """They are not options, some, or (null) those of the data; the folder stays as it was."""
        for text, expected in (("null", None), ("{}", {}), ("{anon: false}", {"anon": False})):
            output = load(f"{MINIMAL}output: {{storage_options: {text}}}\n").output
            assert output.storage_options == expected
            assert output.run_dir == "runs/run"

    def test_options_that_are_no_secrets_pass(self, load: Load) -> None:
        """Endpoints, regions and ways to sign in are not credentials."""
        options = {
            "anon": True,
            "token": "google_default",
            "endpoint_url": "http://localhost:9000",
            "region": "us-east-1",
            "profile": "research",
            "client_kwargs": {"endpoint_url": "http://h:1/a@b:c", "region_name": "eu"},
            "s3_additional_kwargs": {"SSEKMSKeyId": "alias/panel", "sse_kms_key_id": "x"},
            "max_retries": 3,
            "ports": [1, 2.5, None],
        }
        config = load(under_data(f"storage_options: {json.dumps(options)}"))
        assert config.data.storage_options == options


class TestDump:
    def test_dump_loads_to_an_equal_config(self, load: Load) -> None:
        """The resolved config of a run directory starts the same run."""
        text = (
            "experiment: {name: x, seed: 3}\n"
            "data: {data_dir: a, interval: 5, symbols: [0700, 1E5, TRUE, NO, null, é漢]}\n"
            "columns: {horizons: {y_*: 12, z: 5d}, tasks: {no: ordinal}}\nrouting: {alpha: 1e-7}\n"
            "training: {hyperparameters: {ridge: {a: '1e5', b: 'yes', c: '', d: 1e-9}}}\n"
        )
        config = load(text)
        dumped = dump_config(config)
        assert parse_experiment_config(dumped, "config.yaml") == config
        assert "run_dir: runs/x\n" in dumped

    @given(
        texts=st.lists(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
            | st.from_regex(r"[-+]?[0-9_]{1,4}[.:eE]?[-+]?[0-9]{0,3}", fullmatch=True),
            unique=True,
            max_size=5,
        ),
        number=st.floats(allow_nan=False, allow_infinity=False)
        | st.integers(-(2**63) + 1, 2**63 - 1),
    )
    def test_any_text_and_number_survives(self, texts: list[str], number: float) -> None:
        """Whatever a symbol, an option or a hyperparameter is, writing and reading keeps it."""
        config = ExperimentConfig.model_validate(
            {
                "data": {"data_dir": "x", "symbols": texts, "storage_options": {"o": texts}},
                "training": {"hyperparameters": {"f": {"n": number}}},
            }
        )
        read = parse_experiment_config(dump_config(config), "config.yaml")
        assert read == config
        kept = read.training.hyperparameters["f"]["n"]
        assert (type(kept), repr(kept)) == (type(number), repr(number))

    def test_other_yaml_readers_see_the_same_symbols(self, load: Load) -> None:
        """Text that YAML 1.1 takes for something else is quoted."""
        symbols = ["0700", "TRUE", "NO", "null", "2024-01-01", "1:30"]
        dumped = dump_config(load(MINIMAL, [f"data.symbols=[{', '.join(symbols)}]"]))
        assert yaml.safe_load(dumped)["data"]["symbols"] == symbols


class TestSchema:
    def test_every_key_is_described(self) -> None:
        """An editor can say what each key means, and that unknown ones are wrong."""
        schema = config_schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["required"] == ["data"]
        assert "default" not in schema["properties"]["output"]
        properties = dict(schema["properties"])
        assert properties.pop("stages")["description"]
        sections = {"stages.<name>": schema["$defs"]["UserStageConfig"]} | {
            name: schema["$defs"][section["$ref"].rpartition("/")[2]]
            for name, section in properties.items()
        }
        assert sections["data"]["required"] == ["data_dir"]
        for name, section in sections.items():
            assert section["description"]
            assert section["additionalProperties"] is False
            for key, rule in section["properties"].items():
                assert rule["description"], f"{name}.{key}"
                assert "\n" not in rule["description"]
                assert "default" in rule or (name, key) == ("data", "data_dir")

    @pytest.mark.parametrize(
        ("text", "is_valid"),
        [
            (MINIMAL, True),
            (under_data("symbols: [0700, TRUE, A]"), True),
            (under_data("symbols:"), True),
            (MINIMAL + "output: {run_dir: null}", True),
            (MINIMAL + "labeling: {features: [a, b]}", True),
            (MINIMAL + "columns: {horizons: {a: 5d, b: 12}}", True),
            (MINIMAL + "stages: {my-own_2: {function: a:b, options: {c: [1, {d: 2}]}}}", True),
            (MINIMAL + "stages: {turnover: null, x: {options: null, function: null}}", True),
            (MINIMAL + "stages: {a b: {}}", False),
            (MINIMAL + "stages: {a: {func: b}}", False),
            (MINIMAL + "stages: {a: b.c}", False),
            (under_data("symbol_batchsize: 4"), False),
            (under_data("symbol_batch_size: 0"), False),
            (MINIMAL + "target_ranking: {views: [pooled]}", False),
            (MINIMAL + "labeling: {features: alpha158}", True),
            (MINIMAL + "labeling: {features: my_module:mine}", True),
            (MINIMAL + "labeling: {features: my.module.mine}", True),
            (MINIMAL + "labeling: {features: [standard, my_module:mine, KMID]}", True),
            (MINIMAL + "labeling: {features: my-module:mine}", False),
            (MINIMAL + "labeling: {features: basic}", False),
            (MINIMAL + "target_ranking: {views: []}", False),
            (MINIMAL + "columns: {targets: []}", False),
            ("experiment: {seed: 1}", False),
        ],
    )
    def test_schema_and_loader_agree(self, load: Load, text: str, is_valid: bool) -> None:
        """What an editor accepts, the loader accepts, and the other way round."""
        schema = jsonschema.Draft202012Validator(config_schema())
        assert schema.is_valid(yaml.safe_load(text)) is is_valid
        if is_valid:
            load(text)
        else:
            with pytest.raises(ConfigError):
                load(text)


class TestShippedConfigs:
    @pytest.mark.parametrize(
        "path", [TEMPLATE, *sorted(CONFIGS.glob("*.yaml"))], ids=lambda path: path.name
    )
    def test_it_loads_and_fits_the_schema(self, path: Path) -> None:
        """Every config that we ship is a valid one."""
        load_experiment_config(path)
        jsonschema.validate(yaml.safe_load(path.read_text("utf-8")), config_schema())

    def test_sets_of_features_are_those_of_the_panel(self) -> None:
        """The config names them before the panel is there to be asked."""
        assert (*FEATURE_SETS, "cross_sectional", SERIES_SET) == config_fields.FEATURE_SETS

    def test_template_has_every_key_with_its_default_and_a_comment(self) -> None:
        """The template is the complete reference: nothing missing, nothing outdated."""
        path = TEMPLATE
        text = path.read_text("utf-8")
        written = yaml.safe_load(text)
        loaded = load_experiment_config(path)
        data = DataConfig(data_dir=loaded.data.data_dir)
        assert loaded == ExperimentConfig(data=data)
        assert {name: list(section) for name, section in written.items()} == {
            name: list(section) for name, section in loaded.model_dump().items()
        }
        keys = [line for line in text.splitlines() if re.match(r'  "?[a-z_]+"?:', line)]
        assert len(keys) == sum(len(section) for section in written.values())
        assert [line for line in keys if " # " not in line] == []

    def test_template_tells_the_ways_to_choose_symbols(self) -> None:
        """Discovery, discovery with a batch limit, and explicit symbols stand side by side."""
        text = TEMPLATE.read_text("utf-8")
        assert re.search(r"symbols: \[\]\s+symbol_batch_size: 15", text)
        assert re.search(r"symbols: \[AAPL, BRK/B, 0700, TRUE\]", text)

    def test_s3_config_has_an_endpoint_and_no_credentials(self) -> None:
        """The example for object stores works with MinIO and AWS."""
        config = load_experiment_config(CONFIGS / "s3.yaml")
        assert config.data.storage_options == {
            "endpoint_url": "http://localhost:9000",
            "client_kwargs": {"region_name": "us-east-1"},
        }
        assert config.output.run_dir.startswith("s3://")

    def test_cluster_config_joins_a_cluster(self) -> None:
        """The example for clusters joins one, and keeps its results where all nodes reach them."""
        config = load_experiment_config(CONFIGS / "cluster.yaml")
        assert (config.execution.executor, config.execution.address) == ("ray", "auto")
        assert config.output.run_dir.startswith("s3://")


def aliases(depth: int, below: str = "x") -> str:
    """Write a list of two aliases of a list of two aliases and so on."""
    lines = [f"  a0: &a0 [{below}, {below}]"]
    lines += [f"  a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, depth)]
    return "\n".join(lines)


class TestSize:
    """A config is small: what is not is refused in one sentence before it fills the memory."""

    @pytest.mark.parametrize(
        "text",
        [
            f"stages:\n s:\n  options:\n{textwrap.indent(aliases(30), '  ')}\n",
            f"zzz:\n{aliases(30)}\n",
            f"columns: {{targets: &t [{'x, ' * 400}]}}\nz: [{'*t, ' * 400}]\n",
            f"zzz: [&t {'x' * 50_000}, {', '.join(['*t'] * 100)}]\n",
            f"zzz: [{'1,' * 100_100}]\n",
        ],
    )
    def test_aliases_that_expand_without_end(self, refuse: Refuse, text: str) -> None:
        """A few hundred bytes can stand for billions of values, or for gigabytes of text."""
        (line,) = refuse(MINIMAL + text)
        assert line == (
            "run.yaml: holds more than 100,000 values or 4,194,304 characters once its aliases "
            "(*name) are expanded; write a smaller config"
        )

    def test_aliases_of_a_sensible_size_are_written_out(self, load: Load) -> None:
        """They are part of YAML, and stay."""
        text = "training:\n  families: &f [ridge]\ntarget_ranking: {families: *f}\n"
        assert load(MINIMAL + text).target_ranking.families == ("ridge",)

    def test_a_file_of_megabytes_is_not_parsed(self, refuse: Refuse) -> None:
        """Its size says enough."""
        (line,) = refuse(MINIMAL + "#" * 2_000_000)
        assert line == "run.yaml: has 2,000,024 bytes; a config has at most 524,288"

    @pytest.mark.parametrize("depth", [40, 400, 40_000])
    def test_deep_nesting(self, refuse: Refuse, depth: int) -> None:
        """However deep, and wherever the config takes anything."""
        nested = f"stages: {{s: {{options: {{a: {'[' * depth}1{']' * depth}}}}}}}\n"
        (line,) = refuse(MINIMAL + nested)
        assert line.startswith("run.yaml: nested too deeply")

    def test_thousands_of_problems(self, refuse: Refuse) -> None:
        """The first are listed, in seconds, and the number of the others is told."""
        lines = refuse(MINIMAL + "".join(f"zzz{n}: 1\n" for n in range(3_000)))
        assert lines[0].startswith("run.yaml:2: unknown key 'zzz0'")
        assert len(lines) <= 26
        assert lines[-1] == "and at least 975 more problems"

    def test_a_long_key_is_shortened(self, refuse: Refuse) -> None:
        """So that what is wrong with it can be read."""
        (line,) = refuse(MINIMAL + f"? {'k' * 100_000}\n: 1\n")
        assert len(line) < 1_000
        assert line.startswith("run.yaml:2: unknown key 'kkk")


def test_every_number_of_the_config_has_bounds() -> None:
    """No number is so large that it overflows, fills the memory or never ends."""
    unbounded = []

    def visit(schema: Any, path: str) -> None:
        if isinstance(schema, list):
            for item in schema:
                visit(item, path)
        if not isinstance(schema, dict):
            return
        if schema.get("type") in ("integer", "number"):
            upper = {"maximum", "exclusiveMaximum"} & set(schema)
            lower = {"minimum", "exclusiveMinimum"} & set(schema)
            if not (upper and lower):
                unbounded.append(path)
        for key, value in schema.items():
            visit(value, f"{path}.{key}")

    visit(config_schema(), "")
    # Mappings whose values are bounded by their own checks: horizons and hyperparameters.
    free = ("horizons", "hyperparameters", "spaces", "symbols")
    assert [path for path in unbounded if not any(name in path for name in free)] == []
