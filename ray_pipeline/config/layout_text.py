"""Checks of a path pattern: the text of ``data.layout``."""

from __future__ import annotations

import re
from collections import Counter

from ray_pipeline.wording import some_of

__all__ = ["FIELD", "layout_fault"]

FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A field of a pattern, such as ``{symbol}``."""

_OTHER_FILES = re.compile(r"\.(csv|tsv|txt|json|feather|gz|zst|zip)$", re.IGNORECASE)


def layout_fault(text: str, *, any_files: bool = False) -> str | None:
    """Say what is wrong with a pattern, as a predicate; None if it is valid.

    With `any_files`, other files than Parquet are allowed.

    >>> layout_fault("ticker={symbol}") is None
    True
    >>> layout_fault("symbol={symbol}/{symbol}.parquet")
    'names symbol more than once: write * where the path repeats it'
    """
    fields = FIELD.findall(text)
    rest = FIELD.sub("", text)
    levels = text.strip("/").split("/")
    repeated = [name for name, count in Counter(fields).items() if count > 1]
    found = f" (its fields: {', '.join(fields)})" if fields else ""
    faults = {
        "has a brace outside its fields; fields are written {symbol}, {interval}, {exchange}": (
            "{" in rest or "}" in rest
        ),
        f"names no {{symbol}}{found}: put {{symbol}} where the symbol stands, such as "
        "ticker={symbol} or {symbol}.parquet": "symbol" not in fields,
        f"names {some_of(repeated)} more than once: write * where the path repeats it": repeated,
        "is an address; it must be relative to data_dir, e.g. ticker={symbol}": (
            "://" in text or text.startswith(("/", "~"))
        ),
        "has an empty, '.' or '..' level; it must only go down from data_dir": (
            not {"", ".", ".."}.isdisjoint(levels)
        ),
        "has ** next to other text; it stands for whole levels, as in {symbol}/**/*.parquet": any(
            "**" in level and level != "**" for level in levels
        ),
        "has two fields with nothing between them, so it is unclear where the first one ends": (
            "}{" in text
        ),
        "names files that are not Parquet; ray-pipeline import converts those to the layout": (
            not any_files and _OTHER_FILES.search(levels[-1])
        ),
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)
