from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ray_pipeline.errors import ConfigError
from ray_pipeline.storage import absolute_uri, join, open_filesystem, overlap, uri_of


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


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("s3://me:HUSH@bucket/x", "a user name and password before the host"),
        ("s3://HUSH@bucket/x", "a user name or key before the host"),
        ("s3://bucket/x?X-Amz-Signature=HUSH", "the parameter 'X-Amz-Signature'"),
    ],
)
def test_a_secret_in_an_address_is_refused(address: str, secret: str) -> None:
    """An address that holds a credential is not repeated, and opens nothing."""
    message = rf"^s3://…: the address holds {re.escape(secret)}\. Remove it"
    with pytest.raises(ConfigError, match=message) as error:
        open_filesystem(address)
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


class PlannedStore(MemoryFileSystem):  # type: ignore[misc]
    """A store of another package: it reads its account off the address, and may refuse it."""

    protocol = "planned"

    def __init__(self, account: str = "", **options: object) -> None:
        if account == "broken":
            raise TypeError("no such account")
        self.account = account
        super().__init__(**options)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        return {"account": path.partition("://")[2].partition("/")[0]}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.partition("://")[2]


@pytest.fixture(scope="module")
def planned() -> None:
    fsspec.register_implementation("planned", PlannedStore)


@pytest.mark.usefixtures("planned")
def test_other_fsspec_backends_open() -> None:
    """A backend that this package does not know by name is given what the address says."""
    fs, path = open_filesystem("planned://mine/panel/")
    assert (fs.account, path) == ("mine", "/mine/panel")


@pytest.mark.usefixtures("planned")
def test_a_backend_that_cannot_be_opened_is_told_in_a_sentence() -> None:
    """Whatever its constructor raises, the address is at fault, and no traceback is shown."""
    message = (
        r"^planned://broken/x: planned:// cannot be opened: TypeError: no such account\. Check"
    )
    with pytest.raises(ConfigError, match=message):
        open_filesystem("planned://broken/x")


@pytest.mark.parametrize(
    "protocol",
    [
        *("async_wrapper", "blockcache", "cached", "data", "dbfs", "dir", "filecache", "ftp"),
        *("generic", "git", "github", "http", "https", "jupyter", "libarchive", "reference"),
        *("sftp", "simplecache", "smb", "ssh", "tar", "webhdfs", "zip"),
    ],
)
def test_what_holds_no_folders_for_many_workers_is_refused(protocol: str) -> None:
    """Fsspec's wrappers, archives and single connections: nothing is opened, nothing waits."""
    message = rf"^{protocol}://x/y: {protocol}:// is not a store of folders .*\. Use a local path"
    with pytest.raises(ConfigError, match=message):
        open_filesystem(f"{protocol}://x/y")


@pytest.mark.parametrize("uri", ["simplecache::s3://b/x", "zip://a.zip::s3://b/x"])
def test_a_chained_address_is_refused(uri: str) -> None:
    """A worker could not write through it."""
    with pytest.raises(ConfigError, match=rf"^{uri}: chained addresses \(::\) do not name"):
        open_filesystem(uri)


def test_a_protocol_in_capitals_is_answered_with_the_one_that_was_meant() -> None:
    """As an unknown one, with a suggestion."""
    with pytest.raises(ConfigError, match=r"unknown storage protocol 'S3'; did you mean s3://\?"):
        open_filesystem("S3://bucket/x")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("data", "data/", True),
        ("data", "data/run", True),
        ("data/run", "data", True),
        ("data", "data2", False),
        ("data", "./x/../data", True),
        ("data", "file://{cwd}/data/run", True),
        ("data", "{cwd}//data", True),
        ("link/run", "data", True),
        ("data", "memory://data", False),
        ("s3://bucket/data", "s3a://bucket//data/run/", True),
        ("s3://bucket/data", "s3://bucket/database", False),
        ("s3://bucket", "s3://bucket/x", True),
        ("/", "data", True),
    ],
)
def test_overlapping_folders_are_seen_through_their_spellings(
    first: str,
    second: str,
    expected: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever of the two lies inside the other, by whatever name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    second = second.format(cwd=tmp_path)
    assert overlap(first, second) is expected
    assert overlap(second, first) is expected


def test_the_same_bucket_at_two_endpoints_is_two_places() -> None:
    """A bucket's name means something at its endpoint alone."""
    ours = {"endpoint_url": "http://ours:9000"}
    assert not overlap("s3://b/x", "s3://b/x", ours, {})
    assert overlap("s3://b/x", "s3://b/x", ours, {"client_kwargs": dict(ours)})
    assert overlap("data", "data", ours, {})
