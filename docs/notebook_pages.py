"""Pages made of the notebooks: as they stand, or with what they print where they are run first."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

__all__ = ["RUN_NOTEBOOKS", "notebook_page"]

RUN_NOTEBOOKS = "RUN_NOTEBOOKS"
"""Set in the environment, it has the notebooks run, a minute or two, for pages with results."""

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def notebook_page(path: Path) -> str:
    """Return a notebook as Markdown, with a link to itself below its title."""
    notebook = nbformat.read(path, as_version=4)
    if os.environ.get(RUN_NOTEBOOKS):
        _run(notebook)
    body, _ = MarkdownExporter().from_notebook_node(notebook)
    title, _, rest = body.lstrip().partition("\n")
    link = f"[Download this notebook]({path.name}){{ download }}"
    return f"{title}\n\n{link}\n{_ANSI.sub('', rest)}"


def _run(notebook: nbformat.NotebookNode) -> None:
    """Run the cells in a folder of their own, and keep of progress what is left on a line."""
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                lines = [line.rpartition("\r")[2] for line in output.text.split("\n")]
                output.text = "\n".join(line.rstrip() for line in lines if line.strip())
