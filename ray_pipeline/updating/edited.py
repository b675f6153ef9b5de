"""Edits of a run's own config: those that an update follows, and those that change models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ray_pipeline.comparing.settings import compare_configs
from ray_pipeline.config import (
    ExperimentConfig,
    dump_config,
    parse_experiment_config,
    read_config_values,
)
from ray_pipeline.errors import ConfigError
from ray_pipeline.results.reading import Results
from ray_pipeline.results.tables import CONFIG
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.kept import name_of_result, version_place

__all__ = ["follow_edits", "require_followed"]

_FOLLOWED = ("data.data_dir", "data.storage_options", "data.until")
"""Keys for where data are and how far they are used, in addition to where and how work is done."""

_N_NAMED = 5


def require_followed(run: RunDirectory, results: Results, say: Callable[[str], None]) -> None:
    """Refuse a config if keys that affect its models were edited since its run.

    Models, folds and the ledger belong to the run's config. Otherwise only half of an edit would
    take effect: at the next training, and not before.

    Parameters
    ----------
    run
        The run directory.
    results
        Its result.
    say
        Receives a sentence that names the edited keys that count.

    Raises
    ------
    ConfigError
        Naming the keys, and the command that trains models with them.
    """
    content, known = results.files.read_bytes(CONFIG), results.record.config_sha256
    if known is None or _sha256(content) == known:
        return
    name = name_of_result(results)
    copy = None if name is None else version_place(run, name)
    if copy is None or not copy.exists(CONFIG) or _sha256(copy.read_bytes(CONFIG)) != known:
        say(
            f"warning: {run.uri}/{CONFIG} was edited since the run, and no copy is left that tells "
            "which keys; those that make models count from the next training on"
        )
        return
    was, now = (
        read_config_values(dump_config(parse_experiment_config(text, CONFIG)), CONFIG)
        for text in (copy.read_text(CONFIG), content.decode())
    )
    found = compare_configs(was, now)
    others = [each["key"] or "" for each in found["config"]]
    followed = [key for key in others if _is_followed(key)]
    refused = [key for key in others if not _is_followed(key)]
    if refused:
        more = f" and {len(refused) - _N_NAMED} more" if refused[_N_NAMED:] else ""
        raise ConfigError(
            f"{run.uri}/{CONFIG} was edited since the run: {', '.join(refused[:_N_NAMED])}{more}. "
            "An update goes on with the models of the run, and such keys make others. Put them "
            f"back, or make these models: `ray-pipeline run {run.uri}/{CONFIG} --run-dir "
            f"{run.uri} --replace`. An update follows edits of execution, output, tracking, "
            f"training.promote, {', '.join(_FOLLOWED)} alone."
        )
    followed += [each["key"] or "" for each in found["config_without_effect"]]
    if followed:
        say(f"{CONFIG} was edited since the run, and this update follows: {', '.join(followed)}")


def follow_edits(config: ExperimentConfig, edited: ExperimentConfig) -> ExperimentConfig:
    """Return the models' config with those keys of the run's own config that an update follows.

    The two differ if another version than the run directory's result serves.
    """
    names = [name.partition(".")[2] for name in _FOLLOWED]
    data = {name: getattr(edited.data, name) for name in names}
    promote = {"promote": edited.training.promote}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "training": config.training.model_copy(update=promote),
            **{name: getattr(edited, name) for name in ("execution", "output", "tracking")},
        }
    )


def _is_followed(key: str) -> bool:
    return any(f"{key}.".startswith(f"{name}.") for name in _FOLLOWED)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
