"""Configs that nobody would write: a sensible one, spoiled at random, for `check` to refuse.

``python tests/config_mutations.py 1000`` puts a thousand of them through `check`, each with a bound
on its time and its memory, and prints what they took.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml
from panels import bars_table, config_values, planted_panel, symbol_names, write_panel

from ray_pipeline.cli import main
from ray_pipeline.config import dump_config, parse_experiment_config

MAX_SECONDS = 30
MAX_GROWTH = 300 * 2**20
MAX_OUTPUT = 20_000

_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", " ", 0, -1, 1, 2, 3, 1.5, -0.0, 1e-300, 1e300, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf"), 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30),
    *("9" * 5_000, "x" * 5_000, "null", "~", "0x10", "1_000", "1:30", "0700", "NO", "=", "<<"),
    *("\x1b[2J", "\u202eabc", "\u200b", "\x00", "\x85", "\ud800", "\U0001f600", "İ", "ß" * 50),
    *("../../etc/passwd", "/", ".", "~", "~nobody/x", "a/b", "C:\\x", "/dev/null", "/proc/self"),
    *("s3://", "s3://KEY:HUSH@b/x", "ftp://127.0.0.1/x", "zip://x", "reference://x", "data:,x"),
    *("http://127.0.0.1:9/x", "simplecache::memory://x", "memory://", "memory://m/x", "file://"),
    *("nope://x", "://x", "S3://b/x", "hdfs://h/x", "gs://b/x", "github://a:b@main/x", "dir://x"),
    *("os:system", "os.system", "math:sqrt", "json:dumps", "this:x", "a:b:c", "__main__:x", ":"),
    *("ridge", "lightgbm", "mlp", "rank_average", "*", "**", "[", "?", "[!a]", "fwd_ret_*", "y_*"),
    *("fwd_ret_0d", "fwd_ret_" + "9" * 30 + "d", "y_will_peak_1d_1e400", "ret_zscore_d", "5d"),
    *([], {}, [[]], [{}], [None], [1, "a"], ["a", "a"], ["x"] * 5_000, {"a": {"b": {"c": 1}}}),
    *({"password": "x"}, {"token": "x"}, {1: 2}, {"": ""}, {"a" * 5_000: 1}, {None: None}),
    [4, 63, "log"],
)

_TEXTS = (
    *("\t", "\x00", "\x1b", "\ufeff", "\u2028", "---\n", "...\n", "%YAML 9.9\n", "? ", ": "),
    *("&a ", "*a ", "*nope", "!!python/object/apply:os.system ['true']", "!!binary x", "! "),
    *("<<: ", "{", "}", "[", "]", '"', "'", "|\n", ">\n", "#", "@", "`", "\\", "\r", "\n\n"),
    *(",", "=", "!!set", "- ", "[" * 3_000, "{a: " * 300, "- " * 300, "&x [*x, *x]"),
    *('"\\ud800"', '"\\x1b[2J"', "9" * 5_000),
)


@dataclass(frozen=True)
class Mutant:
    """A config's text and overrides, and how they came about."""

    text: bytes
    overrides: tuple[str, ...]
    story: str


def mutants(n: int, values: dict[str, Any], seed: int = 0) -> Iterator[Mutant]:
    """Spoil a config `n` times, always the same ones for a seed."""
    chance = random.Random(seed)
    text = yaml.safe_dump(values, sort_keys=False)
    whole = yaml.safe_load(dump_config(parse_experiment_config(text, "seed")))
    for _ in range(n):
        spoil = chance.choice((_values, _values, _values, _keys, _overrides, _text, _text, _bombs))
        yield spoil(chance, copy.deepcopy(chance.choice((values, whole))))


def _dumped(values: Any) -> bytes:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # PyYAML's, for values that were put into one another
    try:
        dumped = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    finally:
        sys.setrecursionlimit(limit)
    return dumped.encode("utf-8", "surrogatepass")


def _paths(values: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps: Any = ()
    if isinstance(values, dict):
        steps = values
    elif isinstance(values, list):
        steps = range(len(values))
    for step in steps:
        yield (*above, step)
        yield from _paths(values[step], (*above, step))


def _parent(values: Any, path: Sequence[Any]) -> Any:
    for step in path[:-1]:
        values = values[step]
    return values


def _hostile(chance: random.Random) -> Any:
    value = copy.deepcopy(chance.choice(_VALUES))
    for _ in range(chance.choice((0, 0, 0, 0, 1, 2, 33, 80))):
        value = [value] if chance.random() < 0.5 else {"k": value}
    return value


def _values(chance: random.Random, values: dict[str, Any]) -> Mutant:
    story = []
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        path = chance.choice(list(_paths(values)))
        value = _hostile(chance)
        _parent(values, path)[path[-1]] = value
        story.append(f"{path} = {value!r:.60}")
    return Mutant(_dumped(values), (), "; ".join(story))


def _keys(chance: random.Random, values: dict[str, Any]) -> Mutant:
    path = chance.choice([path for path in _paths(values) if isinstance(path[-1], str)])
    parent = _parent(values, path)
    how = chance.randrange(4)
    if how == 0:
        del parent[path[-1]]
    elif how == 1:
        wrong = "".join(chance.sample(path[-1], len(path[-1])))
        parent[wrong] = parent.pop(path[-1])
    elif how == 2:
        chance.choice([part for part in values.values() if isinstance(part, dict)])[path[-1]] = 1
    else:
        key = chance.choice([value for value in _VALUES if value.__hash__ is not None])
        parent[key] = _hostile(chance)
    return Mutant(_dumped(values), (), f"key {path}, way {how}")


def _overrides(chance: random.Random, values: dict[str, Any]) -> Mutant:
    paths = [path for path in _paths(values) if all(isinstance(step, str) for step in path)]
    given = []
    for _ in range(chance.choice((1, 2))):
        key = ".".join(chance.choice(paths)) if chance.random() < 0.8 else str(_hostile(chance))
        value = chance.choice((str(_hostile(chance)), chance.choice(_TEXTS)))
        given.append(f"{key}={value}" if chance.random() < 0.9 else key)
    return Mutant(_dumped(values), tuple(given), f"--set {given!r:.100}")


def _text(chance: random.Random, values: dict[str, Any]) -> Mutant:
    text = _dumped(values)
    story = []
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(text) + 1)
        how = chance.randrange(4)
        piece = chance.choice(_TEXTS).encode("utf-8", "surrogatepass")
        if how == 0:
            text = text[:place] + piece + text[place:]
        elif how == 1:
            text = text[:place] + bytes([chance.randrange(256)]) + text[place + 1 :]
        elif how == 2:
            text = text[: place or 1]
        else:
            text = text[:place] + text[place + chance.randrange(60) :]
        story.append(f"text, way {how} at {place}: {piece!r:.40}")
    return Mutant(text, (), "; ".join(story))


def _bombs(chance: random.Random, values: dict[str, Any]) -> Mutant:
    depth, width = chance.choice(((30, 2), (9, 9), (4, 400), (2, 3_000)))
    lines = ["  a0: &a0 [" + ", ".join(["x"] * width) + "]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    block = "\n".join(lines)
    head = chance.choice(
        (
            "stages:\n  s:\n    function: json:dumps\n    options:\n",
            "zzz:\n",
            "labeling:\n",
            "data:\n  data_dir: x\n  storage_options:\n",
        )
    )
    for key in re.findall(r"^[a-z]+(?=:)", head, re.MULTILINE):
        values.pop(key, None)
    indented = "\n".join(" " * (head.count("\n") * 2) + line for line in lines) or block
    text = _dumped(values) + f"{head}{indented}\n".encode()
    return Mutant(text, (), f"aliases {depth} deep, {width} wide below {head!r}")


@dataclass(frozen=True)
class Outcome:
    """What `check` did with a mutant."""

    mutant: Mutant
    code: int
    seconds: float
    growth_bytes: int
    output: str

    @property
    def problems(self) -> list[str]:
        """Name what a person would have to complain of."""
        found = []
        if self.code not in (0, 1, 2):
            found.append(f"exit code {self.code}")
        if "Traceback" in self.output:
            found.append("a traceback")
        if self.seconds > MAX_SECONDS:
            found.append(f"{self.seconds:.0f} s")
        if self.growth_bytes > MAX_GROWTH:
            found.append(f"{self.growth_bytes / 2**20:.0f} MiB")
        if self.code and len(self.output) > MAX_OUTPUT:
            found.append(f"{len(self.output):,} characters")
        if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", self.output):
            found.append("a raw control character")
        if "HUSH" in self.output:
            found.append("a secret")
        return found


def checked(mutant: Mutant, folder: Path) -> Outcome:
    """Put a mutant through `check` in this process."""
    path = folder / "mutant.yaml"
    path.write_bytes(mutant.text)
    arguments = ["check", str(path)]
    arguments.extend(f"--set={override}" for override in mutant.overrides)
    output = io.StringIO()
    before = _peak_bytes()
    start = time.monotonic()
    try:
        with (
            _alarm(4 * MAX_SECONDS),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            code = main(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else -1
    # Whatever gets past `main` is what this looks for.
    except BaseException as error:  # noqa: BLE001
        output.write(f"Traceback: {type(error).__name__}: {error}")
        code = -1
    seconds = time.monotonic() - start
    return Outcome(mutant, code, seconds, _peak_bytes() - before, output.getvalue())


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    def ring(*_: object) -> NoReturn:
        raise TimeoutError(f"no answer after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def prepare(folder: Path) -> list[dict[str, Any]]:
    """Write small panels, and return sensible configs for them."""
    labeled = write_panel(folder / "labeled", planted_panel(symbol_names(2)))
    bars = write_panel(folder / "bars", {"S00": bars_table("S00")})
    serial = {"executor": "serial"}
    return [
        config_values(labeled, folder / "run", execution=serial),
        config_values(
            bars,
            folder / "run",
            execution=serial,
            labeling={"features": ["standard"], "targets": ["fwd_ret_5d"]},
            training={"search": {"spaces": {"ridge": {"penalty": [0.1, 10, "log"]}}}},
        ),
    ]


def _report(n: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configs = prepare(folder)
        for values in configs:  # what is imported by the first check is nobody's growth
            assert checked(Mutant(_dumped(values), (), "as it is"), folder).code == 0
        outcomes = []
        for number, values in enumerate(configs):
            for mutant in mutants(n // len(configs), values, seed + number):
                outcomes.append(checked(mutant, folder))
                if problems := outcomes[-1].problems:
                    print(f"{problems}: {mutant.story}\n{outcomes[-1].output[-600:]}\n")
    codes = Counter(outcome.code for outcome in outcomes)
    wrong = sum(bool(outcome.problems) for outcome in outcomes)
    print(
        f"{len(outcomes)} mutants: {wrong} wrong; exit codes {dict(sorted(codes.items()))}; "
        f"slowest {max(outcome.seconds for outcome in outcomes):.1f} s, all "
        f"{sum(outcome.seconds for outcome in outcomes):.0f} s; most memory by one "
        f"{max(outcome.growth_bytes for outcome in outcomes) / 2**20:.0f} MiB, peak of the process "
        f"{_peak_bytes() / 2**20:.0f} MiB; longest output "
        f"{max(len(outcome.output) for outcome in outcomes):,} characters"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(_report(*(int(text) for text in [*sys.argv[1:], "1000", "0"][:2])))
