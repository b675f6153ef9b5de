"""What is planted in the sample panel, and therefore what an honest pipeline has to find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ray_pipeline.records import Task, View
from ray_pipeline.routing.decide import NOT_SERVED, Route

__all__ = [
    "NOTHING_PLANTED",
    "PLANTED",
    "PlantedLeak",
    "PlantedTarget",
    "PlantedTwin",
    "Truth",
]

Shape = Literal["shared", "opposite", "magnitude", "none"]


@dataclass(frozen=True, slots=True)
class PlantedTarget:
    """One target of the sample.

    Attributes
    ----------
    name
        Column; the name holds the horizon.
    horizon_bars
        The label at row t adds up the one-bar changes of rows t+1 … t+horizon.
    task
        ``regression``: the sum; ``binary``: whether it is positive.
    shape
        How the features of a row move the next row's change. ``shared``: by their sum, in every
        symbol. ``opposite``: by their sum in every other symbol, by its negative in the rest.
        ``magnitude``: by their size, whatever their sign. ``none``: not at all.
    strength
        Change per standard deviation of a feature, in standard deviations of the noise.
    persistence
        Autocorrelation of the noise from one bar to the next.
    carriers
        The features that move it.
    found_in
        Views in which it has to be found predictable.
    absent_in
        Views in which there is nothing to find. A view in neither list has an effect too weak to
        promise either verdict.
    family
        The only family that can find it, or None.
    routes
        The right routes for a symbol.
    story
        A short description.
    """

    name: str
    horizon_bars: int
    task: Task
    shape: Shape
    strength: float
    persistence: float
    carriers: tuple[str, ...]
    found_in: tuple[View, ...]
    absent_in: tuple[View, ...]
    family: str | None
    routes: tuple[Route, ...]
    story: str


@dataclass(frozen=True, slots=True)
class PlantedLeak:
    """A feature that is a monotone copy of a target's label `rows_later`."""

    feature: str
    target: str
    rows_later: int


@dataclass(frozen=True, slots=True)
class PlantedTwin:
    """A feature with the same information as another, in another unit."""

    feature: str
    of: str


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that is planted."""

    targets: tuple[PlantedTarget, ...]
    leak: PlantedLeak | None
    twin: PlantedTwin | None


_WEAK = PlantedTarget(
    name="fwd_ret_6h",
    horizon_bars=6,
    task="regression",
    shape="shared",
    strength=0.04,
    persistence=0.0,
    carriers=("momentum_24h", "value_gap"),
    found_in=("cross_sectional",),
    absent_in=(),
    family=None,
    routes=("CROSS_SECTIONAL",),
    story="weak, and the same in every symbol",
)
_OPPOSITE = PlantedTarget(
    name="y_spread_change_8h",
    horizon_bars=8,
    task="regression",
    shape="opposite",
    strength=0.3,
    persistence=0.0,
    carriers=("order_imbalance",),
    found_in=("symbol_specific",),
    absent_in=("cross_sectional",),
    family=None,
    routes=("SYMBOL_SPECIFIC",),
    story="of opposite sign in every other symbol",
)
_STRONG = PlantedTarget(
    name="y_volume_change_4h",
    horizon_bars=4,
    task="regression",
    shape="shared",
    strength=0.4,
    persistence=0.0,
    carriers=("volume_gap", "participation"),
    found_in=("cross_sectional", "symbol_specific"),
    absent_in=(),
    family=None,
    routes=("BOTH",),
    story="strong, and the same in every symbol",
)
_MAGNITUDE = PlantedTarget(
    name="y_funding_up_6h",
    horizon_bars=6,
    task="binary",
    shape="magnitude",
    strength=0.25,
    persistence=0.0,
    carriers=("crowding",),
    found_in=("cross_sectional",),
    absent_in=(),
    family="lightgbm",
    # Whether a symbol's own history shows it is not promised; the pooled model always serves.
    routes=("CROSS_SECTIONAL", "BOTH"),
    story="follows the size of a feature, not its sign",
)
_NOISE = PlantedTarget(
    name="y_flow_12h",
    horizon_bars=12,
    task="regression",
    shape="none",
    strength=0.0,
    persistence=0.0,
    carriers=(),
    found_in=(),
    absent_in=("cross_sectional", "symbol_specific"),
    family=None,
    # One test of noise in twenty shows evidence before the correction for the number of tests,
    # and a single one of a target's pooled model makes all its symbols EXPERIMENTAL_ONLY.
    routes=NOT_SERVED,
    story="noise, except for the feature that leaks it",
)
_PERSISTENT_NOISE = replace(
    _NOISE,
    name="y_sentiment_24h",
    horizon_bars=24,
    persistence=0.7,
    story="noise that persists, in labels that overlap",
)

PLANTED = Truth(
    targets=(_WEAK, _OPPOSITE, _STRONG, _MAGNITUDE, _NOISE, _PERSISTENT_NOISE),
    leak=PlantedLeak("flow_signal", "y_flow_12h", 2),
    twin=PlantedTwin("volume_gap_bps", "volume_gap"),
)
"""One target of each kind, a leak and a twin."""

NOTHING_PLANTED = Truth(
    targets=tuple(
        replace(
            target,
            shape="none",
            strength=0.0,
            carriers=(),
            found_in=(),
            absent_in=("cross_sectional", "symbol_specific"),
            family=None,
            routes=NOT_SERVED,
            story="noise",
        )
        for target in PLANTED.targets
    ),
    leak=None,
    twin=None,
)
"""The same columns, all of them noise."""
