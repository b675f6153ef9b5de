"""The name of a unit's result."""

from __future__ import annotations

import pickle
import re
from functools import partial
from typing import Any

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Shared, Unit, protocol
from ray_pipeline.identity import Identity

from .sample_units import Interval, double, ones, unit


def test_digest_is_short_hex_and_stable() -> None:
    """The same unit has the same digest, in another object and in another process."""
    digest = unit(double, spec={"b": 1, "a": [1, 2.5, None]}).digest
    assert re.fullmatch("[0-9a-f]{32}", digest)
    assert digest == unit(double, spec={"a": (1, 2.5, None), "b": 1}).digest
    assert pickle.loads(pickle.dumps(unit(double, spec=1))).digest == unit(double, spec=1).digest


@pytest.mark.parametrize(
    "other",
    [
        Unit("route", "AAPL", double, {"x": 1}),
        Unit("rank", "MSFT", double, {"x": 1}),
        Unit("rank", "AAPL", ones, {"x": 1}),
        Unit("rank", "AAPL", double, {"x": 2}),
    ],
)
def test_digest_depends_on_every_part(other: Unit) -> None:
    """Stage, key, function and spec each tell results apart."""
    assert other.digest != Unit("rank", "AAPL", double, {"x": 1}).digest


@pytest.mark.parametrize(
    "other", [Identity("b", (("numpy", "2.0"),)), Identity("a", (("numpy", "2.1"),))]
)
def test_digest_depends_on_code_and_libraries(
    monkeypatch: pytest.MonkeyPatch, other: Identity
) -> None:
    """Records of other code, or of another version of a library, are not finished work."""
    monkeypatch.setattr(protocol, "identity_of", lambda *_: Identity("a", (("numpy", "2.0"),)))
    before = unit(double, spec=1)
    assert (before.digest, before.libraries) == (unit(double, spec=1).digest, {"numpy": "2.0"})
    monkeypatch.setattr(protocol, "identity_of", lambda *_: other)
    assert unit(double, spec=1).digest != before.digest


def test_libraries_that_a_spec_names_count() -> None:
    """What a family fits by is found by no import, so that a spec carries its identity."""
    family = Identity("f", (("tabfn", "4.7.0"),))
    assert unit(double, spec={"families": [family]}).libraries["tabfn"] == "4.7.0"
    assert "tabfn" not in unit(double, spec={}).libraries


def test_shared_values_keep_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handles come when the digest is known: it is not computed again."""
    plain = unit(double, spec={"x": 1})
    digest = plain.digest
    monkeypatch.setattr(protocol, "canonical", None)
    with_handle = plain.with_shared((Shared(plain),))
    assert (with_handle.digest, len(with_handle.shared)) == (digest, 1)
    assert with_handle.folder == f"units/rank/{digest}"


def test_digest_ignores_handles_and_estimates() -> None:
    """What only this process knows (handles), or only guesses (memory), is not in the name."""
    shared = Shared(unit(ones, "panel", {"n": 1}))
    assert unit(double, spec=1).digest == unit(double, spec=1, shared=(shared,)).digest
    assert unit(double, spec=1).digest == unit(double, spec=1, memory_bytes=5).digest


def test_digest_takes_dataclasses() -> None:
    """A dataclass at any depth counts as the dict of its fields."""
    as_dict = unit(double, spec={"folds": [{"start": 1, "stop": 2}]})
    assert unit(double, spec={"folds": [Interval(1, 2)]}).digest == as_dict.digest


def lambda_unit() -> Unit:
    return unit(lambda _, __: {})


def partial_unit() -> Unit:
    return unit(partial(double, None))


@pytest.mark.parametrize("make", [lambda_unit, partial_unit])
def test_function_without_a_name(make: Any) -> None:
    """Two lambdas have one name, so that neither can be resumed by it."""
    with pytest.raises(ExecutionError, match=r"rank/AAPL: the unit's function is .* no name"):
        _ = make().digest


@pytest.mark.parametrize("spec", [{"x": {1, 2}}, {1: 0, "a": 0}, object()])
def test_spec_that_json_cannot_hold(spec: Any) -> None:
    """A spec without a canonical text has no digest."""
    with pytest.raises(ExecutionError, match="rank/AAPL: the unit's spec cannot be written as JS"):
        _ = unit(double, spec=spec).digest


def test_handles_are_compared_by_identity() -> None:
    """Two values of one unit are two values."""
    one = unit(ones, "panel", {"n": 1})
    assert Shared(one) != Shared(one)
    assert len({Shared(one), Shared(one)}) == 2
