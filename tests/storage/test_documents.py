from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ray_pipeline.storage.documents import (
    canonical_json,
    check_document,
    parse_json,
    record_json,
    strict_json,
)


@dataclass(frozen=True)
class _Point:
    name: str
    x: float


def test_strict_json_is_sorted_and_has_null_for_what_is_not_finite() -> None:
    """The exact text: sorted keys, two spaces, null for NaN and infinities, a final newline."""
    text = strict_json({"b": [math.nan, math.inf, 1.5], "a": {"ü": -math.inf}})
    expected = """{
  "a": {
    "ü": null
  },
  "b": [
    null,
    null,
    1.5
  ]
}
"""
    assert text == expected


def test_numpy_values_and_dataclasses_become_plain() -> None:
    """Scalars, arrays, tuples and dataclasses are written as what they hold."""
    value = {"n": np.int64(3), "x": np.float32(0.5), "v": np.arange(2), "p": (_Point("a", np.nan),)}
    assert json.loads(strict_json(value)) == {
        "n": 3,
        "x": 0.5,
        "v": [0, 1],
        "p": [{"name": "a", "x": None}],
    }


def test_unit_records_keep_what_is_not_finite_and_every_bit() -> None:
    """A record comes back exactly, including NaN, infinities and -0.0."""
    record = {"nan": math.nan, "inf": -math.inf, "third": 1 / 3, "zero": -0.0}
    back = json.loads(record_json(record))
    assert math.isnan(back["nan"])
    assert back["inf"] == -math.inf
    assert back["third"].hex() == (1 / 3).hex()
    assert math.copysign(1, back["zero"]) == -1


def test_canonical_json_does_not_depend_on_key_order() -> None:
    """Equal values have one text."""
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1}) == '{"a":2,"b":1}'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2, 3}]}, r"value\['a'\]\[1\] is a set, which JSON cannot hold"),
        ({"a": {1: 2}}, r"value\['a'\] has the key 1; JSON keys must be text"),
    ],
)
def test_what_json_cannot_hold_is_named(value: object, message: str) -> None:
    """The error says where in the value the culprit sits."""
    with pytest.raises(TypeError, match=message):
        strict_json(value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"[" * 100_000, "lists or mappings are nested too deeply"),
        (b"9" * 5000, "a number has too many digits"),
        (b'"\xff"', "can't decode byte 0xff"),
        (b'{"a": 1', "Expecting ',' delimiter"),
    ],
)
def test_json_that_cannot_be_read_says_why(content: bytes, why: str) -> None:
    """Whatever is wrong is one kind of error, in words that follow a colon."""
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_json(content)


def test_what_strict_json_writes_is_a_document() -> None:
    """At the limits too: depth, 64 bits, text beyond the basic plane."""
    value: Any = {"n": [2**64 - 1, -(2**64) + 1], "x": 1.7e308, "ü": "𝄞", "none": None, "yes": True}
    for _ in range(62):
        value = [value]
    assert parse_json(strict_json(value).encode()) == value
    check_document(value)
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        check_document([value])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": [NaN]}', "a number is nan"),
        (b"1e999", "a number is inf"),
        (b"18446744073709551616", "a whole number is beyond 64 bits"),
        (rb'{"a": "\ud800"}', r"the text '\ud800' is not Unicode"),
        (rb'{"\udfff": 1}', r"the text '\udfff' is not Unicode"),
    ],
)
def test_values_that_are_never_written_are_no_document(content: bytes, why: str) -> None:
    """They could not be printed, or computed with."""
    with pytest.raises(ValueError, match=re.escape(why)):
        check_document(parse_json(content))
