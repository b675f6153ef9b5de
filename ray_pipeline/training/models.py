"""Trained models read back from ``models/<job_id>/``, checked before they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.families import Family, Model, QuantileModel, load_family
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.statistics.familiar import FeatureRange
from ray_pipeline.statistics.percentile_scale import mean_percentile, percentile_of
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.model_checks import (
    check_checksums,
    check_complete,
    check_features,
    check_versions,
    with_current_names,
)
from ray_pipeline.training.seal import check_origin, check_seal
from ray_pipeline.version import __version__

__all__ = ["TrainedModel", "changed_libraries", "check_model", "read_metadata", "read_model"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A model of a run, with facts about it.

    Attributes
    ----------
    metadata
        Content of its ``metadata.json``.
    model
        The model loaded by its family; None for an average of others.
    members
        The models whose percentiles it averages; empty for every other model.
    size_bytes
        Bytes of its files, including members'.
    """

    metadata: Mapping[str, Any]
    model: Model | None
    members: tuple[TrainedModel, ...]
    size_bytes: int
    _scale: Floats = field(repr=False)

    @property
    def job_id(self) -> str:
        """Its name, which is also its folder's."""
        return str(self.metadata["job_id"])

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of its input matrix, in order."""
        return tuple(self.metadata["features"])

    @property
    def ranges(self) -> tuple[FeatureRange, ...] | None:
        """Summary of each feature in training; None for versions that did not record it."""
        given = self.metadata.get("feature_ranges")
        if given is None:
            return None
        found = (given[name] for name in self.features)
        return tuple(
            FeatureRange(*(np.nan if each is None else each for each in cells)) for cells in found
        )

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Quantiles that it predicts, ascending; empty for all but quantile models."""
        return self.model.quantiles if isinstance(self.model, QuantileModel) else ()

    def predict(self, X: NDArray[np.float32], names: Sequence[str] | None = None) -> Floats:
        """Predict each row by itself.

        Parameters
        ----------
        X
            Features, float32, NaN = missing, shape (n_samples, n_features).
        names
            Names of its columns, which are checked. None: they are known to equal `features`.

        Returns
        -------
        ndarray
            Shape (n_samples,), as returned by the model's family: only the order is meaningful. An
            average of models returns a percentile in [0, 1].

        Raises
        ------
        ArtifactError
            When the columns or their type differ from those in training.
        """
        if names is not None:
            check_features(self.metadata, names, str(X.dtype))
        if self.model is not None:
            return self.model.predict(X)
        columns = {name: j for j, name in enumerate(self.features)}
        percentiles = []
        for member in self.members:
            own = np.ascontiguousarray(X[:, [columns[name] for name in member.features]])
            percentiles.append(member.percentile(member.predict(own)))
        return mean_percentile(percentiles)

    def predict_quantiles(self, X: NDArray[np.float32]) -> Floats:
        """Predict `quantiles` of each row, shape (n_quantiles, n_samples)."""
        if not isinstance(self.model, QuantileModel):
            raise ArtifactError(f"{self.job_id} predicts no quantiles: {self.metadata['family']}.")
        return self.model.predict_quantiles(X)

    def percentile(self, prediction: Floats) -> Floats:
        """Return percentiles in [0, 1] of predictions among those of the model's training rows.

        See `ray_pipeline.statistics.percentile_scale.percentile_of`. An average already predicts
        percentiles.
        """
        return prediction if self.model is None else percentile_of(prediction, self._scale)


def read_metadata(run: RunDirectory, job_id: str, seal: str | None = None) -> dict[str, Any]:
    """Read a model's ``metadata.json``.

    Parameters
    ----------
    seal
        The ``sha256`` of the run's own model; None: unknown.

    Raises
    ------
    ArtifactError
        When it comes from a version that could not score new data, was changed, or belongs to
        another model.
    StorageError
        When it cannot be read.
    """
    name = f"models/{job_id}/metadata.json"
    metadata = run.read_document(name)
    if not isinstance(metadata, dict):
        raise ArtifactError(f"{run.uri}/{name} is not a mapping. Restore it, or run again.")
    current = with_current_names(metadata)
    check_complete(current, f"{run.uri}/{name}")
    check_seal(metadata, f"{run.uri}/{name}")
    if seal is not None:
        check_origin(metadata, seal, f"{run.uri}/{name}")
    return current


def check_model(run: RunDirectory, job_id: str, seal: str | None = None) -> None:
    """Make the checks of `read_model` on a model, without keeping it.

    Raises
    ------
    ArtifactError, StorageError
        As `read_model`.
    """
    _checked(run, job_id, seal)


def read_model(
    run: RunDirectory,
    job_id: str,
    member: Callable[[str], TrainedModel] | None = None,
    seal: str | None = None,
) -> TrainedModel:
    """Read a model, after checking that it may be used here.

    Parameters
    ----------
    member
        Returns the members of an average by name; None: read them.
    seal
        The ``sha256`` of the metadata of the run's own model; None: unknown.

    Raises
    ------
    ArtifactError
        When its files were changed or belong to another model, or its family or library is not
        installed, or only in an older version than wrote it.
    StorageError
        When a file cannot be read.
    """
    metadata, family, files = _checked(run, job_id, seal)
    if family is None:
        read = member or (lambda name: read_model(run, name))
        members = tuple(map(read, metadata["members"]))
        size_bytes = sum(each.size_bytes for each in members)
        return TrainedModel(metadata, None, members, size_bytes, np.empty(0))
    size_bytes = sum(map(len, files.values()))
    scale = np.array(metadata["percentile_scale"], dtype=np.float64)
    return TrainedModel(metadata, family.load(files), (), size_bytes, scale)


def changed_libraries(model: TrainedModel) -> list[str]:
    """Name the libraries whose installed version differs from the one that wrote a model."""
    written = {key: at for key, at in model.metadata["libraries"].items() if key != "python"}
    here = _installed(written)
    return [
        f"{name} {at} then, {here.get(name, 'none')} now"
        for name, at in sorted(written.items())
        if here.get(name) != at
    ]


def _checked(
    run: RunDirectory, job_id: str, seal: str | None
) -> tuple[dict[str, Any], Family | None, dict[str, bytes]]:
    """Return metadata, family (None: an average of others) and files of a model."""
    metadata = read_metadata(run, job_id, seal)
    is_average = metadata["family"] == RANK_AVERAGE
    family = None if is_average else _family(metadata)
    libraries = () if family is None else family.libraries
    check_versions(metadata, libraries, _installed(libraries))
    files = {name: run.read_bytes(f"models/{job_id}/{name}") for name in metadata["files"]}
    check_checksums(job_id, metadata["files"], files)
    return metadata, family, files


def _family(metadata: Mapping[str, Any]) -> Family:
    try:
        return load_family(metadata["family"])
    except (ConfigError, ImportError) as error:
        written = ", ".join(f"{name} {at}" for name, at in sorted(metadata["libraries"].items()))
        raise ArtifactError(
            f"models/{metadata['job_id']} is of the family {metadata['family']!r}, which cannot be "
            f"loaded here ({error}). Install what it was written with: {written}."
        ) from error


def _installed(libraries: Iterable[str]) -> dict[str, str]:
    found = {"ray_pipeline": __version__}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # `check_versions` says so
    return found
