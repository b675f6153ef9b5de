"""Metadata that were changed by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage.documents import strict_json
from ray_pipeline.training.seal import check_origin, check_seal, sealed

METADATA: dict[str, Any] = {"features": ["a", "b"], "scale": [0.0], "quantiles": None, "serves": []}


@pytest.mark.parametrize(
    "change",
    [{"features": ["b", "a"]}, {"scale": [1e-17]}, {"quantiles": [0.5]}, {"n": 1}],
)
def test_metadata_that_were_changed_are_refused(change: dict[str, Any]) -> None:
    """Whatever the value: features in another order would be those of other columns."""
    metadata = sealed(METADATA)
    check_seal(metadata, "here")
    with pytest.raises(
        ArtifactError,
        match=r"^run/models/x/metadata\.json: its values have the SHA-256 \w{12}…, and it says "
        rf"{metadata['sha256'][:12]}…: it is damaged or was changed\. Restore it",
    ):
        check_seal(metadata | change, "run/models/x/metadata.json")


def test_what_is_decided_or_formatted_later_is_no_change() -> None:
    """Whom a model serves, the order of the keys, and what JSON makes of tuples and of NaN."""
    written = sealed(METADATA | {"members": ("a", "b"), "skill": float("nan")})
    read = json.loads(strict_json(written | {"serves": ["S01"]}))
    check_seal(dict(reversed(read.items())), "here")
    assert read["members"] == ["a", "b"]
    assert read["skill"] is None


def test_metadata_of_another_model_are_refused() -> None:
    """Whole as they are; whom a pooled model serves makes it no other."""
    ours, other = sealed(METADATA), sealed(METADATA | {"seed": 8})
    check_origin(ours | {"serves": ["S01"]}, ours["sha256"], "here")
    with pytest.raises(
        ArtifactError,
        match=r"^run/models/x/metadata\.json is that of another model: it has the SHA-256 "
        rf"{other['sha256'][:12]}…, and that of the model that the run trained is "
        rf"{ours['sha256'][:12]}…\. Restore the run's own, or run again\.$",
    ):
        check_origin(other, ours["sha256"], "run/models/x/metadata.json")
