"""What families say of the hyperparameters that are worth a search."""

from __future__ import annotations

import pytest
from problems import FAMILIES

from ray_pipeline.families import Searchable, SearchDimension, load_family


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_takes_all_that_it_offers(name: str) -> None:
    """Both ends and all choices pass the family's own check; a default lies in its dimension."""
    family = load_family(name)
    assert isinstance(family, Searchable)
    space = family.search_space()
    assert space
    for key, dimension in space.items():
        is_choice = dimension.kind == "choice"
        for value in dimension.choices if is_choice else (dimension.low, dimension.high):
            family.check_hyperparameters({key: value})
        assert len(dimension.choices) >= 2 if is_choice else dimension.low < dimension.high
        assert not dimension.log or dimension.low > 0
        assert dimension.default is None or dimension.holds(dimension.default)


@pytest.mark.parametrize(
    ("dimension", "inside", "outside"),
    [
        (SearchDimension("int", 2, 8), [2, 8], [1, 9, 2.0, True, "2"]),
        (SearchDimension("float", 0.5, 2.0), [0.5, 1, 2.0], [0.4, 2.1, True, "1"]),
        (SearchDimension("choice", choices=(True, 3, "a")), [True, 3, "a"], [1, 3.0, "b", False]),
    ],
)
def test_a_dimension_holds_what_lies_in_it(
    dimension: SearchDimension, inside: list[object], outside: list[object]
) -> None:
    """Ends are inside; a truth value is not a number, and 3.0 is not the choice 3."""
    assert all(dimension.holds(value) for value in inside)  # type: ignore[arg-type]
    assert not any(dimension.holds(value) for value in outside)  # type: ignore[arg-type]
