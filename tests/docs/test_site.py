"""The site is built without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import ROOT

pytest.importorskip("mkdocs", reason="needs ray-pipeline[docs]; .ci/run builds the site")


def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    """Broken links and anchors, pages outside the navigation, and remote files are warnings."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    built = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    config = (site / "reference/config.html").read_text("utf-8")
    assert 'id="data-symbol_batch_size"' in config
    assert "<!-- generated" not in config
    assert not list(site.rglob("*.py"))
