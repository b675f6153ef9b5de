"""What a user may choose of an update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ray_pipeline.credentials import secret_in_address
from ray_pipeline.errors import ConfigError

__all__ = ["UpdateOptions"]


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """What a user may choose; by default everything is as in the run.

    Attributes
    ----------
    n_workers
        Workers; 0: in this process, without Ray.
    address
        Of the Ray cluster.
    watch_since
        Live predictions before this time are not judged, as after an answer to an alarm, ISO 8601.
    """

    n_workers: int | None = None
    address: str | None = None
    watch_since: str | None = None

    def execution(self) -> dict[str, Any]:
        """Return the keys of the config's ``execution`` that these replace.

        Raises
        ------
        ConfigError
            When the address holds a secret.
        """
        found: dict[str, Any] = {}
        if self.n_workers is not None:
            found |= {
                "executor": "ray" if self.n_workers else "serial",
                "n_workers": self.n_workers or None,
            }
        if self.address is not None:
            if (secret := secret_in_address(self.address)) is not None:
                raise ConfigError(f"--address holds {secret}. Remove it.")
            found |= {"executor": "ray", "address": self.address}
        return found
