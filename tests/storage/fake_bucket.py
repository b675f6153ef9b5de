"""A bucket that answers list requests as S3 does, or as some other servers do."""

from __future__ import annotations

import random
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from ray_pipeline.storage.s3_answers import ListedObject, Page
from ray_pipeline.storage.s3_requests import ListRequest

Order = Literal["bytes", "tree", "none"]
StartAfter = Literal["known", "unknown", "skips_folder", "drops_keys"]


@dataclass
class FakeBucket:
    """Keys, in the order in which the server tells them.

    Attributes
    ----------
    keys
        What is there; tests may change it between requests.
    order
        ``bytes`` as S3; ``tree`` as a server that sorts the names within each folder, so that
        ``BRK/`` comes before ``BRK-A/``; ``none`` as a directory bucket.
    start_after
        ``known``: a place in the order; ``unknown``: passed over; ``skips_folder``: a place in
        the tree after the folder named and what lies in it; ``drops_keys``: what is not beyond
        it in bytes is left out, whatever the order.
    before_page
        Called with each request before it is answered.
    """

    keys: set[str]
    order: Order = "bytes"
    start_after: StartAfter = "known"
    before_page: Callable[[ListRequest], None] = lambda _: None
    page_size: int = 100
    requests: list[ListRequest] = field(default_factory=list)
    n_at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, request: ListRequest) -> Page:
        with self.lock:
            self.requests.append(request)
            self.n_at_once += 1
            self.most_at_once = max(self.most_at_once, self.n_at_once)
        try:
            self.before_page(request)
            with self.lock:
                return self._page(request)
        finally:
            with self.lock:
                self.n_at_once -= 1

    def _page(self, request: ListRequest) -> Page:
        names = {key for key in self.keys if key.startswith(request.prefix)}
        if self.start_after == "drops_keys":
            names = {key for key in names if key > request.start_after}
        if request.by_folder:
            start = len(request.prefix)
            names = {key[: key.find("/", start) + 1] or key for key in names}
        ordered = sorted(names, key=self._place)
        first = bisect_right([self._place(key) for key in ordered], self._from(request))
        size = min(self.page_size, request.max_keys or self.page_size)
        told = ordered[first : first + size]
        token = told[-1] if first + size < len(ordered) else None
        is_folder = {key: request.by_folder and key.endswith("/") for key in told}
        return Page(
            [ListedObject(key, 1, "etag") for key in told if not is_folder[key]],
            [key for key in told if is_folder[key]],
            token,
        )

    def _from(self, request: ListRequest) -> tuple[str, ...]:
        if request.token:
            return self._place(request.token)
        if not request.start_after or self.start_after in {"unknown", "drops_keys"}:
            return ()
        end = "\U0010ffff" if self.start_after == "skips_folder" else ""
        return self._place(request.start_after + end)

    def _place(self, key: str) -> tuple[str, ...]:
        if self.order == "none":
            return (str(random.Random(key).random()), key)
        return tuple(key.split("/")) if self.order == "tree" else (key,)


def panel_keys(symbols: Iterable[str], n_files: int, folder: str = "root/") -> set[str]:
    """Return the keys of so many files for each symbol."""
    return {f"{folder}symbol={symbol}/{i:05}.parquet" for symbol in symbols for i in range(n_files)}
