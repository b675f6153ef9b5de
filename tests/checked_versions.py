"""Versions of libraries whose private parts were read, and what to do when there is a newer one."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["look_again"]


def look_again(distribution: str, checked: str, module: str) -> None:
    """Fail when a newer version than the one that was read is installed (major and minor count)."""
    installed = version(distribution)
    is_newer = _release(installed) > _release(checked)
    assert not is_newer, (
        f"checked against {distribution} {checked}; {installed} is installed: look again at "
        f"ray_pipeline/{module}, then raise the version here"
    )


def _release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
