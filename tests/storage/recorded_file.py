"""An open file in memory that records which ranges are asked of it."""

from __future__ import annotations

from concurrent.futures import Future


class RecordedFile:
    def __init__(self, content: bytes, *, is_remote: bool = True) -> None:
        self._content = content
        self.size_bytes = len(content)
        self.is_remote = is_remote
        self.asked: list[tuple[int, int]] = []
        self.futures: list[Future[bytes]] = []
        self.is_closed = False
        self.answers = True

    def fetch(self, start: int, end: int) -> Future[bytes]:
        self.asked.append((start, end))
        self.futures.append(Future())
        if self.answers:
            self.futures[-1].set_result(self._content[start:end])
        return self.futures[-1]

    def close(self) -> None:
        self.is_closed = True
