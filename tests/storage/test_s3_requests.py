from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import list_files, list_folders, list_names, open_filesystem
from ray_pipeline.storage.s3_answers import ListedObject, Page, page_from_xml
from ray_pipeline.storage.s3_requests import ListRequest, list_page

if TYPE_CHECKING:
    from conftest import S3Server, Store

ODD_NAMES = [
    "symbol=BRK B/x y.parquet",
    "symbol=A+B/1+1.parquet",
    "symbol=100%/50%25.parquet",
    "symbol=BRK%2FB/x.parquet",
    "symbol=a=b/k=v.parquet",
    "symbol='quoted\"/x.parquet",
    "symbol=A&B;/<x>&amp;.parquet",
    "symbol=Z\u00fcrich/n\u00e9.parquet",  # composed
    "symbol=Zu\u0308rich/ne\u0301.parquet",  # decomposed: another key, though it looks the same
    "symbol=\u65e5\u7d4c/\U0001f4c8.parquet",
    "symbol=A\tB/\x01.parquet",  # XML could not carry it
]


def _query(request: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.partition("?")[2]).items()}


@pytest.fixture
def answering(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the server give one answer to every request for a listing."""

    def answer(status: str, body: str) -> None:
        monkeypatch.setattr(
            s3_server, "answer", lambda each: (status, body) if "list-type" in each else None
        )

    return answer


def _xml(inside: str, namespace: str = "") -> str:
    return f'<?xml version="1.0"?><ListBucketResult{namespace}>{inside}</ListBucketResult>'


def test_odd_keys_are_told_as_they_are_and_can_be_read(s3_store: Store) -> None:
    """Spaces, plus, percent, quotes, XML's own characters and any script: each key its own."""
    for name in ODD_NAMES:
        s3_store.put(name, name.encode())
    files = list_files(s3_store.fs, s3_store.path)
    assert {file.path for file in files} == {f"{s3_store.path}/{name}" for name in ODD_NAMES}
    for file in files:
        assert f"{s3_store.path}/{s3_store.fs.cat_file(file.path).decode()}" == file.path
    folders = {name.partition("/")[0] for name in ODD_NAMES}
    assert set(list_folders(s3_store.fs, s3_store.path)) == folders


def test_odd_names_can_be_prefixes_and_places_to_go_on(s3_store: Store) -> None:
    """What is sent, the prefix and the key to start after, is encoded once."""
    names = [name for name in ODD_NAMES if "\x01" not in name]  # moto repeats it in its XML
    for name in names:
        s3_store.put(name)
    bucket = s3_store.path.partition("/")[0]
    keys = sorted(f"root/{name}" for name in names)
    for key, after in zip(keys[1:], keys[:-1], strict=True):
        page = list_page(s3_store.fs, ListRequest(bucket, "root/", start_after=after, max_keys=1))
        assert [item.key for item in page.objects] == [key]
        folder = key.rpartition("/")[0] + "/"
        page = list_page(s3_store.fs, ListRequest(bucket, folder))
        assert [item.key for item in page.objects] == [key]
        assert page.token is None


def test_page_is_parsed_here_as_botocore_would(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortcut tells the same as the answer that botocore parses, and spares it the work."""
    from botocore.parsers import BaseXMLResponseParser

    for name in [*ODD_NAMES, "a.txt"]:
        s3_store.put(name)
    bucket = s3_store.path.partition("/")[0]
    requests = [
        ListRequest(bucket, "root/", max_keys=5),
        ListRequest(bucket, "root/", by_folder=True),
        ListRequest(bucket, "nothing/"),
    ]
    with monkeypatch.context() as patched:
        patched.setattr("ray_pipeline.storage.s3_requests.page_from_xml", lambda _: None)
        by_botocore = [list_page(s3_store.fs, request) for request in requests]
    assert len(by_botocore[0].objects) == 5
    assert by_botocore[0].token
    assert len(by_botocore[1].folders) == len({name.split("/")[0] for name in ODD_NAMES})
    assert by_botocore[2] == Page([], [], None)

    def refuse(*_: object) -> None:
        raise AssertionError("botocore parsed the keys")

    monkeypatch.setattr(BaseXMLResponseParser, "_handle_list", refuse)
    ours = [list_page(s3_store.fs, request) for request in requests]
    tokens = [page.token for page in ours]
    assert [(page.objects, page.folders) for page in ours] == [
        (page.objects, page.folders) for page in by_botocore
    ]
    assert [token is None for token in tokens] == [False, True, True]


def test_each_answer_is_read_once(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests there were before on the same client."""
    bodies: list[bytes] = []

    def read(body: bytes) -> Page | None:
        bodies.append(body)
        return page_from_xml(body)

    monkeypatch.setattr("ray_pipeline.storage.s3_requests.page_from_xml", read)
    for _ in range(3):
        list_files(s3_store.fs, s3_store.path)
    assert len(bodies) == 3
    assert all(bodies)


def test_object_that_is_told_twice_is_one_file(
    s3_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that had to start over tells objects again, and the newer answer holds."""
    told = [[ListedObject("root/a", 1, "old")], [ListedObject("root/a", 2, "new")]]
    monkeypatch.setattr("ray_pipeline.storage.listing.list_keys", lambda *_: iter(told))
    seen: list[int] = []
    (file,) = list_files(s3_store.fs, s3_store.path, seen.append)
    assert (file.size_bytes, file.version) == (2, "new")
    assert seen == [1, 1]


def test_others_who_use_the_filesystem_get_what_they_know(s3_store: Store) -> None:
    """The client is shared by all filesystems with the same options; their listings stay."""
    s3_store.put("a/x y")
    list_files(s3_store.fs, s3_store.path)
    assert s3_store.fs.find(s3_store.path) == [f"{s3_store.path}/a/x y"]
    bucket = s3_store.path.partition("/")[0]
    answer = s3_store.fs.call_s3("list_objects_v2", Bucket=bucket)
    assert answer["Contents"][0]["Key"] == "root/a/x y"
    assert answer["Contents"][0]["LastModified"].year > 2000


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
def test_servers_differ_in_what_they_answer(
    s3_store: Store, answering: Any, namespace: str
) -> None:
    """With and without a namespace, encoded keys or plain ones, with and without ETags."""
    answering(
        "200 OK",
        _xml(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>a%2Bb</NextContinuationToken>"
            "<Contents><Size>3</Size><Key>a+b%20c</Key><ETag>&quot;e&quot;</ETag></Contents>"
            "<Contents><Key>d</Key><Size>0</Size><Owner><ID>Key</ID></Owner></Contents>"
            "<CommonPrefixes><Prefix>f+/</Prefix></CommonPrefixes>",
            namespace,
        ),
    )
    page = list_page(s3_store.fs, ListRequest("bucket", ""))
    assert page.objects == [ListedObject("a+b%20c", 3, "e"), ListedObject("d", 0, "")]
    assert page.folders == ["f+/"]
    assert page.token == "a%2Bb"
    answering(
        "200 OK",
        _xml(
            "<EncodingType>url</EncodingType><Contents><Key>a+b%2B/c+d%2B</Key><Size>1</Size>"
            "</Contents><NextContinuationToken>x</NextContinuationToken>",
            namespace,
        ),
    )
    page = list_page(s3_store.fs, ListRequest("bucket", ""))
    assert page == Page([ListedObject("a b+/c d+", 1, "")], [], None)


@pytest.mark.parametrize("token", ["", "<NextContinuationToken>t</NextContinuationToken>"])
def test_listing_that_would_go_in_a_circle_is_an_error(
    s3_server: S3Server, answering: Any, token: str
) -> None:
    """More to come without a place to go on, or always the same one, does not hang."""
    fs, path = open_filesystem("s3://bucket/root", s3_server.options)
    answering("200 OK", _xml(f"<IsTruncated>true</IsTruncated>{token}"))
    message = (
        r"^Cannot list s3://bucket/root/: the store says that more keys follow, but its "
        rf"NextContinuationToken '{'t' if token else ''}' leads nowhere\. "
        r"Its paging of listings is broken\.$"
    )
    with pytest.raises(StorageError, match=message):
        list_files(fs, path)


def test_answer_that_breaks_off_is_asked_for_again(
    s3_store: Store, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an answer is left to botocore, which takes it for a failure of the server."""
    s3_store.put("a")
    halves = iter(["<ListBucketResult><Contents>"])

    def answer(request: str) -> tuple[str, str] | None:
        half = next(halves, None) if "list-type" in request else None
        return None if half is None else ("200 OK", half)

    monkeypatch.setattr(s3_server, "answer", answer)
    assert [file.path for file in list_files(s3_store.fs, s3_store.path)] == [f"{s3_store.path}/a"]
    assert s3_server.n_lists() == 2


def test_error_that_calls_itself_a_success_is_asked_for_again(
    s3_store: Store, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 may find out that something is wrong when it has said 200 already."""
    s3_store.put("a")
    errors = iter(["<Error><Code>InternalError</Code><Message>Oops</Message></Error>"])

    def answer(request: str) -> tuple[str, str] | None:
        error = next(errors, None) if "list-type" in request else None
        return None if error is None else ("200 OK", error)

    monkeypatch.setattr(s3_server, "answer", answer)
    assert [file.path for file in list_files(s3_store.fs, s3_store.path)] == [f"{s3_store.path}/a"]
    assert s3_server.n_lists() == 2


@pytest.mark.parametrize("body", ["<html>no S3 here</html>", ""])
def test_answer_that_is_no_listing_is_empty(s3_store: Store, answering: Any, body: str) -> None:
    """What is well-formed and holds no key holds none, as botocore has it."""
    answering("200 OK", body)
    assert list_page(s3_store.fs, ListRequest("bucket", "")) == Page([], [], None)


def test_denied_listing_is_a_permission_error(s3_store: Store, answering: Any) -> None:
    """An error is told apart by the filesystem's own translation."""
    answering(
        "403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    )
    with pytest.raises(PermissionError, match="Access Denied"):
        list_page(s3_store.fs, ListRequest("bucket", ""))


def test_requester_pays_is_sent(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options of the filesystem that belong to each request go with these, too."""
    fs, _ = open_filesystem("s3://bucket/x", s3_server.options | {"requester_pays": True})
    sent: list[dict[str, Any]] = []
    fs.connect()
    fs.s3.meta.events.register(
        "before-call.s3.ListObjectsV2", lambda params, **_: sent.append(params["headers"])
    )
    monkeypatch.setattr(s3_server, "answer", lambda _: ("200 OK", _xml("")))
    list_page(fs, ListRequest("bucket", ""))
    assert sent[0]["x-amz-request-payer"] == "requester"


def test_directory_bucket_is_asked_for_whole_folders(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 Express takes no prefix that breaks off within a name; the rest is sorted out here."""
    fs, path = open_filesystem("s3://panels--use1-az5--x-s3/root", s3_server.options)
    level = "".join(
        f"<CommonPrefixes><Prefix>root/{name}/</Prefix></CommonPrefixes>"
        for name in ("symbol=B", "a", "symbol=A", "symbol=C")
    )
    session = (
        "<CreateSessionResult><Credentials><SessionToken>t</SessionToken><SecretAccessKey>s"
        "</SecretAccessKey><AccessKeyId>k</AccessKeyId><Expiration>2999-01-01T00:00:00Z"
        "</Expiration></Credentials></CreateSessionResult>"
    )
    monkeypatch.setattr(
        s3_server,
        "answer",
        lambda each: ("200 OK", _xml(level) if "list-type" in each else session),
    )
    s3_server.requests.clear()
    assert list_names(fs, path, "symbol=", limit=2) == ["symbol=A/", "symbol=B/"]
    (request,) = [each for each in s3_server.requests if "list-type" in each]
    assert _query(request)["prefix"] == "root/"
    assert "max-keys" not in _query(request)


def _put_three_large_folders(store: Store) -> list[str]:
    names = [f"symbol={symbol}/{i:04}.parquet" for symbol in ("A", "AB", "B") for i in range(1100)]
    store.put_many(names)
    return names


def test_progress_is_told_page_by_page_in_the_thread_that_waits(
    s3_store: Store, s3_server: S3Server
) -> None:
    """Ranges are paged by several threads, and the caller hears of it in its own."""
    names = _put_three_large_folders(s3_store)
    seen: list[tuple[int, str]] = []
    files = list_files(
        s3_store.fs, s3_store.path, lambda n: seen.append((n, threading.current_thread().name))
    )
    assert [file.path for file in files] == [f"{s3_store.path}/{name}" for name in names]
    counts = [n for n, _ in seen]
    assert counts == sorted(counts)
    assert counts[0] == 1000
    assert counts[-1] == 3300
    assert len(set(counts)) >= 4
    assert {name for _, name in seen} == {threading.current_thread().name}
    assert any("start-after=root%2Fsymbol%3DAB%2F" in each for each in s3_server.requests)


def test_failure_in_a_range_says_where(
    s3_store: Store, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of several concurrent requests met is told with the bucket and the folder."""
    _put_three_large_folders(s3_store)
    denied = "<Error><Code>AccessDenied</Code><Message>Not beyond B.</Message></Error>"
    monkeypatch.setattr(
        s3_server, "answer", lambda each: ("403 No", denied) if "symbol%3DB%2F" in each else None
    )
    with pytest.raises(StorageError, match=rf"^Cannot list {s3_store.uri}: Not beyond B; "):
        list_files(s3_store.fs, s3_store.path)


def test_versions_and_deletions_of_a_versioned_bucket(s3_store: Store) -> None:
    """An overwritten object is told once, as it is now; a deleted one not at all."""
    bucket = s3_store.path.partition("/")[0]
    s3_store.fs.call_s3(
        "put_bucket_versioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    for content in (b"1", b"22", b"333"):
        s3_store.put("symbol=A/x.parquet", content)
    s3_store.put("symbol=B/x.parquet")
    s3_store.fs.rm_file(f"{s3_store.path}/symbol=B/x.parquet")
    files = list_files(s3_store.fs, s3_store.path)
    assert [(file.path, file.size_bytes) for file in files] == [
        (f"{s3_store.path}/symbol=A/x.parquet", 3)
    ]
