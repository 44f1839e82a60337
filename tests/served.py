"""A local server of the OpenAI protocol whose replies a test decides, good and bad."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes back: ``document`` as JSON, or as it is where it is bytes.

    Attributes:
        seconds: Before anything is sent.
        cut: Bytes that are promised and never sent.
        closes: The connection is closed without a word.
    """

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: int = 0
    closes: bool = False


Replies: TypeAlias = Callable[[dict[str, Any]], "Reply | tuple[int, Any]"]


class Served:
    """It answers ``POST /v1/chat/completions`` as ``reply`` says."""

    def __init__(self, reply: Replies, port: int = 0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.at: list[float] = []
        self.reply = reply
        self.most_at_once = self._at_once = 0
        lock, served = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    served.asked.append(body)
                    served.keys.append(self.headers.get("Authorization"))
                    served.at.append(time.monotonic())
                    served._at_once += 1
                    served.most_at_once = max(served.most_at_once, served._at_once)
                try:
                    self._answer(
                        served.reply(body) if self.path == "/v1/chat/completions" else (404, {})
                    )
                except OSError:
                    pass  # whoever asked has gone
                finally:
                    with lock:
                        served._at_once -= 1

            def _answer(self, found: "Reply | tuple[int, Any]") -> None:
                if isinstance(found, tuple):
                    found = Reply(status=found[0], document=found[1])
                served._over.wait(found.seconds)
                if found.closes:
                    self.close_connection = True
                    return
                raw = found.document
                raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
                self.send_response(found.status)
                self.send_header("Content-Length", str(len(raw) + found.cut))
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)
                self.close_connection = bool(found.cut)

            def do_GET(self) -> None:
                """A redirect that is followed would come here."""
                served.asked.append({"GET": self.path})
                served.keys.append(self.headers.get("Authorization"))
                self._answer((200, {}))

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
