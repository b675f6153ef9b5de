from __future__ import annotations

import os

import pytest
from recorded_file import RecordedFile

from ray_pipeline.storage.parquet_ranges import FOOTER_BYTES
from ray_pipeline.storage.ranged_file import RangedFile

CONTENT = bytes(range(256)) * 1024  # 256 KiB


def test_it_reads_as_a_file_does() -> None:
    """Reads move the position, seeks set it, and the end is the end."""
    with RangedFile(RecordedFile(CONTENT)) as file:
        assert bytes(file.read(3)) == CONTENT[:3]
        assert file.tell() == 3
        assert file.seek(-2, os.SEEK_END) == len(CONTENT) - 2
        assert bytes(file.read()) == CONTENT[-2:]
        assert bytes(file.read(5)) == b""
        assert file.seek(10) == 10
        assert file.seek(5, os.SEEK_CUR) == 15
        assert bytes(file.read(2)) == CONTENT[15:17]
        assert file.seek(len(CONTENT) + 7) == len(CONTENT) + 7
        assert bytes(file.read(1)) == b""


def test_what_was_fetched_ahead_is_not_asked_for_again() -> None:
    """A read inside a range that was fetched takes it from there, any other is a request."""
    source = RecordedFile(CONTENT)
    with RangedFile(source) as file:
        file.fetch_ahead([(100, 200), (300, 400)])
        file.fetch_ahead([(120, 180), (250, 250)])
        assert source.asked == [(100, 200), (300, 400)]
        file.seek(150)
        assert bytes(file.read(50)) == CONTENT[150:200]
        assert source.asked == [(100, 200), (300, 400)]
        assert bytes(file.read(10)) == CONTENT[200:210]
        assert source.asked[2:] == [(200, 210)]
        file.forget([(100, 200)])
        file.seek(150)
        assert bytes(file.read(1)) == CONTENT[150:151]
        assert source.asked[3:] == [(150, 151)]


@pytest.mark.parametrize("size", [10, len(CONTENT)])
def test_the_footer_is_the_end_of_the_file(size: int) -> None:
    """Of a small file it is all of it."""
    source = RecordedFile(CONTENT[:size])
    with RangedFile(source) as file:
        file.fetch_footer()
    assert source.asked == [(max(size - FOOTER_BYTES, 0), size)]


def test_on_a_disk_nothing_is_fetched_ahead() -> None:
    """There it would only take memory."""
    source = RecordedFile(CONTENT, is_remote=False)
    with RangedFile(source) as file:
        file.fetch_footer()
        assert source.asked == []


def test_what_fails_fails_where_it_is_read() -> None:
    """An error on the way is raised by the read that needs the bytes."""
    source = RecordedFile(CONTENT)
    source.answers = False
    with RangedFile(source) as file:
        file.fetch_ahead([(0, 10)])
        source.futures[0].set_exception(OSError("cut off"))
        with pytest.raises(OSError, match="cut off"):
            file.read(5)


def test_closing_stops_what_is_on_its_way() -> None:
    """Nobody waits for bytes that nobody will read; closing twice does no harm."""
    source = RecordedFile(CONTENT)
    source.answers = False
    file = RangedFile(source)
    file.fetch_ahead([(0, 10)])
    file.close()
    file.close()
    assert source.futures[0].cancelled()
    assert source.is_closed
    assert file.closed
