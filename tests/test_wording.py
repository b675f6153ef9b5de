"""Spellings that messages and records share."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.wording import agreeing, closest, iso_time, plural

INT64 = np.iinfo(np.int64)


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1_700_000_000_000_000_000, "2023-11-14T22:13:20+00:00"),
        (1_700_000_000_123_456_000, "2023-11-14T22:13:20.123456+00:00"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789+00:00"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001+00:00"),
        (1_700_000_000_250_000_000, "2023-11-14T22:13:20.25+00:00"),
        (-1, "1969-12-31T23:59:59.999999999+00:00"),
        (-1_000_000_000, "1969-12-31T23:59:59+00:00"),
        (-86_400_500_000_000, "1969-12-30T23:59:59.5+00:00"),
    ],
)
def test_times_are_exact(time_ns: int, text: str) -> None:
    """In UTC to the nanosecond, before 1970 too; a fraction has no needless zeros."""
    assert iso_time(time_ns) == text


@given(st.integers(INT64.min, INT64.max))
def test_every_time_can_be_read_back(time_ns: int) -> None:
    """NumPy reads the same nanosecond, and the standard library the same microsecond."""
    text = iso_time(time_ns)
    if time_ns != INT64.min:  # is NumPy's own mark of no time
        assert int(np.datetime64(text.removesuffix("+00:00"), "ns").astype(np.int64)) == time_ns
    read, epoch = datetime.fromisoformat(text), datetime.fromisoformat(iso_time(0))
    since = read - epoch
    assert (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds == time_ns // 1_000


def test_nothing_long_is_compared() -> None:
    """A key of a megabyte is not a slip of the finger, and comparing it would take minutes."""
    assert closest("stauts", ["run", "status"]) == "status"
    assert closest("zzz", ["run", "status"]) is None
    assert closest("status" * 1_000_000, ["status"]) is None


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 models"), (1, "1 model"), (2, "2 models"), (2000, "2,000 models")]
)
def test_a_noun_agrees_with_its_count(n: int, text: str) -> None:
    """One is one thing; any other count, none among them, is several."""
    assert plural(n, "model") == text


def test_words_beside_a_count_agree_too() -> None:
    """Verbs and irregular nouns are given in both forms."""
    assert plural(1, "symbol is", "symbols are") == "1 symbol is"
    assert plural(3, "symbol is", "symbols are") == "3 symbols are"
    assert [agreeing(n, "it", "them") for n in (0, 1, 2)] == ["them", "it", "them"]
