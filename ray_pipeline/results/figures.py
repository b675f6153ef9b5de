"""Numbers, times and sizes as the page prints them (pure); what was not measured is an en dash."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, TypeGuard

from ray_pipeline.wording import plural

__all__ = [
    "DASH",
    "count",
    "duration",
    "is_measured",
    "label_with_error",
    "moment",
    "percentage",
    "period",
    "plural",
    "probability",
    "ratio_with_error",
    "share",
    "shortened",
    "signed",
    "significant",
    "size",
    "unsigned",
    "with_error",
]

DASH = "–"
_MINUS = "−"
_EXPONENTS = str.maketrans("-", _MINUS)


def is_measured(value: float | None) -> TypeGuard[float]:
    """Whether there is a figure: null in a table, NaN in a row, both mean not measured."""
    return value is not None and math.isfinite(value)


def signed(value: float | None, places: int = 3) -> str:
    """Write a figure that can go either way: ``+0.043``, ``−0.010``."""
    if not is_measured(value):
        return DASH
    text = f"{value:+.{places}f}"
    # What rounds to nothing has no direction.
    return text.replace("-", _MINUS) if float(text) else text[1:]


def unsigned(value: float | None, places: int = 3) -> str:
    """Write a figure without a sign for the positive ones."""
    return f"{value:.{places}f}".replace("-", _MINUS) if is_measured(value) else DASH


def significant(value: float | None) -> str:
    """Write a figure of any size to four digits: ``0.04312``, ``−1.5e+07``."""
    return f"{value:.4g}".replace("-", _MINUS) if is_measured(value) else DASH


def with_error(skill: float | None, std_error: float | None) -> str:
    """Write a skill with its standard error, where there is one: ``+0.043 ± 0.012``."""
    if not is_measured(std_error):
        return signed(skill)
    return f"{signed(skill)} ± {unsigned(std_error)}"


def label_with_error(value: float | None, std_error: float | None) -> str:
    """Write a figure in the unit of its label, which can be of any size: ``0.695 ± 0.083``."""
    if not is_measured(value) or not is_measured(std_error):
        return significant(value)
    return f"{value:.3g} ± {std_error:.2g}".replace("-", _MINUS)


def ratio_with_error(ratio: float | None, std_error: float | None) -> str:
    """Write a Sharpe ratio with its standard error, where there is one: ``+1.90 ± 0.40``."""
    if not is_measured(std_error):
        return signed(ratio, 2)
    return f"{signed(ratio, 2)} ± {unsigned(std_error, 2)}"


def probability(value: float | None) -> str:
    """Write a p- or q-value; below 0.001 only the order of magnitude matters.

    Examples
    --------
    >>> probability(0.0312), probability(0.0000021)
    ('0.031', '2e−6')
    """
    if not is_measured(value):
        return DASH
    if value >= 0.00095 or value == 0:
        return f"{value:.3f}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    return f"{mantissa}e{int(exponent)}".translate(_EXPONENTS)


def percentage(value: float | None) -> str:
    """Write a share in [0, 1] as whole percent."""
    return f"{value:.0%}" if is_measured(value) else DASH


def share(value: float | None) -> str:
    """Write a share in [0, 1] to a tenth of a percent: ``80.2%``."""
    return f"{value:.1%}" if is_measured(value) else DASH


def count(value: float | None) -> str:
    """Write a count with separated thousands."""
    return f"{int(value):,}" if is_measured(value) else DASH


def duration(seconds: float | None) -> str:
    """Write a wall time in the unit that suits it."""
    if not is_measured(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        whole = int(seconds)
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(iso: Any) -> str:
    """Write an ISO time to the minute, without the time of day at midnight.

    What is not an ISO time is given back as it is: the page shows what the run recorded.
    """
    if not isinstance(iso, str) or not iso:
        return DASH
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{time:%Y-%m-%d}" if (time.hour, time.minute) == (0, 0) else f"{time:%Y-%m-%d %H:%M}"


def period(first: Any, last: Any) -> str:
    """Write a time span."""
    return f"{moment(first)} to {moment(last)}" if first or last else DASH


def size(n_bytes: float | None) -> str:
    """Write a file size in decimal units."""
    if not is_measured(n_bytes):
        return DASH
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def shortened(text: str, limit: int) -> str:
    """Cut a long text, with an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
