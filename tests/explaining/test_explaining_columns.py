"""Aligned rows and wrapped texts."""

from __future__ import annotations

from ray_pipeline.explaining.columns import WIDEST, WIDTH, aligned, wrapped


def test_rows_are_aligned() -> None:
    """Names start in one column, figures end in one, and no line ends in blanks."""
    lines = aligned(["symbol", "route", "skill"], [["A", "BOTH", "+0.1"], ["BRK/B", "", "–"]], 2)
    assert lines == ["  symbol  route  skill", "  A       BOTH    +0.1", "  BRK/B              –"]


def test_names_are_never_cut() -> None:
    """A name that does not fit has a line of its own; its figures stand in their columns below."""
    long = f"price_to_moving_average_{'z' * 90}"
    figures = ["+0.123 ± 0.045"] * 5
    header = ["feature", *(f"figure {n}" for n in range(5))]
    lines = aligned(header, [[long, *figures], ["gap", *figures]])
    assert lines[1] == f"  {long}"
    assert lines[2].split() == " ".join(figures).split()
    assert lines[3].split()[0] == "gap"
    assert {len(line) for line in lines if line != lines[1]} == {len(lines[0])}
    assert len(lines[0]) <= WIDEST


def test_a_name_has_its_row_where_there_is_room() -> None:
    """Up to a fifth more than the width of a line names and figures stand in one row."""
    name = "n" * (WIDTH + 10)
    assert aligned(["job", "skill"], [[name, "+0.123"]])[1:] == [f"  {name}  +0.123"]


def test_other_columns_are_never_cut() -> None:
    """Where figures alone are too wide the line is long."""
    (_, name, row) = aligned(["feature", "why"], [["n" * 40, "w" * WIDTH]])
    assert name == f"  {'n' * 40}"
    assert row == f"  {' ' * 16}  {'w' * WIDTH}"


def test_texts_are_wrapped_between_words() -> None:
    """No word is broken, neither at a hyphen, and each line is indented."""
    text = "cross-sectional " * 20
    lines = wrapped(text)
    assert max(map(len, lines)) <= WIDTH
    assert all(line.startswith("  cross-sectional") for line in lines)
    assert " ".join(line.strip() for line in lines) == text.strip()
    assert wrapped("short", indent="") == ["short"]
