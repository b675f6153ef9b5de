"""A proxy on loopback before an S3 server: it counts, delays, slows down and spoils requests."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape

from object_stores.faults import Fault, Request, Rule
from object_stores.http_messages import Connection, Framing, Head, HungUpError, pass_body

__all__ = ["FaultyProxy"]

HOST = "127.0.0.1"
_SOME_BYTES = 2**10


class FaultyProxy:
    """Pass HTTP/1.1 requests on to a server, unless told otherwise. Used in a ``with``.

    It runs in a thread of its own and speaks to the server on one connection for each of the
    client's. Messages pass byte for byte, the ``Host`` header too, so that signatures stay valid.
    When the server cannot be reached or ends early, the client's connection is reset.

    Parameters
    ----------
    upstream_port
        Where the server listens on 127.0.0.1.
    latency_s
        Waited before each request is passed on or spoilt. May be changed at any time.
    rule
        Called with each request, in the order of their coming and before the wait, for the fault
        that is to happen to it. May be changed at any time; None for no faults.
    bytes_per_s
        What the bodies of all connections in both directions share. None for no limit.
    """

    def __init__(
        self,
        upstream_port: int,
        *,
        latency_s: float = 0.0,
        rule: Rule | None = None,
        bytes_per_s: float | None = None,
    ) -> None:
        self.latency_s = latency_s
        self.rule = rule
        self.bytes_per_s = bytes_per_s
        self._upstream_port = upstream_port
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._n_in_flight = 0
        self._defects: list[BaseException] = []
        self._line_free_at = 0.0
        self._listener = socket.create_server((HOST, 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="proxy")

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """Cut all connections, and raise what a rule has raised."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        if self._defects and kind is None:
            raise self._defects[0]

    @property
    def endpoint_url(self) -> str:
        """Where clients find it."""
        return f"http://{HOST}:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in the order of their coming."""
        with self._lock:
            return list(self._requests)

    def count(self, kind: str) -> int:
        """Count the requests of a kind, such as ``GET`` or ``LIST``."""
        return sum(request.kind == kind for request in self.requests)

    def clear(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._requests.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._accept())
        finally:
            self._listener.close()
            self._loop.close()

    async def _accept(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        async def accept() -> None:
            while True:
                accepted, _ = await self._loop.sock_accept(self._listener)
                task = asyncio.create_task(self._serve(Connection(accepted)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        accepting = asyncio.create_task(accept())
        await self._closing.wait()
        ended = [accepting, *tasks]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _serve(self, client: Connection) -> None:
        """Serve one connection, request by request."""
        upstream: Connection | None = None
        broken = True
        try:
            while (head := await client.read_head()) is not None:
                with self._recorded(head) as request:
                    request.fault = self.rule(request) if self.rule is not None else None
                    await asyncio.sleep(self.latency_s)
                    fault = request.fault
                    if fault is not None and not (fault.after or fault.in_body):
                        goes_on = await self._spoil(fault, request, head, client)
                    else:
                        if upstream is not None and upstream.is_stale():
                            upstream.close()
                            upstream = None
                        if upstream is None:
                            upstream = await self._connect()
                        goes_on = await self._forward(request, head, client, upstream)
                if not goes_on:
                    break
            broken = False
        except OSError:
            pass  # one side is gone: so is the other, by a reset
        except Exception as error:  # noqa: BLE001 - shown where the proxy ends
            self._defects.append(error)
        finally:
            client.close(with_reset=broken)
            if upstream is not None:
                upstream.close(with_reset=broken)

    @contextmanager
    def _recorded(self, head: Head) -> Iterator[Request]:
        method, target, _ = head.words
        path, _, query = target.partition("?")
        self._n_in_flight += 1
        request = Request(method, path, query, head.headers, self._n_in_flight)
        with self._lock:
            self._requests.append(request)
        try:
            yield request
        finally:
            self._n_in_flight -= 1

    async def _connect(self) -> Connection:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection = Connection(sock)
        try:
            await self._loop.sock_connect(sock, (HOST, self._upstream_port))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _forward(
        self, request: Request, head: Head, client: Connection, upstream: Connection
    ) -> bool:
        """Pass a request and its answer on; return whether the connections can go on."""
        await upstream.send(head.raw)
        body = asyncio.create_task(pass_body(client, upstream, head.request_framing(), self._spend))
        answering = asyncio.create_task(_final_answer(client, upstream))
        try:
            # An answer may come before the end of the body, or without one.
            await asyncio.wait({body, answering}, return_when=asyncio.FIRST_COMPLETED)
            if body.done() and isinstance(body.exception(), HungUpError):
                raise HungUpError("the client hung up before the end of its body")
            answer = await answering
            body_read = body.done() and body.exception() is None
            if not body_read:  # two must not read from one connection
                body.cancel()
                await asyncio.gather(body, return_exceptions=True)
            framing = answer.answer_framing(request.method)
            fault = request.fault
            if fault is not None and fault.after:
                await pass_body(upstream, None, framing, self._spend)
                return await self._spoil(fault, request, head, client, body_read=body_read)
            if fault is not None:
                return await self._spoil_body(fault, request, answer, client, upstream, framing)
            request.status = answer.status
            await client.send(answer.raw)

            async def count(n_bytes: int) -> None:
                request.n_body_bytes += n_bytes
                await self._spend(n_bytes)

            await pass_body(upstream, client, framing, count)
            if not body_read:
                await _end_early(client)
                return False
            return head.keeps_alive and answer.keeps_alive and framing != "until closed"
        finally:
            for task in (body, answering):
                task.cancel()
            await asyncio.gather(body, answering, return_exceptions=True)

    async def _spoil(
        self,
        fault: Fault,
        request: Request,
        head: Head,
        client: Connection,
        *,
        body_read: bool = False,
    ) -> bool:
        """Do to the client what the fault says, in place of any answer."""
        if fault.kind == "reset":
            raise HungUpError("a reset was asked for")
        if fault.kind == "silence":
            await client.wait_until_closed()
            return False
        if fault.kind == "end":
            return False
        # Who waits for leave to send the body is refused without it.
        refused = not body_read and "expect" in head.headers
        if not body_read and not refused:
            await pass_body(client, None, head.request_framing(), self._spend)
        request.status = fault.status
        await client.send(_error_answer(fault, request.method, closes=refused))
        if refused:
            await _end_early(client)
        return not refused and head.keeps_alive

    async def _spoil_body(
        self,
        fault: Fault,
        request: Request,
        answer: Head,
        client: Connection,
        upstream: Connection,
        framing: Framing,
    ) -> bool:
        """Pass the headers and a part of the body on, and then do what the fault says."""
        if framing != 0:
            request.status = answer.status
            await client.send(answer.raw)
            part = framing // 2 if isinstance(framing, int) else _SOME_BYTES
            while request.n_body_bytes < part:
                piece = await upstream.read_some(part - request.n_body_bytes)
                request.n_body_bytes += len(piece)
                await client.send(piece)
                if not isinstance(framing, int):
                    break  # its end, which must not get through, may lie in the next piece
        if fault.kind == "reset":
            raise HungUpError("a reset was asked for")
        if fault.kind == "silence":
            await client.wait_until_closed()
        return False

    async def _spend(self, n_bytes: int) -> None:
        if self.bytes_per_s is None:
            return
        now = self._loop.time()
        self._line_free_at = max(self._line_free_at, now) + n_bytes / self.bytes_per_s
        await asyncio.sleep(self._line_free_at - now)


async def _final_answer(client: Connection, upstream: Connection) -> Head:
    """Read the head of the answer; such as "100 Continue" are passed on before it."""
    while (answer := await upstream.read_head()) is not None:
        if answer.status >= 200:
            return answer
        await client.send(answer.raw)
    raise HungUpError("the server ended before it had answered")


async def _end_early(client: Connection) -> None:
    """End a connection on which more may come, such that the client still reads the answer."""
    with suppress(OSError):
        client.end_sending()
        await client.wait_until_closed()


def _error_answer(fault: Fault, method: str, *, closes: bool) -> bytes:
    content = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message>"
        "<RequestId>0</RequestId></Error>"
    ).encode()
    # As S3 does: the answer to a HEAD has no body, not even that of an error.
    body = b"" if method == "HEAD" else content
    head = (
        f"HTTP/1.1 {fault.status} {fault.code}\r\n"
        "Content-Type: application/xml\r\n"
        f"Content-Length: {len(content)}\r\n"
        f"{'Connection: close' if closes else 'Connection: keep-alive'}\r\n\r\n"
    )
    return head.encode() + body
