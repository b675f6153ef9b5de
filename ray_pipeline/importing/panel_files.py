"""The files of the panel that an import writes: only its own."""

from __future__ import annotations

import re

from ray_pipeline.errors import ConfigError
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import plural, some_of

__all__ = ["PanelFiles", "panel_files"]

_OWN = re.compile(r"interval=[^/]+/symbol=([^/]*)/year=-?\d+/part-0\.parquet")


class PanelFiles(dict[str, int]):
    """Bytes of each file of one interval, by name."""

    @property
    def n_symbols(self) -> int:
        """Number of symbols with a file."""
        return len({name.split("/")[1] for name in self})


def panel_files(out: RunDirectory, interval: str) -> PanelFiles:
    """List the existing files of an interval.

    Raises
    ------
    ConfigError
        When there are files that no import has written: rows would be mixed.
    StorageError
        When the storage fails.
    """
    listed = out.listed(f"interval={interval}")
    found = PanelFiles(
        (name, file.size_bytes) for name, file in listed.items() if name.endswith(".parquet")
    )
    others = sorted(name for name in found if _OWN.fullmatch(name) is None and "/." not in name)
    if others:
        raise ConfigError(
            f"--out {out.uri} holds {plural(len(others), 'Parquet file')} that no import has "
            f"written ({some_of(others, at_most=2)}): rows could come twice. Give another folder."
        )
    return PanelFiles({name: size for name, size in found.items() if _OWN.fullmatch(name)})
