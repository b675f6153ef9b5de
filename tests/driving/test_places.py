"""Places of results that would be lost, or be taken for data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from panels import noise_panel, quick_config, symbol_names, write_panel

from ray_pipeline.commands.checking import check_config
from ray_pipeline.commands.labeling import label_panel
from ray_pipeline.driving.places import Directory, require_apart, require_writable
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import run_pipeline

MESSAGE = (
    r"^{setting} \S+ and data\.data_dir \S+ are the same folder, or one is inside the other\. Give "
    r"the results their own folder\.$"
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a panel of two symbols."""
    return write_panel(tmp_path_factory.mktemp("own") / "data", noise_panel(symbol_names(2)))


@pytest.mark.parametrize(
    "place",
    ["{data}", "{data}/", "{data}/run", "file://{data}/run", "{above}", "{link}/run", "{relative}"],
)
def test_results_and_data_are_kept_apart(
    place: str, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `run`, `check` and `label`, whichever lies inside the other and however it is spelled."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(data_dir)
    names = {"data": data_dir, "above": data_dir.parent, "link": "link"}
    names["relative"] = os.path.relpath(data_dir)
    results = place.format(**names)
    before = sorted(data_dir.rglob("*"))
    config = quick_config(data_dir, results)
    message = MESSAGE.format(setting=r"output\.run_dir")
    with pytest.raises(ConfigError, match=message):
        run_pipeline(config, Silent(), fresh=True)
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    with pytest.raises(ConfigError, match=MESSAGE.format(setting="--out")):
        label_panel(quick_config(data_dir, tmp_path / "run"), results, Silent())
    assert sorted(data_dir.rglob("*")) == before


def test_folders_side_by_side_are_apart(tmp_path: Path) -> None:
    """A name that begins like another is another folder."""
    data, results = (Directory(name, f"{tmp_path}/{name}", {}) for name in ("data", "data-run"))
    require_apart(results, data)


def test_check_reports_a_run_directory_that_cannot_be_made(data_dir: Path, tmp_path: Path) -> None:
    """A file in its way, before anything runs and without making anything."""
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigError, match=r"^output\.run_dir \S+/file/a/run cannot be made: \S+/file is not a fold"
    ):
        check_config(quick_config(data_dir, tmp_path / "file" / "a" / "run"))
    check_config(quick_config(data_dir, tmp_path / "new" / "run"))
    assert not (tmp_path / "new").exists()


def test_a_folder_without_permission_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest folder that exists decides."""
    monkeypatch.setattr(os, "access", lambda path, _mode: path != str(tmp_path))
    place = Directory("output.run_dir", str(tmp_path / "a" / "b"), {})
    with pytest.raises(ConfigError, match=rf"no permission to write to {tmp_path}\. Give another"):
        require_writable(place)
    (tmp_path / "a").mkdir()
    require_writable(place)


def test_check_knows_that_memory_is_not_shared(data_dir: Path) -> None:
    """A place in the memory of this process cannot be written to by Ray's workers."""
    config = quick_config(data_dir, "memory://x/run", execution={"executor": "ray"})
    with pytest.raises(ConfigError, match=r"^memory://x/run is in the memory of this process"):
        check_config(config)
