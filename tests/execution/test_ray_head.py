"""A head that is slow, gone, or another, by hand."""

from __future__ import annotations

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.ray_head import HeadWatch


class Answers:
    """What the head says of itself, one after the other."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)

    def __call__(self) -> bytes | None:
        return self._answers.pop(0)


def test_head_that_is_slow_is_waited_for() -> None:
    """Silence that ends in time is forgotten."""
    watch = HeadWatch("head:6379", Answers(b"a", None, None, b"a", None, None))
    assert not watch.answers(0.0)
    assert not watch.answers(29.0)
    assert watch.answers(31.0)
    assert not watch.answers(40.0)
    assert not watch.answers(69.0)


def test_head_that_is_gone_ends_the_run() -> None:
    """Before Ray would end it, and with how to go on."""
    watch = HeadWatch("head:6379", Answers(b"a", None, None))
    assert not watch.answers(5.0)
    with pytest.raises(
        ExecutionError,
        match=r"head:6379 has not answered for 30 s\. What was finished is in the run directory: "
        r"once the cluster is back, the same command continues\.",
    ):
        watch.answers(35.0)


def test_head_that_was_restarted_ends_the_run() -> None:
    """It is another cluster, whatever its address."""
    watch = HeadWatch("head:6379", Answers(b"a", b"a", b"b"))
    assert watch.answers(0.0)
    with pytest.raises(ExecutionError, match="was restarted, and the new one knows nothing of"):
        watch.answers(5.0)


def test_head_that_cannot_be_asked() -> None:
    """Where the first question has no answer, later silence means nothing."""
    watch = HeadWatch("head:6379", Answers(None))
    assert watch.answers(0.0)
    assert watch.answers(1000.0)
