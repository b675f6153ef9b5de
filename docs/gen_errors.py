"""The errors of the package: what each means, what it also is, and how a command ends with it."""

from __future__ import annotations

from ray_pipeline import errors

__all__ = ["error_table"]


def error_table() -> str:
    """Return a table with a row for each class, the most general one first."""
    lines = ["| error | when | also a | exit code |", "|---|---|---|---|"]
    found = [getattr(errors, name) for name in errors.__all__]
    classes = [each for each in found if isinstance(each, type)]
    for kind in sorted(classes, key=lambda each: (len(each.__mro__), each.__name__)):
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        when = (kind.__doc__ or "").partition("\n")[0].partition(" (exit code")[0].rstrip(".")
        code = 2 if issubclass(kind, errors.GIVEN_WRONGLY) else 1
        name = kind.__name__
        lines.append(f'| <span id="{name}"></span>`{name}` | {when} | {bases} | {code} |')
    return "\n".join(lines)
