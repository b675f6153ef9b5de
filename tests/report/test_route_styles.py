"""Each route has its colour and its explanation on the page: a class without rule is invisible."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import get_args

from ray_pipeline.routing.decide import Route

REPORT = files("ray_pipeline.report")


def test_each_route_has_a_pattern() -> None:
    """In bars as in swatches, told apart without colours; no rule is left over."""
    style = (REPORT / "style.css").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^\.([A-Z_]+) \{ ([^}]*)\}", style, re.MULTILINE))
    assert set(rules) == set(get_args(Route))
    patterns = [
        re.fullmatch(r"color: var\(--[\w-]+\); background: (.+); ", declarations)
        for declarations in rules.values()
    ]
    assert all(patterns), rules
    assert len({found[1] for found in patterns if found}) == len(rules)


def test_each_route_is_explained() -> None:
    """Under "How to read this", in the words of the legend."""
    method = (REPORT / "method.html").read_text(encoding="utf-8")
    (explained,) = re.findall(r"<dt>Routes</dt>\n<dd>(.*?)</dd>", method)
    clauses = [clause.partition(":")[0].strip() for clause in explained.split(";")]
    named = {clause.lower().replace("-", " ") for clause in clauses}
    assert {route.lower().replace("_", " ") for route in get_args(Route)} <= named
