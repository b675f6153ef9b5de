"""The first difference of JSON documents, texts and other bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.comparing.excerpts import beside
from ray_pipeline.comparing.files import first_byte_difference, first_json_difference
from ray_pipeline.storage.documents import canonical_json

PLAN = {"jobs": [{"features": ["x", "y"], "priority": 1}, {"features": ["z"], "priority": 2}]}


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of the plan with one value replaced or added."""
    copy: Any = json.loads(json.dumps(PLAN))
    place = copy
    for step in path[:-1]:
        place = place[step]
    if path[-1] == "append":
        place.append(value)
    else:
        place[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("b", "path", "value_a", "value_b"),
    [
        (changed(("jobs", 0, "features", 1), "Y"), "jobs[0].features[1]", '"y"', '"Y"'),
        (changed(("jobs", 1, "priority"), 2.0), "jobs[1].priority", "2", "2.0"),
        (changed(("jobs", 1, "priority"), True), "jobs[1].priority", "2", "true"),
        (changed(("jobs", 0, "features", "append"), "z"), "jobs[0].features[2]", None, '"z"'),
        (changed(("jobs", 0, "why"), None), "jobs[0].why", None, "null"),
        (changed(("jobs", 0), []), "jobs[0]", '{"features": ["x", "y"], "priority": 1}', "[]"),
        (changed(("a",), 1), "a", None, "1"),
        ([], "", '{"jobs": [{"features": ["x", "y"], "priority": 1}, {', "[]"),
    ],
)
def test_first_path(b: Any, path: str, value_a: str | None, value_b: str | None) -> None:
    """By sorted keys and positions, from whichever side; what is missing is None."""
    found = first_json_difference(PLAN, b)
    assert (found["path"], found["b"]) == (path, value_b)
    assert found["a"] == value_a or str(found["a"]).startswith(str(value_a))
    assert first_json_difference(b, PLAN) == {"path": path, "a": found["b"], "b": found["a"]}


def test_last_bit_of_a_json_number() -> None:
    """Both values are written in full."""
    b = math.nextafter(0.3, 1.0)
    assert first_json_difference({"x": 0.3}, {"x": b}) == {
        "path": "x",
        "a": "0.3",
        "b": "0.30000000000000004",
    }


def test_earlier_places_come_first() -> None:
    """Of several differences the first in sorted order is told, however deep it lies."""
    a = {"b": {"c": [1, 2]}, "d": 1}
    assert first_json_difference(a, {"b": {"c": [1, 3]}, "d": 2})["path"] == "b.c[1]"
    assert first_json_difference(a, {"b": {"c": [1, 2]}, "d": 2})["path"] == "d"


LEAVES = st.sampled_from([None, True, 0, 1, 0.0, -0.0, 1.0, math.nan, math.inf, "", "a", "0"])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("ab"), below, max_size=2)
    ),
    max_leaves=4,
)


@given(DOCUMENTS, DOCUMENTS)
def test_no_json_difference_exactly_where_the_hash_is_the_same(a: Any, b: Any) -> None:
    """The hash takes the canonical text: NaN is NaN, 1 is neither 1.0 nor true, -0.0 not 0.0."""
    for one, other in ((a, b), (a, json.loads(json.dumps(a)))):
        found = first_json_difference(one, other)
        assert (found["path"] is None) == (canonical_json(one) == canonical_json(other))


@pytest.mark.parametrize(
    ("a", "b", "line", "character", "line_a", "line_b"),
    [
        (b"tree\nleaf=1\nend\n", b"tree\nleaf=2\nend\n", 2, 6, "leaf=1\n", "leaf=2\n"),
        (b"tree\n", b"tree", 1, 5, "tree\n", "tree"),
        (b"tree\n", b"tree\nmore\n", 2, 1, None, "more\n"),
        (b"a\r\n", b"a\n", 1, 2, "a\r\n", "a\n"),
        (b"", b"x", 1, 1, None, "x"),
        (b"x\n\ny", b"x\nz\ny", 2, 1, "\n", "z\n"),
        ("éa".encode(), "èa".encode(), 1, 1, "éa", "èa"),
    ],
)
def test_first_line(
    a: bytes, b: bytes, line: int, character: int, line_a: str | None, line_b: str | None
) -> None:
    """Lines and characters count from 1; line ends are part of a line."""
    assert first_byte_difference(a, b) == {
        "kind": "text",
        "line": line,
        "character": character,
        "a": line_a,
        "b": line_b,
    }


def test_first_byte() -> None:
    """What is not text in one of the files has an offset, and the bytes from there on."""
    found = first_byte_difference(b"ab\xff\x01" + bytes(50), b"ab\xff\x02")
    assert found == {"kind": "bytes", "offset": 3, "a": " ".join(["01"] + ["00"] * 15), "b": "02"}
    assert first_byte_difference(b"\xff", b"\xff\x00")["a"] is None
    assert first_byte_difference(b"text", b"t\xff")["offset"] == 1


@given(st.text("aé\n", max_size=6), st.text("aé\n", max_size=6))
def test_reported_character_differs_and_all_before_it_are_equal(a: str, b: str) -> None:
    """Line and character lead to the first difference of any two texts."""
    if a == b:
        return
    found = first_byte_difference(a.encode(), b.encode())
    places = []
    for text in (a, b):
        before = "".join(f"{each}\n" for each in text.split("\n")[: found["line"] - 1])
        assert text.startswith(before)
        places.append(len(before) + found["character"] - 1)
    assert places[0] == places[1]
    assert a[: places[0]] == b[: places[0]]
    assert a[places[0] : places[0] + 1] != b[places[0] : places[0] + 1]


@pytest.mark.parametrize("n_before", [0, 3, 1000])
@pytest.mark.parametrize("n_after", [0, 1000])
def test_excerpts_of_long_texts_differ(n_before: int, n_after: int) -> None:
    """However long the texts, what is shown of them is short and shows the difference."""
    texts = ["x" * n_before + middle + "y" * n_after for middle in "ab"]
    shown = beside(*texts, limit=40)
    assert shown[0] != shown[1]
    assert max(map(len, shown)) <= 40
    assert shown[0].replace("a", "b") == shown[1]


def test_excerpts_of_short_texts_are_whole() -> None:
    """Nothing is cut that fits; a missing value is said to be missing."""
    assert beside("a" * 88, "b") == ("a" * 88, "b")
    assert beside("a" * 200, None) == ("a" * 87 + "…", "nothing")
