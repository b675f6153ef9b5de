"""In which form a family learns labels that are compared within their timestamp."""

from __future__ import annotations

from typing import Literal, get_args

from ray_pipeline.errors import ConfigError
from ray_pipeline.families.protocol import Family
from ray_pipeline.families.registry import load_family

__all__ = ["LabelForm", "label_form"]

LabelForm = Literal["residuals", "offsets", "as_they_are"]
"""``residuals``: real values, of binary labels their standardised distance from the timestamp's
base rate. ``offsets``: the same, but binary labels stay 0 and 1, by the logarithmic loss on top of
the base rate's log-odds (`Problem.offsets`). ``as_they_are``: never compared, since what the
family predicts is in the unit of the label."""


def label_form(family: str | Family) -> LabelForm:
    """Return what a family says by its attribute ``label_form``; ``residuals`` if nothing.

    Every family can fit residuals: they are a real-valued target like any other.

    Raises
    ------
    ConfigError
        When a family names a form that there is not.
    """
    found = load_family(family) if isinstance(family, str) else family
    form: LabelForm = getattr(found, "label_form", "residuals")
    if form not in get_args(LabelForm):
        raise ConfigError(
            f"The family {found.name} has label_form={form!r}; it must be one of "
            f"{', '.join(get_args(LabelForm))}."
        )
    return form
