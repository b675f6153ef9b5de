"""What the tests need of the environment, for all of them, whatever is set outside.

`conftest.py` imports this before anything that imports NumPy or Ray, which read it as they load.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["RAY_FOLDER", "RAY_LOCK"]

RAY_FOLDER = Path(tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
"""Where the Rays of tests lie; short, because their sockets lie below it."""

RAY_LOCK = os.open(
    Path(tempfile.gettempdir(), f"ray_pipeline-tests-{os.getuid()}.lock"), os.O_CREAT | os.O_RDWR
)
"""Locked by the process whose tests use Ray."""

os.environ |= {
    # One mode in all tests, because a process cannot change it; without tokens, no test writes one
    # into the home folder of the developer who runs it. Default mode:
    # tests/execution/test_ray_session.py.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TMPDIR": str(RAY_FOLDER),
    # Where cores are taken, LightGBM's threads wait for each other: twice the time for small fits.
    "OMP_NUM_THREADS": "1",
}
