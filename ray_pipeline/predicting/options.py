"""What a user may choose of scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["AS_IN_THE_RUN", "PredictOptions"]


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What a user may choose; by default everything is as in the run.

    Attributes
    ----------
    interval
        Of the new data, where its layout has several.
    targets, symbols
        None of them: all.
    since
        Leave out rows before this time, ISO 8601, in UTC unless it says otherwise.
    history
        Before the rows that models can score honestly, give the run's out-of-sample predictions.
    in_sample
        Score rows whose labels the models learned from too, marked as such.
    replace
        Put these in place of predictions that other options made, in the same folder.
    n_workers
        Workers; 0: in this process, without Ray.
    address
        Of the Ray cluster.
    version
        Of the run's models; None: the one that serves.
    layout
        Pattern of the new data's paths; an empty text: they need none.
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
