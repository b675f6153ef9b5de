"""Which requests a rule chooses."""

from __future__ import annotations

from object_stores.faults import (
    ACCESS_DENIED,
    SLOW_DOWN,
    Fault,
    Request,
    a_fraction,
    first,
    first_of,
    of_kind,
    reset,
)


def _request(method: str, query: str = "") -> Request:
    return Request(method, "/", query, {}, 1)


def test_rules_choose_requests() -> None:
    """By number and kind; the first of several rules counts."""
    rule = first_of(first(1, SLOW_DOWN, of_kind("LIST")), first(2, ACCESS_DENIED, of_kind("GET")))
    requests = [_request("GET", "list-type=2&prefix="), _request("PUT"), *[_request("GET")] * 3]
    assert [rule(request) for request in requests] == [
        SLOW_DOWN,
        None,
        ACCESS_DENIED,
        ACCESS_DENIED,
        None,
    ]


def test_a_fraction_is_drawn_by_its_seed() -> None:
    """The same seed spoils the same requests, another one others; all faults occur."""

    def drawn(seed: int, p: float = 0.3) -> list[Fault | None]:
        rule = a_fraction(p, [SLOW_DOWN, reset()], seed, of_kind("GET"))
        return [rule(_request(method)) for method in ("GET", "PUT") * 500]

    assert drawn(1) == drawn(1) != drawn(2)
    assert set(drawn(1)) == {None, SLOW_DOWN, reset()}
    assert 100 < 500 - drawn(1)[::2].count(None) < 200
    assert set(drawn(1)[1::2]) == {None}
    assert None not in drawn(1, p=1.0)[::2]
