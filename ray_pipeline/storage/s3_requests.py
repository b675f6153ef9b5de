"""One request of an S3 listing, with its answer taken from botocore before it is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from fsspec.asyn import sync

from ray_pipeline.errors import StorageError
from ray_pipeline.storage.filesystems import FileSystem, uri_of
from ray_pipeline.storage.s3_answers import Page, page_from_botocore, page_from_xml

__all__ = ["ListRequest", "is_directory_bucket", "list_page"]

# Where our own page lies in botocore's answer.
_PAGE = "RayPipelinePage"
# Said so, we come before botocore's own handlers: one of them parses the whole body to see
# whether it is an error.
_ANSWERED = "before-parse.*.ListObjectsV2"

# Set in the task of each request from here: other users of the client get botocore's own answer.
_parse_ourselves: ContextVar[bool] = ContextVar("parse_ourselves", default=False)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What to ask for: keys that begin with `prefix`, one page of them.

    Attributes
    ----------
    bucket, prefix
        Where; the prefix may break off within a name.
    by_folder
        Whether what lies below a folder is summed up by the folder's name.
    start_after
        The key after which to start.
    token
        Where the page before ended, in the store's own terms; instead of `start_after`.
    max_keys
        At most so many objects and folders (the store's own limit is 1,000).
    """

    bucket: str
    prefix: str
    by_folder: bool = False
    start_after: str = ""
    token: str = ""
    max_keys: int | None = None


def list_page(fs: FileSystem, request: ListRequest) -> Page:
    """Send one request, with the retries, credentials and options of the filesystem.

    Parameters
    ----------
    fs
        An s3fs filesystem.
    request
        What to ask for.

    Returns
    -------
    Page
        It may hold nothing and still not be the last one.

    Raises
    ------
    OSError
        As s3fs translates the store's errors: FileNotFoundError without the bucket,
        PermissionError where listing is denied.
    StorageError
        When the answer would lead in a circle.
    """
    page: Page = sync(fs.loop, _ask, fs, _arguments(request))
    if page.token is not None and page.token in {"", request.token}:
        uri = uri_of(fs, f"{request.bucket}/{request.prefix}")
        raise StorageError(
            f"Cannot list {uri}: the store says that more keys follow, but its "
            f"NextContinuationToken {page.token!r} leads nowhere. Its paging of listings is broken."
        )
    if is_directory_bucket(request.bucket):
        return Page(
            [item for item in page.objects if item.key.startswith(request.prefix)],
            [folder for folder in page.folders if folder.startswith(request.prefix)],
            page.token,
        )
    return page


def is_directory_bucket(bucket: str) -> bool:
    """Whether this is a bucket of S3 Express, by its name.

    Those list in no order, know no StartAfter, and take only prefixes that end in a slash
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
    """
    return bucket.endswith("--x-s3")


def _arguments(request: ListRequest) -> dict[str, Any]:
    # Asked for by us, botocore leaves the names encoded. XML could not carry all of them.
    arguments: dict[str, Any] = {"Bucket": request.bucket, "EncodingType": "url"}
    whole_names = not is_directory_bucket(request.bucket)
    # Without the last part of the prefix others come along, which may not use up the limit.
    if request.max_keys is not None and whole_names:
        arguments["MaxKeys"] = request.max_keys
    n_sent = len(request.prefix) if whole_names else request.prefix.rfind("/") + 1
    arguments["Prefix"] = request.prefix[:n_sent]
    if request.by_folder:
        arguments["Delimiter"] = "/"
    if request.token:
        arguments["ContinuationToken"] = request.token
    elif request.start_after:
        arguments["StartAfter"] = request.start_after
    return arguments


async def _ask(fs: FileSystem, arguments: Mapping[str, Any]) -> Page:
    await fs.set_session()
    client = await fs.get_s3(arguments["Bucket"])
    client.meta.events.register(_ANSWERED, _parse_first, unique_id=_ANSWERED)
    _parse_ourselves.set(True)
    answer = await fs.ask("list_objects_v2", **arguments)
    # A botocore that knows no such event has parsed the answer itself.
    page: Page = answer.get(_PAGE) or page_from_botocore(answer)
    return page


def _parse_first(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Take the body away from botocore's parser (a handler of its event).

    Whatever is not a plain list of keys (errors, redirects, broken XML) is left to botocore.
    """
    if not _parse_ourselves.get() or response_dict["status_code"] != 200:
        return
    page = page_from_xml(response_dict["body"])
    if page is not None:
        customized_response_dict[_PAGE] = page
        response_dict["body"] = b""
