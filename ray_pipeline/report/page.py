"""The page of a run: read, lay out, render, write."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ray_pipeline.report.calibration_section import write_calibration_section
from ray_pipeline.report.data_section import write_data_section
from ray_pipeline.report.doubt_section import write_doubt_section
from ray_pipeline.report.evaluation_section import write_evaluation_section
from ray_pipeline.report.feature_section import write_feature_section
from ray_pipeline.report.model_section import write_model_section
from ray_pipeline.report.policy_section import write_policy_section
from ray_pipeline.report.rendering import rendered
from ray_pipeline.report.route_section import write_route_section
from ray_pipeline.report.run_section import write_run_section
from ray_pipeline.report.short_section import MAX_FOUND, write_short_section
from ray_pipeline.report.stage_section import write_stage_section
from ray_pipeline.report.symbol_pages import write_symbol_pages
from ray_pipeline.report.symbol_section import write_symbol_section
from ray_pipeline.report.target_section import write_target_section
from ray_pipeline.report.vendored_library import vendored_library
from ray_pipeline.results.contents import RunContents, read_contents
from ray_pipeline.results.headline import write_headline
from ray_pipeline.results.reading import Results
from ray_pipeline.results.steadiness import FoldSkills, read_fold_skills
from ray_pipeline.results.tables import REPORT
from ray_pipeline.routing.decide import ROUTE_ORDER
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.told import ServingVersion, serving_beside

__all__ = ["page_of", "render_page", "write_report"]


def write_report(run: RunDirectory, home: RunDirectory | None = None) -> str:
    """Write the run's page, from whatever the run left behind.

    The page is one file: style, charts and its few lines of script are inside, and nothing is
    fetched from elsewhere. The same run directory gives the same page.

    Parameters
    ----------
    run
        Where the result is.
    home
        The run directory, whose version that serves is told; None: of none.

    Returns
    -------
    str
        Name of the page in the run directory.

    Raises
    ------
    StorageError
        When there is no ``run.json``, or a file that is there cannot be read or holds something
        else than it should.
    """
    results = Results(run)
    serving = None if home is None else serving_beside(home, results)
    run.write_text(REPORT, page_of(results, serving))
    return REPORT


def page_of(results: Results, serving: ServingVersion | None = None) -> str:
    """Read what the page shows, and return it as HTML; raises as `write_report`."""
    contents = read_contents(results)
    skills = read_fold_skills(results, contents, contents.chosen[:MAX_FOUND])
    return render_page(contents, serving, skills)


def render_page(
    contents: RunContents,
    serving: ServingVersion | None = None,
    skills: Mapping[str, FoldSkills] = MappingProxyType({}),
) -> str:
    """Return the page as HTML (pure). Everything that came with the data is escaped.

    What would reorder, hide or steer the text around it is written out, wherever it stands: a
    symbol with a bidirectional override must not read as another one.

    Parameters
    ----------
    skills
        Of pooled models fold by fold, by target.
    """
    run, data = write_run_section(contents, serving), write_data_section(contents)
    features, routes = write_feature_section(contents), write_route_section(contents)
    models, evaluation = write_model_section(contents), write_evaluation_section(contents)
    return rendered(
        "report",
        "page.html",
        library=vendored_library(),
        headline=write_headline(contents),
        short=write_short_section(
            contents, run, features, routes, models, evaluation, data, skills
        ),
        run=run,
        targets=write_target_section(contents, skills),
        doubt=write_doubt_section(contents),
        symbols=write_symbol_section(contents),
        features=features,
        routes=routes,
        pages=write_symbol_pages(contents, skills, routes.order),
        route_order=ROUTE_ORDER,
        models=models,
        calibration=write_calibration_section(contents),
        evaluation=evaluation,
        policies=write_policy_section(contents),
        stages=write_stage_section(contents),
        data=data,
    )
