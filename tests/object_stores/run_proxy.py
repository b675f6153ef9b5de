"""The proxy as a program of its own, which shares no interpreter lock with what it measures.

``python tests/object_stores/run_proxy.py --upstream-port 8333 --latency-s 0.03`` prints its port
on a line and serves until its standard input ends; then it prints what came, as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path


def main() -> None:
    """Serve until standard input ends."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from object_stores.faults import SLOW_DOWN, Rule, a_fraction
    from object_stores.proxy import FaultyProxy

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream-port", type=int, required=True)
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--bytes-per-s", type=float)
    parser.add_argument("--slow-down", type=float, default=0.0, help="fraction of the requests")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rule: Rule | None = None
    if given.slow_down:
        rule = a_fraction(given.slow_down, [SLOW_DOWN], given.seed)
    with FaultyProxy(
        given.upstream_port,
        latency_s=given.latency_s,
        rule=rule,
        bytes_per_s=given.bytes_per_s,
    ) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        sys.stdin.read()
        requests = proxy.requests
    seen = {
        "n_requests": dict(Counter(request.kind for request in requests)),
        "n_faults": sum(request.fault is not None for request in requests),
        "n_body_bytes": sum(request.n_body_bytes for request in requests),
        "max_in_flight": max((request.n_in_flight for request in requests), default=0),
    }
    sys.stdout.write(f"{json.dumps(seen)}\n")


if __name__ == "__main__":
    main()
