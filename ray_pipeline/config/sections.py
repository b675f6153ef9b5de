"""The sections of a run's config: every key, its type, its default and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ray_pipeline.config.fields import (
    AtLeastOne,
    Choices,
    ExperimentName,
    FeatureNames,
    Horizons,
    HyperparametersByFamily,
    Interval,
    NameList,
    Probability,
    Share,
    StorageOptions,
    SymbolList,
    Text,
    Uri,
)
from ray_pipeline.records import View

__all__ = [
    "ColumnsConfig",
    "DataConfig",
    "ExecutionConfig",
    "ExperimentConfig",
    "ExperimentSection",
    "FeatureSelectionConfig",
    "LabelingConfig",
    "LeakageConfig",
    "OutputConfig",
    "RoutingConfig",
    "TargetRankingConfig",
    "TrackingConfig",
    "TrainingConfig",
    "ValidationConfig",
]

_TARGETS = "fwd_ret_* y_* excess_ret_* ret_zscore_* ret_ord_* mfe_* mdd_*"
_BY_PRODUCTS = (
    "p_up* p_down* barrier_* vol_at_t_* tth_* hit_* max_return_* min_return_* mfe_share_* "
    "time_in_profit_* flipcount_* zigzag_* next_* future_*"
)


class _Section(BaseModel):
    """What all sections share: they are immutable, and neither guess nor ignore anything."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        hide_input_in_errors=True,  # it may hold what somebody took for a place of credentials
    )


class ExperimentSection(_Section):
    """What the run is called, and the seed of all its random choices."""

    name: ExperimentName = Field(
        default="experiment", description="Name of the run: letters, digits, '.', '_' and '-'."
    )
    seed: int = Field(
        default=0, ge=0, description="Every random choice of the run is derived from it."
    )


class DataConfig(_Section):
    """Where the symbol partitions are, and which of them the run takes."""

    data_dir: Uri = Field(
        description="Folder or fsspec URI that holds the partitions, such as s3://bucket/panel."
    )
    interval: Interval | None = Field(
        default=None, description="Bar interval, such as 5m; null: the only one on disk."
    )
    symbols: SymbolList = Field(
        default=(),
        description="[]: discover the symbols; a list: exactly these, and nothing is discovered.",
    )
    symbol_batch_size: AtLeastOne | None = Field(
        default=None,
        description="Seeded random sample of this many discovered symbols; null: all of them.",
    )
    kind: Literal["auto", "labeled", "bars"] = Field(
        default="auto",
        description="labeled, bars, or auto: bars when no target but all five bar fields exist.",
    )
    time_column: Text | None = Field(
        default=None, description="Time column; null: the first of ts, timestamp, datetime, date."
    )
    max_rows_per_symbol: AtLeastOne | None = Field(
        default=None, description="Keep the newest rows of each symbol; null: all of them."
    )
    min_rows_per_symbol: AtLeastOne = Field(
        default=300, description="A symbol with fewer rows is left out, with its reason."
    )
    storage_options: StorageOptions = Field(
        default={},
        description="fsspec options that are not secrets; credentials come from the environment.",
    )

    @model_validator(mode="after")
    def _rows_are_possible(self) -> Self:
        if (
            self.max_rows_per_symbol is not None
            and self.max_rows_per_symbol < self.min_rows_per_symbol
        ):
            raise PydanticCustomError(
                "rows",
                "max_rows_per_symbol ({most}) is below min_rows_per_symbol ({least}), so every "
                "symbol would be left out; raise the first or lower the second",
                {"most": self.max_rows_per_symbol, "least": self.min_rows_per_symbol},
            )
        return self


class ColumnsConfig(_Section):
    """What the columns of a table are, by glob patterns.

    A column that matches `by_products` is a by-product even when it also matches `targets`.
    """

    targets: Choices[Text] = Field(
        default=tuple(_TARGETS.split()), description="Patterns of the target columns."
    )
    exclude_targets: NameList = Field(
        default=(), description="Patterns of target columns to leave out."
    )
    by_products: NameList = Field(
        default=tuple(_BY_PRODUCTS.split()),
        description="Patterns of columns that know the future but are no targets: never a "
        "feature; they win over targets (mfe_share_* over mfe_*).",
    )
    features: Choices[Text] = Field(
        default=("*",),
        description="Patterns of the feature columns, among the numeric ones left over.",
    )
    exclude_features: NameList = Field(
        default=(), description="Patterns of feature columns to leave out."
    )
    horizons: Horizons = Field(
        default={},
        description="Target pattern to horizon, where the name does not tell it: 60m, 5d, or 12 "
        "(bars).",
    )


class LabelingConfig(_Section):
    """What is computed from bars; tables that are labeled already do not use it."""

    features: FeatureNames = Field(
        default="standard", description="A named set of features, or a list of feature names."
    )
    targets: Choices[Text] = Field(
        default=("fwd_ret_5d", "fwd_ret_20d", "y_will_peak_10d_1.0"),
        description="Targets to compute; the names are the specification. The default suits "
        "daily bars: a week, a month, a barrier of one deviation.",
    )


class ValidationConfig(_Section):
    """Expanding walk-forward over time; training rows are purged by the target's horizon."""

    n_splits: int = Field(default=5, ge=2, description="Number of walk-forward test folds.")
    min_train_fraction: Probability = Field(
        default=0.4, description="Share of the timestamps before the first test fold."
    )
    embargo_bars: int = Field(
        default=0, ge=0, description="Bars dropped before a test fold on top of the purge."
    )


class TargetRankingConfig(_Section):
    """Which targets can be predicted at all."""

    views: Choices[View] = Field(
        default=("cross_sectional", "symbol_specific"),
        description="Views to evaluate: pooled over the symbols, and each symbol by itself.",
    )
    families: Choices[Text] = Field(
        default=("ridge", "lightgbm"),
        description="Model families that try; the better one counts, its p-value adjusted.",
    )
    hyperparameters: HyperparametersByFamily = Field(
        default={"lightgbm": {"n_estimators": 50, "learning_rate": 0.1, "feature_fraction": 0.5}},
        description="Hyperparameters of the ranking models, by family; replaces the default as a "
        "whole. Ranking asks whether there is skill, not how much can be had: small models do.",
    )
    alpha: Probability = Field(default=0.05, description="False-discovery rate across targets.")
    fdr: Literal["bh", "by"] = Field(
        default="bh",
        description="Benjamini-Hochberg, or -Yekutieli (valid under any dependence).",
    )
    null: Literal["analytic", "circular_shift"] = Field(
        default="analytic",
        description="What luck alone would show. analytic: a t-test with HAC errors. "
        "circular_shift: the whole ranking once more for each of n_shifts rolls of the labels "
        "around the time axis, the same for all symbols; pooled models on single symbols stay "
        "analytic. YAML without our loader reads the bare key as nothing: put it in quotes.",
    )
    n_shifts: int = Field(
        default=99,
        ge=19,
        description="Circular shifts; they must fit on the panel at least the longest horizon "
        "apart (99 on about 2,200 bars for 20 bars). Each costs up to one more ranking stage, "
        "with ridge alone about a third. No p-value falls below 1 / (n_shifts + 1), so that the "
        "q-value of one finding among m tests does not fall below m / (n_shifts + 1).",
    )
    top_n_targets: AtLeastOne = Field(
        default=10, description="The best predictable targets that go on."
    )
    max_targets_to_evaluate: AtLeastOne | None = Field(
        default=None, description="Evaluate only this many targets; null: all of them."
    )
    min_cs: int = Field(
        default=3, ge=3, description="Symbols a timestamp needs to count in the cross-section."
    )
    max_cs_rows: AtLeastOne = Field(
        default=500_000,
        description="Rows of the pooled panel; whole timestamps are sampled, never single rows.",
    )


class LeakageConfig(_Section):
    """Features that know the future."""

    policy: Literal["drop", "fail", "warn"] = Field(
        default="drop", description="Drop the leaking feature, fail the run, or only warn."
    )
    max_abs_correlation: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95,
        description="By value: a higher |rank correlation| with the target, at a shift that uses "
        "the future, is a leak. Lower, and good models of smooth targets are accused.",
    )
    behaviour_min_correlation: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25,
        description="By behaviour: a higher correlation that ends as that of a copy of the label "
        "would, and not as the feature's own memory does. Lower catches noisier copies; signals "
        "without memory on overlapping labels come into doubt.",
    )
    implausible_correlation: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="By behaviour: a higher correlation that vanishes once the feature is taken "
        "a horizon earlier is a leak whatever its course. No honest feature of prices is as good; "
        "raise it for targets that are easy.",
    )


class FeatureSelectionConfig(_Section):
    """Which features carry a target."""

    methods: Choices[
        Literal["gain", "permutation", "linear", "univariate", "mutual_information"]
    ] = Field(
        default=("gain", "permutation", "linear", "univariate", "mutual_information"),
        description="Ways to score a feature; the selection is their consensus.",
    )
    top_m_features: AtLeastOne = Field(
        default=50, description="At most this many features for a model."
    )
    min_stability: Share = Field(
        default=0.6, description="Share of the folds that must choose a feature."
    )
    redundancy: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.98,
        description="A feature with this |rank correlation| with a chosen one is dropped.",
    )


class RoutingConfig(_Section):
    """Which model serves which symbol."""

    min_difference: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.02,
        description="Difference of skills below which neither model counts as better.",
    )
    train_experimental: bool = Field(
        default=False,
        description="Train EXPERIMENTAL_ONLY routes too (evidence only before the correction).",
    )
    alpha: Probability | None = Field(
        default=None,
        description="False-discovery rate across symbols; null: target_ranking.alpha.",
    )
    min_oos_rows: AtLeastOne = Field(
        default=100,
        description="Out-of-sample rows a symbol needs for a verdict on its own model.",
    )


class TrainingConfig(_Section):
    """The models that are trained in the end."""

    families: Choices[Text] = Field(
        default=("lightgbm", "ridge"), description="Model families to train for each route."
    )
    hyperparameters: HyperparametersByFamily = Field(
        default={"lightgbm": {"n_estimators": 300}},
        description="Hyperparameters by family; replaces the default as a whole.",
    )
    max_jobs: AtLeastOne | None = Field(
        default=None, description="Train only this many jobs, by priority; null: all of them."
    )


class ExecutionConfig(_Section):
    """Where and how the work is done; none of it changes a result."""

    executor: Literal["ray", "serial"] = Field(
        default="ray",
        description="ray, or serial: in this process, without Ray, with the same results.",
    )
    address: Uri | None = Field(
        default=None,
        description="null: a Ray of our own, or the cluster the job runs in; auto; "
        "ray://host:10001.",
    )
    n_workers: AtLeastOne | None = Field(
        default=None, description="Number of workers; null: as many as the CPUs allow."
    )
    cpus_per_worker: AtLeastOne = Field(default=1, description="CPUs, and so threads, of a worker.")
    memory_per_worker_bytes: AtLeastOne | None = Field(
        default=None, description="Memory that a worker asks Ray for; null: no request."
    )
    max_attempts: AtLeastOne = Field(
        default=3, description="Attempts at a unit of work whose worker, node or object was lost."
    )
    unit_timeout_s: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Seconds after which a unit of work is killed; null: never."
    )
    max_failed_fraction: Share = Field(
        default=0.5, description="Share of failed units above which the whole run fails."
    )


class OutputConfig(_Section):
    """Where the results go."""

    run_dir: Annotated[
        Uri, Field(json_schema_extra={"type": ["string", "null"], "default": None})
    ] = Field(
        default="runs/experiment",
        description="Folder or fsspec URI of the results; null: runs/<experiment.name>.",
    )

    @model_validator(mode="before")
    @classmethod
    def _null_as_missing(cls, section: Any) -> Any:
        if isinstance(section, Mapping) and section.get("run_dir", "") is None:
            return {key: value for key, value in section.items() if key != "run_dir"}
        return section


class TrackingConfig(_Section):
    """Where else the run is recorded."""

    mlflow_uri: Uri | None = Field(default=None, description="MLflow tracking server; null: none.")


class ExperimentConfig(_Section):
    """Everything about a run.

    `output.run_dir` is ``runs/<experiment.name>`` unless it is given.
    """

    experiment: ExperimentSection = ExperimentSection()
    data: DataConfig
    columns: ColumnsConfig = ColumnsConfig()
    labeling: LabelingConfig = LabelingConfig()
    validation: ValidationConfig = ValidationConfig()
    target_ranking: TargetRankingConfig = TargetRankingConfig()
    leakage: LeakageConfig = LeakageConfig()
    feature_selection: FeatureSelectionConfig = FeatureSelectionConfig()
    routing: RoutingConfig = RoutingConfig()
    training: TrainingConfig = TrainingConfig()
    execution: ExecutionConfig = ExecutionConfig()
    output: OutputConfig = OutputConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_as_missing(cls, sections: Any) -> Any:
        if not isinstance(sections, Mapping):
            return sections
        given = {name: section for name, section in sections.items() if section is not None}
        # A missing `data` is reported as its missing key, which says what to write.
        return {"data": {}} | given

    @model_validator(mode="after")
    def _run_dir_follows_name(self) -> Self:
        if "run_dir" not in self.output.model_fields_set:
            run_dir = f"runs/{self.experiment.name}"
            # Pydantic's frozen models have no other way to set a field that depends on others.
            object.__setattr__(self, "output", OutputConfig(run_dir=run_dir))
        return self
