"""What S3 answers when it refuses, read from the errors that s3fs and botocore raise."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BrokenBodyError",
    "MissingBucketError",
    "advice",
    "error_code",
    "http_status",
    "n_requests",
]

_ADVICE = {
    "AccessDenied": "the credentials in use do not allow it",
    "ExpiredToken": "renew the credentials in the environment of every worker",
    "InvalidAccessKeyId": "check the credentials in the environment of every worker",
    "RequestTimeTooSkewed": "set this machine's clock, for instance by NTP",
    "SignatureDoesNotMatch": "check the secret key in the environment of every worker",
}


class MissingBucketError(OSError):
    """There is no such bucket: that is no answer to whether a file is in it."""


class BrokenBodyError(OSError):
    """The body of an answer broke off every time.

    Parameters
    ----------
    reason
        What broke it the last time.
    n_tries
        How many requests were sent.
    """

    def __init__(self, reason: str, n_tries: int) -> None:
        super().__init__(reason)
        self.n_tries = n_tries


def error_code(error: BaseException) -> str:
    """Return S3's code of an error, such as ``NoSuchBucket``; empty if it has none."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def http_status(error: BaseException) -> int:
    """Return the HTTP status of an answer that was an error; 0 if there was no answer."""
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def n_requests(answer: dict[str, Any]) -> int:
    """Count the requests that botocore sent until it had an answer."""
    return 1 + int(answer.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def advice(error: BaseException) -> str:
    """Return what to do about a refusal, or an empty text."""
    return _ADVICE.get(error_code(error), "")


def _response(error: BaseException) -> dict[str, Any]:
    # s3fs raises OSErrors, whose cause is botocore's.
    told: BaseException | None = error
    while told is not None:
        response = getattr(told, "response", None)
        if isinstance(response, dict):
            return response
        told = told.__cause__
    return {}
