"""What a target's name and horizon say of the most that it can honestly show."""

from __future__ import annotations

import math
from itertools import product
from typing import get_args

import pytest

from ray_pipeline.bars.label_names import LABEL_KINDS
from ray_pipeline.bars.plausible import (
    DEFAULT_LIMITS,
    Reach,
    TargetKind,
    reach_of,
    target_kind,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fwd_ret_5d", "direction"),
        ("fwd_ret_3mo", "direction"),  # no label of ours, and yet a forward return
        ("fwd_ret_oc_1d", "direction"),
        ("excess_ret_20d", "direction"),
        ("ret_zscore_60m", "direction"),
        ("ret_ord_5d", "direction"),
        ("y_first_touch_12b_2.0", "direction"),
        ("y_first_touch_12b_2.0_2.0", "direction"),
        ("y_first_touch_12b_2.0_1.0", "barrier"),  # volatility touches the nearer one
        ("y_will_peak_60m_0.8", "barrier"),
        ("y_will_valley_5d_1.0", "barrier"),
        ("mfe_20d", "extreme"),
        ("mae_20d", "extreme"),
        ("mdd_20d", "extreme"),
        ("mfe_zscore_20d", "barrier"),
        ("y", None),
        ("my_sensor_5d", None),
        ("y_volume_change_4h", None),
        ("fwd_ret", None),
        ("fwd_return_5d", None),
    ],
)
def test_kind_by_name(name: str, kind: TargetKind | None) -> None:
    """Known labels, however a table spells their horizon; anything else is a custom target."""
    assert target_kind(name) == kind


def test_every_label_of_bars_has_a_kind() -> None:
    """A label that is added has to say what it can honestly show."""
    assert all(target_kind(f"{name}_5d_1.0") is not None for name in LABEL_KINDS)


@pytest.mark.parametrize(
    ("bars", "bar_seconds", "session_bars", "reach"),
    [
        (1, 86_400, 1, "a session or longer"),
        (78, 300, 78, "a session or longer"),
        (77, 300, 78, "within a session"),
        (1, 60, 390, "within a session"),
        (59, 1, 23_400, "under a minute"),
        (60, 1, 23_400, "within a session"),
        (1, 604_800, 1, "a session or longer"),
    ],
)
def test_reach(bars: int, bar_seconds: int, session_bars: int, reach: Reach) -> None:
    """A day of thin or of short bars is a session, whatever the clock says."""
    assert reach_of(bars, bar_seconds, session_bars) == reach


def test_every_kind_and_reach_has_its_limits() -> None:
    """And what is easier has the wider ones."""
    kinds, reaches = get_args(TargetKind), get_args(Reach)
    assert set(DEFAULT_LIMITS) == set(product(kinds, reaches))
    skills = {key: limits.skill for key, limits in DEFAULT_LIMITS.items()}
    known = {key: skill for key, skill in skills.items() if skill is not None}
    assert known == skills
    for reach in reaches:
        assert known["direction", reach] < known["barrier", reach] < known["extreme", reach]
    short, day, longer = ("under a minute", "within a session", "a session or longer")
    assert known["direction", short] > known["direction", day] > known["direction", longer]


def test_limits_leave_room_for_what_is_known_to_be_honest() -> None:
    """The figures that the module quotes, by kind and reach: none of them is near its limit."""
    honest = {
        ("direction", "a session or longer"): (0.047, 0.091, 0.084),
        ("direction", "within a session"): (0.13, 0.16),
        ("barrier", "within a session"): (0.39, 0.53),
        ("extreme", "within a session"): (0.53,),
    }
    for key, figures in honest.items():
        limit = DEFAULT_LIMITS[key].skill  # type: ignore[index]
        assert limit is not None
        assert max(figures) * 1.5 <= limit


def test_hit_rates_go_with_skills() -> None:
    """Signs of normal variables whose correlation is the limit agree less often than its rate."""
    for limits in DEFAULT_LIMITS.values():
        if limits.skill is not None and limits.hit_rate is not None:
            by_skill = 0.5 + math.asin(limits.skill) / math.pi
            assert by_skill < limits.hit_rate < by_skill + 0.12
