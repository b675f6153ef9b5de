"""What code reaches, by planted packages: which edits count and which do not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ray_pipeline import identity
from ray_pipeline.identity import MISSING, ModuleSource, identity_of, installed_version, reach

FILES = {
    "planted/__init__.py": "",
    "planted/stage.py": """
from __future__ import annotations
from typing import TYPE_CHECKING
import math
import numpy as np
from planted.rooms import walls
from . import helper
if TYPE_CHECKING:
    from planted import typed
else:
    from planted import untyped

def unit_function():
    try:
        from planted.late import walk
    except ImportError:
        import tabfn.models
    return walk
""",
    "planted/helper.py": "from .rooms.doors import *\n",
    "planted/untyped.py": "",
    "planted/typed.py": "import pandas\n",
    "planted/late.py": "import planted.rooms.windows as windows\nimport fsspec, yaml\n",
    "planted/report.py": "from planted import stage\nimport jinja2\n",
    "planted/rooms/__init__.py": "import planted.stage  # a circle is not harm\n",
    "planted/rooms/walls.py": "",
    "planted/rooms/doors.py": "import scipy.stats\n",
    "planted/rooms/windows.py": "",
    "planted/loose/tool.py": "",
}
REACHED = {
    *("planted", "planted.stage", "planted.helper", "planted.untyped", "planted.late"),
    *("planted.rooms", "planted.rooms.walls", "planted.rooms.doors", "planted.rooms.windows"),
}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a package that can be imported, and forget it afterwards."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    """Look at the files again, as the next process would."""
    for cached in (identity_of, identity._find, identity._spec_of, installed_version):
        cached.cache_clear()
    sys.path_importer_cache.clear()


def sha256(*modules: str) -> str:
    forget()
    return identity_of(*modules).sha256


def sources(files: Mapping[str, str]) -> dict[str, ModuleSource]:
    """Return modules by name, without a disk."""
    found = {}
    for name, text in files.items():
        module = name.removesuffix(".py").replace("/", ".")
        is_package = module.endswith(".__init__")
        found[module.removesuffix(".__init__")] = ModuleSource(text, is_package)
    return found


def test_reach_follows_imports() -> None:
    """Absolute, relative, of packages above, inside functions; not those of type checkers."""
    found = reach(["planted.stage"], sources(FILES).get, ["planted"])
    assert set(found.modules) == REACHED
    assert found.libraries == {"fsspec", "numpy", "scipy", "tabfn", "yaml"}


def test_reach_of_several_packages() -> None:
    """A family from another package counts by its text, and so does what it uses of ours."""
    files = FILES | {"tabfn/__init__.py": "", "tabfn/models.py": "from planted.rooms import walls"}
    found = reach(["tabfn.models"], sources(files).get, ["planted", "tabfn"])
    assert {"tabfn", "tabfn.models", "planted.rooms.walls"} <= set(found.modules)
    assert found.libraries >= {"numpy"}  # of planted.rooms, which is run on the way to its walls


@pytest.mark.usefixtures("planted")
def test_modules_are_not_imported_to_be_read() -> None:
    """A module's text is found without running it or its package."""
    identity_of("planted.stage")
    assert not {name for name in sys.modules if name.partition(".")[0] == "planted"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_edit_counts_where_it_is_reached(planted: Path, name: str) -> None:
    """Any change of the text of a module that is reached, and of no other."""
    before = sha256("planted.stage")
    (planted / name).write_text(f"{FILES[name]}\n# edited")
    module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    assert (sha256("planted.stage") != before) == (module in REACHED)


def test_the_place_and_the_newlines_do_not_count(planted: Path, tmp_path: Path) -> None:
    """A wheel, a checkout and the folder of a job are one and the same."""
    before = sha256("planted.stage")
    for name, text in FILES.items():
        (planted / name).write_bytes(text.replace("\n", "\r\n").encode())
    assert sha256("planted.stage") == before
    moved = tmp_path / "elsewhere" / "planted"
    moved.parent.mkdir()
    (planted / "planted").rename(moved)
    sys.path.insert(0, str(moved.parent))
    try:
        assert sha256("planted.stage") == before
    finally:
        sys.path.remove(str(moved.parent))


def test_a_module_that_becomes_a_package_counts(planted: Path) -> None:
    """As does one that comes or goes."""
    before = sha256("planted.stage")
    (planted / "planted" / "rooms" / "walls.py").unlink()
    assert sha256("planted.stage") != before


@pytest.mark.usefixtures("planted")
def test_libraries_are_those_that_compute() -> None:
    """Their versions by distribution; not what carries bytes; missing ones are named so."""
    found = dict(identity_of("planted.stage", libraries=("lightgbm",)).libraries)
    assert set(found) == {"lightgbm", "numpy", "scipy", "tabfn"}
    assert found["numpy"] == sys.modules["numpy"].__version__
    assert found["tabfn"] == MISSING


def test_distributions_are_named_by_their_own_name() -> None:
    """What is imported as sklearn is installed as scikit-learn."""
    assert identity._distributions("sklearn") == ("scikit-learn",)
    assert identity._distributions("numpy") == ("numpy",)
    assert identity._distributions("no_such_package") == ("no_such_package",)


@pytest.mark.parametrize("module", ["math", "numpy.linalg"])
def test_a_module_without_our_text_counts_by_its_version(module: str) -> None:
    """A unit function may come from anywhere."""
    names = [name for name, _ in identity_of(module).libraries]
    assert names
    assert identity_of(module) == identity_of(module)
