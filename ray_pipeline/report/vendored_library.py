"""The library that draws charts of time, kept in this package as it was published.

``vendored/uplot`` has its files byte for byte, with its license. ``library.json`` there names the
version, the checksum of the archive that was published, and those of the files taken out of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

__all__ = ["VENDORED", "VendoredLibrary", "vendored_library"]

VENDORED = files("ray_pipeline.report") / "vendored" / "uplot"


@dataclass(frozen=True, slots=True)
class VendoredLibrary:
    """What a page holds of a library: script, style, and who may be thanked for it."""

    script: Markup
    style: Markup


@cache
def vendored_library() -> VendoredLibrary:
    """Read the library as it goes into a page.

    The first line of its script is a comment with an address; its name, version and license
    stand there instead, for a page names no place to fetch anything from.
    """
    told = json.loads(_text("library.json"))
    script = _text("uPlot.iife.min.js")
    first, _, code = script.partition("\n")
    if not (first.startswith("/*!") and first.endswith("*/")):
        code = script
    head = f"/*! {told['name']} {told['version']}, {told['license']}\n\n{_text('LICENSE')}*/\n"
    return VendoredLibrary(script=Markup(head + code), style=Markup(_text("uPlot.min.css")))


def _text(name: str) -> str:
    return (VENDORED / name).read_text("utf-8")
