from __future__ import annotations

import pytest

from ray_pipeline.credentials import address_without_secrets, credential_keys, secret_in_address

SECRET = [
    "s3://me:HUSH@bucket/x",
    "s3://AKIA:HUSH/with+slash@bucket/x",
    "s3://HUSH@bucket",
    "https://HUSH@host/api",
    "https://me:HUSH@host:8080/",
    "abfs://container:HUSH@account/x",
    "zip::https://me:HUSH@host/x",
    "https://host/x?sig=HUSH",
    "https://host/x?a=1&X-Amz-Signature=HUSH&b=2",
    "https://host/x?X-Amz-Credential=HUSH",
    "https://host/x?x-amz-security-token=HUSH",
    "https://host/x?%73ig=HUSH",
    "https://host/x?api_key=HUSH",
    "https://host/x?AWSAccessKeyId=HUSH",
    "https://host/x#access_token=HUSH",
    "s3://bucket/x;password=HUSH",
]
PLAIN = [
    "s3://bucket/key",
    "/data/me:you@home?sig=1",
    "abfs://container@account.dfs.core.windows.net/x",
    "hdfs://me@namenode:8020/x",
    "http://localhost:9000",
    "http://host:9000/a@b",
    "s3://bucket/a@b",
    "s3://bucket/x?page=2&versionId=7",
    "ray://head:10001",
    "runs/a=b",
]


@pytest.mark.parametrize("address", SECRET)
def test_a_secret_in_an_address_is_named_but_not_repeated(address: str) -> None:
    """A password, a key before the host, or a parameter that signs."""
    found = secret_in_address(address)
    assert found is not None
    assert "HUSH" not in found
    text = f"Cannot reach {address} (3 tries)"
    assert "HUSH" not in address_without_secrets(text)


@pytest.mark.parametrize("address", PLAIN)
def test_an_address_without_secrets_passes_unchanged(address: str) -> None:
    """Ports, folders with odd names, and the @ that Azure and HDFS have in addresses."""
    assert secret_in_address(address) is None
    assert address_without_secrets(f"see {address} now") == f"see {address} now"


@pytest.mark.parametrize(
    "key",
    [
        *("pass", "bearer", "session", "password", "token", "secret", "sig", "signature"),
        *("sas_token", "jwt", "api_key", "auth", "aws_session_token", "X-Api-Key"),
        *("oauth_token", "accessKey", "account_key", "client_secret"),
    ],
)
def test_an_option_named_like_a_secret_is_one(key: str) -> None:
    """By the words of its name."""
    assert list(credential_keys({"client_kwargs": [{key: "HUSH"}]})) == [f"client_kwargs.{key}"]


def test_an_address_among_options_is_looked_at() -> None:
    """An endpoint may hold a secret under a harmless name."""
    options = {"endpoint_url": "https://host/?X-Amz-Signature=HUSH", "region": "eu"}
    assert list(credential_keys(options)) == ["endpoint_url"]


def test_a_long_text_is_searched_in_no_time() -> None:
    """A search without bounds would take hours for each of these."""
    for text in ("a" * 10**6, "a://" * 250_000, "s3://" + "x" * 10**6, "?" * 10**6 + "://"):
        assert secret_in_address(text) is None
        assert list(credential_keys({"x": text})) == []
