"""The authentication mode of Ray, of which a process has one for good."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["OF_THIS_PROCESS", "AuthMode"]

_VARIABLE = "RAY_AUTH_MODE"


@dataclass(slots=True)
class AuthMode:
    """The mode that Ray works in here: ``disabled`` or ``token``.

    Notes
    -----
    Ray reads ``RAY_AUTH_MODE`` when it is imported and keeps what it read. What it starts later
    reads the variable again: if that has changed, the two do not talk to each other, and all that
    shows is a timeout, or workers that die as they start. Where the variable is not set, Ray of
    2.59 and later turns tokens on for a Ray that it starts, in this process too.
    """

    value: str

    def conflict(self) -> str | None:
        """Say why no Ray can be used as the environment now asks, or None when one can."""
        asked = os.environ.get(_VARIABLE, "").lower()
        if asked in ("", self.value):
            return None
        return (
            f"{_VARIABLE} is {asked} now, but Ray works in the mode {self.value} in this process, "
            f"and cannot change it. Set {_VARIABLE}={self.value}, or start a new process with "
            f"{_VARIABLE}={asked}."
        )

    def remember(self) -> None:
        """Take note of the mode once Ray is in use: it sets the variable when it decides itself."""
        self.value = os.environ.get(_VARIABLE, "").lower() or self.value


OF_THIS_PROCESS = AuthMode(os.environ.get(_VARIABLE, "").lower() or "disabled")
"""As Ray read it; imported together with Ray."""
