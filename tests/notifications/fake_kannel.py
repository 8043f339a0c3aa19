"""A local HTTP server that answers /cgi-bin/sendsms as Kannel's smsbox (1.4.5) does, and can refuse and hang."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USERNAME, PASSWORD = "takehome", "password of the fake"


class FakeKannel:
    """Keeps what it took in `messages`: headers by their small names, the text under `text`.

    `script` says how the next requests go: a number (HTTP status) or `hang` (takes the text, never answers).
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.script: list[object] = []
        self._released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake._post(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.paths.append(request.path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        turn = self.script.pop(0) if self.script else 202
        if (headers.get("x-kannel-username"), headers.get("x-kannel-password")) != (USERNAME, PASSWORD):
            self._answer(request, 403, "Authorization failed for sendsms")
        elif isinstance(turn, int) and turn != 202:
            self._answer(request, turn, "Temporal failure, try again later." if turn == 503 else "refused")
        else:
            self.messages.append({**headers, "text": body.decode()})
            if turn == "hang":
                self._released.wait(20)
            else:
                self._answer(request, 202, "0: Accepted for delivery")

    def _answer(self, request: BaseHTTPRequestHandler, status: int, text: str) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "text/html")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text.encode())
