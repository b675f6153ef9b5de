"""Opening S3, Amazon's or another's, with the patience and the limits that this program wants."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Mapping
from typing import Any

import s3fs
from fsspec.asyn import sync_wrapper

from ray_pipeline.credentials import credential_keys
from ray_pipeline.errors import ConfigError
from ray_pipeline.storage.s3_errors import error_code

__all__ = ["S3FileSystem", "open_s3"]

# Standard mode is botocore's back-off with jitter. s3fs repeats a whole request on top of it, by
# default five times: two are enough here, since 2 × 5 tries take about half a minute when the
# store keeps saying SlowDown.
_ATTEMPTS = 5
_ROUNDS = 2
# Twice the threads that list or read at a time; botocore's default of 10 would make them queue.
_CONNECTIONS = 32

# What a store says when credentials that were good have been replaced since.
_STALE = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "TokenRefreshRequired"}
)
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
_CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")


class S3FileSystem(s3fs.S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """s3fs, which looks for new credentials once when the store says that its own have expired.

    Credentials that come with an expiry (roles, single sign-on, a ``credential_process``) are
    refreshed by botocore before they expire. Those in a file or a secret that somebody else
    rotates are read once only, so a run longer than their life needs another look at them.
    """

    async def _call_s3(self, method: str, *more: Any, **arguments: Any) -> Any:
        client = self._s3
        try:
            return await super()._call_s3(method, *more, **arguments)
        except OSError as error:
            if self.anon or error_code(error) not in _STALE:
                raise
            async with self._renewing:
                if self._s3 is client:  # nobody else has renewed it meanwhile
                    await self.set_session(refresh=True)
        return await super()._call_s3(method, *more, **arguments)

    call_s3 = sync_wrapper(_call_s3)

    @property
    def _renewing(self) -> asyncio.Lock:
        if "_renewing_lock" not in self.__dict__:
            self.__dict__["_renewing_lock"] = asyncio.Lock()
        lock: asyncio.Lock = self.__dict__["_renewing_lock"]
        return lock


def open_s3(options: Mapping[str, object]) -> S3FileSystem:
    """Open S3 without any listing cache.

    Parameters
    ----------
    options
        Of s3fs, besides ``region``; none of them a credential.

    Raises
    ------
    ConfigError
        For an option that s3fs does not have, with those that it has.
    """
    known = {*inspect.signature(s3fs.S3FileSystem.__init__).parameters, "profile", "region"}
    known -= {"self", "kwargs"}
    unknown = sorted(set(options) - known)
    if unknown:
        usable = sorted(name for name in known if not any(credential_keys({name: "x"})))
        raise ConfigError(
            f"storage_options: S3 has no option {', '.join(map(repr, unknown))}. "
            f"Known are: {', '.join(usable)}."
        )
    fs = S3FileSystem(**_arguments(dict(options)))
    fs.retries = _ROUNDS
    return fs


def _arguments(options: dict[str, object]) -> dict[str, object]:
    region = options.pop("region", None)
    client = _mapping(options.pop("client_kwargs", None), "client_kwargs")
    if region is not None:
        client["region_name"] = region
    config: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
        "max_pool_connections": _CONNECTIONS,
    }
    if options.get("endpoint_url") or any(map(os.environ.get, _ENDPOINTS)):
        # Amazon's clients add checksums of 2025 to each request, which many other servers refuse.
        config |= {
            name: "when_required" for name in _CHECKSUMS if f"AWS_{name.upper()}" not in os.environ
        }
    config |= _mapping(options.pop("config_kwargs", None), "config_kwargs")
    return {
        **options,
        "client_kwargs": client,
        "config_kwargs": config,
        "use_listings_cache": False,
    }


def _mapping(value: object, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    raise ConfigError(f"storage_options.{name} must be a mapping; got {value!r}.")
