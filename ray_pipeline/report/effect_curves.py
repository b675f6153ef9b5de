"""Small curves of how features move a score (pure)."""

from __future__ import annotations

from markupsafe import Markup

from ray_pipeline.results.effects import FeatureEffect, effect_words
from ray_pipeline.results.figures import is_measured, signed, significant

__all__ = ["effect_curve"]

_WIDTH, _HEIGHT = 96, 30
_MARGIN = 3
_LEAST_REACH = 0.25
"""Standard deviations of the score up and down that a curve has room for: a weaker one is flat."""


def effect_curve(effect: FeatureEffect) -> Markup:
    """Draw an effect at the quantiles of its feature, with two errors over the folds about it.

    Each is on its own scale, but no curve is drawn larger than one of `_LEAST_REACH`: what moves
    a score by nothing looks like nothing.
    """
    values = effect.effects
    halves = [2.0 * error if is_measured(error) else 0.0 for error in effect.std_errors]
    reach = max(
        [_LEAST_REACH, *(abs(value) + half for value, half in zip(values, halves, strict=True))]
    )
    n = len(values)

    def point(place: int, value: float) -> str:
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * place / max(1, n - 1)
        y = _HEIGHT / 2 - (_HEIGHT / 2 - _MARGIN) * value / reach
        return f"{x:.0f},{y:.1f}"

    upper = [
        point(i, value + half) for i, (value, half) in enumerate(zip(values, halves, strict=True))
    ]
    lower = [
        point(i, value - half) for i, (value, half) in enumerate(zip(values, halves, strict=True))
    ]
    line = [point(i, value) for i, value in enumerate(values)]
    ends = (
        f"from {signed(values[0], 2)} at {significant(effect.values[0])} "
        f"to {signed(values[-1], 2)} at {significant(effect.values[-1])}"
    )
    drawn = Markup(
        '<svg class="effect" width="{}" height="{}" role="img" aria-label="{}">'
        '<line class="zero" x1="0" x2="{}" y1="{}" y2="{}"/>'
        '<polygon class="band" points="{}"/><polyline class="path yes" points="{}"/></svg>'
    )
    name = f"{effect.feature}: {effect_words(effect)}; {ends}"
    middle = _HEIGHT // 2
    return drawn.format(
        *(_WIDTH, _HEIGHT, name, _WIDTH, middle, middle),
        " ".join([*upper, *lower[::-1]]),
        " ".join(line),
    )
