from __future__ import annotations

from typing import Any

import botocore.parsers
import botocore.session
import pytest

from ray_pipeline.storage.s3_answers import (
    ListedObject,
    Page,
    _cut,
    page_from_botocore,
    page_from_xml,
)

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OBJECT = (
    "<Contents><Key>a+b%2F/c%2B.parquet</Key><LastModified>2024-01-02T03:04:05.000Z"
    "</LastModified><ETag>&quot;e1&quot;</ETag><Size>12</Size><StorageClass>STANDARD"
    "</StorageClass></Contents>"
)
OTHER = "<Contents><ETag>e2</ETag><Size>0</Size><Key>d&amp;%3Ce</Key></Contents>"
OWNED = "<Contents><Owner><ID>Key</ID></Owner><Key>f</Key><Size>3</Size></Contents>"
FOLDERS = "<CommonPrefixes><Prefix>g+h/</Prefix></CommonPrefixes>"
ENCODED = "<EncodingType>url</EncodingType>"
MORE = "<IsTruncated>true</IsTruncated><NextContinuationToken>t%2B+&amp;</NextContinuationToken>"


def _body(inside: str, namespace: str = NAMESPACE) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<ListBucketResult{namespace}>{inside}</ListBucketResult>".encode()


def _by_botocore(body: bytes) -> Page:
    model = botocore.session.get_session().get_service_model("s3")
    answer: dict[str, Any] = botocore.parsers.create_parser("rest-xml").parse(
        {"body": body, "headers": {}, "status_code": 200, "context": {}},
        model.operation_model("ListObjectsV2").output_shape,
    )
    return page_from_botocore(answer)


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
@pytest.mark.parametrize("encoding", [ENCODED, ""])
@pytest.mark.parametrize(
    "inside",
    [
        "",
        OBJECT,
        OBJECT * 3,
        OTHER,
        OWNED,
        f"{OBJECT}{OWNED}{OBJECT}",
        f"{OBJECT}{OTHER}",
        FOLDERS,
        f"{FOLDERS}{OBJECT}{OBJECT}",
        f"{OBJECT}{FOLDERS}{OBJECT}{FOLDERS}",
        f"{OBJECT}\n  {OBJECT}",
        f"{OBJECT} {OWNED}",
        f"{OBJECT}<!-- {OBJECT} -->{OBJECT}",
        f"<!-- {OBJECT} -->",
        "<Contents><Key><![CDATA[<Key>k</Key>]]></Key><Size>1</Size></Contents>",
        OBJECT.replace("<Key>", '<Key lang="en">'),
        OBJECT.replace("<Contents>", f"<Contents{NAMESPACE}>"),
        OBJECT.replace("&quot;", "&#34;"),
        OBJECT.replace("&quot;", '"'),
        OBJECT.replace("&quot;e1&quot;", ""),
        f"{OBJECT}{MORE}",
        f"{MORE}{OBJECT}",
        "<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
        "<IsTruncated>true</IsTruncated>",
        f"{OBJECT}<Name>b</Name><Prefix>a</Prefix><KeyCount>1</KeyCount>",
        "<Contents><Key>Zürich/日経</Key><Size>1</Size></Contents>",
    ],
)
def test_answer_is_read_as_botocore_reads_it(inside: str, encoding: str, namespace: str) -> None:
    """Whichever way is taken through the XML, it says the same, or nothing."""
    body = _body(encoding + inside, namespace)
    page = page_from_xml(body)
    if "<Contents xmlns" in inside and not namespace:  # of a namespace that is not the list's
        assert page is None
    else:
        assert page == _by_botocore(body)


def test_page_is_read() -> None:
    """Keys decoded, ETags bare, and where to go on, as it was given."""
    body = _body(f"{ENCODED}{OBJECT}{MORE}{FOLDERS}")
    expected = Page([ListedObject("a b//c+.parquet", 12, "e1")], ["g h/"], "t%2B+&")
    assert page_from_xml(body) == expected


def test_plain_pages_are_cut_and_others_parsed() -> None:
    """The short way is taken for what stores send, and only where nothing can be missed."""
    plain = f"{ENCODED}{OBJECT * 1000}{MORE}"
    assert len(_cut(_body(plain).decode()).objects) == 1000  # type: ignore[union-attr]
    for inside in (OTHER, OWNED, f"{OBJECT}{FOLDERS}{OBJECT}", f"{OBJECT} {OBJECT}", FOLDERS):
        assert _cut(_body(inside).decode()) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"<Error><Code>InternalError</Code></Error>",
        _body(OBJECT)[:-5],
        _body(OBJECT)[:200],
        _body(OBJECT).replace(b"UTF-8", b"ASCII").replace(b"e1", b"\xff"),
        _body(OBJECT.replace("<Size>12</Size>", "<Size>large</Size>")),
        _body(OBJECT.replace("<Size>12</Size>", "")),
        _body(OWNED.replace("<Key>f</Key>", "")),
    ],
)
def test_what_is_no_list_of_keys_is_left_to_others(body: bytes) -> None:
    """Errors, other documents, and what is broken or incomplete."""
    assert page_from_xml(body) is None
