"""Saved models in another process, and files that no model can be made of."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from family_cases import TASKS, case_of_rows, features, labels, write_cases
from problems import FAMILIES, INSTALLED, fit_one, noise_features, problem, rank_correlation
from threadpoolctl import threadpool_limits

from ray_pipeline.errors import ArtifactError
from ray_pipeline.families import load_family
from ray_pipeline.records import Task

every_family = pytest.mark.parametrize("family", FAMILIES)
every_task = pytest.mark.parametrize("task", TASKS)

SCRIPT = """
import sys
from pathlib import Path
given, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, sys.argv[3])
from family_cases import predict_cases, write_cases
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {"sklearn", "torch"}:
            raise ModuleNotFoundError(name)
# Neither library can be imported until all models have predicted.
sys.meta_path.insert(0, Missing())
predict_cases(given, out)
del sys.meta_path[0]
(out / "again").mkdir()
write_cases(out / "again")
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files and the predictions of every family on every task."""
    folder = tmp_path_factory.mktemp("saved")
    with threadpool_limits(1, user_api="openmp"):
        write_cases(folder)
    return folder


@pytest.fixture(scope="module")
def elsewhere(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a fresh process predicts with these files, and the models that it fits."""
    out = tmp_path_factory.mktemp("elsewhere")
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(saved), str(out), here],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
    return out


def files_of(folder: Path, family: str, task: Task) -> dict[str, bytes]:
    """Read a model's files."""
    return {path.name: path.read_bytes() for path in (folder / family / task).iterdir()}


@every_family
@every_task
def test_a_fresh_process_predicts_the_same_bits(
    saved: Path, elsewhere: Path, family: str, task: Task
) -> None:
    """Loaded where nothing was fitted, a model predicts what it did in the process that fitted.

    Networks and lines do so where neither scikit-learn nor PyTorch can be imported.
    """
    name = f"{family}-{task}.npy"
    np.testing.assert_array_equal(np.load(elsewhere / name), np.load(saved / name))


@every_family
@every_task
def test_a_fresh_process_fits_the_same_files(
    saved: Path, elsewhere: Path, family: str, task: Task
) -> None:
    """No clock, address, thread count or hash seed of a process is in a model's files."""
    assert files_of(elsewhere / "again", family, task) == files_of(saved, family, task)


@every_family
@every_task
def test_every_task_is_learned(saved: Path, family: str, task: Task) -> None:
    """On rows that it has not seen, predictions rise with the labels of every kind."""
    predictions = np.load(saved / f"{family}-{task}.npy")
    unseen = slice(len(case_of_rows(task).y), None)
    assert rank_correlation(predictions[unseen], labels(task)[unseen]) > 0.4


@every_family
def test_noise_is_hardly_learned(family: str) -> None:
    """Of 300 labels without a relation to the features a model makes little, on unseen rows.

    Its predictions spread less than half as far as where a feature carries half of the variance. A
    model that holds on to single labels spreads 0.7 times as far, one that learns nothing as far.
    """
    X = noise_features(1_300, 4, seed=8)
    noise = np.random.default_rng(9).standard_normal(300)
    spreads = [
        fit_one(family, X[:300], problem(y)).predict(X[300:]).std()
        for y in (noise, noise + X[:300, 0])
    ]
    assert spreads[0] < 0.5 * spreads[1]


def damaged(content: bytes) -> Iterator[bytes]:
    """Cut a file off at several places, empty it, and put something else in its place."""
    yield b""
    yield b"not a model"
    yield b"{}"
    yield b"\x00" * 64
    yield json.dumps({"family": "ridge"}).encode()
    for share in (0.02, 0.3, 0.6, 0.95):
        yield content[: int(share * len(content))]


@every_family
@every_task
def test_a_damaged_file_is_refused(saved: Path, family: str, task: Task) -> None:
    """The message names the family and the file; the process survives."""
    files = files_of(saved, family, task)
    assert files
    for name, content in files.items():
        for other in damaged(content):
            with pytest.raises(ArtifactError, match=rf"^{family}: {name} is "):
                load_family(family).load(files | {name: other})


@every_family
def test_a_missing_file_is_named(family: str) -> None:
    """The message says what is needed and what is there."""
    message = rf"^{family}: a model is saved as \w+\.\w+; the files given are notes\.md\.$"
    with pytest.raises(ArtifactError, match=message):
        load_family(family).load({"notes.md": b"hello"})
    with pytest.raises(ArtifactError, match=r"the files given are none\.$"):
        load_family(family).load({})


@pytest.mark.parametrize(
    ("family", "other"), [("ridge", "elastic_net"), ("extra_trees", "random_forest")]
)
def test_a_model_of_another_family_is_refused(saved: Path, family: str, other: str) -> None:
    """Files that could be read as one's own say whose they are."""
    if other not in INSTALLED:
        pytest.skip(f"needs {other}")
    message = rf"^{family}: model\.\w+ is a model of the family '{other}'\.$"
    with pytest.raises(ArtifactError, match=message):
        load_family(family).load(files_of(saved, other, "regression"))


def test_arrays_that_need_pickle_are_refused() -> None:
    """An object array, which only pickle could read, is not a model: nothing of it is run."""
    buffer = io.BytesIO()
    np.savez(buffer, family=np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match=r"^mlp: model\.npz is damaged .*allow_pickle=False"):
        load_family("mlp").load({"model.npz": buffer.getvalue()})


def test_a_changed_bit_of_an_array_is_found(saved: Path) -> None:
    """Arrays have checksums of their own."""
    if "mlp" not in INSTALLED:
        pytest.skip("needs torch")
    content = bytearray(files_of(saved, "mlp", "regression")["model.npz"])
    content[len(content) // 2] ^= 1
    with pytest.raises(ArtifactError, match="is damaged"):
        load_family("mlp").load({"model.npz": bytes(content)})


def test_a_booster_whose_trees_lack_a_field_is_refused(saved: Path) -> None:
    """LightGBM would end the process: text that is not a number, or a line less."""
    text = files_of(saved, "lightgbm", "regression")["model.txt"]
    broken = (
        text.replace(b"\nsplit_feature=", b"\nsplit_featurx=", 1),
        text.replace(b"\nleaf_value=", b"\nleaf_value=x", 1),
        text.replace(b"tree_sizes=", b"tree_sizes=1 ", 1),
        text.replace(b"\nend of parameters", b"", 1),
    )
    for other in broken:
        with pytest.raises(ArtifactError, match="is damaged or no text of a LightGBM model"):
            load_family("lightgbm").load({"model.txt": other})


@every_task
def test_features_have_rows_to_predict(task: Task) -> None:
    """The cases leave rows unseen, some with missing values, and labels of every grade."""
    assert np.isnan(features()).any(axis=1).sum() > 50
    assert len(set(labels(task).tolist())) == {"regression": 300, "binary": 2, "ordinal": 3}[task]
