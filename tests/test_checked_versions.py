"""A newer library than the one whose private parts were read is told by a sentence."""

from __future__ import annotations

import pytest
from checked_versions import look_again


@pytest.mark.parametrize("installed", ["1.9.0", "2.9.9", "2.10.0", "2.10.7.post1"])
def test_versions_that_were_read_pass(monkeypatch: pytest.MonkeyPatch, installed: str) -> None:
    """That version, its patches, and those before it: what they lack, other tests find."""
    monkeypatch.setattr("checked_versions.version", lambda _: installed)
    look_again("lib", "2.10", "room/lib_private.py")


@pytest.mark.parametrize("installed", ["2.11.0", "3.0"])
def test_a_newer_one_says_where_to_look(monkeypatch: pytest.MonkeyPatch, installed: str) -> None:
    """The sentence names both versions and the module."""
    monkeypatch.setattr("checked_versions.version", lambda _: installed)
    message = (
        rf"^checked against lib 2\.10; {installed} is installed: look again at "
        r"ray_pipeline/room/lib_private\.py, then raise the version here"
    )
    with pytest.raises(AssertionError, match=message):
        look_again("lib", "2.10", "room/lib_private.py")
