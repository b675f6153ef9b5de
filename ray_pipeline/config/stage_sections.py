"""Settings of the stages of a run: ranking, leakage, selection, routing, training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from ray_pipeline.bounds import MAX_COUNT
from ray_pipeline.config.fields import (
    Choices,
    Count,
    HyperparametersByFamily,
    NameList,
    Probability,
    RowCount,
    SearchSpaces,
    Share,
    StageName,
    StageOptions,
    Text,
)
from ray_pipeline.config.fold_fields import FoldLength
from ray_pipeline.config.policy_section import PoliciesConfig
from ray_pipeline.config.section import Section
from ray_pipeline.records import Compare, SampleWeights, View

__all__ = [
    "EvaluationConfig",
    "FeatureSelectionConfig",
    "LeakageConfig",
    "RoutingConfig",
    "SearchConfig",
    "TargetRankingConfig",
    "TrainingConfig",
    "UserStageConfig",
    "UserStages",
]


_Positive = Annotated[float, Field(gt=0, le=1)]
"""A correlation or a share: above 0, at most 1."""


class TargetRankingConfig(Section):
    """Settings of target ranking: which targets can be predicted."""

    views: Choices[View] = Field(
        default=("cross_sectional", "symbol_specific"),
        description="Views to evaluate: pooled over the symbols, and each symbol alone.",
    )
    families: Choices[Text] = Field(
        default=("ridge", "lightgbm"),
        description="Model families to try; the better one counts, with its p-value adjusted.",
    )
    hyperparameters: HyperparametersByFamily = Field(
        default={"lightgbm": {"n_estimators": 50, "feature_fraction": 0.5}},
        description="Hyperparameters of the ranking models, by family; replaces the whole default. "
        "Ranking asks whether there is skill, not how much can be reached, so small models "
        "suffice.",
    )
    compare: Compare = Field(
        default="rank",
        description="What pooled models learn about labels: who beats whom at a timestamp, with "
        "the same weight for every timestamp. rank: the label's rank at its timestamp. "
        "z_score: minus the timestamp's mean, in its standard deviations. demean: only minus "
        "the mean. raw: the raw label, most of which is common to all symbols. Over a symbol's "
        "own time, models always learn raw labels.",
    )
    alpha: Probability = Field(default=0.05, description="False-discovery rate across targets.")
    fdr: Literal["bh", "by", "max_statistic"] | None = Field(
        default=None,
        description="How q corrects for many tests. bh: Benjamini-Hochberg; by: -Yekutieli, valid "
        "under any dependence; max_statistic: the largest statistic of all tests under each "
        "circular shift (Westfall-Young), which keeps the probability of any false discovery below "
        "alpha. null: max_statistic with circular shifts, else bh.",
    )
    null: Literal["analytic", "circular_shift"] = Field(
        default="analytic",
        description="How to find what luck alone would show. analytic: a t-test with HAC errors. "
        "circular_shift: repeat the whole ranking for each of n_shifts rolls of the labels "
        "around the time axis, the same for all symbols; pooled models on single symbols stay "
        "analytic. Other YAML loaders read the bare key as null: put it in quotes.",
    )
    n_shifts: int = Field(
        default=99,
        ge=19,
        le=100_000,
        description="Circular shifts; they must fit on the panel at least the longest horizon "
        "apart (99 on about 2,200 bars for 20 bars). Each costs up to one more ranking stage, or "
        "about a third of it with ridge alone. No p-value falls below 1 / (n_shifts + 1); with bh "
        "or by "
        "no q-value of a lone finding among m tests falls below m times that.",
    )
    top_n_targets: Count = Field(
        default=10, description="Number of the best predictable targets to continue with."
    )
    max_targets_to_evaluate: Count | None = Field(
        default=None, description="Rank only this many targets; null: all of them."
    )
    min_cs: int = Field(
        default=3,
        ge=3,
        le=MAX_COUNT,
        description="Symbols that a timestamp, or a group of it (columns.group), needs to count in "
        "the cross-section.",
    )
    max_cs_rows: RowCount = Field(
        default=500_000,
        description="Rows of the pooled panel; whole timestamps are sampled, never single rows.",
    )

    @property
    def correction(self) -> Literal["bh", "by", "max_statistic"]:
        """How the ranking's q-values are computed."""
        shifts = self.null == "circular_shift"
        return self.fdr or ("max_statistic" if shifts else "bh")

    @property
    def analytic_correction(self) -> Literal["bh", "by"]:
        """The same, for tests without circular shifts."""
        return "by" if self.fdr == "by" else "bh"

    @model_validator(mode="after")
    def _correction_has_shifts(self) -> Self:
        if self.fdr == "max_statistic" and self.null != "circular_shift":
            raise PydanticCustomError(
                "correction",
                "fdr is max_statistic, which needs circular shifts; set null to circular_shift, "
                "or fdr to bh or by",
            )
        return self


class LeakageConfig(Section):
    """Settings of the screening for features that know the future."""

    policy: Literal["drop", "fail", "warn"] = Field(
        default="drop", description="Drop the leaking feature, fail the run, or only warn."
    )
    max_abs_correlation: _Positive = Field(
        default=0.95,
        description="By value: a higher |rank correlation| with the target, at a shift that uses "
        "the future, is a leak. A lower value accuses good features of smooth targets.",
    )
    behaviour_min_correlation: _Positive = Field(
        default=0.25,
        description="By behaviour: a higher correlation that ends as that of a copy of the label "
        "would, and not as the feature's own memory does. A lower value catches noisier copies, "
        "but may accuse signals without memory on overlapping labels.",
    )
    implausible_correlation: _Positive = Field(
        default=0.5,
        description="By behaviour: a higher correlation, with a target or with the next 3 to 24 "
        "bars, that vanishes when the feature is taken that many bars earlier is a leak, whatever "
        "its course. No honest feature of prices is that good; raise it for easy targets.",
    )
    clock_min_correlation: _Positive = Field(
        default=0.3,
        description="By other clocks: from the first half of an hour, session, week or month, a "
        "higher |rank correlation| with the bars of its second half, that ends with it, is a leak, "
        "and so is 1.5 times that with all of its later bars. No honest feature says as much about "
        "them; a lower value catches diluted leaks.",
    )
    present_min_explained: _Positive = Field(
        default=0.05,
        description="By other clocks: if later bars, from the second next on, explain a larger "
        "share of a feature's last change than this, beyond what its own memory predicts, it "
        "was smoothed with them.",
    )


class FeatureSelectionConfig(Section):
    """Settings of feature selection: which features carry a target."""

    methods: Choices[
        Literal["gain", "permutation", "linear", "univariate", "mutual_information"]
    ] = Field(
        default=("gain", "linear", "univariate"),
        description="Ways to score a feature. A feature is left out if no method scores it above "
        "meaningless features. gain: from the ranking's boosted trees; linear: coefficients, "
        "compared with those for labels rolled in time; univariate: rank correlations, "
        "compared in the same way; "
        "mutual_information: the same for relations of any shape, permutation: the skill lost; "
        "these two take several times as long.",
    )
    top_m_features: Count | None = Field(
        default=None,
        description="At most this many features for a model, the strongest; null: no limit.",
    )
    min_stability: Share = Field(
        default=0.6, description="Share of folds that must choose a feature."
    )
    redundancy: _Positive = Field(
        default=0.98,
        description="A feature with this |rank correlation| to a chosen one is dropped.",
    )
    accept: Literal["if_no_worse", "always", "never"] = Field(
        default="if_no_worse",
        description="Which features models are trained on. if_no_worse: the selected ones, if the "
        "same models lose by them, out of sample, at most the error of the difference and a "
        "twentieth of the skill, otherwise all; always: the selected ones; never: all.",
    )


class RoutingConfig(Section):
    """Settings of routing: which model serves which symbol."""

    min_difference: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.02,
        description="Difference in skill below which neither model counts as better.",
    )
    train_experimental: bool = Field(
        default=False,
        description="Also train EXPERIMENTAL_ONLY routes (evidence only before the correction).",
    )
    alpha: Probability | None = Field(
        default=None,
        description="False-discovery rate across symbols; null: target_ranking.alpha.",
    )
    min_oos_rows: RowCount = Field(
        default=100,
        description="Out-of-sample rows that a symbol needs for a verdict on its own model.",
    )


class SearchConfig(Section):
    """A hyperparameter search, nested in the folds and independent of the clock."""

    n_trials: int = Field(
        default=20,
        ge=2,
        le=100_000,
        description="Trials per job and fold, and as many for its final model; the first trial is "
        "the configured hyperparameters.",
    )
    n_splits: int = Field(
        default=3,
        ge=2,
        le=1_000,
        description="Test folds inside the training rows that score a trial.",
    )
    batch_size: Count = Field(
        default=5,
        description="Trials that are proposed together. Results depend on it, so it does not "
        "follow the number of workers.",
    )
    max_trials: Count | None = Field(
        default=None,
        description="Trials of the whole run, given to the jobs by priority; null: no limit.",
    )
    accept: Literal["if_better", "always"] = Field(
        default="if_better",
        description="What the final model uses. if_better: the search's result, if searching beat "
        "the configured hyperparameters out of sample by more than the error of the "
        "difference; always: the search's result.",
    )
    spaces: SearchSpaces = Field(
        default={},
        description="Where to look, by family and hyperparameter: [low, high], [low, high, log], "
        "a list of choices, or null to leave one out; others keep the family's default.",
    )


class TrainingConfig(Section):
    """Settings of the final training."""

    families: Choices[Text] = Field(
        default=("lightgbm", "ridge"), description="Model families to train for each route."
    )
    hyperparameters: HyperparametersByFamily = Field(
        default={"lightgbm": {"n_estimators": 100}},
        description="Hyperparameters by family; replaces the default as a whole.",
    )
    sample_weights: SampleWeights = Field(
        default="none",
        description="Weights of training rows. none: all equal; average_uniqueness: more weight to "
        "labels that overlap less with the symbol's other labels.",
    )
    max_cs_rows: RowCount | None = Field(
        default=None,
        description="Rows that pooled models are trained on, in whole timestamps; null: "
        "target_ranking.max_cs_rows, which is the minimum. More rows are streamed from the run "
        "directory at two to three bytes of memory per value, for families that support it "
        "(lightgbm, ridge).",
    )
    retrain_every: FoldLength | None = Field(
        default=None,
        description="Retrain models at the start of every fold, or of every few: equal to "
        "validation.test_every, or a multiple of it. A run uses the rows before the last such "
        "date, and its models serve later rows until `update` reaches the next date. null: a "
        "run uses all rows.",
    )
    max_jobs: Count | None = Field(
        default=None,
        description="Train only this many jobs, in order of priority; null: all of them.",
    )
    interval_coverage: Annotated[float, Field(ge=0.5, le=0.99)] = Field(
        default=0.9,
        description="Intended share of labels between __low and __high, which predict writes for "
        "real-valued targets.",
    )
    search: SearchConfig | None = Field(
        default=None,
        description="Search for hyperparameters inside the folds (needs the extra search); null: "
        "use the configured ones.",
    )
    promote: Literal["if_no_worse", "always", "never"] = Field(
        default="if_no_worse",
        description="When newly trained models replace the current version. if_no_worse: unless "
        "they are significantly worse on rows that the current version has not learned from; "
        "if no such rows exist, they serve because their data are newer, and the run says so. "
        "always; never: only `ray-pipeline versions --promote` changes the version.",
    )


class EvaluationConfig(Section):
    """Settings of the evaluation: what out-of-sample predictions would have been worth."""

    n_quantiles: Annotated[int, Field(ge=2, le=100)] = Field(
        default=5,
        description="Number of quantiles of the prediction; the portfolio is long the top one and "
        "short the bottom one. In the cross-sectional view, a timestamp, or a group of it, "
        "needs at least that many symbols.",
    )
    cost_bps: Annotated[float, Field(ge=0, le=10_000)] = Field(
        default=5.0,
        description="Trading cost in basis points of the traded amount: half the spread, fees and "
        "slippage together. 5 suits a liquid stock; small stocks and coins cost more.",
    )
    return_targets: NameList = Field(
        default=("fwd_ret_*", "excess_ret_*"),
        description="Patterns of targets that are returns (0.01 is one percent): only these have a "
        "portfolio, costs and a Sharpe ratio.",
    )
    policies: PoliciesConfig | None = Field(
        default=None,
        description="Compare retraining schedules; null: no. Each one costs additional models: one "
        "for every fold, window and half-life.",
    )


class UserStageConfig(Section):
    """A user-defined per-symbol function."""

    function: Text | None = Field(
        default=None,
        description="my_module:turnover or my_module.turnover; null: the entry point with the "
        "stage's name that an installed package provides in the group ray_pipeline.stages.",
    )
    options: StageOptions = Field(
        default={}, description="Keyword arguments of the function, limited to JSON values."
    )


def _nulls_as_defaults(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: {} if section is None else section for name, section in value.items()}


UserStages = Annotated[
    dict[StageName, UserStageConfig],
    BeforeValidator(
        _nulls_as_defaults, json_schema_input_type=dict[StageName, UserStageConfig | None]
    ),
]
"""Functions by name; a name without a value has all defaults."""
