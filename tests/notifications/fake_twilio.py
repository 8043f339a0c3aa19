"""A local HTTP server that answers as Twilio's Messages resource (2010-04-01) does, and can refuse, stall and hang."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "AC" + "1" * 32
TOKEN = "a token of the fake"


class FakeTwilio:
    """Keeps what it took in `messages`. `script` says how the next POSTs go; when it is empty they succeed.

    A script line is a number (HTTP status), a pair (status, Twilio's code), `hang` (takes the text, never answers) or
    `deaf` (never answers and takes nothing).
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []
        self.forms: list[dict[str, str]] = []
        self.script: list[object] = []
        self.now = datetime.now(UTC)
        self._released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake._post(self)

            def do_GET(self) -> None:
                fake._get(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _known(self, request: BaseHTTPRequestHandler) -> bool:
        expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        path = urlsplit(request.path).path
        if request.headers.get("Authorization") != expected:
            self._answer(request, 401, {"code": 20003, "message": "Authenticate", "status": 401})
            return False
        if path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            self._answer(request, 404, {"code": 20404, "message": "not found", "status": 404})
            return False
        return True

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if not self._known(request):
            return
        self.forms.append(form)
        turn = self.script.pop(0) if self.script else 201
        if turn == "deaf":
            self._released.wait(20)
        elif isinstance(turn, tuple) or (isinstance(turn, int) and turn >= 400):
            status, code = turn if isinstance(turn, tuple) else (turn, turn)
            self._answer(request, status, {"code": code, "message": "refused", "status": status})
        else:
            message = self._take(form)
            if turn == "hang":
                self._released.wait(20)
            else:
                self._answer(request, 201, message)

    def _take(self, form: dict[str, str]) -> dict[str, object]:
        message = {
            "sid": f"SM{len(self.messages) + 1:032d}",
            "account_sid": ACCOUNT,
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": form["Body"],
            "status": "queued",
            "direction": "outbound-api",
            "date_created": format_datetime(self.now),
            "date_updated": format_datetime(self.now),
            "date_sent": None,
            "num_segments": "1",
            "num_media": "0",
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM.json",
            "subresource_uris": {},
        }
        self.messages.append(message)
        return message

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        if not self._known(request):
            return
        query = parse_qs(urlsplit(request.path).query)
        found = [m for m in reversed(self.messages) if m["to"] == query["To"][0]]
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        page = {"messages": found, "page": 0, "page_size": 200, "start": 0, "end": len(found), "uri": uri}
        self._answer(request, 200, {**page, "first_page_uri": uri, "next_page_uri": None, "previous_page_uri": None})

    def _answer(self, request: BaseHTTPRequestHandler, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
