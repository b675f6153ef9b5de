from __future__ import annotations

from hypothesis import settings

# No test asserts a time, and that of an example depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
