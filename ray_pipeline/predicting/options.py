"""The user's options for scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.credentials import secret_in_address
from ray_pipeline.errors import ConfigError

__all__ = ["AS_IN_THE_RUN", "PredictOptions", "execution_keys"]


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """The user's options; by default, everything is as in the run.

    Attributes
    ----------
    interval
        Interval of the new data, if its layout has several.
    targets, symbols
        None of them: all.
    since
        Leave out rows before this time, ISO 8601, in UTC unless it says otherwise.
    history
        Add the run's out-of-sample predictions before the rows that models can score honestly.
    in_sample
        Also score rows whose labels the models learned from, marked as such.
    replace
        Overwrite predictions in the same folder that were made with other options.
    n_workers
        Workers; 0: in this process, without Ray.
    address
        Of the Ray cluster.
    version
        Version of the run's models; None: the one that serves.
    layout
        Pattern of the new data's paths; an empty text: none.
    """

    interval: str | None = None
    targets: Sequence[str] = ()
    symbols: Sequence[str] = ()
    since: str | None = None
    history: bool = False
    in_sample: bool = False
    replace: bool = False
    n_workers: int | None = None
    address: str | None = None
    layout: str | None = None
    version: str | None = None


AS_IN_THE_RUN = PredictOptions()


def execution_keys(n_workers: int | None, address: str | None) -> dict[str, Any]:
    """Return the keys of the config's ``execution`` that options replace.

    Parameters
    ----------
    n_workers
        0: in this process, without Ray; None: as in the config.
    address
        Of the Ray cluster; None: as in the config.

    Raises
    ------
    ConfigError
        When the address holds a secret.
    """
    found: dict[str, Any] = {}
    if n_workers is not None:
        found |= {"executor": "ray" if n_workers else "serial", "n_workers": n_workers or None}
    if address is not None:
        if (secret := secret_in_address(address)) is not None:
            raise ConfigError(f"--address holds {secret}. Remove it.")
        found |= {"executor": "ray", "address": address}
    return found
