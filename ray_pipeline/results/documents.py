"""The JSON documents of a run as typed records, as far as somebody reads them.

Every key that a version of before did not write has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from ray_pipeline.records import Question, View
from ray_pipeline.routing.jobs import FeatureSet, JobVerdict
from ray_pipeline.wording import plural

__all__ = [
    "FORMAT_VERSION",
    "DataFacts",
    "EstimateFacts",
    "EvidenceRecord",
    "FoldSpan",
    "LeftOutJob",
    "LeftOutSymbol",
    "ModelRecord",
    "PlanRecord",
    "PlannedJob",
    "PredictionsRecord",
    "ProgressFacts",
    "Record",
    "RunRecord",
    "SearchRecord",
    "SymbolFacts",
    "SymbolsRecord",
    "TrainedOn",
    "TrainedRecord",
    "UnitsRecord",
]

FORMAT_VERSION = 2
"""Of the run directory. It rises when a reader of before could not read what is written now; a
directory without one is of format 1."""

T = TypeVar("T")
Items: TypeAlias = Annotated[tuple[T, ...], Field(strict=False)]
"""A list of JSON, as a tuple."""


class Record(BaseModel):
    """A mapping of JSON whose keys have the types that they are written with."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class ToldRecord(Record):
    """A record that is passed on whole, with the keys that nobody here reads."""

    model_config = ConfigDict(extra="allow")

    def told(self) -> dict[str, Any]:
        """Return the mapping as it was written, with the defaults of keys that it lacks."""
        return self.model_dump()


class FeatureFunctionRecord(Record):
    """A user-defined function that computed features."""

    function: str
    source_sha256: str
    names: Items[str]
    lookback: int | None


class AssumptionFacts(Record):
    """How the data of some symbols were understood."""

    text: str
    n_symbols: int
    symbols: Items[str] = ()


class SessionFacts(Record):
    """Sessions of some symbols: bars of one, and bars of a year."""

    session_bars: int
    periods_per_year: int
    n_symbols: int


class NotTarget(Record):
    """A target by its name that earlier rows determine."""

    name: str
    reason: str
    is_feature: bool


class NotFeature(Record):
    """A column that tells the row, the time or the symbol, and is not a feature unless named."""

    column: str
    kind: str
    reason: str


class DataFacts(Record):
    """What a run read; nothing of it is known before its symbols were inspected."""

    data_dir: str | None = None
    data_uri: str | None = None
    interval: str | None = None
    layout: str | None = None
    universe: str | None = None
    universe_has_dates: bool = True
    kind: Literal["bars", "labeled", "series"] | None = None
    bar_seconds: int | None = None
    bar_months: int = 0
    session_bars: int | None = None
    periods_per_year: int | None = None
    sessions: Items[SessionFacts] = ()
    feature_functions: Items[FeatureFunctionRecord] = ()
    own_columns: Items[str] = ()
    assumptions: Items[AssumptionFacts] = ()
    not_targets: Items[NotTarget] = ()
    not_features: Items[NotFeature] = ()
    n_timestamps: int | None = None
    n_rows: int | None = None
    first_ts: str | None = None
    last_ts: str | None = None
    until: str | None = None


class DigestedColumns(Record):
    """Columns that the digests of rows are of, in a run up to a date."""

    features: Items[str] = ()
    targets: Items[str] = ()
    unknown_labels: Mapping[str, int] = {}


class FoldSpan(Record):
    """A test fold by its first and last timestamp, and by the first one that trains for it."""

    index: int
    train_start: str | None = None
    test_start: str | None = None
    test_end: str | None = None


class CrossSectionFacts(Record):
    """Symbols that cross-sectional features compare with."""

    members: Items[str] = ()


class GroupFacts(Record):
    """A group that symbols are compared within; `is_compared` where it is large enough at times."""

    name: str
    n_symbols: int
    median_symbols: float
    most_symbols: int
    is_compared: bool


class GroupingFacts(Record):
    """What symbols are compared within, and where their groups come from."""

    column: str
    n_symbols_by_files: int
    n_symbols_by_universe: int
    groups: Items[GroupFacts]
    n_rows: int
    n_rows_without: int
    n_symbols_without: int

    @property
    def told(self) -> str:
        """Say it: ``compared within sector (11 groups)``."""
        return f"compared within {self.column} ({plural(len(self.groups), 'group')})"


class EstimateFacts(Record):
    """What a run was estimated to take, and what it took beside that, in sentences."""

    told: Items[str] = ()
    comparison: Items[str] = ()


class ProgressFacts(Record):
    """Units that are at work, and the seconds until the run is done, where they are known."""

    step: str
    n_done: int
    n_total: int
    left_s: float | None = None


class RunRecord(Record):
    """``run.json``.

    `window`: what trains for a fold, None: all before it; `compare`: how pooled models see labels,
    None up to 0.3.0; `groups`: within which symbols are compared; `units`: None up to 0.5.0.
    """

    format_version: Annotated[int, Field(ge=1)] = 1
    status: Literal["running", "done", "failed", "interrupted"]
    name: str
    message: str | None = None
    error: str | None = None
    seed: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    config_sha256: str | None = None
    content_sha256: str | None = None
    input_fingerprint: str | None = None
    timings_s: Mapping[str, float] = {}
    counts: Mapping[str, int] = {}
    warnings: Items[str] = ()
    units: Mapping[str, int] | None = None
    progress: ProgressFacts | None = None
    versions: Mapping[str, str] = {}
    data: DataFacts = DataFacts()
    window: str | None = None
    folds: Items[FoldSpan] = ()
    compare: str | None = None
    groups: GroupingFacts | None = None
    cross_section: CrossSectionFacts = CrossSectionFacts()
    estimate: EstimateFacts = EstimateFacts()


class TrainedFacts(DataFacts):
    """What a run read, as far as using its models takes it."""

    interval: str | None
    kind: Literal["bars", "labeled", "series"]
    bar_seconds: Annotated[int, Field(gt=0)]
    session_bars: Annotated[int, Field(gt=0)]
    feature_functions: Items[FeatureFunctionRecord]


class TrainedCounts(Record):
    """How many models a run trained."""

    models: Annotated[int, Field(ge=0)]


class TrainedRecord(Record):
    """``run.json`` of a run that is done, as far as using its models takes it.

    `models` has the seal of each model's ``metadata.json``, by job.
    """

    message: str
    content_sha256: str
    counts: TrainedCounts
    data: TrainedFacts
    cross_section: CrossSectionFacts = CrossSectionFacts()
    models: Mapping[str, str] | None = None
    digested: DigestedColumns | None = None


class LeftOutSymbol(ToldRecord):
    """A symbol that was rejected, or quarantined in a stage."""

    symbol: str
    reason: str
    stage: str = ""


class SymbolFacts(ToldRecord):
    """A symbol's table as it was read; unknown of one that was not."""

    n_files: int | None = None
    size_bytes: int | None = None
    n_rows: int | None = None
    first_ts: str | None = None
    last_ts: str | None = None
    findings: Items[str] = ()


class SymbolsRecord(Record):
    """``symbols.json``."""

    discovered: Items[str]
    selected: Items[str]
    rejected: Items[LeftOutSymbol]
    quarantined: Items[LeftOutSymbol]
    symbols: Mapping[str, SymbolFacts]


class PlannedJob(ToldRecord):
    """A job of the training plan; `members` are those of an average."""

    job_id: str
    target: str
    view: View
    symbols: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    serves: Items[str]
    family: str
    features: Items[str]
    hyperparameters: Mapping[str, Any]
    priority: int
    why: str
    members: Items[str] = ()
    verdict: JobVerdict = ""
    feature_set: FeatureSet = ""
    question: Question = ""


class LeftOutJob(ToldRecord):
    """What could not be planned; see `ray_pipeline.routing.jobs.LeftOutModel`.

    Version 0.1.0 wrote its name alone: the id of a job, or a target and perhaps a symbol.
    """

    what: str
    why: str
    target: str | None = None
    symbol: str | None = None
    job_id: str | None = None

    def is_of(self, target: str, symbol: str | None) -> bool:
        """Tell whether it is of a target, and may be of this symbol; None: of any."""
        if self.target is None:
            return target in unquote(self.what)
        return self.target == target and (symbol is None or self.symbol in (None, symbol))


class PlanRecord(Record):
    """``training_plan.json``."""

    jobs: Items[PlannedJob]
    left_out: Items[LeftOutJob]


class EvidenceRecord(ToldRecord):
    """Out-of-sample skill of a model; None where it was not measured."""

    skill: float | None = None
    std_error: float | None = None
    p_value: float | None = None


class TrainedOn(ToldRecord):
    """Rows that a model was trained on."""

    n_rows: int | None = None
    first_ts: str | None = None
    last_ts: str | None = None


class SearchRecord(Record):
    """What a search for a model's hyperparameters promised and kept."""

    accept: str
    accepted: bool
    n_trials: int
    inner_skill: float | None
    inner_skill_configured: float | None
    out_of_sample_skill: float | None
    out_of_sample_skill_configured: float | None
    promised_gain: float | None
    realised_gain: float | None
    realised_gain_std_error: float | None
    selection: float | None
    final: Mapping[str, Any] | None


class ModelRecord(Record):
    """``models/<job_id>/metadata.json``, as far as people read of it.

    What using the model takes is checked by `ray_pipeline.training.models.read_metadata`.
    """

    out_of_sample: EvidenceRecord | None = None
    trained_on: TrainedOn | None = None
    search: SearchRecord | None = None


class PredictionsRecord(Record):
    """``predictions.json``, as far as writing into the same folder again takes it.

    Options that a version before 0.5.0 did not write are not among the fields that are set.
    """

    files: Items[str] = ()
    status: str = ""
    since: str | None = None
    symbols_asked: list[str] = []
    history: bool = False
    in_sample: bool = False


class UnitsRecord(Record):
    """``units.json``: digests by stage, and files below ``units/`` that are of no unit."""

    units: Mapping[str, Items[str]]
    files: Items[str] = ()
