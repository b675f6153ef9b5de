"""Wall time, peak memory and findings of a whole run on the real market panels.

    python benchmarks/real_panels.py ../shared/data --panel daily
    python benchmarks/real_panels.py ../shared/data --panel crypto --executor serial

Prints one row: seconds by stage, the largest memory that the driver and its workers held together
(proportional set size, so that shared pages count once), and the targets found predictable.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq

from ray_pipeline.config import load_experiment_config
from ray_pipeline.driving.progress import Progress
from ray_pipeline.pipeline import run_pipeline

PANELS = {
    "daily": {
        "folder": "sp500_daily_2013_2018",
        "n_symbols": 40,
        "targets": "[fwd_ret_1d, fwd_ret_5d, fwd_ret_20d, y_will_peak_5d_1.0, "
        "y_will_valley_5d_1.0, y_first_touch_5d_0.5, y_first_touch_10d_1.0, y_will_peak_10d_2.0]",
    },
    "crypto": {
        "folder": "binance_usdt_5m_2024",
        "n_symbols": 12,
        "targets": "[fwd_ret_15m, fwd_ret_60m, fwd_ret_4h, y_will_peak_60m_1.0, "
        "y_will_valley_60m_1.0, y_first_touch_4h_1.0]",
    },
}


class PeakMemory(threading.Thread):
    """Samples the memory of this process and all its descendants, twice a second (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.driver_bytes = 0
        self._stop_event = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._stop_event.wait(0.5):
            sizes = {pid: _proportional_bytes(pid) for pid in _family(Path("/proc/self").resolve())}
            self.peak_bytes = max(self.peak_bytes, sum(sizes.values()))
            own = int(Path("/proc/self").resolve().name)
            self.driver_bytes = max(self.driver_bytes, sizes.get(own, 0))

    def stop(self) -> None:
        """End sampling."""
        self._stop_event.set()
        self.join()


def _family(root: Path) -> set[int]:
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the listing and the reading
        parents[int(status.parent.name)] = int(fields[1])
    family = {int(root.name)}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    return family


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0  # it ended meanwhile
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def main() -> None:
    """Run one panel and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds both panels")
    parser.add_argument("--panel", choices=sorted(PANELS), required=True)
    parser.add_argument("--executor", choices=["ray", "serial"], default="ray")
    parser.add_argument("--run-dir", help="keep the run here")
    options = parser.parse_args()
    panel = PANELS[options.panel]
    with tempfile.TemporaryDirectory() as folder:
        run_dir = options.run_dir or f"{folder}/run"
        config_file = Path(folder) / "run.yaml"
        config_file.write_text(
            f"data: {{data_dir: {options.data / str(panel['folder'])}, "
            f"symbol_batch_size: {panel['n_symbols']}}}\n"
            f"experiment: {{name: {options.panel}, seed: 7}}\n"
            f"labeling: {{targets: {panel['targets']}}}\n"
            f"execution: {{executor: {options.executor}}}\n"
            f"output: {{run_dir: {run_dir}}}\n"
        )
        memory = PeakMemory()
        memory.start()
        start = time.monotonic()
        result = run_pipeline(load_experiment_config(config_file), Progress(sys.stderr), fresh=True)
        wall_s = time.monotonic() - start
        memory.stop()
        record = json.loads(Path(run_dir, "run.json").read_text())
        print(result.message)
        print(
            f"wall {wall_s:.0f} s; peak memory {memory.peak_bytes / 2**20:.0f} MiB in all, "
            f"{memory.driver_bytes / 2**20:.0f} MiB in the driver; stages "
            + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in record["timings_s"].items())
        )
        columns = ["target", "view", "family", "skill", "std_error", "q_value", "predictable"]
        table = pq.read_table(Path(run_dir, "target_ranking/targets.parquet"), columns=columns)
        print(table.to_pandas().round(4).to_string(index=False))


if __name__ == "__main__":
    main()
