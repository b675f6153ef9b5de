"""Exports to other libraries: out-of-sample scores, returns and prices."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ray_pipeline.notebook import exports
from ray_pipeline.notebook.handle import RunHandle
from ray_pipeline.notebook.returns import daily_returns
from ray_pipeline.predicting.trained import TrainedRun

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunExports"]


class RunExports(RunHandle):
    """The exports of a run's own result, whichever version of its models serves."""

    def to_long(self, target: str) -> pd.DataFrame:
        """Return the out-of-sample scores of a target as one long frame, for a backtest.

        By symbol and time, each score is the mean over the models that serve the symbol, as in
        ``predict --history``. Every row was predicted by models that had seen only earlier data.
        For vectorbt use ``frame.pivot(index="ts", columns="symbol", values="score")``; zipline
        reads the long frame.

        Parameters
        ----------
        target
            A target with a model.

        Returns
        -------
        pandas.DataFrame
            ``ts`` (UTC), ``symbol``, ``score`` in [0, 1]; ``prob`` for a binary target,
            ``expected`` for others, and ``low`` and ``high`` for real values, from the outcomes
            known before each row; ``actual``, the label, which was unknown then: no backtest may
            trade on it. With `columns.group`, ``group`` comes last.

        Raises
        ------
        ConfigError
            When the target has no model.
        ArtifactError
            When the run is not done.

        Warns
        -----
        UserWarning
            When the run found the target doubtful.
        """
        return exports.long_frame(self._exported(target), target)

    def to_alphalens(self, target: str) -> pd.DataFrame:
        """Return out-of-sample scores and labels as factor data for alphalens.

        The forward return is the label itself, of the target's own horizon, so alphalens analyses
        exactly the rows that the run evaluated, and no prices are needed.

        Returns
        -------
        pandas.DataFrame
            Index ``date``, ``asset``; the label under the name of its horizon (``5D``), ``factor``,
            ``factor_quantile`` by ``evaluation.n_quantiles`` within each timestamp, from 1, and
            ``group``, if the run compared symbols within groups. Rows without a label, and
            timestamps with fewer symbols than quantiles, are left out.

        Raises
        ------
        ConfigError
            When the target has no model, or is binary, so that labels are not returns.
        ArtifactError
            When the run is not done, or has too few symbols.

        Examples
        --------
        >>> factor_data = run.to_alphalens("fwd_ret_5d")  # doctest: +SKIP
        >>> alphalens.performance.mean_return_by_quantile(factor_data)  # doctest: +SKIP
        """
        return exports.alphalens_frame(self._exported(target), target)

    def to_quantstats(self, target: str, job_id: str | None = None) -> pd.Series:
        """Return daily net returns of the evaluated portfolio, for quantstats.

        These are the returns behind ``evaluation/equity.parquet``, before thinning for a chart: a
        return is booked on the day (UTC) on which its part of the portfolio was formed, on its
        share of the capital, without compounding.

        Labels of several bars overlap, and so do these returns: a Sharpe ratio that treats days as
        independent is then too high. ``run.evaluation`` has a corrected one.

        Parameters
        ----------
        job_id
            The model; None: the target's first pooled one in the order of the plan, which does not
            depend on results.

        Returns
        -------
        pandas.Series
            By day, without a time zone, named after the model.

        Raises
        ------
        ConfigError
            When the target has no model of that name.
        ArtifactError
            When it has no portfolio; the message says why.
        """
        trained = self._exported(target)
        return daily_returns(self.open_files(), trained, target, job_id)

    def to_numerai(self, target: str) -> pd.DataFrame:
        """Return out-of-sample scores in Numerai's format of predictions.

        Returns
        -------
        pandas.DataFrame
            ``id`` (symbol and era), ``era`` (the timestamp), ``prediction``, ranks within the era
            strictly between 0 and 1, and ``target``, the label, which a submission omits.
        """
        return exports.numerai_frame(self._exported(target), target)

    def prices(self) -> pd.DataFrame:
        """Return the closing prices that a run on bars used, for alphalens, vectorbt or plots.

        Returns
        -------
        pandas.DataFrame
            A row per time (``date``, UTC), a column per symbol (``asset``), adjusted and cleaned as
            the config asks.

        Raises
        ------
        ConfigError
            When the run did not use bars.
        """
        return exports.price_frame(self.open_trained())

    def _exported(self, target: str) -> TrainedRun:
        trained = self.open_trained()
        trained.jobs_of([target])
        if target in trained.doubted_targets:
            told = f"{target} is doubtful: {trained.doubted_targets[target]}"
            warnings.warn(told, stacklevel=3)
        return trained
