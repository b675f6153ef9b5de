"""Messages about unknown targets and symbols, with what the run knows instead (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ray_pipeline.errors import ConfigError
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import count
from ray_pipeline.wording import plural, some_of

__all__ = ["check_symbol", "check_target"]


def check_target(contents: RunContents, uri: str, target: str) -> None:
    """Raise ConfigError for a target that is not in the ranking; all pass before there is one."""
    ranked = sorted({row.target for row in contents.targets or ()})
    if ranked and target not in ranked:
        raise ConfigError(
            f"{uri} ranked no target {target!r}.{_meant(target, ranked)} It ranked "
            f"{plural(len(ranked), 'target')}: {some_of(ranked)}."
        )


def check_symbol(contents: RunContents, uri: str, symbol: str) -> None:
    """Raise ConfigError for a symbol without figures; a symbol that may still get them passes."""
    tables = (contents.routes, contents.skills)
    measured = any(
        table is not None and symbol in table.column("symbol").to_pylist() for table in tables
    )
    known = contents.symbols
    if measured or known is None:
        return
    for item in known.quarantined:
        if item.symbol == symbol:
            raise ConfigError(
                f"{uri}: symbol {symbol!r} was left out in {item.stage} and has no figures: "
                f"{item.reason}"
            )
    selected = known.selected
    if symbol in selected:
        return
    for item in known.rejected:
        if item.symbol == symbol:
            raise ConfigError(f"{uri}: symbol {symbol!r} was rejected: {item.reason}")
    if symbol in known.discovered:
        raise ConfigError(
            f"{uri}: symbol {symbol!r} was discovered, but it is not among the "
            f"{count(len(selected))} of {count(len(known.discovered))} that make up the batch "
            "(data.symbol_batch_size)."
        )
    raise ConfigError(
        f"{uri} knows no symbol {symbol!r}.{_meant(symbol, selected)} Its batch is "
        f"{plural(len(selected), 'symbol')}: {some_of(selected)}."
    )


def _meant(name: str, known: Sequence[str]) -> str:
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), list(by_lower), n=3)
    return f" Did you mean {' or '.join(repr(by_lower[each]) for each in close)}?" if close else ""
