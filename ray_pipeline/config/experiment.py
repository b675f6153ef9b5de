"""Everything about a run: all its sections, and where and how the work is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ray_pipeline.config.data_sections import (
    ColumnsConfig,
    DataConfig,
    ExperimentSection,
    LabelingConfig,
    ValidationConfig,
)
from ray_pipeline.config.doubt_section import DoubtConfig
from ray_pipeline.config.fields import (
    ByteCount,
    Count,
    OwnStorageOptions,
    Patience,
    Seconds,
    Share,
    Uri,
)
from ray_pipeline.config.section import Section
from ray_pipeline.config.stage_sections import (
    EvaluationConfig,
    FeatureSelectionConfig,
    LeakageConfig,
    RoutingConfig,
    TargetRankingConfig,
    TrainingConfig,
    UserStages,
)
from ray_pipeline.intervals import read_duration

__all__ = [
    "ExecutionConfig",
    "ExperimentConfig",
    "OutputConfig",
    "TrackingConfig",
]


class ExecutionConfig(Section):
    """Where and how the work is done; nothing here changes a result."""

    executor: Literal["ray", "serial"] = Field(
        default="ray",
        description="ray, or serial: in this process, without Ray, with the same results.",
    )
    address: Uri | None = Field(
        default=None,
        description="null: start Ray, or use the cluster the job runs in; auto; ray://host:10001.",
    )
    n_workers: Count | None = Field(
        default=None,
        description="Number of workers; null: as many as fit on the nodes, and more as nodes are "
        "added.",
    )
    cpus_per_worker: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1, description="CPUs, and therefore threads, per worker."
    )
    memory_per_worker_bytes: ByteCount | None = Field(
        default=None, description="Memory to request from Ray per worker; null: no request."
    )
    max_worker_memory_bytes: ByteCount | None = Field(
        default=None,
        description="A worker that holds more memory than this after a unit is replaced; null: its "
        "share of the smallest node, at least 1 GiB.",
    )
    node_wait_s: Patience | None = Field(
        default=None,
        description="Seconds to wait for a node that can hold a worker, on an existing cluster; "
        "null: 20, or 600 if an autoscaler adds nodes.",
    )
    max_attempts: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=3, description="Attempts at a unit of work that lost its worker, node or object."
    )
    unit_timeout_s: Seconds | None = Field(
        default=None, description="Seconds after which a unit of work is killed; null: never."
    )
    max_failed_fraction: Share = Field(
        default=0.5, description="Share of failed units above which the whole run fails."
    )


class OutputConfig(Section):
    """Where the results go."""

    run_dir: Annotated[
        Uri, Field(json_schema_extra={"type": ["string", "null"], "default": None})
    ] = Field(
        default="runs/experiment",
        description="Folder or fsspec URI of the results; null: runs/<experiment.name>.",
    )
    storage_options: OwnStorageOptions | None = Field(
        default=None,
        description="fsspec options of the results' store; null: the data's, if the store is of "
        "the same kind.",
    )
    keep_versions: Annotated[int, Field(ge=2, le=10_000)] = Field(
        default=5,
        description="Number of versions of the trained models to keep; older ones are removed, "
        "except the one that serves and the one that served before it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _null_as_missing(cls, section: Any) -> Any:
        if isinstance(section, Mapping) and section.get("run_dir", "") is None:
            return {key: value for key, value in section.items() if key != "run_dir"}
        return section


class TrackingConfig(Section):
    """Where else to record the run."""

    mlflow_uri: Uri | None = Field(default=None, description="MLflow tracking server; null: none.")


class ExperimentConfig(Section):
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
    doubt: DoubtConfig = DoubtConfig()
    stages: UserStages = Field(
        default={},
        description="Your own functions, by the name of their table in stages/. They are called "
        "for each symbol after the screening for leaks; if one raises, its symbol is left out.",
        json_schema_extra={"additionalProperties": False},
    )
    feature_selection: FeatureSelectionConfig = FeatureSelectionConfig()
    routing: RoutingConfig = RoutingConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    execution: ExecutionConfig = ExecutionConfig()
    output: OutputConfig = OutputConfig()
    tracking: TrackingConfig = TrackingConfig()

    @property
    def symbol_alpha(self) -> float:
        """False-discovery rate across symbols."""
        return self.routing.alpha or self.target_ranking.alpha

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_as_missing(cls, sections: Any) -> Any:
        if not isinstance(sections, Mapping):
            return sections
        given = {name: section for name, section in sections.items() if section is not None}
        # A missing `data` is reported as its missing key, which says what to write.
        return {"data": {}} | given

    @model_validator(mode="after")
    def _training_has_the_rows_of_the_pool(self) -> Self:
        trained, pooled = self.training.max_cs_rows, self.target_ranking.max_cs_rows
        if trained is not None and trained < pooled:
            raise PydanticCustomError(
                "rows",
                "training.max_cs_rows ({trained}) is below target_ranking.max_cs_rows ({pooled}), "
                "but pooled models always train on those rows; raise the first or lower the second",
                {"trained": trained, "pooled": pooled},
            )
        return self

    @model_validator(mode="after")
    def _models_age_by_folds(self) -> Self:
        retrain, test = self.training.retrain_every, self.validation.test_every
        if retrain is None:
            return self
        if test is None:
            raise PydanticCustomError(
                "schedule",
                "training.retrain_every ({retrain}) needs folds that begin at dates; set "
                "validation.first_test and validation.test_every too",
                {"retrain": retrain},
            )
        asked, fold = read_duration(retrain), read_duration(test)
        if asked is None or fold is None or asked.unit != fold.unit or asked.count % fold.count:
            raise PydanticCustomError(
                "schedule",
                "training.retrain_every ({retrain}) must be validation.test_every ({test}) or a "
                "whole multiple of it in the same unit, because models are retrained when folds "
                "begin",
                {"retrain": retrain, "test": test},
            )
        return self

    @model_validator(mode="after")
    def _policies_have_a_calendar(self) -> Self:
        if self.evaluation.policies is not None and self.validation.test_every is None:
            raise PydanticCustomError(
                "policies",
                "evaluation.policies needs validation.test_every and first_test: it compares "
                "retraining after a number of folds, and only folds between dates keep their "
                "length",
            )
        return self

    @model_validator(mode="after")
    def _run_dir_follows_name(self) -> Self:
        if "run_dir" not in self.output.model_fields_set:
            run_dir = f"runs/{self.experiment.name}"
            # Pydantic's frozen models have no other way to set a field that depends on others.
            object.__setattr__(self, "output", self.output.model_copy(update={"run_dir": run_dir}))
        return self
