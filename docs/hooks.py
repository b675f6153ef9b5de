"""What MkDocs calls while it builds the pages.

Where a page has ``<!-- generated: NAME -->``, the text is made of the code, so that no command,
config key or error can be missing or out of date.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from generated import filled
from mkdocs.structure.files import File, Files
from notebook_pages import notebook_page
from remote import remote_resources

log = logging.getLogger("mkdocs.hooks.ray_pipeline")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each notebook; the notebook stays beside it, to be downloaded."""
    for file in list(files):
        if file.src_uri.endswith(".ipynb") and file.abs_src_path is not None:
            page = file.src_uri.removesuffix(".ipynb") + ".md"
            content = notebook_page(Path(file.abs_src_path))
            files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, **about: Any) -> str:
    """Put what is made of the code into a page."""
    return filled(markdown)


def on_page_content(html: str, **about: Any) -> str:
    """Have no table begin with a header that says nothing."""
    return re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)


def on_post_page(output: str, **about: Any) -> str:
    """Name the dialog of the search, which the theme leaves without a name."""
    return output.replace(
        'data-md-component="search" role="dialog"',
        'data-md-component="search" role="dialog" aria-label="Search"',
    )


def on_post_build(config: Any) -> None:
    """Warn, and so fail a strict build, where a page would load something from elsewhere."""
    for path in sorted(Path(config.site_dir).rglob("*.html")):
        for found in remote_resources(path.read_text("utf-8")):
            log.warning("%s loads %s from elsewhere", path.name, found)
