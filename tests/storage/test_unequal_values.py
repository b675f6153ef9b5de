"""Which values of two columns are the same."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from ray_pipeline.storage import type_name, unequal_values

NAN = math.nan


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (pa.array([0.0, -0.0, NAN, None]), pa.array([-0.0, -0.0, NAN, None]), [1, 0, 0, 0]),
        (pa.array([NAN, None, 1.0]), pa.array([None, 0.0, 1.0]), [1, 1, 0]),
        (
            pa.array([NAN, 0.5], pa.float16()),
            pa.array([NAN, 0.25], pa.float16()),
            [0, 1],
        ),
        (pa.array(["a", "", None]), pa.array(["a", None, None], pa.large_string()), [0, 1, 0]),
        (pa.array(["ü", "b"]).dictionary_encode(), pa.array(["ü", "c"]), [0, 1]),
        (pa.array([b"\x00", b""]), pa.array([b"\x00", b"\x00"]), [0, 1]),
        (pa.array([True, None, False]), pa.array([True, False, True]), [0, 1, 1]),
        (pa.array([2**63 - 1, 1]), pa.array([2**63 - 2, 1]), [1, 0]),
        (pa.array([1, 2], pa.timestamp("ns")), pa.array([1, 3], pa.timestamp("ns")), [0, 1]),
        (pa.array([1, 2], pa.date32()), pa.array([1, 3], pa.date32()), [0, 1]),
        (pa.array([[1.0], [NAN], None]), pa.array([[1.0, 1.0], [NAN], []]), [1, 0, 1]),
        (pa.array([Decimal("1.5"), None]), pa.array([Decimal("1.5"), None]), [0, 0]),
        (pa.nulls(2), pa.nulls(2), [0, 0]),
        (pa.array([], pa.string()), pa.array([], pa.string()), []),
        (pa.array([9, 1, 2]).slice(1), pa.array([1, 3]), [0, 1]),
    ],
)
def test_unequal_rows(a: pa.Array, b: pa.Array, expected: list[int]) -> None:
    """By bits and bytes, with one NaN; nulls are equal to one another alone."""
    assert unequal_values(a, b).tolist() == [bool(each) for each in expected]
    assert unequal_values(b, a).tolist() == [bool(each) for each in expected]


def test_names_of_types() -> None:
    """Memory layout has no part in the name; units, zones and widths do."""
    assert type_name(pa.dictionary(pa.int8(), pa.large_string())) == "string"
    assert type_name(pa.large_list(pa.string_view())) == "list<string>"
    assert type_name(pa.timestamp("ns", "UTC")) == "timestamp[ns, tz=UTC]"
    assert type_name(pa.float32()) != type_name(pa.float64())
