"""Filesystems, listings and the run directory: the only home of fsspec and s3fs."""

from ray_pipeline.storage.batches import may_hold, table_batches
from ray_pipeline.storage.content import (
    content_sha256,
    file_digest,
    file_digests,
    joint_sha256,
    memory_table_sha256,
)
from ray_pipeline.storage.failures import reason_of, storage_errors
from ray_pipeline.storage.filesystems import (
    FileSystem,
    absolute_uri,
    is_local,
    is_remote,
    is_s3,
    join,
    open_filesystem,
    overlap,
    uri_of,
)
from ray_pipeline.storage.listing import (
    Listing,
    folder_at_fault,
    list_entries,
    list_files,
    list_folders,
    list_names,
    listing_denied,
)
from ray_pipeline.storage.run_directory import RunDirectory
from ray_pipeline.storage.units import UnitRecords
from ray_pipeline.storage.values import type_name, unequal_values

__all__ = [
    "FileSystem",
    "Listing",
    "RunDirectory",
    "UnitRecords",
    "absolute_uri",
    "content_sha256",
    "file_digest",
    "file_digests",
    "folder_at_fault",
    "is_local",
    "is_remote",
    "is_s3",
    "join",
    "joint_sha256",
    "list_entries",
    "list_files",
    "list_folders",
    "list_names",
    "listing_denied",
    "may_hold",
    "memory_table_sha256",
    "open_filesystem",
    "overlap",
    "reason_of",
    "storage_errors",
    "table_batches",
    "type_name",
    "unequal_values",
    "uri_of",
]
