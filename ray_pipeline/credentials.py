"""Recognising credentials where none belong: in options and addresses, which get written down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["credential_keys", "holds_password"]

_SECRET_WORDS = frozenset({"key", "auth", "authorization", "cookie", "pwd", "sas"})
_SECRET_PARTS = ("secret", "token", "passw", "passphrase", "credential", "connection_string")
_SECRET_ENDINGS = ("accesskey", "accountkey", "apikey", "privatekey")
# gcsfs takes the *method* of signing in under `token`, the only way to read a public bucket.
_SIGN_IN_METHODS = frozenset({"anon", "browser", "cache", "cloud", "google_default"})
_URI_WITH_PASSWORD = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/@\s]*:[^/\s]*@")


def credential_keys(options: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted path of every entry that holds a credential, however deep it is.

    >>> list(credential_keys({"anon": False, "client_kwargs": {"aws_secret_access_key": "x"}}))
    ['client_kwargs.aws_secret_access_key']
    """
    for key, value in options.items():
        path = f"{above}.{key}" if above else key
        if _is_credential(key, value):
            yield path
        else:
            entries = value if isinstance(value, list | tuple) else [value]
            for entry in entries:
                if isinstance(entry, Mapping):
                    yield from credential_keys(entry, path)


def holds_password(uri: str) -> bool:
    """Whether an address names a user and a password before its host."""
    return _URI_WITH_PASSWORD.match(uri) is not None


def _is_credential(key: str, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, str) and holds_password(value):
        return True
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    if snake == "token" and isinstance(value, str) and value in _SIGN_IN_METHODS:
        return False
    if any(part in snake for part in _SECRET_PARTS) or snake.endswith(_SECRET_ENDINGS):
        return True
    if "kms" in snake:  # SSEKMSKeyId names an encryption key that stays in the store
        return False
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", snake))
