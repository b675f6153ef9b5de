"""The pages name all there is, and the README is what a newcomer reads in two minutes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from generated import GENERATORS, filled
from pydantic import BaseModel
from remote import remote_resources
from snippets import DOCS, ROOT

import ray_pipeline
import ray_pipeline.families
from ray_pipeline import errors
from ray_pipeline.bars.label_names import LABEL_KINDS
from ray_pipeline.cli import main
from ray_pipeline.commands.listing import COMMANDS
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.config.fields import FEATURE_SETS
from ray_pipeline.panel.cross_section import described_features
from ray_pipeline.quickstart import make_sample
from ray_pipeline.series.labels import SERIES_LABEL_KINDS

PAGES = sorted(DOCS.rglob("*.md"))


def whole(name: str) -> str:
    """Return a page with what is made of the code."""
    return filled((DOCS / name).read_text("utf-8"))


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Name the keys of a config by its classes, not by the schema that the page is made of."""
    for name, field in model.model_fields.items():
        found = list(models_in(field.annotation))
        if prefix or not found:
            yield f"{prefix}{name}" if name != "stages" else "stages.<name>.function"
        for each in found:
            below = f"{prefix}{name}.<name>." if name == "stages" else f"{prefix}{name}."
            yield from keys_of(each, below)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from models_in(each)


def row_of(name: str) -> str:
    """Return the row of an error in the table of its page."""
    (row,) = re.findall(rf"^\|.*</span>`{name}` \|.*$", whole("reference/errors.md"), re.MULTILINE)
    return str(row)


def test_every_config_key_has_an_entry() -> None:
    """With type, default and what it does: none is forgotten, however deep."""
    text = whole("reference/config.md")
    keys = list(keys_of(ExperimentConfig))
    assert len(keys) > 90
    assert "training.search.n_trials" in keys
    for key in keys:
        entry = text.partition(f"### `{key}` {{#")[2].partition("\n##")[0]
        assert re.search(r"\n\nType: .+\. (Default: `.+`|Required)\.", entry), key
        assert len(entry.split("\n\n")[1]) > 10, key


def test_every_command_has_a_section_with_its_help() -> None:
    """And is named in the table of what one wants to do."""
    text = whole("reference/commands.md")
    for command in COMMANDS:
        assert f"[`{command.name}`](#{command.name})" in text
        section = text.partition(f"## `{command.name}` {{#{command.name}}}")[2]
        assert f"usage: ray-pipeline {command.name} " in section.partition("\n## ")[0]


@pytest.mark.parametrize("name", [each for each in errors.__all__ if each.endswith("Error")])
def test_every_error_has_a_row_and_a_word_on_what_to_do(name: str) -> None:
    """Its exit code is that with which commands end."""
    text = whole("reference/errors.md")
    kind = getattr(errors, name)
    row = row_of(name)
    code = 2 if issubclass(kind, errors.GIVEN_WRONGLY) else 1
    assert row.endswith(f"| {code} |")
    assert name == "RayPipelineError" or f"\n### {name}\n" in text


def test_the_exit_code_of_the_page_is_that_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of 1 and one of 2, raised in earnest."""
    for kind in (errors.StorageError, errors.DamagedFileError, errors.DiscoveryError):

        def fail(*_: object, kind: type[Exception] = kind) -> None:
            raise kind("nothing goes here")

        monkeypatch.setattr("ray_pipeline.status.run_status", fail)
        code = main(["status", str(tmp_path)])
        assert row_of(kind.__name__).endswith(f"| {code} |")


def test_every_public_name_is_in_the_reference() -> None:
    """Of the package, and of the protocol for families of one's own."""
    text = whole("reference/python.md")
    for name in {*ray_pipeline.__all__, *ray_pipeline.families.__all__} - {"__version__"}:
        assert re.search(rf"^(::: .*\.|### `){name}`?$", text, re.MULTILINE), name


def test_every_target_that_can_be_computed_is_told() -> None:
    """By the name that makes it."""
    for page, kinds in (("bars", LABEL_KINDS), ("series", SERIES_LABEL_KINDS)):
        text = (DOCS / f"reference/{page}.md").read_text("utf-8")
        for kind in kinds:
            assert re.search(rf"`{kind}_\d+[a-z]", text), kind


@pytest.mark.parametrize("name", [each for each in FEATURE_SETS if each != "series"])
def test_every_set_of_features_has_its_size(name: str) -> None:
    """As many as `ray-pipeline features` lists."""
    text = (DOCS / "reference/bars.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| (.+) \|$", text, re.MULTILINE)
    assert str(len(described_features(name))) in re.findall(r"\d+", row)


def test_every_family_and_extra_is_told() -> None:
    """Those that come with the package, and what `pip install` can bring besides."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    models = (DOCS / "reference/models.md").read_text("utf-8")
    for family in project["entry-points"]["ray_pipeline.families"]:
        assert re.search(rf"^\|.*`{family}`.*\|", models, re.MULTILINE), family
    home = (DOCS / "index.md").read_text("utf-8")
    for extra in project["optional-dependencies"]:
        assert re.search(rf"^\|.*`{extra}`.*\|", home, re.MULTILINE), extra


def test_every_benchmark_that_is_named_is_there() -> None:
    """A figure that nobody can repeat is none."""
    text = "\n".join(page.read_text("utf-8") for page in [*PAGES, ROOT / "README.md"])
    named = set(re.findall(r"benchmarks/\w+\.(?:py|yaml)", text))
    assert len(named) > 15
    for name in named:
        assert (ROOT / name).is_file(), name


@pytest.mark.slow
def test_every_file_of_a_run_is_named(finished_quickstart: Path) -> None:
    """What a run leaves is in the table of what it leaves."""
    text = (DOCS / "reference/run-directory.md").read_text("utf-8")
    for path in (finished_quickstart / "quickstart/run").iterdir():
        assert f"`{path.name}" in text, path.name


@pytest.mark.slow
def test_every_column_of_scores_is_told(finished_quickstart: Path) -> None:
    """By the name that the page of predicting gives it."""
    text = (DOCS / "how-to/predict.md").read_text("utf-8")
    models = ray_pipeline.load_run(str(finished_quickstart / "quickstart/run"))
    table = make_sample(n_symbols=6, n_bars=600)["SYM00"]
    targets = sorted(models.targets, key=len, reverse=True)
    names = set()
    for name in models.predict(table, symbol="SYM00", in_sample=True).column_names:
        target = next((each for each in targets if name.startswith(f"{each}__")), None)
        plain = name if target is None else name.replace(target, "<target>", 1)
        names.add(re.sub(r"__(pooled|own)__\w+", r"__\1__<family>", plain))
    assert "<target>__score" in names
    for name in names:
        assert f"`{name}`" in text, name


def test_places_for_what_is_made_of_the_code_are_known() -> None:
    """All are used, and none is asked for that is not there."""
    asked = [
        name
        for page in PAGES
        for name in re.findall(r"<!-- generated: (.+?) -->", page.read_text("utf-8"))
    ]
    assert sorted(asked) == sorted(GENERATORS)
    with pytest.raises(KeyError, match="nothing of the kind"):
        filled("<!-- generated: nothing of the kind -->")


def test_every_page_is_in_the_navigation() -> None:
    """A page that nothing leads to is not read."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r"[\w/-]+\.md", text.partition("\nnav:")[2]))
    notebooks = [
        path.with_suffix(".md") for path in DOCS.rglob("*.ipynb")
    ]  # pages are made of them
    assert named == {str(page.relative_to(DOCS)) for page in (*PAGES, *notebooks)}


def slug(heading: str) -> str:
    """Return the anchor that Markdown gives a heading, or the one that it names."""
    given = re.search(r"\{#([\w.-]+)\}", heading)
    if given:
        return given[1]
    plain = re.sub(r"\[(.+?)\]\(.+?\)|[`*]", lambda found: found[1] or "", heading)
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def prose_of(page: Path) -> str:
    """Return a page without its fences, with what is made of the code."""
    return re.sub(r"^ *```.*?^ *```", "", filled(page.read_text("utf-8")), flags=re.M | re.S)


def anchors_of(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)}


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading of it."""
    for address in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match(r"[a-z]+:", address):
            continue
        name, _, anchor = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file() or target.with_suffix(".ipynb").is_file(), address
        if anchor:
            assert anchor in anchors_of(target), address


def test_configs_that_pages_show_are_files() -> None:
    """What a page includes is there, so that it is what a reader would copy."""
    for page in PAGES:
        for name in re.findall(r'^ *--8<-- "(.+)"$', page.read_text("utf-8"), re.MULTILINE):
            assert yaml.safe_load((ROOT / name).read_text("utf-8")), name


def test_the_readme_is_two_screens() -> None:
    """It says what this is, how to begin and where to go; all else is in the pages."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 150
    assert "pip install . && ray-pipeline quickstart" in lines


def test_a_page_that_loads_something_from_elsewhere_is_found() -> None:
    """Scripts, styles and pictures, but not links that somebody follows."""
    html = (
        '<script src="https://cdn.test/a.js"></script><link href="//cdn.test/b.css" rel="x">'
        '<img src="images/flow.svg"><a href="https://c.test">c</a><script>let src=1</script>'
    )
    assert remote_resources(html) == ["https://cdn.test/a.js", "//cdn.test/b.css"]
