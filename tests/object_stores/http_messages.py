"""HTTP/1.1 messages on sockets: where a message ends, and passing it on without holding it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

__all__ = ["Connection", "Framing", "Head", "HungUpError", "pass_body"]

_MAX_HEAD_BYTES = 2**20
_PIECE_BYTES = 2**19

Framing: TypeAlias = int | Literal["chunked", "until closed"]
Spend: TypeAlias = Callable[[int], Awaitable[None]]


class HungUpError(ConnectionError):
    """One side has ended a connection in the middle of a message."""


@dataclass(frozen=True)
class Head:
    """The first line and the headers of a message, as they were sent and parsed."""

    raw: bytes
    words: tuple[str, str, str]
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Take a head apart; names of headers come in lower case."""
        line, *fields = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        one, two, three = (*line.split(" ", 2), "", "")[:3]
        headers = {}
        for field in fields:
            name, _, value = field.partition(":")
            headers[name.strip().lower()] = value.strip()
        return cls(raw, (one, two, three), headers)

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.words[1])

    @property
    def keeps_alive(self) -> bool:
        """Whether another message may follow on the connection."""
        version = self.words[0] if self.words[0].startswith("HTTP/") else self.words[2]
        wish = self.headers.get("connection", "").lower()
        return "close" not in wish and (version == "HTTP/1.1" or "keep-alive" in wish)

    def request_framing(self) -> Framing:
        """How long the body of a request is."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return "chunked"
        return int(self.headers.get("content-length", 0))

    def answer_framing(self, method: str) -> Framing:
        """How long the body of an answer to such a request is."""
        if method == "HEAD" or self.status in {204, 304}:
            return 0
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return "chunked"
        length = self.headers.get("content-length")
        return "until closed" if length is None else int(length)


class Connection:
    """A socket with what was read from it too early.

    Sockets instead of asyncio's streams: a body goes through one buffer that is used again and
    again, and the end of a connection can be a reset.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._early = bytearray()
        self._room = memoryview(bytearray())

    async def read_head(self) -> Head | None:
        """Read up to the empty line; None when the other side ended before it."""
        raw = await self._read_through(b"\r\n\r\n")
        return None if raw is None else Head.parse(raw)

    async def read_line(self) -> bytes:
        """Read a line with its end."""
        line = await self._read_through(b"\r\n")
        if line is None:
            raise HungUpError("ended within a line")
        return line

    async def read_some(self, most: int) -> memoryview:
        """Read what is there, at least one byte; the view is good until the next call."""
        if self._early:
            piece = bytes(self._early[:most])
            del self._early[:most]
            return memoryview(piece)
        if not self._room:
            self._room = memoryview(bytearray(_PIECE_BYTES))
        loop = asyncio.get_running_loop()
        try:
            n = await loop.sock_recv_into(self._socket, self._room[: min(most, _PIECE_BYTES)])
        except OSError as error:
            raise HungUpError(f"broke within a body: {error}") from error
        if n == 0:
            raise HungUpError("ended within a body")
        return self._room[:n]

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        await asyncio.get_running_loop().sock_sendall(self._socket, content)

    async def wait_until_closed(self) -> None:
        """Drop what still comes until the other side hangs up."""
        try:
            while True:
                await self.read_some(_PIECE_BYTES)
        except ConnectionError:
            return

    def is_stale(self) -> bool:
        """Whether the other side has ended the connection (or spoken unasked) since."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def end_sending(self) -> None:
        """Say that nothing more will come; the other side may still send."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self, *, with_reset: bool = False) -> None:
        """End the connection; with a reset the other side gets an error instead of an end."""
        if with_reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def _read_through(self, mark: bytes) -> bytes | None:
        loop = asyncio.get_running_loop()
        while (start := self._early.find(mark)) < 0:
            if len(self._early) > _MAX_HEAD_BYTES:
                raise HungUpError(f"no end of the head within {_MAX_HEAD_BYTES} bytes")
            piece = await loop.sock_recv(self._socket, 2**16)
            if not piece:
                return None
            self._early += piece
        end = start + len(mark)
        raw = bytes(self._early[:end])
        del self._early[:end]
        return raw


async def pass_body(
    source: Connection, sink: Connection | None, framing: Framing, spend: Spend
) -> None:
    """Pass a body on (None: drop it), piece by piece.

    Parameters
    ----------
    spend
        Awaited with the size of each piece of the body before it is sent, so that who has received
        a body finds all of it counted.
    """
    if framing == "chunked":
        await _pass_chunks(source, sink, spend)
        return
    n_passed = 0
    while framing == "until closed" or n_passed < framing:
        most = _PIECE_BYTES if framing == "until closed" else framing - n_passed
        try:
            piece = await source.read_some(most)
        except HungUpError:
            if framing == "until closed":
                return
            raise
        n_passed += len(piece)
        await spend(len(piece))
        if sink is not None:
            await sink.send(piece)


async def _pass_chunks(source: Connection, sink: Connection | None, spend: Spend) -> None:
    size = -1
    while size != 0:
        line = await _pass_line(source, sink)
        size = int(line.partition(b";")[0], 16)
        if size:
            await pass_body(source, sink, size, spend)
            await _pass_line(source, sink)
    while await _pass_line(source, sink) != b"\r\n":  # trailers, up to an empty line
        pass


async def _pass_line(source: Connection, sink: Connection | None) -> bytes:
    line = await source.read_line()
    if sink is not None:
        await sink.send(line)
    return line
