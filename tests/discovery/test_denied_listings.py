"""Discovery with credentials that may list some prefixes of a bucket alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from object_stores.seaweedfs import SHARED_BUCKET

from ray_pipeline.discovery import discover, resolve_symbols
from ray_pipeline.errors import DiscoveryError, StorageError

if TYPE_CHECKING:
    from conftest import S3Server, Store
    from object_stores.seaweedfs import SeaweedFS

Allow = Callable[..., None]


@pytest.fixture
def allow(s3_store: Store, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Allow:
    """Deny all listings but those of keys that begin in certain ways."""
    s3_store.put_many(
        f"interval={interval}/symbol={symbol}/x.parquet"
        for interval in ("1m", "5m")
        for symbol in ("A", "B", "^C")
    )

    def only(*prefixes: str, code: str = "AccessDenied") -> None:
        def answer(request: str) -> tuple[str, str] | None:
            asked = parse_qs(request.partition("?")[2]).get("prefix", [""])[0]
            if "list-type" not in request or asked.startswith(prefixes):
                return None
            return "403 Forbidden", f"<Error><Code>{code}</Code><Message>No.</Message></Error>"

        monkeypatch.setattr(s3_server, "answer", answer)

    return only


def test_interval_asked_for_needs_no_other_listing(s3_store: Store, allow: Allow) -> None:
    """A policy for one interval's folder is enough once the interval is named."""
    allow("root/interval=5m/")
    found = discover(s3_store.uri, "5m", s3_store.options)
    assert (found.interval, found.layout) == ("5m", "current")
    assert found.symbols == ["A", "B", "^C"]
    assert discover(f"{s3_store.uri}/interval=5m", None, s3_store.options).symbols == found.symbols


def test_legacy_layout_needs_no_listing_of_intervals(s3_store: Store, allow: Allow) -> None:
    """Nor does one without interval folders."""
    s3_store.put("symbol=OLD/x.parquet")
    allow("root/symbol=")
    assert discover(s3_store.uri, None, s3_store.options).symbols == ["OLD"]


def test_denied_listing_without_an_interval_says_what_to_set(s3_store: Store, allow: Allow) -> None:
    """Which interval there is cannot be known: the message asks for it, or for the right."""
    allow("root/interval=5m/")
    bucket = s3_store.path.partition("/")[0]
    message = (
        rf"^Cannot find the symbols under {s3_store.uri}: listing bucket {bucket} is denied for "
        r"root/interval=, root/symbol=\. Allow s3:ListBucket on it for the prefix root/interval=, "
        r"or set data\.interval to an interval, or data_dir to the folder of one, that may be "
        r"listed\.$"
    )
    with pytest.raises(StorageError, match=message):
        discover(s3_store.uri, None, s3_store.options)
    with pytest.raises(StorageError, match=message):
        resolve_symbols(s3_store.uri, ["A"], None, s3_store.options)


def test_denied_interval_says_which_prefix_is_needed(s3_store: Store, allow: Allow) -> None:
    """With the interval named, the prefix of its symbols is what has to be allowed."""
    allow("root/interval=1m/", "root/symbol=")
    bucket = s3_store.path.partition("/")[0]
    message = (
        rf"listing bucket {bucket} is denied for root/interval=, root/interval=5m/symbol=\. "
        r"Nothing begins with root/symbol=\. "
        r"Allow s3:ListBucket on it for the prefix root/interval=5m/symbol=, or set data\.interval"
    )
    with pytest.raises(StorageError, match=message):
        discover(s3_store.uri, "5m", s3_store.options)


def test_named_symbols_need_their_own_prefixes_alone(s3_store: Store, allow: Allow) -> None:
    """A policy symbol by symbol is enough; other spellings of a name, and symbols, may be denied.

    Where none may be listed, the rights are at fault and not the symbols.
    """
    allow("root/interval=5m/symbol=A/", "root/interval=5m/symbol=^C/")
    found = resolve_symbols(s3_store.uri, ["A", "^C"], "5m", s3_store.options)
    assert (found.interval, found.layout, found.symbols) == ("5m", "current", ["A", "^C"])
    found = resolve_symbols(s3_store.uri, ["A", "B"], "5m", s3_store.options)
    assert found.symbols == ["A"]
    (rejection,) = found.rejected
    assert rejection.symbol == "B"
    assert rejection.reason.startswith("its folder cannot be listed: No; the credentials in use")
    message = rf"^Cannot list {s3_store.uri}/interval=5m/symbol=B: No; "
    with pytest.raises(StorageError, match=message):
        resolve_symbols(s3_store.uri, ["B"], "5m", s3_store.options)


def test_named_symbol_that_is_missing_is_not_called_denied(s3_store: Store, allow: Allow) -> None:
    """Where its folder may be listed and holds nothing, that is what is said."""
    allow("root/interval=5m/symbol=Z/")
    with pytest.raises(DiscoveryError, match=r"none is usable \(Z: no folder symbol=Z under"):
        resolve_symbols(s3_store.uri, ["Z"], "5m", s3_store.options)


def test_credentials_that_are_wrong_are_not_tried_elsewhere(
    s3_store: Store, s3_server: S3Server, allow: Allow
) -> None:
    """A wrong signature is not a matter of prefixes."""
    allow("nothing", code="SignatureDoesNotMatch")
    s3_server.requests.clear()
    with pytest.raises(StorageError, match=rf"^Cannot list {s3_store.uri}: .*check the secret key"):
        discover(s3_store.uri, "5m", s3_store.options)
    assert len({request.partition("prefix=")[2] for request in s3_server.requests}) == 1


def test_rights_of_a_real_server_end_at_a_prefix(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may list below ``panel/`` alone finds what is there, and is told what is not allowed."""
    for interval in ("1m", "5m"):
        key = f"panel/interval={interval}/symbol=A/x.parquet"
        seaweedfs.client().put_object(Bucket=SHARED_BUCKET, Key=key, Body=b"x")
    for name, value in seaweedfs.panel_reader.environment.items():
        monkeypatch.setenv(name, value)
    options = seaweedfs.options | {"region": "eu-west-3"}  # a filesystem of its own
    try:
        uri = f"s3://{SHARED_BUCKET}"
        assert discover(f"{uri}/panel", "5m", options).symbols == ["A"]
        assert discover(f"{uri}/panel/interval=1m", None, options).symbols == ["A"]
        message = (
            rf"^Cannot find the symbols under {uri}: listing bucket {SHARED_BUCKET} is denied for "
            r"interval=, interval=5m/symbol=, symbol=\. Allow s3:ListBucket on it for the prefix "
            r"interval=5m/symbol=, or"
        )
        with pytest.raises(StorageError, match=message):
            discover(uri, "5m", options)
    finally:
        for interval in ("1m", "5m"):
            key = f"panel/interval={interval}/symbol=A/x.parquet"
            seaweedfs.client().delete_object(Bucket=SHARED_BUCKET, Key=key)


def test_disk_folder_that_may_not_be_listed_holds_one_that_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may allow passing through a folder without listing it."""
    (tmp_path / "interval=5m" / "symbol=A").mkdir(parents=True)
    (tmp_path / "interval=5m" / "symbol=A" / "x.parquet").write_bytes(b"x")
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder == str(tmp_path):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert discover(tmp_path, "5m").symbols == ["A"]
    with pytest.raises(StorageError, match=rf"^Cannot list {tmp_path}: Permission denied\.$"):
        discover(tmp_path, "1m")
