"""Two long texts cut to the part in which they differ (pure)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["beside"]

_LIMIT = 88
_BEFORE = 24


def beside(a: str | None, b: str | None, limit: int = _LIMIT) -> tuple[str, str]:
    """Write two values so that their first difference shows, however long they are.

    Examples
    --------
    >>> beside("0.1", None)
    ('0.1', 'nothing')
    >>> beside("a" * 500 + "b" * 50, "a" * 500 + "c" * 50, limit=40)
    ('…aaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbb…', '…aaaaaaaaaaaaaaaaaaaaaaaacccccccccccccc…')
    """
    given = [text for text in (a, b) if text is not None]
    start = max(0, _n_common(given) - _BEFORE) if max(map(len, given), default=0) > limit else 0
    shown_a, shown_b = (_cut(text, start, limit) for text in (a, b))
    return shown_a, shown_b


def _n_common(texts: Sequence[str]) -> int:
    if len(texts) < 2:
        return 0
    pairs = enumerate(zip(*texts, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(map(len, texts)))


def _cut(text: str | None, start: int, limit: int) -> str:
    if text is None:
        return "nothing"
    if start:
        text = f"…{text[start:]}"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
