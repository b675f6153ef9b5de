"""How many trees boosting needs where the rounds share a total of learning rates.

    python benchmarks/boosting_rounds.py
    python benchmarks/boosting_rounds.py --data ../shared/data --panels daily coins

Walks forward over panels as `benchmarks/model_strength.py` does, with 300 trees, and with fewer
larger steps: skill with HAC errors, its difference to that of 300 trees, and seconds of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from model_strength import PLANTED, REAL, Panel, Series, estimate, real, series_of, walk

from ray_pipeline.execution.threads import ThreadLimits

ROUNDS = (300, 150, 100, 60)
N_OWN = 6


def report(name: str, panel: Panel, view: str) -> None:
    """Print a line for each number of trees."""
    panels = [panel]
    if view == "own":
        panels = [panel.rows(panel.symbols == symbol) for symbol in range(N_OWN)]
    most: list[Series] | None = None
    for n_rounds in ROUNDS:
        started = time.process_time()
        found = [walk(each, view, "lightgbm", {"n_estimators": n_rounds}) for each in panels]
        seconds = time.process_time() - started
        series = [series_of(one, view, each) for one, each in zip(panels, found, strict=True)]
        most = most or series
        cells = []
        for target in panel.targets:
            pairs = [(a, b) for a, b in zip(series, most, strict=True) if target.name in a]
            mine = [a[target.name] for a, _ in pairs]
            less = [a[target.name] - b[target.name] for a, b in pairs]
            cell = f"{target.name} {estimate(mine, target.horizon_bars, panel.spacing)}"
            if series is not most:
                cell += f" ({estimate(less, target.horizon_bars, panel.spacing)})"
            cells.append(cell)
        print(f"{name:7} {view:6} {n_rounds:4} {seconds:6.1f} s  {'  '.join(cells)}", flush=True)


def main() -> None:
    """Measure the panels that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder that holds the real panels")
    parser.add_argument("--panels", nargs="+", choices=[*PLANTED, *REAL])
    options = parser.parse_args()
    for name in options.panels or [*PLANTED, *(REAL if options.data else ())]:
        if name in REAL and options.data is None:
            parser.error(f"--panels {name} needs --data.")
        if name in REAL:
            folder, *settings = REAL[name]
            panel = real(options.data / folder, *settings)
        else:
            panel = PLANTED[name]()
        with ThreadLimits(1).applied():
            for view in ("pooled", "own"):
                report(name, panel, view)


if __name__ == "__main__":
    main()
