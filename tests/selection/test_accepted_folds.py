"""Which features a fold's model uses is decided by the folds before it, where a panel grows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from frames import make_frame

from ray_pipeline.records import View
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.selection.kept import judge_kept
from ray_pipeline.selection.proof import proven_folds
from ray_pipeline.selection.proving import _by_fold
from ray_pipeline.selection.selected import SelectedFeatures, Selection


def _frame(n_splits: int = 8, *, growing: bool = True) -> Any:
    frame = make_frame(600, (), (), n_splits=n_splits)
    rules = replace(frame.request.rules, until_ns=10**18 if growing else None)
    return replace(frame, request=replace(frame.request, rules=rules))


def test_a_fold_once_proven_stays_so() -> None:
    """However many come after it; of another panel the newest are proven."""
    few, many = _frame(5), _frame(8)
    assert many.grows
    indices = [[fold.index for fold in proven_folds(frame)] for frame in (few, many)]
    assert indices == [[1, 4], [1, 4, 7]]
    other = _frame(8, growing=False)
    assert not other.grows
    assert [fold.index for fold in proven_folds(other)] == [4, 7]


@pytest.mark.parametrize("before", [False, True])
def test_each_fold_looks_back_alone(before: bool) -> None:
    """At the proven folds before it: none says of its own test rows how it is trained."""
    found = _by_fold(_frame(8), [True, False, True], before)
    assert found == {
        **dict.fromkeys((0, 1), before),
        **dict.fromkeys((2, 3, 4), True),
        **dict.fromkeys((5, 6, 7), False),
    }


def test_models_of_folds_and_the_final_one() -> None:
    """The folds by what came before them, the final one by all; nothing is left to pay for."""
    rows = (
        {"feature": "a", "selected": True, "methods": {}},
        {"feature": "b", "selected": False, "methods": {}},
    )
    choice = SelectedFeatures(rows, {0: ("a",), 1: ("b",), 2: ("a",)})
    better = Evidence(0.01, 0.02, 0.5, 0.3, 100, 50.0)
    key: tuple[str, View, str] = ("y", "cross_sectional", "ridge")
    kept = judge_kept(key, (2, 1.0), 5, (0.1, 0.11), better, "if_no_worse")
    assert kept.accepted
    selection = Selection(
        {("y", None): choice}, (kept,), ("a", "b"), {key: {0: False, 1: True, 2: False}}
    )
    found = selection.features("y", None, "ridge")
    assert found is not None
    assert found.final == ("a",)
    assert dict(found.folds) == {0: ("a", "b"), 1: ("b",), 2: ("a", "b")}
    assert found.n_sets == 1
    shared = Selection({("y", None): choice}, (kept,), ("a", "b")).features("y", None, "ridge")
    assert shared is not None
    assert dict(shared.folds) == dict(choice.folds)
    assert shared.n_sets == 2
