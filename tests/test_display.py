from __future__ import annotations

import pytest

from ray_pipeline.display import MAX_MESSAGE, capped, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BTC-USD", "BTC-USD"),
        ("Zürich 株 🙂", "Zürich 株 🙂"),
        ("a\x1b[31mb\x07", r"a\x1b[31mb\x07"),
        ("a\rb\tc\x00", r"a\x0db\x09c\x00"),
        ("a\x85b\x9bc", r"a\x85b\x9bc"),
        ("abc\u202edcba\u2066", r"abc\u202edcba\u2066"),
        ("a\u200bb\u200dc\ufeff", r"a\u200bb\u200dc\ufeff"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("a\udcffb", r"a\udcffb"),
        ("a\U000e0041", r"a\U000e0041"),
        ("line\nline", "line\nline"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    """Controls of C0 and C1, bidirectional and zero-width characters; all else stays."""
    assert escaped(text) == shown


def test_a_line_break_is_written_out_where_one_line_is_wanted() -> None:
    """So that no name can pass for a line of ours."""
    assert escaped("a\nb", keep="") == r"a\nb".replace(r"\n", r"\x0a")


def test_a_long_message_says_how_much_is_left_out() -> None:
    """Both ends stay, the number is exact, and capping twice changes nothing."""
    text = "a" * 200_000 + "b" * 100_000
    short = capped(text)
    assert len(short) <= MAX_MESSAGE
    head, note, tail = short.partition(" [… ")
    count, _, tail = (note + tail).removeprefix(" [… ").partition(" characters left out …] ")
    assert set(head) == {"a"}
    assert set(tail) == {"b"}
    assert len(head) + len(tail) + int(count.replace(",", "")) == len(text)
    assert capped(short) == short
    assert capped("x" * MAX_MESSAGE) == "x" * MAX_MESSAGE
