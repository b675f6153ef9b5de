from __future__ import annotations

import builtins
import os
import sys
from pathlib import Path

import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.storage import absolute_uri, join, open_filesystem, uri_of


def test_relative_local_path_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path means the folder below the working directory, with no trailing slash."""
    monkeypatch.chdir(tmp_path)
    _, path = open_filesystem("data/panel/")
    assert path == f"{tmp_path}/data/panel"
    assert absolute_uri("data/panel/") == path


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is the home directory, as in a shell."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert open_filesystem("~/panel")[1] == "/home/someone/panel"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///data/panel/", "/data/panel"),
        ("/data/panel", "/data/panel"),
        ("/", "/"),
        ("memory://panel/x/", "/panel/x"),
    ],
)
def test_uri_gives_the_path_inside_its_filesystem(uri: str, path: str) -> None:
    """The path has neither protocol nor trailing slash."""
    assert open_filesystem(uri)[1] == path


def test_path_objects_are_accepted(tmp_path: Path) -> None:
    """A pathlib path is as good as text."""
    assert open_filesystem(tmp_path)[1] == str(tmp_path)


def test_absolute_uri_keeps_remote_addresses() -> None:
    """Only local paths depend on the working directory."""
    assert absolute_uri("s3://bucket/run/") == "s3://bucket/run"
    assert absolute_uri("file:///x/../run") == "file:///run"


def test_join_uses_single_slashes() -> None:
    """Slashes at the seams never double, and empty parts add nothing."""
    assert join("s3://b/run/", "/units/", "", "a.json") == "s3://b/run/units/a.json"
    assert join("memory://", "a") == "memory://a"
    assert join("/", "a") == "/a"
    assert join("/x") == "/x"


def test_s3_options_reach_s3fs() -> None:
    """The endpoint, the region and client settings arrive where s3fs expects them."""
    pytest.importorskip("s3fs")
    fs, path = open_filesystem(
        "s3://bucket/panel/",
        {"endpoint_url": "http://localhost:1", "region": "eu-west-3", "anon": True},
    )
    assert path == "bucket/panel"
    assert fs.endpoint_url == "http://localhost:1"
    assert fs.client_kwargs == {"region_name": "eu-west-3"}
    assert fs.anon is True
    assert fs.config_kwargs["retries"]["mode"] == "standard"
    assert not fs.dircache.use_listings_cache
    assert uri_of(fs, path) == "s3://bucket/panel"


def test_unknown_s3_option_is_named() -> None:
    """A misspelt option is answered with the list of right ones."""
    pytest.importorskip("s3fs")
    with pytest.raises(
        ConfigError, match=r"S3 has no option 'endpoint'. Known are: .*endpoint_url"
    ):
        open_filesystem("s3://bucket", {"endpoint": "http://x"})


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"secret": "HUSH"}, "secret"),
        ({"client_kwargs": {"secret": "HUSH"}}, "client_kwargs.secret"),
        ({"s3_additional_kwargs": {"SSECustomerKey": "HUSH"}}, "s3_additional_kwargs.SSECust"),
        ({"endpoint_url": "http://me:HUSH@host"}, "endpoint_url"),
    ],
)
def test_credentials_in_options_are_refused(options: dict[str, object], found: str) -> None:
    """A secret, wherever it is nested, is refused and not repeated in the message."""
    message = rf"must not hold credentials \(found {found}.*\).*AWS_SECRET_ACCESS_KEY"
    with pytest.raises(ConfigError, match=message) as error:
        open_filesystem("s3://bucket", options)
    assert "HUSH" not in str(error.value)


def test_a_password_in_an_address_is_refused() -> None:
    """An address that holds a password is not repeated, and opens nothing."""
    with pytest.raises(ConfigError, match=r"^s3://…: the address holds a password") as error:
        open_filesystem("s3://me:HUSH@bucket/x")
    assert "HUSH" not in str(error.value)


def test_encryption_and_billing_options_are_no_secrets() -> None:
    """Who pays, and which of the store's keys encrypts, may be written down."""
    pytest.importorskip("s3fs")
    fs, _ = open_filesystem(
        "s3://bucket/x",
        {
            "requester_pays": True,
            "s3_additional_kwargs": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/a"},
        },
    )
    assert fs.req_kw == {"RequestPayer": "requester"}
    assert fs.s3_additional_kwargs["SSEKMSKeyId"] == "alias/a"


@pytest.mark.parametrize("where", ["option", "environment"])
def test_servers_that_are_not_amazons_get_no_new_checksums(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server's endpoint turns them off, unless they are asked for."""
    pytest.importorskip("s3fs")
    name = "request_checksum_calculation"
    options: dict[str, object] = {"region": f"nowhere-{where}"}
    assert name not in open_filesystem("s3://bucket/x", options)[0].config_kwargs
    if where == "option":
        options["endpoint_url"] = "http://localhost:1"
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://localhost:1")
    assert open_filesystem("s3://bucket/x", options)[0].config_kwargs[name] == "when_required"
    asked = options | {"config_kwargs": {name: "when_supported"}}
    assert open_filesystem("s3://bucket/x", asked)[0].config_kwargs[name] == "when_supported"


def test_client_options_must_be_mappings() -> None:
    """A scalar where s3fs wants a mapping is an error in the config."""
    pytest.importorskip("s3fs")
    with pytest.raises(
        ConfigError, match=r"storage_options.client_kwargs must be a mapping; got 3"
    ):
        open_filesystem("s3://bucket", {"client_kwargs": 3})


def test_patience_is_a_number() -> None:
    """Text where seconds are needed is an error in the config."""
    pytest.importorskip("s3fs")
    with pytest.raises(ConfigError, match=r"patience_s must be a number of seconds; got '1m'\."):
        open_filesystem("s3://bucket", {"patience_s": "1m"})


def test_missing_s3fs_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional package the message holds the command to run."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules, "ray_pipeline.storage.s3_filesystem", raising=False)
    with pytest.raises(ConfigError, match=r"s3://bucket/x: .*pip install 'ray-pipeline\[s3\]'"):
        open_filesystem("s3://bucket/x")


def test_missing_package_of_another_store_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice of fsspec is passed on for stores that need further packages."""
    true_import = builtins.__import__

    def without_gcsfs(name: str, *rest: object) -> object:
        if name == "gcsfs":
            raise ImportError(name)
        return true_import(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_gcsfs)
    with pytest.raises(ConfigError, match=r"gs://b/x: gs:// needs another package: .*gcsfs"):
        open_filesystem("gs://b/x")


def test_unknown_protocol_is_an_error() -> None:
    """A protocol that fsspec does not know is a mistake in the config."""
    with pytest.raises(
        ConfigError, match=r"nope://x: unknown storage protocol 'nope'. Use a local"
    ):
        open_filesystem("nope://x")


@pytest.mark.parametrize("uri", ["", "s3://", "memory:///", "file://"])
def test_uri_without_a_path_is_an_error(uri: str) -> None:
    """An empty address is never taken for the working directory or a whole store."""
    with pytest.raises(ConfigError, match="names no folder: give a path or a URI"):
        open_filesystem(uri)


def test_other_fsspec_backends_open(tmp_path: Path) -> None:
    """A backend that this package does not know by name works through fsspec."""
    fs, path = open_filesystem(f"dir://{tmp_path}", {"target_protocol": "file", "path": "/"})
    (tmp_path / "a.txt").write_text("a")
    assert fs.cat_file(os.path.join(path, "a.txt")) == b"a"
