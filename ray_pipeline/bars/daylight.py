"""Days on which the clocks of a market's country stand an hour ahead.

An exchange opens at one hour of its own clock, which in UTC is another in summer than in winter.
The rules are those of laws, by arithmetic, so that no table of time zones on a machine decides a
result: the United States since 2007 (Energy Policy Act of 2005), 1987 and before; the European
Union and Britain since 1996 (Directive 2000/84/EC); New South Wales since 2008.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["DAYLIGHT_RULES", "DaylightRule", "is_summer"]

DaylightRule = Literal["none", "america", "europe", "australia"]
DAYLIGHT_RULES: tuple[DaylightRule, ...] = get_args(DaylightRule)

_Ints = npt.NDArray[np.int64]
_SUNDAY = 6


def is_summer(days: _Ints, rule: DaylightRule) -> npt.NDArray[np.bool_]:
    """Tell for days since 1970 whether clocks stand an hour ahead, from the Sunday of the change.

    Examples
    --------
    >>> days = np.array(["2024-03-09", "2024-03-10", "2024-11-02", "2024-11-03"], "M8[D]")
    >>> is_summer(days.astype(np.int64), "america").tolist()
    [False, True, True, False]
    """
    if rule == "none" or not len(days):
        return np.zeros(len(days), dtype=np.bool_)
    years = days.astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
    if rule == "europe":
        return (days >= _last_sunday(years, 3)) & (days < _last_sunday(years, 10))
    if rule == "australia":
        begin = np.where(years >= 2008, _sunday(years, 10, 1), _last_sunday(years, 10))
        end = np.where(years >= 2008, _sunday(years, 4, 1), _last_sunday(years, 3))
        return (days >= begin) | (days < end)
    begin = np.where(years >= 1987, _sunday(years, 4, 1), _last_sunday(years, 4))
    begin = np.where(years >= 2007, _sunday(years, 3, 2), begin)
    end = np.where(years >= 2007, _sunday(years, 11, 1), _last_sunday(years, 10))
    return (days >= begin) & (days < end)


def _first_day(years: _Ints, month: int) -> _Ints:
    months = ((years - 1970) * 12 + month - 1).astype("M8[M]")
    first: _Ints = months.astype("M8[D]").astype(np.int64)
    return first


def _sunday(years: _Ints, month: int, number: int) -> _Ints:
    first = _first_day(years, month)
    # 1970-01-01 was a Thursday: Monday is 0.
    return first + (_SUNDAY - (first + 3) % 7) % 7 + 7 * (number - 1)


def _last_sunday(years: _Ints, month: int) -> _Ints:
    # Never called for December: the first Sunday of the next month, a week earlier.
    return _sunday(years, month + 1, 1) - 7
