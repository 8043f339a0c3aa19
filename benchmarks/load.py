"""The load: a process of its own that sends prepared requests over plain sockets and says how long each took.

It is run as `python -m benchmarks.load` with a JSON document on its standard input: `host`, `port`, `requests` (each
the whole request as text), `at_once` (how many connections), and `per_second`: with 0 each connection sends its next
request as soon as it has its answer; otherwise requests fall due at that rate whatever became of the ones before, and a
time counts from when the request was due. The answer on standard output: `seconds` for all, `ms` of each, `statuses`,
and one `refused` body of each status other than 200 and 201.
"""

from __future__ import annotations

import gc
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    """What the load saw."""

    seconds: float
    ms: list[float]
    statuses: dict[str, int]
    refused: dict[str, str]

    @property
    def per_second(self) -> float:
        return len(self.ms) / self.seconds


def put_on(
    port: int, requests: Sequence[str], *, at_once: int, per_second: float = 0, refusal: int | None = None
) -> Told:
    """Sends the requests from a process of their own.

    Raises RuntimeError unless each was answered by 200 or 201, or with the one status that is a refusal here.
    """
    work = {"host": "127.0.0.1", "port": port, "requests": requests, "at_once": at_once, "per_second": per_second}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], input=json.dumps(work), capture_output=True, text=True, check=True
    )
    told = Told(**json.loads(done.stdout))
    if set(told.refused) - {str(refusal)}:
        raise RuntimeError(f"not every request was answered as it should be: {told.statuses} {told.refused}")
    return told


class Connection:
    """Keeps one connection open and reads answers by their Content-Length."""

    def __init__(self, host: str, port: int) -> None:
        self.received = 0
        """Bytes over the wire so far, heads and bodies."""
        self._socket = socket.create_connection((host, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[int, str, bytes]:
        """The answer's status, its head and its body."""
        self._socket.sendall(request)
        seen = b""
        while b"\r\n\r\n" not in seen:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            seen += more
        head, body = seen.split(b"\r\n\r\n", 1)
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += self._socket.recv(65536)
        self.received += len(head) + 4 + len(body)
        return int(head[9:12]), head.decode("latin-1"), body


def _run(work: dict[str, Any]) -> dict[str, Any]:
    requests = [request.encode() for request in work["requests"]]
    gap = 1 / work["per_second"] if work["per_second"] else 0.0
    turns = itertools.count()
    times = [0.0] * len(requests)
    statuses: Counter[int] = Counter()
    refused: dict[int, str] = {}
    connections = [Connection(work["host"], work["port"]) for _ in range(min(work["at_once"], len(requests)))]
    began = time.perf_counter() + 0.1
    ready = threading.Barrier(len(connections))

    def send(connection: Connection) -> None:
        ready.wait()
        time.sleep(max(0.0, began - time.perf_counter()))
        while (turn := next(turns)) < len(requests):
            due = began + turn * gap if gap else time.perf_counter()
            if gap:
                time.sleep(max(0.0, due - time.perf_counter()))
            status, _, body = connection.ask(requests[turn])
            times[turn] = (time.perf_counter() - due) * 1000
            statuses[status] += 1
            if status not in (200, 201):
                refused[status] = body.decode(errors="replace")[:500]

    threads = [threading.Thread(target=send, args=(connection,)) for connection in connections]
    gc.disable()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - began, "ms": times, "statuses": statuses, "refused": refused}


if __name__ == "__main__":
    json.dump(_run(json.load(sys.stdin)), sys.stdout)
