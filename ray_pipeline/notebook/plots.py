"""The charts of a run's report, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.notebook.showing import ShownPage
from ray_pipeline.report.evaluation_section import ChartedJob, write_evaluation_section
from ray_pipeline.report.rendering import rendered
from ray_pipeline.report.target_section import write_target_section
from ray_pipeline.results import tables
from ray_pipeline.results.contents import MAX_CHARTED, RunContents, read_contents
from ray_pipeline.results.reading import Results
from ray_pipeline.wording import closest

__all__ = ["RunPlots"]

_HEAD, _CHART, _ROW = 90, 165, 24
"""Heights in pixels, of which the frame of a chart is made."""


@dataclass(frozen=True, slots=True)
class DrawnChart:
    """A chart with its heading, as HTML; `reason` says why it is missing."""

    title: str
    chart: str
    reason: str = ""


class RunPlots:
    """Draws charts of a run; each can be shown in a notebook, or saved as a page.

    Parameters
    ----------
    results
        Opens the run's files.
    """

    def __init__(self, results: Callable[[], Results]) -> None:
        self._results = results

    def targets(self) -> ShownPage:
        """Draw the skill of each target in both views, with two standard errors on either side.

        Raises
        ------
        ArtifactError
            When the run has ranked nothing.
        """
        results = self._results()
        section = write_target_section(read_contents(results, max_models=0))
        if section.absent:
            raise ArtifactError(f"{results.uri}: {section.absent}")
        n_rows = sum(len(view.targets.rows) for view in section.views)
        html = rendered("notebook", "target_charts.html", targets=section)
        height = _HEAD * (1 + len(section.views)) + _ROW * n_rows
        return ShownPage(html, f"skill of the targets of {results.uri}", height)

    def quantiles(self, target: str) -> ShownPage:
        """Draw the mean label per quantile of the predictions, above that of all, by model."""
        return self._worth(target, "quantiles", "label above the mean, by quantile")

    def decay(self, target: str) -> ShownPage:
        """Draw the skill of the predictions for later labels, by number of bars and model."""
        return self._worth(target, "decay", "skill for labels that many bars later")

    def equity(self, target: str) -> ShownPage:
        """Draw the summed net returns of the portfolio of each model, and gross ones in grey."""
        return self._worth(target, "curve", "summed returns: net, and gross in grey")

    def _worth(
        self, target: str, part: Literal["quantiles", "decay", "curve"], what: str
    ) -> ShownPage:
        results = self._results()
        jobs = _charted(results, target)
        charts = [
            DrawnChart(job.job_id, drawn, "" if drawn else job.reason)
            for job in jobs
            for drawn in [getattr(job, part)]
        ]
        html = rendered("notebook", "charts.html", title=f"{target}: {what}", charts=charts)
        return ShownPage(html, f"{what} of {target}, {results.uri}", _HEAD + _CHART * len(charts))


def _charted(results: Results, target: str) -> Sequence[ChartedJob]:
    contents = read_contents(results, max_models=0)
    evaluated = contents.evaluated
    if evaluated is None:
        raise ArtifactError(f"{results.uri}: {contents.why_absent(tables.EVALUATED_JOBS)}")
    rows = evaluated.filter(pc.equal(evaluated["target"], target))
    if rows.num_rows == 0:
        raise ConfigError(_no_model(results, contents, evaluated, target))
    # Pooled models first, in the order of the plan, as in the report.
    pooled = rows["symbol"].is_null()
    kinds = (pooled, pc.invert(pooled))
    ordered = [name for kept in kinds for name in rows.filter(kept)["job_id"].to_pylist()]
    jobs = tuple(ordered[:MAX_CHARTED])

    def of_jobs(name: str) -> pa.Table | None:
        return results.table(name, where=("job_id", jobs))

    shown = replace(
        contents,
        evaluated=rows,
        charted=jobs,
        quantiles=of_jobs(tables.QUANTILES),
        decay=of_jobs(tables.DECAY),
        equity=of_jobs(tables.EQUITY),
    )
    return write_evaluation_section(shown).charts.rows


def _no_model(results: Results, contents: RunContents, evaluated: pa.Table, target: str) -> str:
    known = list(dict.fromkeys(evaluated["target"].to_pylist()))
    have = f"models were evaluated of {', '.join(known) or 'none'}."
    if target in {row.target for row in contents.targets or ()}:
        return f"{results.uri}: {target} was ranked, but has no model; {have}"
    near = closest(target, known)
    meant = f" Did you mean {near!r}?" if near else ""
    return f"{results.uri}: {target} is not a target of the run; {have}{meant}"
