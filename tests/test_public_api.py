"""What users import from ``ray_pipeline``, and what importing it does not cost them."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ray_pipeline
from ray_pipeline.errors import ConfigError

PUBLIC = {
    "DataConfig",
    "ExperimentConfig",
    "RayPipelineError",
    "Run",
    "__version__",
    "discover_symbols_from_data_dir",
    "load_experiment_config",
    "load_run",
    "open_run",
    "run",
    "select_symbol_batch",
}

SLOW = ("lightgbm", "numpy", "pyarrow", "pydantic", "ray", "s3fs", "scipy", "yaml")


def loaded_by(statement: str) -> set[str]:
    """Slow libraries that a fresh interpreter holds after a statement."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(ray_pipeline.__file__).resolve().parents[1],
    )
    return set(SLOW) & set(json.loads(run.stdout.splitlines()[-1]))


def test_the_public_names_are_these() -> None:
    """The names that users of the field know are all there, and nothing else is promised."""
    assert set(ray_pipeline.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_imported(name: str) -> None:
    """``from ray_pipeline import name`` works for each, and twice gives the same object."""
    assert getattr(ray_pipeline, name) is getattr(ray_pipeline, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing mistake is told as by any other module."""
    with pytest.raises(AttributeError, match="module 'ray_pipeline' has no attribute 'discovr'"):
        ray_pipeline.discovr  # noqa: B018


def test_the_functions_take_what_users_of_the_field_write() -> None:
    """Names, order and defaults of parameters are part of the promise."""
    discover = inspect.signature(ray_pipeline.discover_symbols_from_data_dir).parameters
    assert list(discover)[:2] == ["data_dir", "interval"]
    assert discover["interval"].default is None
    select = inspect.signature(ray_pipeline.select_symbol_batch).parameters
    assert list(select) == ["symbols", "batch_size", "random_seed"]
    assert select["batch_size"].default is None
    assert select["random_seed"].default is None
    assert next(iter(inspect.signature(ray_pipeline.load_experiment_config).parameters)) == "path"


def test_discovery_and_batch_work_from_the_top_level(tmp_path: Path) -> None:
    """The symbols on disk come back sorted, and the batch depends on their set and the seed."""
    for symbol in ("MSFT", "AAPL", "0700"):
        folder = tmp_path / "interval=1d" / f"symbol={symbol}"
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(b"PAR1")
    symbols = ray_pipeline.discover_symbols_from_data_dir(str(tmp_path), "1d")
    assert symbols == ["0700", "AAPL", "MSFT"]
    batch = ray_pipeline.select_symbol_batch(symbols, 2, 7)
    assert batch == ray_pipeline.select_symbol_batch(symbols[::-1], 2, 7)
    assert len(batch) == 2


def test_errors_of_the_package_are_caught_by_its_root_and_by_the_builtin(tmp_path: Path) -> None:
    """A wrong config is a ``RayPipelineError`` and a ``ValueError``."""
    config = tmp_path / "run.yaml"
    config.write_text("data: {data_dir: panel, symbol_batchsize: 3}\n", encoding="utf-8")
    with pytest.raises(
        ray_pipeline.RayPipelineError, match=r"unknown key 'data\.symbol_batchsize'"
    ) as caught:
        ray_pipeline.load_experiment_config(config)
    assert isinstance(caught.value, ConfigError)
    assert isinstance(caught.value, ValueError)


def test_importing_the_package_loads_no_library() -> None:
    """The import is free: Ray, Arrow and yaml are loaded by the first name that needs them."""
    assert loaded_by("import ray_pipeline; ray_pipeline.__version__") == set()


def test_the_command_line_answers_without_the_libraries() -> None:
    """``--help`` and a wrong option do not wait for Arrow or Ray."""
    assert loaded_by("import ray_pipeline.cli") == set()


def test_a_config_is_loaded_without_ray_or_arrow() -> None:
    """Reading a config needs yaml and pydantic alone."""
    statement = "from ray_pipeline import load_experiment_config"
    assert loaded_by(statement) == {"pydantic", "yaml"}


def test_the_package_is_typed() -> None:
    """``py.typed`` tells type checkers to read our annotations."""
    assert Path(ray_pipeline.__file__).with_name("py.typed").is_file()
