"""Opening S3, Amazon's or another's, with the patience and the limits that this program wants."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import time
from collections.abc import Mapping
from typing import Any

import s3fs
from botocore.exceptions import BotoCoreError, ConnectionError, HTTPClientError
from fsspec.asyn import sync_wrapper
from s3fs.core import S3_RETRYABLE_ERRORS

from ray_pipeline.credentials import credential_keys
from ray_pipeline.errors import ConfigError
from ray_pipeline.storage.s3_errors import (
    GaveUpError,
    error_code,
    http_status,
    is_passing,
    n_requests,
    said,
)
from ray_pipeline.traffic import one_request

__all__ = ["S3FileSystem", "back_off", "open_s3"]

# Standard mode is botocore's back-off with jitter: five tries in 7 s or so. Stores can fail for
# longer than that, so all five are repeated while patience lasts.
_ATTEMPTS = 5
_PATIENCE_S = 60.0
_LONGEST_WAIT_S = 10.0
_CHANCE = random.Random()  # not the global one, which belongs to the user
# Twice the threads that list or read at a time; botocore's default of 10 would make them queue.
_CONNECTIONS = 32

# What a store says when credentials that were good have been replaced since.
_STALE = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "TokenRefreshRequired"}
)
_UNANSWERED = (*S3_RETRYABLE_ERRORS, ConnectionError, HTTPClientError)
_FAILURES = (*_UNANSWERED, BotoCoreError, OSError)

_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
_CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")


class S3FileSystem(s3fs.S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """s3fs with more patience, which also looks for new credentials when its own are stale.

    Parameters
    ----------
    patience_s
        Seconds for which failures that may pass are borne, each request's. A store that never
        answered is more likely to be at another address: it gets the first tries alone.
    *arguments, **named
        Of s3fs.

    Notes
    -----
    Credentials that come with an expiry (roles, single sign-on, a ``credential_process``) are
    refreshed by botocore before they expire. Those in a file or a secret that somebody else
    rotates are read once only, so a run longer than their life needs another look at them.
    """

    def __init__(self, *arguments: Any, patience_s: float = _PATIENCE_S, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.retries = 1  # of s3fs' own
        self._patience_s = patience_s
        self._has_answered = False
        self._renewing = asyncio.Lock()

    async def ask(self, method: str, **arguments: Any) -> Any:
        """Send one request of our own: `call_s3` for callers in the filesystem's loop."""
        return await self._call_s3(method, **arguments)

    async def _call_s3(self, method: str, *more: Any, **arguments: Any) -> Any:
        n_failures = n_tries = 0
        start = time.monotonic()
        while True:
            try:
                with one_request():
                    answer = await self._once(method, *more, **arguments)
            except _FAILURES as error:
                self._has_answered |= http_status(error) > 0
                if not _may_pass(error):
                    raise
                n_tries += self._n_requests(error)
                patience_s = self._patience_s if self._has_answered else 0.0
                if time.monotonic() - start >= patience_s:
                    raise GaveUpError(said(error), n_tries) from error
                await back_off(n_failures)
                n_failures += 1
            else:
                self._has_answered = True
                return answer

    call_s3 = sync_wrapper(_call_s3)

    async def _once(self, method: str, *more: Any, **arguments: Any) -> Any:
        client = self._s3
        more = self.req_kw, *more  # who pays: older versions of s3fs tell it to some requests alone
        try:
            return await super()._call_s3(method, *more, **arguments)
        except OSError as error:
            if self.anon or error_code(error) not in _STALE:
                raise
            async with self._renewing:
                if self._s3 is client:  # nobody else has renewed it meanwhile
                    await self.set_session(refresh=True)
        return await super()._call_s3(method, *more, **arguments)

    def _n_requests(self, error: BaseException) -> int:
        if http_status(error):
            return n_requests(error)
        return int(self.config_kwargs["retries"].get("total_max_attempts", 1))


async def back_off(n_failures: int, first_s: float = 1.0) -> None:
    """Wait for a random time, which may be twice as long after each further failure."""
    await asyncio.sleep(_CHANCE.uniform(0, min(_LONGEST_WAIT_S, first_s * 2**n_failures)))


def open_s3(options: Mapping[str, object]) -> S3FileSystem:
    """Open S3 without any listing cache.

    Parameters
    ----------
    options
        Of s3fs, besides ``region`` and `S3FileSystem`'s own; none of them a credential.

    Raises
    ------
    ConfigError
        For an option that s3fs does not have, with those that it has, or a wrong value.
    """
    own = {"patience_s", "profile", "region"}
    known = {*inspect.signature(s3fs.S3FileSystem.__init__).parameters, *own} - {"self", "kwargs"}
    unknown = sorted(set(options) - known)
    if unknown:
        usable = sorted(name for name in known if not any(credential_keys({name: "x"})))
        raise ConfigError(
            f"storage_options: S3 has no option {', '.join(map(repr, unknown))}. "
            f"Known are: {', '.join(usable)}."
        )
    patience_s = options.get("patience_s", _PATIENCE_S)
    if isinstance(patience_s, bool) or not isinstance(patience_s, int | float):
        raise ConfigError(
            f"storage_options.patience_s must be a number of seconds; got {patience_s!r}."
        )
    return S3FileSystem(**_arguments(dict(options)))


def _arguments(options: dict[str, object]) -> dict[str, Any]:
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


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _UNANSWERED) or is_passing(error)
