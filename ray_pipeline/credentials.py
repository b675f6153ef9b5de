"""Recognising credentials in options and addresses, which are stored and must not contain any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

__all__ = ["address_without_secrets", "credential_keys", "secret_in_address"]

_SECRET_WORDS = frozenset(
    {
        *("auth", "authorization", "bearer", "cookie", "jwt", "key", "pass", "pat", "pwd", "sas"),
        *("session", "sig", "signature"),
    }
)
_SECRET_PARTS = ("secret", "token", "passw", "passphrase", "credential", "connection_string")
_SECRET_ENDINGS = ("accesskey", "accesskeyid", "accountkey", "apikey", "privatekey")
# gcsfs uses `token` for the sign-in *method*, the only way to read a public bucket.
_SIGN_IN_METHODS = frozenset({"anon", "browser", "cache", "cloud", "google_default"})

_SCHEME = r"[A-Za-z][A-Za-z0-9+.:-]{0,60}://"
_NAMES_BEFORE_AT = re.compile(r"(?:abfss?|wasbs?|hdfs)$", re.IGNORECASE)
"""``abfs://container@account``: the part before the @ is not a login."""
_MAX_ADDRESS = 8_192
# A secret key of S3 may contain slashes; digits before a slash are a port, not a password. Lengths
# are bounded because an unbounded search is quadratic in the text's length.
_USER = re.compile(
    rf"({_SCHEME})("
    r"(?:[^/?#@\s:]{0,500}:(?!\d{1,5}(?:[/?#]|$))[^@\s]{0,2000}|[^/?#@\s]{0,500})@)"
)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#\s]{1,200})=([^&;#\s]*)")


def credential_keys(options: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted path of every entry that holds a credential, at any depth.

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


def secret_in_address(address: str) -> str | None:
    """Say which part of an address is a credential, without repeating it; None if there is none.

    >>> secret_in_address("https://host/x?X-Amz-Signature=0f3a")
    "the parameter 'X-Amz-Signature'"
    """
    address = address[:_MAX_ADDRESS]
    if "://" not in address:
        return None
    for scheme, user in _USER.findall(address):
        if ":" in user:
            return "a user name and password before the host"
        if user != "@" and not _NAMES_BEFORE_AT.search(scheme.removesuffix("://")):
            return "a user name or key before the host"
    for name, value in _PARAMETER.findall(address):
        plain = unquote_plus(name)
        if value and _is_secret_name(plain):
            return f"the parameter {plain!r}"
    return None


def address_without_secrets(text: str) -> str:
    """Mask the credentials of every address in a foreign text.

    >>> address_without_secrets("cannot reach https://me:pw@host/x?sig=abc&page=2")
    'cannot reach https://…@host/x?sig=…&page=2'
    """

    def without_user(match: re.Match[str]) -> str:
        scheme, user = match.groups()
        is_name = ":" not in user and _NAMES_BEFORE_AT.search(scheme.removesuffix("://"))
        return match[0] if is_name or user == "@" else f"{scheme}…@"

    def without_value(match: re.Match[str]) -> str:
        return f"{match[1]}=…" if _is_secret_name(unquote_plus(match[1])) else match[0]

    if "://" not in text:
        return text
    return _PARAMETER.sub(without_value, _USER.sub(without_user, text))


def _is_credential(key: str, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, str) and secret_in_address(value) is not None:
        return True
    if key.lower() == "token" and isinstance(value, str) and value in _SIGN_IN_METHODS:
        return False
    return _is_secret_name(key)


def _is_secret_name(name: str) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if any(part in snake for part in _SECRET_PARTS) or snake.endswith(_SECRET_ENDINGS):
        return True
    if "kms" in snake:  # SSEKMSKeyId names an encryption key that stays in the store
        return False
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", snake))
