from __future__ import annotations

import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.panel import detect_task, resolve_task
from ray_pipeline.records import Task


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([(0.0, 1.0), (0.0,)], "binary"),
        ([(1.0,), (0.0,)], "binary"),
        ([(-1.0, 0.0, 1.0)], "ordinal"),
        ([(0.0, 1.0), (2.0,)], "ordinal"),
        ([(0.0, 1.0, 2.0), (3.0, 4.0, 5.0, 6.0)], "ordinal"),
        ([(0.0, 1.0, 2.0, 3.0), (4.0, 5.0, 6.0, 7.0)], "regression"),
        ([(0.0, 0.5, 1.0)], "regression"),
        ([(0.0, 1.0), None], "regression"),
        ([(), ()], "regression"),
        ([(), (0.0, 1.0)], "binary"),
    ],
)
def test_tasks_follow_the_values_of_all_symbols(
    values: list[tuple[float, ...] | None], task: str
) -> None:
    """One symbol's values alone decide nothing: the union does."""
    assert detect_task(values) == task
    assert detect_task(values[::-1]) == task


@pytest.mark.parametrize("levels", [(-1.0, 0.0, 1.0), tuple(float(k) for k in range(-3, 4))])
def test_grades_around_zero_are_ordinal(levels: tuple[float, ...]) -> None:
    """The two scales of the field; one symbol need not show every grade."""
    assert detect_task([levels, levels[:2]]) == "ordinal"


@pytest.mark.parametrize(
    ("found", "overrides", "task"),
    [
        ("ordinal", {}, "ordinal"),
        ("ordinal", {"z_*": "regression"}, "ordinal"),
        ("ordinal", {"y_*": "regression"}, "regression"),
        ("regression", {"y_up": "ordinal", "*": "regression"}, "ordinal"),
        ("binary", {"*": "regression", "y_up": "ordinal"}, "regression"),
        ("binary", {"*": "binary"}, "binary"),
    ],
)
def test_the_first_pattern_that_matches_wins(
    found: Task, overrides: dict[str, Task], task: Task
) -> None:
    """The config knows better than the values; without a word of it they decide."""
    assert resolve_task("y_up", found, overrides) == task


@pytest.mark.parametrize("found", ["ordinal", "regression"])
def test_what_is_not_binary_cannot_be_made_so(found: Task) -> None:
    """An AUC needs two classes."""
    message = rf"columns\.tasks: 'y_\*': target 'y_up' cannot be binary.*\({found} by its values\)"
    with pytest.raises(ConfigError, match=message):
        resolve_task("y_up", found, {"y_*": "binary"})
