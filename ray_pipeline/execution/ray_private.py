"""What Ray knows and no public call of it tells: the only home of its private parts.

They were read in Ray 2.60, and pyproject.toml allows none that is newer: tests say where to look
when it is to be raised.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from ray_pipeline.errors import ExecutionError

__all__ = ["grows_on_demand", "is_ray_client", "without_sigterm_handlers"]


def grows_on_demand() -> bool:
    """Tell from the names of the node types whether an autoscaler works on the joined cluster.

    Ray's monitor runs on every head and publishes the type of each node: ``node_<id>`` unless a
    file of node types was given to an autoscaler. The second version of the autoscaler, KubeRay's,
    publishes nothing of the kind, and is on where there is one.

    Raises
    ------
    ExecutionError
        When this Ray publishes it elsewhere.
    """
    try:
        from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
        from ray._raylet import (  # type: ignore[attr-defined]  # an extension without stubs
            GCS_AUTOSCALER_STATE_NAMESPACE,
            GCS_AUTOSCALER_V2_ENABLED_KEY,
        )
        from ray.experimental.internal_kv import _internal_kv_get
    except ImportError as error:
        raise _unknown(error) from error
    is_v2 = _internal_kv_get(
        GCS_AUTOSCALER_V2_ENABLED_KEY.encode(), namespace=GCS_AUTOSCALER_STATE_NAMESPACE.encode()
    )
    if is_v2 == b"1":
        return True
    published = _internal_kv_get(DEBUG_AUTOSCALING_STATUS)
    report = json.loads(published).get("autoscaler_report", {}) if published else {}
    types = report.get("node_type_mapping") or {}
    return any(kind != f"node_{node}" for node, kind in types.items())


def is_ray_client() -> bool:
    """Whether this process talks to its cluster through a Ray Client server.

    Raises
    ------
    ExecutionError
        When this Ray keeps it elsewhere.
    """
    try:
        from ray.util.client import ray as client
    except ImportError as error:
        raise _unknown(error) from error
    is_connected: bool = client.is_connected()  # type: ignore[no-untyped-call]
    return is_connected


@contextmanager
def without_sigterm_handlers() -> Iterator[None]:
    """Keep Ray from handling SIGTERM in this process while it is started or joined.

    `ray.init` sets two handlers, one after the other, that leave the program with exit code 15 or
    1, and without a word.

    Raises
    ------
    ExecutionError
        When this Ray sets them elsewhere.
    """
    try:
        from ray._private import utils

        set_handler = utils.set_sigterm_handler
    except (ImportError, AttributeError) as error:
        raise _unknown(error) from error
    utils.set_sigterm_handler = lambda _: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = set_handler


def _unknown(error: ImportError | AttributeError) -> ExecutionError:
    return ExecutionError(
        f"Ray {version('ray')} is newer than this version of ray_pipeline knows ({error}). "
        "Install the Ray that it asks for: pip install --upgrade ray-pipeline."
    )
