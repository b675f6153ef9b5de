"""A run as an object: its tables as data frames, its verdict and its models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ray_pipeline.comparing import compare_runs, comparison_lines
from ray_pipeline.explaining import MAX_MODELS, explain_target, explanation_lines
from ray_pipeline.notebook.exporting import RunExports
from ray_pipeline.notebook.frames import data_frame
from ray_pipeline.notebook.plots import RunPlots
from ray_pipeline.notebook.scoring import score_frame
from ray_pipeline.notebook.showing import ShownPage, Story, verdict_html, verdict_text
from ray_pipeline.notebook.tables import TableName
from ray_pipeline.predicting import LoadedRun, PredictOptions, load_run
from ray_pipeline.report.page import page_of
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.tables import REPORT
from ray_pipeline.training.models import TrainedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "open_run"]


def open_run(uri: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Run:
    """Open a run, finished or not, to inspect and use it.

    Parameters
    ----------
    uri
        The run directory: a local path or an fsspec URI.
    storage_options
        fsspec options of its store, without secrets.

    Raises
    ------
    DiscoveryError
        When there is no run.
    ConfigError
        When a later version wrote it in a format that this one cannot read.

    Examples
    --------
    >>> run = ray_pipeline.open_run("runs/us_equities_daily")  # doctest: +SKIP
    >>> run.status, run.table("targets").num_rows  # doctest: +SKIP
    ('done', 8)
    """
    return Run(uri, storage_options)


class Run(RunExports):
    """A run: `open_run` and `run` return one, and a notebook shows its verdict.

    Tables are read on access, so a run that is still working shows its progress. Each is a pandas
    frame; `table` returns the same as a `pyarrow.Table`, without pandas.

    Attributes
    ----------
    uri, place
        Address of the result; the run directory and its store's options.
    """

    @property
    def targets(self) -> pd.DataFrame:
        """The target ranking: skill, error, q-value, verdict and reason per target and view."""
        return self._frame("targets")

    @property
    def features(self) -> pd.DataFrame:
        """Features per target and view: scores by method, stability, selected or not, and why."""
        return self._frame("features")

    @property
    def routes(self) -> pd.DataFrame:
        """Which model serves each symbol of a target, and the evidence for it."""
        return self._frame("routes")

    @property
    def predictions(self) -> pd.DataFrame:
        """Out-of-sample predictions of every model: prediction, standing and label by fold."""
        return self._frame("predictions")

    @property
    def evaluation(self) -> pd.DataFrame:
        """What each model's predictions would have been worth: spread, turnover, Sharpe ratio."""
        return self._frame("evaluation")

    @property
    def leaks(self) -> pd.DataFrame:
        """Features that know the future: test, value, and what was done."""
        return self._frame("leaks")

    @property
    def failures(self) -> pd.DataFrame:
        """Units of work that failed, with traceback; symbols left out for their data, and why."""
        return self._frame("failures")

    def explain(self, target: str, symbol: str | None = None) -> Story:
        """Explain one target, or one symbol's part in it.

        Parameters
        ----------
        target
            A target that the run ranked.
        symbol
            Explain only this symbol.

        Raises
        ------
        ConfigError
            When the run did not rank the target, or does not know the symbol.
        """
        found = explain_target(self.place.uri, target, symbol, MAX_MODELS, self.place.options)
        return Story(found, explanation_lines(found))

    def compare(self, other: Run | str) -> Story:
        """Compare with another run: whether both computed the same, or where they first differ.

        Parameters
        ----------
        other
            A run, or the address of one.

        Returns
        -------
        Story
            ``["equal"]`` is the short answer.
        """
        another = other if isinstance(other, Run) else Run(other, self.place.options)
        found = compare_runs(
            self.place.uri, another.place.uri, self.place.options, another.place.options
        )
        return Story(found, comparison_lines(found))

    @property
    def report(self) -> ShownPage:
        """The run's report page; a notebook shows it in a frame."""
        results = self.open_files()
        is_whole = results.record.status == "done" and results.files.exists(REPORT)
        html = results.files.read_text(REPORT) if is_whole else page_of(results)
        return ShownPage(html, f"report of {results.record.name}, {results.uri}/{REPORT}")

    @property
    def plot(self) -> RunPlots:
        """Charts of the run, which a notebook shows: ``run.plot.targets()`` and others."""
        return RunPlots(self.open_files)

    @cached_property
    def models(self) -> LoadedRun:
        """The models, ready to predict, as from `ray_pipeline.load_run`.

        They belong to the version that serves, and are opened only once.

        Raises
        ------
        ArtifactError
            When the run is not done, or trained nothing.
        """
        return load_run(self.place.uri, self.place.options)

    def model(self, job_id: str) -> TrainedModel:
        """Return a model, checked and ready to predict; see `LoadedRun.model`."""
        return self.models.model(job_id)

    def predict(
        self,
        frame: Any,
        symbol: str | None = None,
        targets: Sequence[str] = (),
        since: str | None = None,
        *,
        in_sample: bool = False,
    ) -> pd.DataFrame:
        """Score new data, with the same code as ``ray-pipeline predict``.

        Parameters
        ----------
        frame
            A pandas, polars or Arrow frame with the run's columns: of one symbol if `symbol` is
            given, else long, with a symbol column. Features that compare symbols need all of the
            run's symbols.
        symbol
            The symbol of the frame.
        targets
            Score only these; none: all with a model.
        since
            Omit rows before this time.
        in_sample
            Also score rows whose labels the models learned from; never backtest on these.

        Returns
        -------
        pandas.DataFrame
            ``symbol``, and the columns that `LoadedRun.predict` describes: ``<target>__score``,
            ``<target>__prob`` or ``<target>__expected`` and so on. Without `in_sample`, from the
            first row that is out of sample.

        Raises
        ------
        ArtifactError
            When the models cannot be used, on this frame or here.
        DataError
            When the frame cannot be used.
        """
        options = PredictOptions(targets=targets, since=since, in_sample=in_sample)
        return data_frame(
            score_frame(lambda: self.models, self.place, frame, symbol, options),
            "run.models.predict",
        )

    def _frame(self, name: TableName) -> pd.DataFrame:
        return data_frame(self.table(name), f"run.table({name!r})")

    def _contents(self) -> RunContents:
        return read_contents(self.open_files(), max_models=0)

    def __repr__(self) -> str:
        """Say what was found and what to do next."""
        return verdict_text(self._contents(), self.uri)

    def _repr_html_(self) -> str:
        return verdict_html(self._contents(), self.uri)
