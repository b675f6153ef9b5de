"""User-defined functions: which are found, and what is said about all others."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.user_code.functions import has_source, load_function
from ray_pipeline.user_code.stages import find_stage, takes_symbol

OwnModules = Callable[..., Path]

SOURCE = """
LIMIT = 3

def turnover(table, column, window=20):
    return {"rows": table.num_rows}

def named(table, *, symbol):
    return {"symbol_again": symbol}

def anything(table, **options):
    return options
"""


def install(folder: Path, **stages: str) -> None:
    """Put a distribution with these entry points where Python finds it."""
    metadata = folder / "own_stages-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-stages\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in stages.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[ray_pipeline.stages]", *lines]) + "\n")


@pytest.mark.parametrize("path", ["own_quality:turnover", "own_quality.turnover"])
def test_both_ways_to_write_a_path_name_one_function(own_modules: OwnModules, path: str) -> None:
    """A colon or a last dot stands before the function's name."""
    own_modules("own_quality", SOURCE)
    stage = find_stage("t", path, {"column": "f"})
    assert (stage.name, stage.function) == ("t", "own_quality:turnover")
    assert load_function(stage.function)[0].__name__ == "turnover"


def test_an_installed_package_brings_stages(own_modules: OwnModules) -> None:
    """Without a path the entry point of the stage's name is taken."""
    folder = own_modules("own_quality", SOURCE)
    install(folder, turnover="own_quality:turnover")
    stage = find_stage("turnover", None, {"column": "f"})
    assert stage.function == "own_quality:turnover"


def test_unknown_name_is_answered_with_the_installed_ones(own_modules: OwnModules) -> None:
    """The message lists them, guesses, and says how to name a function instead."""
    install(own_modules("own_quality", SOURCE), drawdown="own_quality:a", turnover="own_quality:b")
    expected = (
        "stages.turnovr: no installed package has a stage 'turnovr' (did you mean 'turnover'?); "
        "installed are drawdown, turnover. Name a function, such as function: my_module:turnovr, "
        "or install a package with an entry point of that name in the group "
        "'ray_pipeline.stages'."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(expected)}$"):
        find_stage("turnovr", None, {})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("turnover", "found 'turnover'; a function at the top level of a module is needed"),
        ("own_quality:Class.turnover", "a function at the top level of a module is needed"),
        ("own quality:turnover", "a function at the top level of a module is needed"),
        ("__main__:turnover", "__main__:turnover is in the program that is running, which"),
        ("own_quality:turnovers", "has no 'turnovers' (did you mean 'turnover'?); its functions "),
        ("own_quality:LIMIT", "is a int; a function is needed."),
        ("own_missing:turnover", "no module 'own_missing'. Python looked in "),
        ("own_quality.deeper:turnover", "no module 'own_quality.deeper'. Python looked in "),
    ],
)
def test_wrong_path_is_a_config_error(own_modules: OwnModules, path: str, message: str) -> None:
    """It says what was tried, and what is there instead."""
    own_modules("own_quality", SOURCE)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        find_stage("t", path, {})
    assert str(caught.value).startswith("stages.t.function: ")


def test_missing_module_is_answered_with_where_python_looked(own_modules: OwnModules) -> None:
    """The folders are named, and what can be done."""
    folder = own_modules("own_quality", SOURCE)
    with pytest.raises(ConfigError) as caught:
        find_stage("t", "own_missing.deeper:turnover", {})
    said = str(caught.value)
    assert f"no module 'own_missing'. Python looked in {folder.resolve()}, " in said
    assert said.endswith("on a cluster the workers have to find it too.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1 / 0", "ZeroDivisionError: division by zero (FILE:1)."),
        ("import own_nowhere", "ModuleNotFoundError: No module named 'own_nowhere' (FILE:1)."),
        ("def turnover(:", "SyntaxError: invalid syntax (own_broken.py, line 1)."),
    ],
)
def test_module_that_cannot_be_imported(own_modules: OwnModules, text: str, message: str) -> None:
    """The error of the module itself is told, with its line."""
    folder = own_modules("own_broken", text)
    expected = "module 'own_broken' cannot be imported: " + message.replace(
        "FILE", str(folder / "own_broken.py")
    )
    with pytest.raises(ConfigError, match=re.escape(expected)):
        find_stage("t", "own_broken:turnover", {})


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (
            "turnover",
            {"column": "f", "windw": 3},
            "stages.t.options: own_quality:turnover does not take them: got an unexpected keyword "
            "argument 'windw'. It is called as turnover(table, column=…, windw=…) and is "
            "turnover(table, column, window=20).",
        ),
        ("turnover", {}, "missing a required argument: 'column'"),
        ("turnover", {"column": "f", "table": 1}, "multiple values for argument 'table'"),
        ("named", {"symbol": "A"}, "'symbol' is given to own_quality:named by the run; remove"),
    ],
)
def test_options_that_the_function_does_not_take(
    own_modules: OwnModules, function: str, options: dict[str, object], message: str
) -> None:
    """They are checked against its signature before any symbol is read."""
    own_modules("own_quality", SOURCE)
    with pytest.raises(ConfigError, match=re.escape(message)):
        find_stage("t", f"own_quality:{function}", options)


def test_a_function_asks_for_the_symbol_by_its_parameter(own_modules: OwnModules) -> None:
    """`symbol` by name; ``**options`` alone is no such wish, and may have an option of the name."""
    own_modules("own_quality", SOURCE)
    asks = {
        name: takes_symbol(load_function(f"own_quality:{name}")[0])
        for name in ("turnover", "named", "anything")
    }
    assert asks == {"turnover": False, "named": True, "anything": False}
    assert find_stage("t", "own_quality:anything", {"symbol": "x"}).options == {"symbol": "x"}


def test_hash_follows_the_source_that_is_loaded(own_modules: OwnModules) -> None:
    """An edit changes it; while the old code is loaded, it stays that of the old code."""
    folder = own_modules("own_quality", SOURCE)
    before = load_function("own_quality:turnover")[1]
    (folder / "own_quality.py").write_text(SOURCE + "# more\n")
    assert load_function("own_quality:turnover")[1] == before
    own_modules("own_quality", SOURCE + "# more\n")
    assert load_function("own_quality:turnover")[1] != before
    own_modules("own_quality", SOURCE)
    assert load_function("own_quality:turnover")[1] == before


def test_hash_covers_the_module_that_defines_the_function(own_modules: OwnModules) -> None:
    """A function that is only imported where it is named is hashed where it is written."""
    own_modules("own_quality", SOURCE)
    own_modules("own_front", "from own_quality import turnover\n")
    before = load_function("own_front:turnover")[1]
    own_modules("own_quality", SOURCE + "# more\n")
    own_modules("own_front", "from own_quality import turnover\n")
    assert load_function("own_front:turnover")[1] != before


LOUD = "raise SystemExit('this module ran')\n"


@pytest.mark.parametrize(
    "front",
    [
        SOURCE,
        "from own_quality import turnover\n",
        "import own_middle\nturnover = own_middle.turnover\n",
        "from own_quality import wrapped\n@wrapped\ndef turnover(table):\n    return {}\n",
    ],
    ids=["itself", "imported", "two imports away", "decorated"],
)
def test_a_source_is_known_before_any_of_it_runs(own_modules: OwnModules, front: str) -> None:
    """The same module passes; one that was edited, or is another's, is not imported for it."""
    wrapper = "def wrapped(given):\n    def inner(table):\n        return {}\n    return inner\n"
    own_modules("own_quality", SOURCE + wrapper)
    own_modules("own_middle", "from own_quality import turnover\n")
    own_modules("own_front", front)
    before = load_function("own_front:turnover")[1]
    for name in ("own_quality", "own_middle", "own_front"):
        sys.modules.pop(name, None)
    assert has_source("own_front:turnover", before)
    own_modules("own_front", LOUD + front)
    assert not has_source("own_front:turnover", before)
    assert not {"own_quality", "own_middle", "own_front"} & set(sys.modules)


def test_a_module_in_a_package_is_found_without_running_the_package(
    own_modules: OwnModules, tmp_path: Path
) -> None:
    """A package's ``__init__`` is code as well."""
    folder = own_modules("unused", "")
    (folder / "own_package").mkdir()
    (folder / "own_package" / "__init__.py").write_text(LOUD)
    (folder / "own_package" / "inner.py").write_text(SOURCE)
    assert not has_source("own_package.inner:turnover", "0" * 64)
    with pytest.raises(ConfigError, match=r"^no module 'own_package\.missing'\. Python looked in"):
        has_source("own_package.missing:turnover", "0" * 64)


@pytest.mark.parametrize("path", ["math:sqrt", "pyarrow.lib:table", "json:dumps"])
def test_the_source_of_an_installed_function_is_known(path: str) -> None:
    """By its version where it is compiled."""
    assert has_source(path, load_function(path)[1])
    assert not has_source(path, "0" * 64)


@pytest.mark.parametrize("path", ["math:sqrt", "pyarrow.lib:table"])
def test_function_without_source_is_known_by_its_version(path: str) -> None:
    """Compiled code has no source to hash; it is the same as long as its distribution is."""
    first, second = (load_function(path)[1] for _ in range(2))
    assert first == second
    assert first != load_function("json:dumps")[1]
