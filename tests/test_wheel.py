"""The wheel, and what it says of itself: all that a user needs who has no source tree."""

from __future__ import annotations

import email
import email.message
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ("Dockerfile", "cluster.yaml", "constraints.txt", "rayjob.yaml")
FOLDERS = {"configs": "configs", "notebooks": "docs/notebooks"}
"""Of examples, by their names in the wheel."""

NEEDED_TO_BUILD = (
    *("LICENSE", "README.md", "pyproject.toml", "ray_pipeline"),
    *EXAMPLES,
    *FOLDERS.values(),
)
FOR_DEVELOPERS = {"docs", "test"}
BUILD = "import sys\nfrom setuptools.build_meta import build_wheel\nprint(build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy: others may be reading, or building in, the source tree."""
    pytest.importorskip("setuptools", minversion="77", reason="needs ray-pipeline[test]")
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in NEEDED_TO_BUILD:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(built)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [found] = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    """Read what an installer reads."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return email.message_from_string(archive.read(name).decode())


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    """The template, the parts of the report, the sample's config: not the modules alone."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("ray_pipeline/")}
    files = (path for path in (ROOT / "ray_pipeline").rglob("*") if path.is_file())
    there = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert packed == there
    assert {"ray_pipeline/config/template.yaml", "ray_pipeline/py.typed"} <= packed
    assert len([name for name in packed if re.match(r"ray_pipeline/report/.*\.html", name)]) > 5


def test_the_wheel_has_the_examples(wheel: Path) -> None:
    """Cluster files, configs and notebooks as they are in the repository, under one folder."""
    files = {name: ROOT / name for name in EXAMPLES}
    for name, folder in FOLDERS.items():
        files |= {f"{name}/{path.name}": path for path in (ROOT / folder).iterdir()}
    assert len(files) == len(EXAMPLES) + 6
    with zipfile.ZipFile(wheel) as archive:
        prefix = f"{wheel.name.rsplit('-', 3)[0]}.data/data/share/ray-pipeline/"
        packed = {
            name.removeprefix(prefix): archive.read(name)
            for name in archive.namelist()
            if name.startswith(prefix)
        }
    assert packed == {name: path.read_bytes() for name, path in files.items()}


def test_the_wheel_works_without_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    """What is unpacked elsewhere knows its version, and gives the template as it is here."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "import ray_pipeline\n"
        f"assert ray_pipeline.__file__.startswith({str(tmp_path)!r}), ray_pipeline.__file__\n"
        "from ray_pipeline.cli import main\n"
        "raise SystemExit(main(['init', '--template']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    template = (ROOT / "ray_pipeline/config/template.yaml").read_text("utf-8")
    assert done.stdout.strip() == template.strip()


def test_all_is_every_extra_for_users() -> None:
    """`pip install ray-pipeline[all]` leaves nothing out, and brings nothing for developers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    [line] = extras["all"]
    named = re.fullmatch(r"ray-pipeline\[([\w,]+)\]", line)
    assert named is not None
    assert named[1].split(",") == sorted(extras.keys() - FOR_DEVELOPERS - {"all"})


def test_the_wheel_names_its_license_families_and_python(
    wheel: Path, metadata: email.message.Message
) -> None:
    """Classifiers, license and entry points arrive in what is installed; no address is invented."""
    classifiers = metadata.get_all("Classifier", [])
    assert "Operating System :: POSIX :: Linux" in classifiers
    assert "Typing :: Typed" in classifiers
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Project-URL", []) == []
    with zipfile.ZipFile(wheel) as archive:
        [points] = [each for each in archive.namelist() if each.endswith("/entry_points.txt")]
        text = archive.read(points).decode()
    assert len(re.findall(r"^\w+ = ray_pipeline\.families\.", text, re.MULTILINE)) == 9
    assert "ray-pipeline = ray_pipeline.cli:program" in text
