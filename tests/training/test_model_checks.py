"""Every reason why a saved model is refused: what was found, what is needed, what to do."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ray_pipeline.errors import ArtifactError
from ray_pipeline.intervals import Interval
from ray_pipeline.training.model_checks import (
    check_checksums,
    check_columns,
    check_complete,
    check_features,
    check_input,
    check_interval,
    check_versions,
    with_current_names,
)

METADATA: dict[str, Any] = {
    "job_id": "cs_y__trees",
    "target": "y",
    "view": "cross_sectional",
    "family": "trees",
    "features": ["a", "b", "c"],
    "feature_dtype": "float32",
    "files": {},
    "libraries": {"ray_pipeline": "0.1.0", "trees": "4.6.0"},
    "kind": "bars",
    "bar_seconds": 300,
    "percentile_scale": [0.0],
    "replay": [],
    "first_predictable_row": 0,
    "serves": [],
    "absent_features": {"b": ["S02"]},
    "quantiles": None,
    "sha256": "0",
}
DAY_S = 86_400.0


def test_metadata_of_an_earlier_version_are_refused() -> None:
    """What scoring needs was not written then; whole ones pass."""
    check_complete(METADATA, "here")
    old = {key: METADATA[key] for key in METADATA if key not in ("percentile_scale", "replay")}
    with pytest.raises(
        ArtifactError,
        match=r"^run/models/x/metadata\.json has no percentile_scale, replay: a version of "
        r"ray_pipeline that could not score new data wrote it\. Run again with this one",
    ):
        check_complete(old, "run/models/x/metadata.json")


def test_a_file_that_is_not_the_one_that_was_written_is_refused() -> None:
    """One byte is enough."""
    written = {"model.txt": hashlib.sha256(b"trees").hexdigest()}
    check_checksums("cs_y__trees", written, {"model.txt": b"trees"})
    found = hashlib.sha256(b"treez").hexdigest()[:12]
    with pytest.raises(
        ArtifactError,
        match=rf"^models/cs_y__trees/model\.txt has the SHA-256 {found}…, and metadata\.json "
        rf"says {written['model.txt'][:12]}…: it is damaged or was changed\. Restore it",
    ):
        check_checksums("cs_y__trees", written, {"model.txt": b"treez"})


@pytest.mark.parametrize("installed", ["4.6.0", "4.6.9", "4.7.0", "5.0", "10.0.1+cpu"])
def test_an_equal_or_newer_library_may_read_a_model(installed: str) -> None:
    """Patch releases count as equal, and 10 is newer than 4."""
    check_versions(METADATA, ("trees",), {"ray_pipeline": "0.1.0", "trees": installed})


@pytest.mark.parametrize("installed", ["4.5.9", "3.9.0"])
def test_an_older_library_may_not(installed: str) -> None:
    """By its minor or its major version."""
    with pytest.raises(
        ArtifactError,
        match=rf"^models/cs_y__trees was written by trees 4\.6\.0, and {installed} is installed "
        r"here, which is older and may read it wrongly\. Install trees 4\.6\.0 or later\.$",
    ):
        check_versions(METADATA, ("trees",), {"ray_pipeline": "0.1.0", "trees": installed})


def test_an_older_version_of_this_package_may_not() -> None:
    """A model of the future is refused whatever its library."""
    with pytest.raises(ArtifactError, match=r"was written by ray_pipeline 0\.1\.0, and 0\.0\.9 is"):
        check_versions(METADATA, (), {"ray_pipeline": "0.0.9"})


def test_a_library_that_is_not_installed_is_named() -> None:
    """With what to install."""
    with pytest.raises(
        ArtifactError, match=r"by trees 4\.6\.0, which is not installed here\. Install trees\.$"
    ):
        check_versions(METADATA, ("trees",), {"ray_pipeline": "0.1.0"})


def test_a_version_without_a_number_is_refused() -> None:
    """Nothing can be said of it."""
    with pytest.raises(ArtifactError, match=r"^the version 'unknown' cannot be compared"):
        check_versions(METADATA, ("trees",), {"ray_pipeline": "0.1.0", "trees": "unknown"})


@pytest.mark.parametrize(
    ("names", "dtype", "message"),
    [
        (
            ["a", "c"],
            "float32",
            r"^cs_y__trees needs 3 features, and 'b' is missing\. Give a table that has it\.$",
        ),
        (["c"], "float32", r"needs 3 features, and 'a', 'b' are missing\. .* has them\.$"),
        (
            ["a", "b", "c", "d"],
            "float32",
            r"^cs_y__trees was not trained on 'd'\. Give its 3 features alone\.$",
        ),
        (
            ["a", "c", "b"],
            "float32",
            r"^cs_y__trees needs its features in the order in which it was trained: column 1 is "
            r"'c', and 'b' is needed\. Reorder the columns as metadata\.json has them\.$",
        ),
        (
            ["a", "b", "c"],
            "float64",
            r"^cs_y__trees was trained on features of type float32; these are float64\. Convert",
        ),
    ],
)
def test_a_matrix_of_other_features_is_refused(names: list[str], dtype: str, message: str) -> None:
    """Missing, too many, in another order, of another type."""
    check_features(METADATA, ["a", "b", "c"])
    with pytest.raises(ArtifactError, match=message):
        check_features(METADATA, names, dtype)


def test_a_table_may_lack_the_columns_that_it_lacked_in_training() -> None:
    """S02 was without b then; to S01 the model cannot be applied without it."""
    check_columns(METADATA, ["ts", "c", "a"], "S02")
    with pytest.raises(
        ArtifactError,
        match=r"^symbol S01: cs_y__trees needs 3 features, and the table has no column 'b'\. Give",
    ):
        check_columns(METADATA, ["ts", "c", "a"], "S01")


def test_labeled_tables_are_no_bars_and_bars_no_labeled_tables() -> None:
    """Each is told what the other would need; one feature too few is a matter of its model."""
    bars = ["open", "high", "low", "close", "volume"]
    check_input("bars", bars, ["ts", *bars], "S00")
    check_input("labeled", ["a", "b"], ["ts", "a"], "S00")
    check_input("labeled", ["a", "b"], ["ts", "x"], "S00")
    with pytest.raises(
        ArtifactError,
        match=r"^the models were trained on bars, and S00 has no column 'open', 'high', 'low', "
        r"'close', 'volume'\. Give bars as the run had them: the features are computed of these",
    ):
        check_input("bars", bars, ["ts", "a", "b"], "S00")
    with pytest.raises(
        ArtifactError,
        match=r"^the models were trained on labeled tables, and S00 holds bars: it has none of "
        r"their 2 features \('a', 'b'\)\. .* of bars, `ray-pipeline label` makes them\.$",
    ):
        check_input("labeled", ["a", "b"], ["ts", *bars], "S00")


@pytest.mark.parametrize(
    "steps",
    [
        {DAY_S: 100, 3 * DAY_S: 20},
        {DAY_S: 4, 2 * DAY_S: 9},  # a symbol that trades every other day
        {3 * DAY_S: 1},  # a weekend between the only two rows
    ],
)
def test_the_models_own_interval_passes(steps: dict[float, int]) -> None:
    """With gaps, with more gaps than bars, and where there is too little to tell."""
    check_interval(Interval(86_400), steps, "S00")


@pytest.mark.parametrize(
    ("steps", "usual"), [({3_600.0: 500, DAY_S: 20}, "3600"), ({7 * DAY_S: 60}, "604800")]
)
def test_another_interval_is_refused(steps: dict[float, int], usual: str) -> None:
    """Shorter bars are refused whatever gaps they have, longer ones when none is right."""
    with pytest.raises(
        ArtifactError,
        match=rf"^S00 has a row every {usual} s, and the models were trained on bars of 86400 s "
        r"\(interval=1d\)\. Give data at that interval\.$",
    ):
        check_interval(Interval(86_400), steps, "S00", "1d")


def test_months_are_an_interval_of_models() -> None:
    """Their steps are 28 to 31 days; daily bars and quarters are refused."""
    month = Interval(1, "mo")
    check_interval(month, {31.0 * DAY_S: 30, 30.0 * DAY_S: 20, 28.0 * DAY_S: 4}, "S00")
    for steps in ({DAY_S: 500, 30.0 * DAY_S: 1}, {91.0 * DAY_S: 20, 92.0 * DAY_S: 20}):
        with pytest.raises(ArtifactError, match="were trained on bars of 1 month"):
            check_interval(month, steps, "S00")


def test_metadata_of_version_0_1_0_are_read_by_the_names_of_this_one() -> None:
    """What was called a standing scale is the percentile scale; all else stays."""
    old = {"standing_scale": [0.0, 1.0], "job_id": "x"}
    assert with_current_names(old) == {"percentile_scale": [0.0, 1.0], "job_id": "x"}
