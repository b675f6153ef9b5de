"""What the name of a target computed from bars says; the name is the whole specification.

A name is a kind, a horizon and, for barriers, their distances in deviations, joined by
underscores: ``fwd_ret_5d``, ``y_will_peak_60m_0.8``, ``y_first_touch_12b_2.0_1.0``. Nothing else
knows how a name is read: the table of kinds and the pattern below are the only place.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ray_pipeline.bars.label_series import SIGMA_RETURNS
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import read_duration
from ray_pipeline.records import Task

__all__ = ["LABEL_KINDS", "Label", "LabelKind", "find_label", "is_label_name", "parse_label"]

# σ at t is that of the returns between the closes t−20 … t.
_SIGMA_CLOSES = SIGMA_RETURNS + 1


@dataclass(frozen=True, slots=True)
class LabelKind:
    """A kind of label: all that is known of it without its horizon.

    Attributes
    ----------
    task
        What its values are.
    lookback
        Number of bars, up to and including its own row, that it reads: 0 where it reads only
        later ones.
    distances
        What may follow the horizon in the name: the names of the barriers' distances, one tuple
        per form.
    """

    task: Task
    lookback: int
    distances: tuple[tuple[str, ...], ...] = ((),)


LABEL_KINDS = {
    "fwd_ret": LabelKind("regression", 1),
    "fwd_ret_oc": LabelKind("regression", 0),
    "ret_zscore": LabelKind("regression", _SIGMA_CLOSES),
    "ret_ord": LabelKind("ordinal", _SIGMA_CLOSES),
    "mfe": LabelKind("regression", 1),
    "mae": LabelKind("regression", 1),
    "mdd": LabelKind("regression", 1),
    "mfe_zscore": LabelKind("regression", _SIGMA_CLOSES),
    "mae_zscore": LabelKind("regression", _SIGMA_CLOSES),
    "mdd_zscore": LabelKind("regression", _SIGMA_CLOSES),
    "y_first_touch": LabelKind("ordinal", _SIGMA_CLOSES, (("k",), ("up", "down"))),
    "y_will_peak": LabelKind("binary", _SIGMA_CLOSES, (("k",),)),
    "y_will_valley": LabelKind("binary", _SIGMA_CLOSES, (("k",),)),
}

# No kind holds a digit, so a name can be read in one way only. [0-9] and not \d: the latter takes
# any script's digits.
_NAME = re.compile(
    r"(?P<kind>[a-z_]+)_(?P<horizon>[0-9]+(?P<unit>[A-Za-z]*))"
    r"(?P<distances>(?:_[0-9]+(?:\.[0-9]+)?)*)"
)


@dataclass(frozen=True, slots=True)
class Label:
    """A label's name, read.

    Attributes
    ----------
    kind
        Key of `LABEL_KINDS`.
    horizon
        Horizon as written, such as ``60m``.
    distances
        Distances of the barriers in deviations, in the order of the name.
    """

    kind: str
    horizon: str
    distances: tuple[float, ...]

    @property
    def task(self) -> Task:
        """What the label's values are."""
        return LABEL_KINDS[self.kind].task

    @property
    def lookback(self) -> int:
        """Number of bars, up to and including its own row, that the label reads."""
        return LABEL_KINDS[self.kind].lookback


def is_label_name(name: str) -> bool:
    """Tell whether the name specifies a label that can be computed from bars."""
    return find_label(name) is not None


def find_label(name: str) -> Label | None:
    """Read a label's name; None where it is not the name of a label.

    A plain number of bars (``fwd_ret_12``) is accepted only where no distance follows, since
    ``y_will_peak_12_2`` could be read in two ways.

    Examples
    --------
    >>> find_label("y_first_touch_12b_2.0_1.0")
    Label(kind='y_first_touch', horizon='12b', distances=(2.0, 1.0))
    >>> find_label("rsi_14") is None
    True
    """
    match = _NAME.fullmatch(name)
    kind = LABEL_KINDS.get(match["kind"]) if match else None
    if match is None or kind is None or read_duration(match["horizon"]) is None:
        return None
    distances = tuple(float(part) for part in match["distances"].split("_")[1:])
    if len(distances) not in {len(form) for form in kind.distances}:
        return None
    if distances and not match["unit"]:
        return None
    if not all(0.0 < distance < math.inf for distance in distances):
        return None
    return Label(match["kind"], match["horizon"], distances)


def parse_label(name: str) -> Label:
    """Read a label's name.

    Raises
    ------
    ConfigError
        When the name is not the name of a label. The message lists the accepted forms.
    """
    label = find_label(name)
    if label is None:
        forms = [
            "_".join((kind, *(f"{{{part}}}" for part in ("h", *form))))
            for kind, known in LABEL_KINDS.items()
            for form in known.distances
        ]
        # Of several symbols, and so read elsewhere; who looks for a name looks here.
        forms.append("excess_ret_{h}")
        raise ConfigError(
            f"labeling.targets: {name!r} is not a target that bars give. Accepted are "
            f"{', '.join(forms[:-1])} and {forms[-1]}, where h is a horizon such as 60m, 4h, 5d "
            "(sessions), 3mo or 12b (bars), and k, up and down > 0 are the barriers' distances in "
            "deviations: fwd_ret_5d, y_will_peak_60m_0.8, y_first_touch_12b_2.0_1.0."
        )
    return label
