"""The notebooks of the documentation: run from their first cell to their last, and stored empty."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from snippets import DOCS

nbformat = pytest.importorskip("nbformat", reason="needs ray-pipeline[test]")

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
FINDS = {
    "csv-files": ["fwd_ret_1d", "break_even_bps", "wrote    5,600 new rows", "fwd_ret_1d__score"],
    "daily-operation": ["outcomes:  176 predictions became known", "no alarm", "current since"],
    "data-frame": ["1 of 2 targets is predictable", "'data_frame', done", "fwd_ret_5d__score"],
}
"""What has to be seen in the outputs of each."""


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def printed(notebook: Any) -> str:
    """Return what the cells printed and showed."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append(output.get("text") or data.get("text/plain") or "")
    return "\n".join(found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    """Its outputs come from the reader's own run; a title comes first."""
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}
    assert notebook.metadata.kernelspec.name == "python3"


def test_each_notebook_has_something_to_find() -> None:
    """A notebook that is added is not only run."""
    assert {path.stem for path in NOTEBOOKS} == FINDS.keys()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, with a kernel of this Python, and finds what its text says."""
    nbclient = pytest.importorskip("nbclient", reason="needs ray-pipeline[test]")
    pytest.importorskip("ipykernel", reason="needs ray-pipeline[test]")
    here = Path(sys.executable).parent
    monkeypatch.setenv("PATH", os.pathsep.join([str(here), os.environ["PATH"]]))
    notebook = read(path)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=500, resources=resources).execute()
    seen = printed(notebook)
    assert [words for words in FINDS[path.stem] if words not in seen] == []
    assert "Traceback" not in seen


def test_a_page_is_made_of_each_notebook() -> None:
    """With its text, its code, and a link to the notebook itself."""
    pytest.importorskip("nbconvert", reason="needs ray-pipeline[docs]")
    from notebook_pages import notebook_page

    for path in NOTEBOOKS:
        page, notebook = notebook_page(path), read(path)
        assert page.startswith(notebook.cells[0].source.splitlines()[0])
        assert f"({path.name})" in page
        for cell in notebook.cells:
            assert cell.source.splitlines()[-1] in page
