"""Bounds that no sensible number of a config or of the command line reaches.

A value beyond them is a typing mistake that would overflow, fill the memory or run forever, long
after the config was accepted.
"""

from __future__ import annotations

__all__ = ["MAX_BARS", "MAX_BYTES", "MAX_COUNT", "MAX_INT", "MAX_ROWS", "MAX_SECONDS"]

MAX_BARS = 1_000_000
MAX_COUNT = 1_000_000
MAX_ROWS = 1_000_000_000
MAX_BYTES = 2**50
MAX_SECONDS = 10_000_000.0
MAX_INT = 2**63 - 1
