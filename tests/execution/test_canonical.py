"""The one text of a spec."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.execution import canonical as module
from ray_pipeline.execution.canonical import canonical
from ray_pipeline.identity import Identity

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.lists(inner, max_size=8).map(tuple)
        | st.dictionaries(st.text(max_size=20), inner, max_size=8)
    ),
    max_leaves=20,
)


@dataclass(frozen=True)
class Frame:
    columns: tuple[str, ...]
    seed: int = 7


@dataclass(frozen=True)
class Options:
    by_name: dict[str, Any]


LONG = tuple(f"feature_{i}" for i in range(300))


@given(value=VALUES)
def test_short_values_are_plain_json(value: Any) -> None:
    """Sorted keys, lists for tuples: what `json` writes, so that nothing collides."""
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"))
    text = canonical(value).text
    assert (text == plain) == (len(plain) <= module._LONG)


@given(one=VALUES, other=VALUES)
def test_equal_texts_are_equal_values(one: Any, other: Any) -> None:
    """Two values have one text only where JSON has one."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical(one).text == canonical(other).text) == same
    assert canonical([one, LONG]).text != canonical([LONG, one]).text or one == LONG


def test_long_values_stand_by_their_hash() -> None:
    """In lists, dicts and dataclasses alike, and as different as their values."""
    frame = Frame(LONG)
    assert canonical(frame).text == f'{{"columns":{canonical(LONG).text},"seed":7}}'
    assert len(canonical(LONG).text) == len("#") + 64
    assert canonical(frame).text == canonical({"columns": list(LONG), "seed": 7}).text
    assert canonical(frame).text != canonical(replace(frame, seed=8)).text
    assert canonical(frame).text != canonical(Frame(LONG[::-1])).text
    assert canonical(f"#{'a' * 64}").text != f"#{'a' * 64}"  # text that looks like one is quoted


def test_what_cannot_change_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame is one object in the specs of all units."""
    frame = Frame(LONG)
    first = canonical({"frame": frame}).text
    monkeypatch.setattr(module, "_composed", only_small(monkeypatch))
    assert canonical({"frame": frame}).text == first


def only_small(monkeypatch: pytest.MonkeyPatch) -> Any:
    composed = module._composed

    def guarded(value: Any) -> Any:
        assert isinstance(value, dict), "it was written again"
        return composed(value)

    return guarded


def test_what_can_change_is_written_again() -> None:
    """A dict inside a frozen record is still a dict."""
    options = Options(dict.fromkeys(LONG, 0))
    before = canonical(options).text
    options.by_name["feature_0"] = 1
    assert canonical(options).text != before


def test_an_object_that_is_gone_is_not_mistaken() -> None:
    """The next object may get the address of one that was written before."""
    texts = {canonical(tuple(f"{n}_{name}" for name in LONG)).text for n in range(200)}
    assert len(texts) == 200


def test_numbers_keep_their_kind() -> None:
    """1, 1.0 and True are three values; NaN and infinities have a text."""
    assert len({canonical(value).text for value in (1, 1.0, True, "1")}) == 4
    assert [canonical(value).text for value in (math.nan, math.inf, -0.0)] == [
        "NaN",
        "Infinity",
        "-0.0",
    ]


def test_libraries_are_found_at_any_depth() -> None:
    """Also in parts that are remembered."""
    one = Identity("a", (("numpy", "2.0"),))
    spec = {"families": [Options({"x": one})], "frame": (LONG, Identity("b", (("scipy", "1"),)))}
    for _ in range(2):
        assert canonical(spec).libraries == {("numpy", "2.0"), ("scipy", "1")}


@pytest.mark.parametrize("value", [{1, 2}, {1: 0}, {None: 1}, object(), b"bytes", Frame])
def test_other_values_are_refused(value: object) -> None:
    """Nothing is turned into text by guess."""
    with pytest.raises(TypeError, match="it h"):
        canonical([value])
