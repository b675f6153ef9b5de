"""What S3 answers when it refuses, read from the errors that s3fs and botocore raise."""

from __future__ import annotations

from typing import Any

__all__ = [
    "GaveUpError",
    "MissingBucketError",
    "advice",
    "error_code",
    "http_status",
    "is_passing",
    "n_requests",
    "said",
]

# What may go well the next time, besides all answers from 500 on but "not implemented".
_PASSING = frozenset(
    {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "XAmzContentSHA256Mismatch"}
)
_NOT_IMPLEMENTED = 501

_ADVICE = {
    "AccessDenied": "the credentials in use do not allow it: change their policy, or use others",
    "ExpiredToken": "renew the credentials in the environment of every worker",
    "InvalidAccessKeyId": "check the credentials in the environment of every worker",
    "NoCredentialsError": (
        "put them into the environment of every worker, or set anon for a public bucket"
    ),
    "RequestTimeTooSkewed": "set this machine's clock, for instance by NTP",
    "SignatureDoesNotMatch": "check the secret key in the environment of every worker",
}


class MissingBucketError(OSError):
    """There is no such bucket: that is not an answer to whether a file is in it."""


class GaveUpError(OSError):
    """The store failed again and again, in a way that might have passed.

    Parameters
    ----------
    reason
        How it failed the last time.
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


def is_passing(error: BaseException) -> bool:
    """Whether an answer that was an error may be another the next time."""
    status = http_status(error)
    return error_code(error) in _PASSING or (status >= 500 and status != _NOT_IMPLEMENTED)


def said(error: BaseException) -> str:
    """Return what an error says in words."""
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return words.strip().rstrip(".") or type(error).__name__


def n_requests(error: BaseException) -> int:
    """Count the requests that botocore sent until it had an answer that was an error."""
    return 1 + int(_response(error).get("ResponseMetadata", {}).get("RetryAttempts", 0))


def advice(error: BaseException) -> str:
    """Return what to do about a refusal, or an empty text."""
    return _ADVICE.get(error_code(error) or type(error).__name__, "")


def _response(error: BaseException) -> dict[str, Any]:
    # s3fs raises OSErrors, whose cause is botocore's.
    told: BaseException | None = error
    while told is not None:
        response = getattr(told, "response", None)
        if isinstance(response, dict):
            return response
        told = told.__cause__
    return {}
