"""Aligned rows and wrapped texts."""

from __future__ import annotations

from ray_pipeline.explaining.columns import WIDTH, aligned, wrapped


def test_rows_are_aligned() -> None:
    """Names start in one column, figures end in one, and no line ends in blanks."""
    lines = aligned(["symbol", "route", "skill"], [["A", "BOTH", "+0.1"], ["BRK/B", "", "–"]], 2)
    assert lines == ["  symbol  route  skill", "  A       BOTH    +0.1", "  BRK/B              –"]


def test_long_names_lose_their_middle() -> None:
    """Names that differ at their end alone stay apart, and a line stays within the width."""
    names = [f"price_to_moving_average_{'z' * 90}_{n}" for n in (10, 20)]
    header, *rows = aligned(["feature", "score"], [[name, "0.123"] for name in names])
    assert {len(row) for row in rows} == {WIDTH}
    assert header.endswith("score")
    assert rows[0].startswith("  price_to_moving_average_zz")
    assert rows[0].endswith("zz_10  0.123")
    assert rows[1].endswith("zz_20  0.123")
    assert all("z…z" in row for row in rows)


def test_other_columns_are_never_cut() -> None:
    """Where figures alone are too wide the name keeps sixteen characters and the line is long."""
    (_, row) = aligned(["feature", "why"], [["n" * 40, "w" * WIDTH]])
    assert row == f"  {'n' * 8}…{'n' * 7}  {'w' * WIDTH}"


def test_texts_are_wrapped_between_words() -> None:
    """No word is broken, neither at a hyphen, and each line is indented."""
    text = "cross-sectional " * 20
    lines = wrapped(text)
    assert max(map(len, lines)) <= WIDTH
    assert all(line.startswith("  cross-sectional") for line in lines)
    assert " ".join(line.strip() for line in lines) == text.strip()
    assert wrapped("short", indent="") == ["short"]
