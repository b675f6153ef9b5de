"""What was computed of a fold is found again by what it was computed of, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frames import make_frame
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.samples.memo import Arrays, FoldMemo, digest_of
from ray_pipeline.samples.pool import growing_positions, stretch_of_samples
from ray_pipeline.storage import RunDirectory


@pytest.fixture
def frame() -> PanelFrame:
    """Give that of a panel that is read up to a date."""
    found = make_frame(200, (), ())
    rules = replace(found.request.rules, until_ns=10**18)
    return replace(found, request=replace(found.request, rules=rules))


def _kept(run: RunDirectory, frame: PanelFrame, *labels: np.ndarray) -> tuple[list[Arrays], int]:
    """Compute something of each label, and say how often that was done."""
    n_computed = 0

    def compute(label: np.ndarray) -> Arrays:
        nonlocal n_computed
        n_computed += 1
        return {"doubled": 2.0 * label, "none": np.full(2, np.nan)}

    with FoldMemo.kept(run, frame, "ray_pipeline.samples.memo", "stage", "BRK/B") as memo:
        found = [
            memo.recall(("fold", label), lambda label=label: compute(label)) for label in labels
        ]
    return found, n_computed


def test_only_what_is_new_is_computed(tmp_path: Path, frame: PanelFrame) -> None:
    """To the bit, NaN included; what another panel does not use is let go."""
    run = RunDirectory(tmp_path)
    one, two, three = (np.random.default_rng(i).random(5) for i in range(3))
    first, n_first = _kept(run, frame, one, two)
    again, n_again = _kept(run, frame, one, two, three)
    assert (n_first, n_again) == (2, 1)
    for before, after in zip(first, again, strict=False):
        assert all(np.array_equal(before[k], after[k], equal_nan=True) for k in before)
    assert _kept(run, frame, two, three)[1] == 0
    assert _kept(run, frame, one)[1] == 1


def test_one_bit_is_another_fold(tmp_path: Path, frame: PanelFrame) -> None:
    """A restated cell, another type, another shape."""
    run = RunDirectory(tmp_path)
    label = np.arange(4.0)
    _kept(run, frame, label)
    restated = label.copy()
    restated[2] = np.nextafter(2.0, 3.0)
    others = (restated, label.astype(np.float32), label.reshape(2, 2))
    for other in others:
        _kept(run, frame, label)
        assert _kept(run, frame, other)[1] == 1


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "other"])
def test_what_is_damaged_is_computed_anew(tmp_path: Path, frame: PanelFrame, damage: str) -> None:
    """No byte of it is believed unless all are as they were written."""
    run = RunDirectory(tmp_path)
    label = np.arange(4.0)
    before, _ = _kept(run, frame, label)
    (path,) = tmp_path.rglob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    changed = {"bit": bytes(content), "cut": bytes(content[:50]), "empty": b"", "other": b"x" * 99}
    path.write_bytes(changed[damage])
    after, n_computed = _kept(run, frame, label)
    assert n_computed == 1
    assert np.array_equal(before[0]["doubled"], after[0]["doubled"])


def test_a_panel_of_any_other_kind_keeps_nothing(tmp_path: Path) -> None:
    """Its folds move with its end."""
    _kept(RunDirectory(tmp_path), make_frame(200, (), ()), np.arange(4.0))
    assert not list(tmp_path.rglob("*.npz"))


def test_parts_do_not_run_together() -> None:
    """Where one ends and the next begins is part of the digest."""
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of(np.arange(2), np.arange(3)) != digest_of(np.arange(3), np.arange(2))
    assert digest_of(None, 1) != digest_of(1, None)


@given(
    n=st.integers(2, 500),
    more=st.integers(0, 500),
    power=st.integers(0, 20),
    seed=st.integers(0, 2**32),
)
def test_a_longer_panel_samples_the_same(n: int, more: int, power: int, seed: int) -> None:
    """Of the timestamps that both have."""
    stretch = 1.25**power
    one, longer = growing_positions(n, stretch, seed), growing_positions(n + more, stretch, seed)
    assert np.array_equal(one, longer[longer < n])
    assert len(one) >= int(n / stretch) - 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300), st.integers(1, 3000))
def test_no_more_rows_than_allowed(rows: list[int], most: int) -> None:
    """Unless a single timestamp has more."""
    counts = np.array(rows)
    stretch = stretch_of_samples(counts, most, 7)
    taken = counts[growing_positions(len(counts), stretch, 7)]
    assert taken.sum() <= most or stretch >= len(counts)
