"""What a run directory says about one target, gathered from its tables and records."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.explaining.features import explain_features
from ray_pipeline.explaining.models import explain_models
from ray_pipeline.explaining.names import check_symbol, check_target
from ray_pipeline.explaining.verdicts import (
    difference_verdict,
    source_of_p,
    source_of_q,
    view_verdict,
)
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.results.calibration import calibration_sentences
from ray_pipeline.results.contents import NO_CARRIERS, RunContents, read_contents
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.steadiness import read_fold_skills, steadiness_sentence
from ray_pipeline.results.tables import (
    CALIBRATION,
    DOUBT,
    LEAKAGE,
    RANKED_SYMBOLS,
    RANKED_TARGETS,
    ROUTES,
)
from ray_pipeline.results.verdicts import target_verdict
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.told import serving_beside

__all__ = ["explain_target"]

Row = Mapping[str, Any]


def explain_target(
    uri: str,
    target: str,
    symbol: str | None = None,
    max_models: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Gather what a run knows about a target, or about one symbol's part in it.

    Parameters
    ----------
    symbol
        Keep only its figures, route, own features and models.
    max_models
        Number of models whose out-of-sample skill is read, one request each; None: all.
    storage_options
        fsspec options of the run's store, without secrets.

    Returns
    -------
    dict
        Plain values without NaN. A part that the run did not reach, or that is empty, says why in
        its ``absent``, which is empty otherwise.

    Raises
    ------
    DiscoveryError
        When there is no run.
    ConfigError
        When the run did not rank the target, or has no figures for this symbol and never will.
    """
    run = open_run(uri, storage_options)
    contents = read_contents(run, target, symbol, max_models)
    check_target(contents, run.uri, target)
    if symbol is not None:
        check_symbol(contents, run.uri, symbol)
    rules = _rules(run.config(), contents.record.data.until)
    told = ("name", "status", "message", "error")
    skills = [] if contents.skills is None else contents.skills.to_pylist()
    serving = serving_beside(RunDirectory(uri), run)
    return {
        "run": {"uri": run.uri} | {name: getattr(contents.record, name) for name in told},
        "version": None if serving is None else serving.document(),
        "target": target,
        "symbol": symbol,
        "cautions": _cautions(contents.record.warnings, target),
        "groups": None if contents.record.groups is None else contents.record.groups.model_dump(),
        "rules": rules,
        "ranking": _ranking(contents, target, rules),
        "steadiness": _steadiness(run, contents, target),
        "doubt": _doubt(contents, target, symbol),
        "leaks": _leaks(contents, target),
        "features": explain_features(contents, target, symbol, rules["symbol_alpha"]),
        "routes": _routes(contents, symbol, rules),
        "skills": {
            "absent": contents.why_absent(RANKED_SYMBOLS) if contents.skills is None else "",
            "pooled_serve_routing_alone": contents.serves_routing_alone,
            "rows": [row for row in skills if symbol in (None, row["symbol"])],
        },
        "models": explain_models(contents, target, symbol),
        "calibration": _calibration(contents),
        "data": _data(contents, symbol),
    }


def _cautions(warnings: Sequence[str], target: str) -> list[str]:
    """Return the run's warnings that name the target, except those about doubt."""
    name = re.compile(rf"(?<![\w.]){re.escape(target)}(?![\w.]*\w)")
    told = (text for text in warnings if not text.startswith("doubtful:"))
    return [text for text in told if name.search(text)]


def _rules(config: ExperimentConfig, until: str | None) -> dict[str, Any]:
    """Return the thresholds of the verdicts."""
    ranking, routing = config.target_ranking, config.routing
    return {
        "alpha": ranking.alpha,
        "fdr": ranking.correction,
        "families": list(ranking.families),
        "window": config.validation.window,
        "until": until,
        "top_n_targets": ranking.top_n_targets,
        "symbol_alpha": config.symbol_alpha,
        "min_difference": routing.min_difference,
        "methods": list(config.feature_selection.methods),
    }


def _ranking(contents: RunContents, target: str, rules: Mapping[str, Any]) -> dict[str, Any]:
    ranked = contents.targets or ()
    rows = sorted((row for row in ranked if row.target == target), key=lambda row: row.view)
    if not rows:
        absent = "The ranking has no rows."
        if contents.targets is None:
            absent = contents.why_absent(RANKED_TARGETS)
        return {"absent": absent, "verdict": f"Nothing is known of {target} yet.", "views": []}
    p_values = [row.p_value for row in ranked if not math.isnan(row.p_value)]
    return {
        "absent": "",
        "verdict": target_verdict(target, rows, contents.chosen, contents.doubt_of(target)),
        "chosen": contents.chosen,
        "n_targets": len({row.target for row in ranked}),
        "n_tests": len(p_values),
        "source_of_q": source_of_q(len(p_values), rules),
        "views": [
            _plain(row)
            | {
                "n_ranked": sum(other.view == row.view for other in ranked),
                "source_of_p": source_of_p(row, rules),
                "conclusion": view_verdict(row, p_values, rules["alpha"]),
            }
            for row in rows
        ],
    }


def _plain(row: TargetRow) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(row).items()
    }


def _steadiness(run: Results, contents: RunContents, target: str) -> dict[str, Any]:
    """Return the skill of the target's pooled model in each test fold."""
    found = read_fold_skills(run, contents, [target]).get(target)
    if found is None:
        absent = (
            "No pooled model of this target was trained, or its out-of-sample predictions are "
            "missing, all without a label, or too many to read here."
        )
        return {"absent": absent, "sentence": "", "folds": []}
    skills = zip(found.folds, found.skills, strict=True)
    return {
        "absent": "",
        "sentence": steadiness_sentence(found, contents.record.folds),
        "folds": [{"fold": fold, "skill": skill} for fold, skill in skills],
    }


def _doubt(contents: RunContents, target: str, symbol: str | None) -> dict[str, Any]:
    """Return what carries a doubtful skill; for one symbol, from its own or the pooled model."""
    is_doubtful = contents.doubt_of(target) is not None
    table = contents.doubts
    rows = [] if table is None else table.to_pylist()
    kept = [row for row in rows if symbol is None or row["symbol"] in (None, symbol)]
    absent = contents.why_absent(DOUBT) if table is None else ""
    if not kept and not absent and not is_doubtful:
        absent = "No skill of this target is in doubt."
    elif not kept and not absent:
        absent = NO_CARRIERS
    return {"absent": absent, "is_doubtful": is_doubtful, "rows": kept}


def _calibration(contents: RunContents) -> dict[str, Any]:
    """Return how far the target's calibrated numbers can be trusted, over all its symbols."""
    table = contents.calibration
    rows = [] if table is None else table.to_pylist()
    absent = "" if rows else "No model of this target was trained, so nothing is calibrated."
    if table is None:
        absent = contents.why_absent(CALIBRATION)
    return {"absent": absent, "sentences": calibration_sentences(rows), "rows": rows}


def _leaks(contents: RunContents, target: str) -> dict[str, Any]:
    """Separate leaks of this target from features dropped for leaking another."""
    rows: Sequence[Row] = [] if contents.leaks is None else contents.leaks.to_pylist()
    own = [row for row in rows if row["target"] == target]
    names = {row["feature"] for row in own}
    return {
        "absent": contents.why_absent(LEAKAGE) if contents.leaks is None else "",
        "found": own,
        "dropped_for_others": [
            row for row in rows if row["action"] == "dropped" and row["feature"] not in names
        ],
    }


def _routes(contents: RunContents, symbol: str | None, rules: Mapping[str, Any]) -> dict[str, Any]:
    rows: Sequence[Row] = [] if contents.routes is None else contents.routes.to_pylist()
    n_tests = sum(row["difference_q_value"] is not None for row in rows)
    kept = [row for row in rows if symbol in (None, row["symbol"])]
    absent = "" if kept else "No symbol was routed."
    if rows and not kept:
        absent = f"{symbol} was lost before symbols were routed."
    return {
        "absent": contents.why_absent(ROUTES) if contents.routes is None else absent,
        "rows": [
            {**row, "difference_verdict": difference_verdict(row, n_tests, rules)} for row in kept
        ],
    }


def _data(contents: RunContents, symbol: str | None) -> dict[str, Any]:
    """Facts about the batch: its lost symbols, and one symbol's table."""
    known = contents.symbols
    if known is None:
        absent = contents.why_absent("symbols.json")
        return {"absent": absent, "n_symbols": 0, "quarantined": [], "symbol": None}
    facts = None if symbol is None else known.symbols.get(symbol)
    return {
        "absent": "",
        "n_symbols": len(known.selected),
        "quarantined": [item.told() for item in known.quarantined if symbol in (None, item.symbol)],
        "symbol": facts.told() if facts is not None else None,
    }
