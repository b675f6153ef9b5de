"""The layers of the package, the one home of each library, and the purity of what decides.

The rules are tables at the top; a module without a layer, or a library without a home, fails too.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "ray_pipeline"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("bounds", "display"),
    ("columns", "credentials", "errors", "identity", "memory", "traffic", "version", "wording"),
    ("intervals", "records"),
    ("config", "execution", "groups", "statistics", "storage"),
    ("bars", "discovery", "families"),
    ("series",),
    ("stages", "user_code"),
    ("panel",),
    ("inspecting",),
    ("samples",),
    ("leakage", "ranking", "user_stages"),
    ("doubt", "selection"),
    ("routing",),
    ("training",),
    ("calibration", "evaluating"),
    ("estimating",),
    ("results",),
    ("ledger",),
    ("versions",),
    ("cleaning", "comparing", "explaining", "report", "runs", "status"),
    ("driving",),
    ("predicting",),
    ("promoting",),
    ("pipeline",),
    ("monitoring",),
    ("updating",),
    ("importing",),
    ("notebook", "quickstart", "terminal"),
    ("commands",),
    ("arguments",),
    ("cli",),
    ("__main__",),
)
"""Low to high. A module imports from its own entry and from lower rows, never from a sibling."""

KNOWS_ONLY = {
    "bars": ("bounds", "errors", "intervals", "records", "wording"),
    "discovery": ("config", "errors", "groups", "intervals", "records", "storage", "wording"),
    "families": ("errors", "identity", "records", "statistics"),
    "series": ("bars", "errors", "intervals", "records", "statistics"),
}
"""Entries that know less than all the rows below them."""

STAGES = (
    "calibration",
    "doubt",
    "evaluating",
    "inspecting",
    "leakage",
    "panel",
    "predicting",
    "promoting",
    "ranking",
    "routing",
    "samples",
    "selection",
    "training",
    "user_stages",
)
OF_EXECUTION_IN_STAGES = ("execution.artifacts", "execution.protocol", "execution.runner")
"""A stage knows an executor by its protocol: neither Ray's nor the serial one."""

HOMES: dict[str, tuple[str, ...]] = {
    "aiobotocore": ("storage",),
    "argparse": ("arguments", "cli", "commands"),
    "boto3": ("storage",),
    "botocore": ("storage",),
    "catboost": ("families.catboost",),
    "fsspec": ("storage",),
    "grpc": ("execution.ray_token",),
    "jinja2": ("report",),
    "lightgbm": (
        "families.lightgbm",
        "families.lightgbm_capacity",
        "families.lightgbm_columns",
        "families.lightgbm_streaming",
    ),
    "markupsafe": ("monitoring.page", "report"),
    "mlflow": ("driving.registry", "driving.tracking"),
    "optuna": ("training.search.optimiser",),
    "pandas": ("notebook",),
    "pickle": ("execution",),
    "pydantic": ("config", "results"),
    "pydantic_core": ("config", "results"),
    "ray": (
        "execution.ray_metrics",
        "execution.ray_private",
        "execution.ray_session",
        "execution.ray_workers",
        "importing.shuffle",
    ),
    "s3fs": ("storage",),
    "shtab": ("commands.completion",),
    "sklearn": ("families.elastic_net",),
    "threadpoolctl": ("execution.threads",),
    "torch": ("families.mlp_training",),
    "xgboost": ("families.xgboost",),
    "yaml": ("config",),
}
"""Libraries that may be imported in one place alone."""

EVERYWHERE = ("numpy", "pyarrow", "scipy")
"""Third-party libraries without a home of their own; purity narrows them further."""

PRIVATE = ("execution.ray_private", "storage.s3_filesystem")
"""Modules that may use private parts of a library; each one's tests name the version checked."""

DOCUMENTED = ("_exit",)
"""Names with an underscore that are public all the same: ``os._exit``."""

PURE = (
    "calibration.measuring",
    "calibration.records",
    "comparing.excerpts",
    "comparing.files",
    "comparing.lines",
    "comparing.settings",
    "versions.names",
    "discovery.bar_sizes",
    "discovery.layout",
    "discovery.patterns",
    "discovery.proposing",
    "doubt.carriers",
    "evaluating.deflation",
    "evaluating.doubt",
    "evaluating.measure",
    "evaluating.ranked",
    "evaluating.records",
    "evaluating.trading",
    "execution.capacity",
    "execution.policy",
    "bars",
    "panel.cross_section.names",
    "panel.cross_section.reference",
    "panel.cross_section.spans",
    "panel.cross_section.values",
    "bars.horizons",
    "panel.roles",
    "panel.tasks",
    "panel.time_axis",
    "monitoring.judging",
    "predicting.serving",
    "promoting.deciding",
    "ranking.decide",
    "ranking.doubt",
    "samples.evidence",
    "ranking.multiplicity",
    "ranking.shifts",
    "routing.comparison",
    "routing.decide",
    "routing.plan",
    "selection.consensus",
    "selection.kept",
    "selection.rolling",
    "selection.selected",
    "statistics",
    "training.model_checks",
    "training.search.choices",
    "training.search.space",
    "training.search.verdict",
    "families.labels",
    "families.watching",
    "importing.chunks",
    "training.problems",
    "estimating.costs",
    "estimating.estimate",
    "estimating.shape",
    "estimating.sizes",
    "estimating.telling",
    "estimating.work",
)
"""Arrays and plain values in, arrays and records out: no I/O, clock, logging or global chance."""

IMPURE = (
    *("concurrent", "datetime", "glob", "io", "logging", "multiprocessing", "os", "pathlib"),
    *("random", "shutil", "socket", "subprocess", "tempfile", "threading", "time", "uuid"),
    *("pyarrow", f"{PACKAGE}.storage", *HOMES),
)

MAX_LINES = 400

When = Literal["import", "call", "typing"]


@dataclass(frozen=True, order=True)
class Import:
    """One import of one module, by its line; `when` it happens, if it does."""

    importer: str
    target: str
    line: int
    when: When

    @property
    def ours(self) -> str | None:
        """The target inside the package ("" is the package itself), None for a library."""
        if self.target == PACKAGE:
            return ""
        return self.target.removeprefix(f"{PACKAGE}.") if self.target.startswith(PACKAGE) else None

    @property
    def library(self) -> str:
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        """Return what rules say of this import."""
        return f"{self.importer or PACKAGE}:{self.line} imports {self.target}"


@dataclass(frozen=True)
class Source:
    """Text of a module, and whether it is a package's ``__init__``."""

    text: str
    is_package: bool = False


def package_sources(root: Path) -> dict[str, Source]:
    """Read every module below a package's folder, by its dotted name inside the package."""
    sources = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        sources[name] = Source(path.read_text(encoding="utf-8"), is_package)
    return sources


def read_imports(sources: Mapping[str, Source]) -> list[Import]:
    """Find all imports of a set of modules, those in functions and for type checkers included."""
    known = {f"{PACKAGE}.{name}" if name else PACKAGE for name in sources}
    return sorted(
        Import(name, target, line, when)
        for name, source in sources.items()
        for node, when in _import_nodes(ast.parse(source.text), "import")
        for target, line in _targets(node, name, source.is_package, known)
    )


def _import_nodes(
    parent: ast.AST, when: When
) -> Iterator[tuple[ast.Import | ast.ImportFrom, When]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, when
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from _import_nodes(ast.Module([child], []), "typing")
            for child in node.orelse:
                yield from _import_nodes(ast.Module([child], []), when)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _import_nodes(node, "call" if when == "import" else when)
        else:
            yield from _import_nodes(node, when)


def _targets(
    node: ast.Import | ast.ImportFrom, name: str, is_package: bool, known: set[str]
) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno) for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        above = f"{PACKAGE}.{name}".rstrip(".").split(".")
        above = above[: len(above) - node.level + is_package]
        base = ".".join([*above, base] if base else above)
    # `from package import module` is an import of the module, not of the package's names.
    for alias in node.names:
        full = f"{base}.{alias.name}"
        yield (full if full in known else base), node.lineno


def within(name: str, *prefixes: str) -> bool:
    """Whether a dotted name is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def layer_of(name: str) -> tuple[int, str] | None:
    """Row and entry of a module; the longest entry that fits, None when there is none."""
    fitting = [
        (row, entry)
        for row, entries in enumerate(LAYERS)
        for entry in entries
        if within(name, entry)
    ]
    return max(fitting, key=lambda found: len(found[1]), default=None)


def layer_violations(imports: Iterable[Import]) -> list[str]:
    """Find imports that go upwards, sideways, or further down than an entry may know."""
    found = []
    for each in imports:
        if not each.importer or not each.ours:
            continue  # the package itself offers names of all layers, and its version to all
        importer, target = layer_of(each.importer), layer_of(each.ours)
        if importer is None or target is None:
            continue  # `modules_without_layer` tells
        if importer == target:
            continue
        (row, entry), (target_row, target_entry) = importer, target
        known = KNOWS_ONLY.get(entry)
        if row <= target_row:
            found.append(f"{each}: {entry} lies below or beside {target_entry}")
        elif known is not None and not within(each.ours, *known):
            found.append(f"{each}: {entry} knows only {known}")
    return found


def stage_violations(imports: Iterable[Import]) -> list[str]:
    """Find stages that know an executor of one kind, and panel modules that know stages at all."""
    found = []
    for each in imports:
        if not each.ours:
            continue
        is_executor = within(each.ours, "execution") and each.ours not in OF_EXECUTION_IN_STAGES
        if within(each.importer, *STAGES) and is_executor:
            found.append(f"{each}: stages know only {OF_EXECUTION_IN_STAGES}")
        if (
            within(each.importer, "panel")
            and within(each.ours, "config", "execution", "stages")
            and each.when != "typing"
        ):
            found.append(f"{each}: panel/ takes plain values")
    return found


def home_violations(imports: Iterable[Import]) -> list[str]:
    """Find libraries imported outside their home, and third-party ones that have none."""
    found = []
    for each in imports:
        if each.ours is not None:
            continue
        homes = HOMES.get(each.library)
        if homes is not None and not within(each.importer, *homes):
            found.append(f"{each}: its home is {' and '.join(homes)}")
        if homes is None and each.library not in (*EVERYWHERE, *sys.stdlib_module_names):
            found.append(f"{each}: give {each.library} a home")
    return found


def private_violations(sources: Mapping[str, Source]) -> list[str]:
    """Find private parts of libraries: imported, or taken from what the module did not make.

    A name with an underscore in front is private, and so is what Ray calls experimental. One that
    the module itself gives to a class, a function or an attribute is its own.
    """
    found = []
    for name, source in sources.items():
        if within(name, *PRIVATE):
            continue
        tree = ast.parse(source.text)
        own = _own_names(tree)
        for node in ast.walk(tree):
            found += [
                f"{name}:{line} uses {each}"
                for line, each in _private_names(node)
                if each not in (*own, *DOCUMENTED)
            ]
    return found


def _own_names(tree: ast.AST) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    own = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return own


def _private_names(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Attribute) and _is_private(node.attr):
        yield node.lineno, node.attr
    if isinstance(node, ast.ImportFrom | ast.Import):
        above = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            full = f"{above}{alias.name}"
            if any(map(_is_private, full.split("."))) or within(full, "ray.experimental"):
                yield node.lineno, full


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def purity_violations(imports: Iterable[Import]) -> list[str]:
    """Find imports, in pure modules, of what reads, writes, waits, logs or draws."""
    return [
        f"{each}: {each.importer} is pure"
        for each in imports
        if within(each.importer, *PURE) and within(each.target, *IMPURE)
    ]


def repeated_class_names(sources: Mapping[str, Source]) -> dict[str, list[str]]:
    """Find names that classes of several modules have, with these modules."""
    homes: dict[str, list[str]] = {}
    for name, source in sources.items():
        for node in ast.parse(source.text).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    return {name: modules for name, modules in homes.items() if len(modules) > 1}


def import_cycles(sources: Mapping[str, Source], imports: Iterable[Import]) -> list[list[str]]:
    """Find groups of modules that need one another while being imported.

    Importing ``a.b.c`` runs ``a.b`` too, unless the importer lies in ``a.b`` itself, which is
    then being imported already.
    """
    needs: dict[str, set[str]] = {name: set() for name in sources}
    for each in imports:
        if each.when != "import" or each.ours is None or not each.importer:
            continue
        parts = each.ours.split(".")
        above = {".".join(parts[:n]) for n in range(1, len(parts))}
        needed = {each.ours} | {name for name in above if not within(each.importer, name)}
        needs[each.importer] |= (needed & set(sources)) - {each.importer}
    reach = {name: _reachable(name, needs) for name in needs}
    groups = {
        frozenset({name} | {other for other in reach[name] if name in reach[other]})
        for name in needs
        if name in reach[name]
    }
    return sorted(sorted(group) for group in groups)


def _reachable(start: str, needs: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(needs[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(needs[name])
    return found


def modules_without_layer(sources: Mapping[str, Source]) -> list[str]:
    """Find modules that no entry of the table covers."""
    return [name for name in sources if name and layer_of(name) is None]


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    return package_sources(REPOSITORY / PACKAGE)


@pytest.fixture(scope="module")
def imports(sources: dict[str, Source]) -> list[Import]:
    return read_imports(sources)


def test_every_module_has_a_layer(sources: dict[str, Source]) -> None:
    """A new module is placed in the table before anything else is asked of it."""
    assert {"cli", "pipeline", "execution.ray_workers", "statistics.folds"} <= set(sources)
    assert modules_without_layer(sources) == []


def test_no_layer_imports_upwards_or_sideways(imports: list[Import]) -> None:
    """From cli by pipeline, stages, panel and storage to records and errors, never back."""
    assert layer_violations(imports) == []


def test_stages_know_an_executor_but_not_ray(imports: list[Import]) -> None:
    """A stage makes units and hands them to a runner; who runs them is decided above it."""
    assert stage_violations(imports) == []


def test_each_library_is_imported_at_home(imports: list[Import]) -> None:
    """Ray, yaml, fsspec, LightGBM and their like can be replaced by editing one place."""
    assert home_violations(imports) == []


def test_private_parts_of_libraries_are_used_where_their_version_is_checked(
    sources: dict[str, Source],
) -> None:
    """What a library may change without a word is used in few modules, and tests name it."""
    assert private_violations(sources) == []


def test_what_decides_is_pure(imports: list[Import]) -> None:
    """Decisions and statistics can be tested with arrays alone: no disk, clock or chance."""
    assert purity_violations(imports) == []


def test_no_modules_import_each_other_in_a_circle(
    sources: dict[str, Source], imports: list[Import]
) -> None:
    """Any module can be imported first."""
    assert import_cycles(sources, imports) == []


def test_no_module_is_longer_than_400_lines(sources: dict[str, Source]) -> None:
    """Past that it is two modules."""
    lengths = {name: source.text.count("\n") for name, source in sources.items()}
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_every_module_states_what_is_public(sources: dict[str, Source]) -> None:
    """Each module has an ``__all__``, except empty packages and the program's entry."""
    silent = [
        name
        for name, source in sources.items()
        if not re.search(r"^__all__ = ", source.text, re.MULTILINE)
        and name != "__main__"
        and len(ast.parse(source.text).body) > 1  # more than its docstring
    ]
    assert silent == []


def test_every_library_is_a_declared_dependency(imports: list[Import]) -> None:
    """What the package imports, pyproject.toml asks for."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    ours = [extra for extra in extras if extra != "test"]
    required = [*project["dependencies"], *(each for extra in ours for each in extras[extra])]
    declared = {re.split(r"[\[<>=!~ ]", each.lower())[0] for each in required}
    distributions = {
        "grpc": "grpcio",
        "markupsafe": "jinja2",  # part of its interface
        "mlflow": "mlflow-skinny",
        "sklearn": "scikit-learn",
        "pydantic_core": "pydantic",  # pinned by it to the version that it is built for
        "yaml": "pyyaml",
    }
    libraries = {each.library for each in imports if each.ours is None}
    third_party = libraries - set(sys.stdlib_module_names)
    assert {distributions.get(name, name) for name in third_party} - declared == set()


def test_the_page_lists_every_room(sources: dict[str, Source]) -> None:
    """ARCHITECTURE.md has the rooms of the table, each with the first line of its docstring."""
    page = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = page[page.index("|---|") : page.index("## How a run works")]
    listed = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    rooms = [entry for entries in LAYERS for entry in entries]
    said = {name: ast.get_docstring(ast.parse(sources[name].text)) or "" for name in rooms}
    assert listed == [(name, said[name].split("\n")[0]) for name in rooms]


def planted(**modules: str) -> tuple[dict[str, Source], list[Import]]:
    """Make a package of one-line modules; ``__`` in a name stands for the dot."""
    named = {name.replace("__", "."): Source(text) for name, text in modules.items()}
    return named, read_imports(named)


@pytest.mark.parametrize(
    ("module", "text", "check", "message"),
    [
        (
            "statistics__skill",
            "from ray_pipeline.ranking.decide import x",
            layer_violations,
            "statistics.skill:1 imports ray_pipeline.ranking.decide: "
            "statistics lies below or beside ranking",
        ),
        (
            "ranking__stage",
            "def f():\n    from ray_pipeline import routing",
            layer_violations,
            "ranking.stage:2 imports ray_pipeline.routing: ranking lies below or beside routing",
        ),
        (
            "storage__units",
            "if TYPE_CHECKING:\n    from ..execution.protocol import Unit",
            layer_violations,
            "storage.units:2 imports ray_pipeline.execution.protocol: "
            "storage lies below or beside execution",
        ),
        (
            "families__ridge",
            "import ray_pipeline.storage",
            layer_violations,
            "families.ridge:1 imports ray_pipeline.storage: "
            "families knows only ('errors', 'identity', 'records', 'statistics')",
        ),
        (
            "ranking__own",
            "from ray_pipeline.execution import SerialExecutor",
            stage_violations,
            "ranking.own:1 imports ray_pipeline.execution: stages know only "
            "('execution.artifacts', 'execution.protocol', 'execution.runner')",
        ),
        (
            "panel__roles",
            "from ray_pipeline.config import ColumnsConfig",
            stage_violations,
            "panel.roles:1 imports ray_pipeline.config: panel/ takes plain values",
        ),
        (
            "pipeline",
            "def f():\n    import ray.exceptions",
            home_violations,
            "pipeline:2 imports ray.exceptions: its home is execution.ray_metrics and "
            "execution.ray_private and execution.ray_session and execution.ray_workers and "
            "importing.shuffle",
        ),
        (
            "panel__reading",
            "import polars",
            home_violations,
            "panel.reading:1 imports polars: give polars a home",
        ),
        (
            "routing__decide",
            "from time import monotonic",
            purity_violations,
            "routing.decide:1 imports time: routing.decide is pure",
        ),
        (
            "statistics__folds",
            "import pyarrow.compute as pc",
            purity_violations,
            "statistics.folds:1 imports pyarrow.compute: statistics.folds is pure",
        ),
    ],
)
def test_a_planted_violation_is_named(module: str, text: str, check: object, message: str) -> None:
    """Each rule catches what it forbids: at module level, in a function, for type checkers."""
    assert callable(check)
    _, imports = planted(**{module: text}, routing="", ranking__decide="")
    assert check(imports) == [message]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from ray._private.x import y", "ray._private.x.y"),
        ("def f():\n    from ray.experimental import kv", "ray.experimental.kv"),
        ("import lib._core", "lib._core"),
        ("state = tree._nodes", "_nodes"),
    ],
)
def test_a_private_part_is_named(text: str, name: str) -> None:
    """Imported or taken from an object; what the module itself defines is its own."""
    line = text.count("\n") + 1
    assert private_violations({"a": Source(text)}) == [f"a:{line} uses {name}"]
    own = Source("class A:\n    _x = 1\n    def f(self, other):\n        return other._x")
    assert private_violations({"a": own, "execution.ray_private": Source(text)}) == []


def test_what_the_rules_allow_passes() -> None:
    """Downward imports, the package's version, and types from the config in panel/."""
    _, imports = planted(
        errors="",
        ranking__stage="from ray_pipeline import __version__\nfrom ray_pipeline import errors",
        panel__roles="if TYPE_CHECKING:\n    from ray_pipeline.config import ColumnsConfig",
        training__stage="from ray_pipeline.families import Problem",
        execution__ray_workers="import ray",
    )
    checks = (layer_violations, stage_violations, home_violations, purity_violations)
    assert [found for check in checks for found in check(imports)] == []


def test_a_planted_cycle_is_named_and_a_late_import_breaks_it() -> None:
    """Modules that import each other fail unless one of them does so inside a function."""
    first = "from ray_pipeline.panel.b import x"
    sources, imports = planted(panel__a=first, panel__b="import ray_pipeline.panel.a")
    assert import_cycles(sources, imports) == [["panel.a", "panel.b"]]
    sources, imports = planted(panel__a=first, panel__b="def f():\n    import ray_pipeline.panel.a")
    assert import_cycles(sources, imports) == []


def test_a_cycle_through_a_package_is_named() -> None:
    """Importing a module of another package runs that package's ``__init__`` as well."""
    sources = {
        "storage": Source("from ray_pipeline.storage.files import x", is_package=True),
        "storage.files": Source("from ray_pipeline.panel.table import x"),
        "panel.table": Source("from ray_pipeline.storage.other import x"),
        "storage.other": Source(""),
    }
    cycles = import_cycles(sources, read_imports(sources))
    assert cycles == [["panel.table", "storage", "storage.files"]]


def test_a_module_without_a_layer_is_named() -> None:
    """A stray module cannot slip past the table."""
    assert modules_without_layer({"": Source(""), "helpers": Source("")}) == ["helpers"]


def test_every_class_name_is_unique() -> None:
    """A class name says which class is meant, whatever file it is read in."""
    assert repeated_class_names(package_sources(REPOSITORY / PACKAGE)) == {}


def test_a_repeated_class_name_is_found() -> None:
    """Private classes count too: a traceback names them alike."""
    sources = {
        "panel.a": Source("class Block: ...\nclass _Part: ..."),
        "panel.b": Source("class Block: ..."),
        "panel.c": Source("class _Part: ..."),
    }
    assert repeated_class_names(sources) == {
        "Block": ["panel.a", "panel.b"],
        "_Part": ["panel.a", "panel.c"],
    }
