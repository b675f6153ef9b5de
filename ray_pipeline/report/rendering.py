"""From templates to a page that is fit to be shown."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ray_pipeline.display import escaped

__all__ = ["rendered"]


def rendered(room: str, template: str, **values: Any) -> str:
    """Fill a template; what came with the data is escaped, and nothing steers the text around it.

    Parameters
    ----------
    room, template
        Folder of this package and its file; what that includes may also be the report's.
    """
    return escaped(_environment(room).get_template(template).render(**values), keep="\n\t")


@cache
def _environment(room: str) -> Environment:
    folders = [PackageLoader("ray_pipeline", each) for each in dict.fromkeys((room, "report"))]
    return Environment(
        loader=ChoiceLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
