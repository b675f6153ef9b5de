"""`ray-pipeline import` beside DuckDB's partitioned COPY: day files of all symbols into one panel.

    python benchmarks/importing.py --rows 5_000_000
    python benchmarks/importing.py --rows 50_000_000 --days 250 --symbols 500 --kill

Both write the same rows, sorted by time, to a file per symbol and year; DuckDB a second time
without ORDER BY, whose rows then come in no order. Measured are the wall clock
and the most memory that the processes held together (proportional set size: shared pages count
once), each on its own, one after the other. With `--kill` the import is also killed half way and
continued, and its files compared with those of the undisturbed one. DuckDB comes from
`pip install duckdb`; without it the import alone is measured.

What DuckDB does not do: it neither continues after it was killed, nor adds the rows of new files to
what is there, nor drops and counts what comes twice, nor URL-encodes symbols so that ``BRK/B`` is
one level; it infers ``0700`` as a number where the column is not text.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_FIRST_DAY = np.datetime64("2023-01-02", "D")
_OPEN_MINUTE = 13 * 60 + 30

_DUCKDB = """
import duckdb, sys
source, out, memory, order = sys.argv[1:]
con = duckdb.connect()
con.execute(f"SET memory_limit = '{memory}'")
con.execute(f"SET temp_directory = '{out}.tmp'; SET preserve_insertion_order = false")
con.execute(f'''
    COPY (SELECT *, year(ts) AS year FROM read_parquet('{source}/*.parquet') {order})
    TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (symbol, year))
''')
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One command: its wall clock, the CPU time and the most memory of its processes together."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def main() -> None:
    """Make the day files, import them in both ways, and print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--memory", default="3GB", help="that DuckDB may use")
    parser.add_argument("--folder", help="for the files; a temporary one otherwise")
    parser.add_argument("--kill", action="store_true", help="also kill and continue an import")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        n_rows = write_days(root / "days", options.rows, options.days, options.symbols)
        size = sum(path.stat().st_size for path in (root / "days").iterdir())
        print(f"{n_rows:,} rows in {options.days} files, {size / 2**20:,.0f} MiB")
        imported = measure(import_command(root / "days", root / "panel"))
        report("ray-pipeline import", imported, n_rows, root / "panel")
        if options.kill:
            kill_and_continue(root)
        if find_spec("duckdb") is None:
            print("DuckDB is not installed: nothing to compare with")
            return
        for order in ("ORDER BY symbol, ts", ""):
            arguments = [str(root / "days"), str(root / "duck"), options.memory, order]
            copied = measure([sys.executable, "-c", _DUCKDB, *arguments])
            report(f"DuckDB COPY {order or 'unsorted'}", copied, n_rows, root / "duck")
            shutil.rmtree(root / "duck")
            print(f"import / DuckDB: {imported.seconds / copied.seconds:.2f} of the time")


def write_days(folder: Path, n_rows: int, n_days: int, n_symbols: int) -> int:
    """Write a file per day with the bars of all symbols, minute by minute."""
    folder.mkdir(parents=True)
    n_bars = max(1, n_rows // (n_days * n_symbols))
    random = np.random.default_rng(0)
    names = pa.array([f"S{i:04}" for i in range(n_symbols)])
    price = np.full(n_symbols, 100.0)
    for day in range(n_days):
        steps = random.normal(0, 0.001, (n_bars, n_symbols))
        closes = np.round(price * np.exp(np.cumsum(steps, axis=0)), 2)
        opens = np.vstack([np.round(price, 2), closes[:-1]])
        price = closes[-1]
        minutes = (_FIRST_DAY + day).astype("datetime64[m]") + _OPEN_MINUTE + np.arange(n_bars)
        codes = np.tile(np.arange(n_symbols, dtype=np.int32), n_bars)
        table = pa.table(
            {
                "ts": pa.array(np.repeat(minutes.astype("datetime64[ns]"), n_symbols)),
                "symbol": pa.DictionaryArray.from_arrays(codes, names).cast(pa.string()),
                "open": opens.ravel(),
                "high": np.round(np.maximum(opens, closes) * 1.001, 2).ravel(),
                "low": np.round(np.minimum(opens, closes) * 0.999, 2).ravel(),
                "close": closes.ravel(),
                "volume": random.integers(100, 100_000, n_bars * n_symbols),
            }
        )
        pq.write_table(table, folder / f"{_FIRST_DAY + day}.parquet", compression="zstd")
    return n_bars * n_symbols * n_days


def import_command(source: Path, out: Path) -> list[str]:
    """Return the command that imports."""
    program = [sys.executable, "-m", "ray_pipeline"]
    return [*program, "import", str(source), "--out", str(out), "--interval", "1m"]


def measure(command: Sequence[str]) -> Measured:
    """Run a command and watch its memory."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, is_over = [0], threading.Event()
    used: dict[int, float] = {}

    def watch() -> None:
        while not is_over.wait(0.5):
            family = _family(process.pid)
            peak[0] = max(peak[0], sum(map(_pss_bytes, family)))
            used.update((pid, max(used.get(pid, 0.0), _cpu_seconds(pid))) for pid in family)

    watching = threading.Thread(target=watch)
    watching.start()
    code = process.wait()
    seconds = time.monotonic() - start
    is_over.set()
    watching.join()
    if code:
        raise SystemExit(f"{' '.join(command)[:200]} ended with exit code {code}")
    return Measured(seconds, sum(used.values()), peak[0])


def report(name: str, measured: Measured, n_rows: int, out: Path) -> None:
    """Print what a command took, after counting the rows that it wrote."""
    files = [path for path in out.rglob("*.parquet") if "_import" not in path.parts]
    written = sum(pq.read_metadata(path).num_rows for path in files)
    size = sum(path.stat().st_size for path in files)
    if written != n_rows:
        raise SystemExit(f"{name} wrote {written:,} rows of {n_rows:,}")
    speed = f"{n_rows / measured.seconds:,.0f} rows/s"
    memory = f"{measured.peak_bytes / 2**30:.2f} GiB at most"
    print(
        f"{name}: {measured.seconds:.1f} s ({measured.cpu_seconds:.1f} s of CPU), {speed}, "
        f"{memory}; {len(files)} files, {size / 2**20:,.0f} MiB"
    )


def kill_and_continue(root: Path) -> None:
    """Kill an import when half of its files are there, continue it, and compare every file."""
    command = import_command(root / "days", root / "again")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = [path.relative_to(root / "panel") for path in (root / "panel").rglob("part-0.parquet")]
    n_before = 0
    while n_before < len(names) // 2 and process.poll() is None:
        time.sleep(0.1)
        n_before = len(list((root / "again").rglob("part-0.parquet")))
    for pid in _family(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    continued = measure(command)
    equal, differing, failed = filecmp.cmpfiles(
        root / "panel", root / "again", map(str, names), shallow=False
    )
    print(
        f"killed with {n_before} of {len(names)} files, continued in {continued.seconds:.1f} s: "
        f"{len(equal)} files are equal, {len(differing) + len(failed)} are not"
    )
    shutil.rmtree(root / "again")


def _family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
