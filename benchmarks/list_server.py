"""A store that only lists, as fast as a list in memory is cut, and answers after a latency.

    python benchmarks/list_server.py --symbols 2500 --files 40 --latency-ms 30

It prints its port and serves until its standard input ends. The bucket ``bucket`` holds
``root/symbol=S00000/part-00000.parquet`` and so on. ListObjectsV2 is answered as S3 does
(prefix, delimiter, StartAfter, ContinuationToken, EncodingType, 1,000 keys a page), HEAD with
whether the key is there, and ``/n_requests`` with the number of requests since it was last asked.
Pages are ready-made text, so that what is measured is the client and the way, not the server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from bisect import bisect_left, bisect_right
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape

BUCKET = "bucket"
PAGE_SIZE = 1000
_HEADER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    f"<Name>{BUCKET}</Name><MaxKeys>{PAGE_SIZE}</MaxKeys>"
)
_REST = (
    "<LastModified>2024-01-02T03:04:05.000Z</LastModified>"
    "<ETag>&quot;c4ca4238a0b923820dcc509a6f75849b&quot;</ETag><Size>1</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


class Bucket:
    """Sorted keys and the text of each in a page."""

    def __init__(self, n_symbols: int, n_files: int) -> None:
        self.keys = [
            f"root/symbol=S{symbol:05}/part-{file:05}.parquet"
            for symbol in range(n_symbols)
            for file in range(n_files)
        ]
        self.encoded = [f"<Contents><Key>{quote(key)}</Key>{_REST}" for key in self.keys]
        self.plain = [f"<Contents><Key>{escape(key)}</Key>{_REST}" for key in self.keys]

    def page(self, query: dict[str, str]) -> str:
        """Return the answer to a request of ListObjectsV2."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        size = min(int(query.get("max-keys", PAGE_SIZE)), PAGE_SIZE)
        after = query.get("continuation-token") or query.get("start-after", "")
        first = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        if delimiter and after.endswith(delimiter) and "continuation-token" in query:
            first = self._beyond(after)
        end = self._beyond(prefix)
        is_encoded = query.get("encoding-type") == "url"
        texts = self.encoded if is_encoded else self.plain
        told: list[str] = []
        last = ""
        if not delimiter:
            told = texts[first : min(end, first + size)]
            first += len(told)
            last = self.keys[first - 1] if told else ""
        while delimiter and first < end and len(told) < size:
            last = self.keys[first]
            cut = last.find(delimiter, len(prefix))
            if cut < 0:
                told.append(texts[first])
                first += 1
                continue
            last = last[: cut + 1]
            name = quote(last) if is_encoded else escape(last)
            told.append(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>")
            first = self._beyond(last)
        ends = (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(last)}"
            "</NextContinuationToken>"
            if first < end
            else "<IsTruncated>false</IsTruncated>"
        )
        encoding = "<EncodingType>url</EncodingType>" if is_encoded else ""
        count = f"<KeyCount>{len(told)}</KeyCount>"
        return f"{_HEADER}{encoding}{count}{ends}{''.join(told)}</ListBucketResult>"

    def _beyond(self, prefix: str) -> int:
        """Return where the keys with a prefix end."""
        return bisect_left(self.keys, f"{prefix}\U0010ffff") if prefix else len(self.keys)

    def holds(self, key: str) -> bool:
        """Whether there is such a key, or it is the bucket itself."""
        at = bisect_left(self.keys, key)
        return not key or (at < len(self.keys) and self.keys[at] == key)


class Server:
    """Answers one request after the other on each of any number of connections."""

    def __init__(self, bucket: Bucket, latency_s: float) -> None:
        self.bucket = bucket
        self.latency_s = latency_s
        self.n_requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side ends."""
        ended = (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError)
        with contextlib.suppress(*ended):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                writer.write(await self.answer(*head.split(" ", 2)[:2]))
                await writer.drain()
        writer.close()

    async def answer(self, method: str, target: str) -> bytes:
        """Return the answer once the latency is over."""
        path, _, query = target.partition("?")
        if path == "/n_requests":
            count, self.n_requests = self.n_requests, 0
            return _response("200 OK", str(count))
        self.n_requests += 1
        # The work is done within the latency: it takes a thirtieth of it.
        due = asyncio.get_running_loop().time() + self.latency_s
        key = unquote(path).removeprefix(f"/{BUCKET}").removeprefix("/")
        if method == "GET" and "list-type=2" in query:
            values = parse_qs(query, keep_blank_values=True)
            body = self.bucket.page({name: texts[0] for name, texts in values.items()})
            answer = _response("200 OK", body)
        elif method == "HEAD" and self.bucket.holds(key):
            answer = _response("200 OK", "")
        else:
            answer = _response("404 Not Found", "")
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        return answer


def _response(status: str, body: str) -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(content)}"
    return f"{head}\r\n\r\n".encode() + content


async def _serve(bucket: Bucket, latency_s: float) -> None:
    server = await asyncio.start_server(Server(bucket, latency_s).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--symbols", type=int, default=2500)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    options = parser.parse_args()
    bucket = Bucket(options.symbols, options.files)
    asyncio.run(_serve(bucket, options.latency_ms / 1000))


if __name__ == "__main__":
    main()
