"""What the stages of a run do: ranking, leakage, selection, routing, training."""

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
        default={"lightgbm": {"n_estimators": 50, "feature_fraction": 0.5}},
        description="Hyperparameters of the ranking models, by family; replaces the default as a "
        "whole. Ranking asks whether there is skill, not how much can be had: small models do.",
    )
    compare: Compare = Field(
        default="rank",
        description="What pooled models learn of labels: who beats whom at a timestamp, every "
        "timestamp counting alike. rank: the label's rank at its timestamp. z_score: less the "
        "timestamp's mean, in its standard deviations. demean: less the mean alone. raw: the label "
        "as it is, most of which is the same for all symbols. What a symbol does over its own time "
        "is asked of models of labels as they are in any case.",
    )
    alpha: Probability = Field(default=0.05, description="False-discovery rate across targets.")
    fdr: Literal["bh", "by", "max_statistic"] | None = Field(
        default=None,
        description="How q pays for many tests. bh: Benjamini-Hochberg; by: -Yekutieli, valid "
        "under any dependence; max_statistic: the largest statistic of all tests under each "
        "circular shift (Westfall-Young), by which any false discovery at all is as rare as "
        "alpha. null: max_statistic with circular shifts, else bh.",
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
        le=100_000,
        description="Circular shifts; they must fit on the panel at least the longest horizon "
        "apart (99 on about 2,200 bars for 20 bars). Each costs up to one more ranking stage, "
        "with ridge alone about a third. No p-value falls below 1 / (n_shifts + 1); with bh or by "
        "no q-value of a lone finding among m tests falls below m times that.",
    )
    top_n_targets: Count = Field(default=10, description="The best predictable targets that go on.")
    max_targets_to_evaluate: Count | None = Field(
        default=None, description="Evaluate only this many targets; null: all of them."
    )
    min_cs: int = Field(
        default=3,
        ge=3,
        le=MAX_COUNT,
        description="Symbols a timestamp, or a group of it (columns.group), needs to count in the "
        "cross-section.",
    )
    max_cs_rows: RowCount = Field(
        default=500_000,
        description="Rows of the pooled panel; whole timestamps are sampled, never single rows.",
    )

    @property
    def correction(self) -> Literal["bh", "by", "max_statistic"]:
        """What q-values of the ranking are made by."""
        shifts = self.null == "circular_shift"
        return self.fdr or ("max_statistic" if shifts else "bh")

    @property
    def analytic_correction(self) -> Literal["bh", "by"]:
        """The same for tests that have no circular shifts."""
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
    """Features that know the future."""

    policy: Literal["drop", "fail", "warn"] = Field(
        default="drop", description="Drop the leaking feature, fail the run, or only warn."
    )
    max_abs_correlation: _Positive = Field(
        default=0.95,
        description="By value: a higher |rank correlation| with the target, at a shift that uses "
        "the future, is a leak. Lower, and good models of smooth targets are accused.",
    )
    behaviour_min_correlation: _Positive = Field(
        default=0.25,
        description="By behaviour: a higher correlation that ends as that of a copy of the label "
        "would, and not as the feature's own memory does. Lower catches noisier copies; signals "
        "without memory on overlapping labels come into doubt.",
    )
    implausible_correlation: _Positive = Field(
        default=0.5,
        description="By behaviour: a higher correlation, with a target or with the next 3 to 24 "
        "bars, that vanishes once the feature is taken as many bars earlier is a leak whatever its "
        "course. No honest feature of prices is as good; raise it for targets that are easy.",
    )
    clock_min_correlation: _Positive = Field(
        default=0.3,
        description="By other clocks: from the first half of an hour, session, week or month, a "
        "higher |rank correlation| with the bars of its second half, that ends with it, is a "
        "leak, and so is half as much more with all its bars to come. Nothing honest says as much "
        "of them; lower catches what is diluted.",
    )
    present_min_explained: _Positive = Field(
        default=0.05,
        description="By other clocks: a feature whose last change bars to come, from the next but "
        "one on, explain by a larger share, beyond what its own memory predicts, was smoothed "
        "with them.",
    )


class FeatureSelectionConfig(Section):
    """Which features carry a target."""

    methods: Choices[
        Literal["gain", "permutation", "linear", "univariate", "mutual_information"]
    ] = Field(
        default=("gain", "linear", "univariate"),
        description="Ways to score a feature. One that no method puts above what features without "
        "meaning get is left out. gain: of the boosted trees of the ranking, linear: coefficients "
        "beside those for labels rolled in time, univariate: rank correlations beside the same; "
        "mutual_information: the same for relations of any shape, permutation: skill lost, both "
        "for several times the time.",
    )
    top_m_features: Count | None = Field(
        default=None,
        description="At most this many features for a model, the strongest; null: no limit.",
    )
    min_stability: Share = Field(
        default=0.6, description="Share of the folds that must choose a feature."
    )
    redundancy: _Positive = Field(
        default=0.98,
        description="A feature with this |rank correlation| with a chosen one is dropped.",
    )
    accept: Literal["if_no_worse", "always", "never"] = Field(
        default="if_no_worse",
        description="Which features models are trained on. if_no_worse: those selected, where the "
        "same models lose by them, out of sample, no more than the error of the difference and "
        "than a twentieth of the skill, else all; always: those selected; never: all.",
    )


class RoutingConfig(Section):
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
    min_oos_rows: RowCount = Field(
        default=100,
        description="Out-of-sample rows a symbol needs for a verdict on its own model.",
    )


class SearchConfig(Section):
    """A search for hyperparameters, nested in the folds; no clock has a say in it."""

    n_trials: int = Field(
        default=20,
        ge=2,
        le=100_000,
        description="Trials of a job in each fold, and as many for its final model; the first is "
        "the configured hyperparameters.",
    )
    n_splits: int = Field(
        default=3,
        ge=2,
        le=1_000,
        description="Test folds inside the training rows, of which a trial is told.",
    )
    batch_size: Count = Field(
        default=5,
        description="Trials that are asked for together. Results depend on it, and so it does not "
        "follow the number of workers.",
    )
    max_trials: Count | None = Field(
        default=None,
        description="Trials of the whole run, given to the jobs by priority; null: no limit.",
    )
    accept: Literal["if_better", "always"] = Field(
        default="if_better",
        description="What the final model uses. if_better: what was found, where searching beat "
        "the configured hyperparameters out of sample by more than the error of the difference; "
        "always: what was found.",
    )
    spaces: SearchSpaces = Field(
        default={},
        description="Where to look, by family and hyperparameter: [low, high], [low, high, log], "
        "a list of choices, or null to leave one out; what is not named is the family's own.",
    )


class TrainingConfig(Section):
    """The models that are trained in the end."""

    families: Choices[Text] = Field(
        default=("lightgbm", "ridge"), description="Model families to train for each route."
    )
    hyperparameters: HyperparametersByFamily = Field(
        default={"lightgbm": {"n_estimators": 100}},
        description="Hyperparameters by family; replaces the default as a whole.",
    )
    sample_weights: SampleWeights = Field(
        default="none",
        description="How much a training row counts. none: all alike; average_uniqueness: by how "
        "little its label's life overlaps those of the symbol's other labels.",
    )
    max_cs_rows: RowCount | None = Field(
        default=None,
        description="Rows that pooled models are trained on, whole timestamps; null: those of "
        "target_ranking.max_cs_rows, which are the least. More are streamed from the run directory "
        "at two to three bytes of memory a value, into families that can (lightgbm, ridge).",
    )
    retrain_every: FoldLength | None = Field(
        default=None,
        description="Models are trained anew at every date at which a fold begins, or at every so "
        "many of them: as validation.test_every, or a multiple of it. A run looks at the rows "
        "before the last such date, and its models serve those from it on, until `update` comes "
        "to the next. null: a run looks at all rows.",
    )
    max_jobs: Count | None = Field(
        default=None, description="Train only this many jobs, by priority; null: all of them."
    )
    interval_coverage: Annotated[float, Field(ge=0.5, le=0.99)] = Field(
        default=0.9,
        description="Share of the labels that are to lie between __low and __high, which predict "
        "gives of targets with real values.",
    )
    search: SearchConfig | None = Field(
        default=None,
        description="Search hyperparameters inside the folds (needs the extra search); null: use "
        "those configured.",
    )
    promote: Literal["if_no_worse", "always", "never"] = Field(
        default="if_no_worse",
        description="When a new training's models serve instead of the present version's. "
        "if_no_worse: unless they are significantly worse on rows that the present version has not "
        "learned from; where no rows can tell they serve for their newer data, which is said. "
        "always; never: only `ray-pipeline versions --promote` changes that.",
    )


class EvaluationConfig(Section):
    """What the out-of-sample predictions would have been worth."""

    n_quantiles: Annotated[int, Field(ge=2, le=100)] = Field(
        default=5,
        description="Quantiles of the prediction; the portfolio is long the top one and short the "
        "bottom one. In the cross-sectional view a timestamp, or a group of it, needs as many "
        "symbols.",
    )
    cost_bps: Annotated[float, Field(ge=0, le=10_000)] = Field(
        default=5.0,
        description="Cost of trading, in basis points of what is bought or sold: half the spread, "
        "fees and slippage together. 5 is a liquid stock's; small stocks and coins cost more.",
    )
    return_targets: NameList = Field(
        default=("fwd_ret_*", "excess_ret_*"),
        description="Targets that are returns (0.01 is one percent), by glob pattern: only these "
        "have a portfolio, costs and a Sharpe ratio.",
    )
    policies: PoliciesConfig | None = Field(
        default=None,
        description="Compare schedules of retraining; null: no. Each costs models: one for every "
        "fold, window and half-life.",
    )


class UserStageConfig(Section):
    """A user-defined per-symbol function."""

    function: Text | None = Field(
        default=None,
        description="my_module:turnover or my_module.turnover; null: the entry point of the "
        "stage's name that an installed package has in the group ray_pipeline.stages.",
    )
    options: StageOptions = Field(
        default={}, description="Keyword arguments of the function, as JSON could hold them."
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
"""Name to function; a name with nothing behind it has all defaults."""
