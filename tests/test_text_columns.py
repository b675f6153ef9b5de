"""Aligned rows and wrapped texts."""

from __future__ import annotations

from ray_pipeline.columns import WIDEST, WIDTH, aligned, on_terminal, wrapped


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


HEADER = ["symbol", "route", "skill", "q", "rows"]
ROWS = [["AAPL", "CROSS_SECTIONAL", "+0.123 ± 0.045", "0.0123", "1,234"], ["B", "", "–", "", "7"]]


def test_rows_fit_the_terminal() -> None:
    """Columns that have no room come below, each with the names again; nothing is lost."""
    whole = aligned(HEADER, ROWS, 2)
    assert len(whole) == 3
    with on_terminal(45):
        lines = aligned(HEADER, ROWS, 2)
    assert max(map(len, lines)) <= 45
    assert sum("AAPL" in line for line in lines) == 2
    for cell in (*HEADER, *ROWS[0]):
        assert any(cell in line for line in lines)
    with on_terminal(len(whole[1])):
        assert aligned(HEADER, ROWS, 2) == whole
    assert aligned(HEADER, ROWS, 2) == whole


def test_a_pipe_has_whole_rows() -> None:
    """A program that reads them finds a row in a line, however long it is."""
    wide = [["A", *["w" * 30] * 6]]
    assert len(aligned(["", *"abcdef"], wide)) == 2
    (line,) = aligned([], [["A", "word " * 60]], wraps_last=True)
    assert line.count("word") == 60


def test_the_text_of_a_last_column_is_broken_beside_the_others() -> None:
    """Under its own beginning, on a terminal alone."""
    with on_terminal(50):
        first, *others = aligned([], [["AAPL", "word " * 30]], n_left=2, wraps_last=True)
    assert first.startswith("  AAPL  word")
    assert others
    assert all(line.startswith("        word") for line in others)
    assert max(map(len, (first, *others))) <= 50


def test_texts_fit_the_terminal() -> None:
    """And are no wider than they are elsewhere, however wide the terminal is."""
    text = "seven words are here in this text " * 20
    with on_terminal(60):
        assert max(map(len, wrapped(text))) <= 60
    with on_terminal(300):
        assert wrapped(text) == wrapped(text, "  ", "  ")
        assert max(map(len, wrapped(text))) <= WIDTH
