"""A local server that speaks W&B's protocol, so that tests run the real client against it.

It keeps what clients sent as W&B would: runs with config, summary, group, tags and history, lines
replaced by offset, and it answers a client that resumes. `behave` makes it misbehave.
"""

import gzip
import json
import re
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from helpers.wandb_artifacts import Artifacts
from helpers.wandb_run import Run

KEY = "0123456789abcdef0123456789abcdef01234567"
# Given the path and the name of the GraphQL operation: a status and headers, or None to answer.
Behaviour = Callable[[str, str], "tuple[int, dict[str, str]] | None"]


@dataclass
class Request:
    at: float
    path: str
    operation: str


class Server:
    """`url` while it runs; `runs` by name, `views` and `reports`; `requests` as they came."""

    def __init__(self, port: int = 0) -> None:
        self.runs: dict[str, Run] = {}
        self.artifacts = Artifacts()
        self.alerts: list[dict[str, Any]] = []
        self.views: dict[str, dict[str, Any]] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.unknown: set[str] = set()
        self.behave: Behaviour = lambda path, operation: None
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                server.connections.add(self.connection)

            def finish(self) -> None:
                server.connections.discard(self.connection)
                with suppress(OSError, ValueError):
                    super().finish()

            def log_message(self, *arguments: object) -> None:
                pass

            def respond(self) -> None:
                with suppress(ConnectionError):
                    status, headers, answer = server.answer(self.command, self.path, self.body())
                    body = json.dumps(answer).encode()
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

            def body(self) -> bytes:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data

            do_GET = do_POST = do_PUT = do_HEAD = respond  # noqa: N815

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *arguments: object) -> None:
                pass

        self._http = Quiet(("127.0.0.1", port), Handler)
        self.port = self._http.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Die: no answer to what was asked, no new connection."""
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        content = json.loads(body) if path.startswith(("/graphql", "/files")) and body else {}
        operation = _operation(content) if path.startswith("/graphql") else ""
        with self.lock:
            self.requests.append(Request(time.monotonic(), path, operation))
        if (refusal := self.behave(path, operation)) is not None:
            return *refusal, {"errors": [{"message": "refused by the test"}]}
        with self.lock:
            if path.startswith("/graphql"):
                data = self._graphql(operation, content.get("variables") or {})
                return 200, {}, {"data": data}
            if path.startswith("/files"):
                return 200, {}, self._stream(path.split("/")[4], content)
            if path.startswith("/artifacts/"):
                _, _, artifact, name = path.split("/", 3)
                if method == "GET":
                    return 200, {}, self.artifacts.manifest(artifact)
                self.artifacts.store(artifact, name, body)
            if path.startswith("/storage/"):
                _, _, run, name = path.split("/", 3)
                self.runs[run].files[name] = body
            return 200, {}, {}

    def _graphql(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        if (answer := self.artifacts.answer(operation, variables, self.url)) is not None:
            return answer
        match operation:
            case "Viewer" | "GetDefaultEntity":
                return {"viewer": VIEWER}
            case "RunResumeStatus":
                run = self.runs.get(variables["name"])
                stored = run.stored() if run else None
                return {"model": {"id": "p", "name": "p", "entity": OWNER, "bucket": stored}}
            case "UpsertBucket":
                return {"upsertBucket": self._upsert(variables)}
            case "CreateRunFiles":
                run_name = variables.get("run") or variables.get("runName") or ""
                url = f"{self.url}/storage/{run_name}/"
                files = [{"name": f, "uploadUrl": url + f} for f in variables["files"]]
                return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
            case "Runs":
                return {"project": self._found(json.loads(variables["filters"]))}
            case "UpsertView2":
                name = variables["name"]
                self.views[name] = variables
                view = {"id": f"id-{name}", "name": name}
                return {"upsertView": {"view": view, "inserted": "id" not in variables}}
            case "GetProjects":
                kept = {
                    "__typename": "Project",
                    "id": "p",
                    "name": "lab",
                    "entityName": OWNER["name"],
                }
                kept |= {"createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}
                page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
                return {"models": {"pageInfo": page, "edges": [{"node": kept}]}}
            case "ProjectInternalId":
                return {"project": {"id": "p", "internalId": "p"}}
            case "upsertView":
                key = variables["id"] or b64encode(variables["name"].encode()).decode()
                self.reports[key] = variables
                return {"upsertView": {"view": self._report(key), "inserted": True}}
            case "SpecificReport":
                known = variables["reportId"] in self.reports
                return {"view": self._report(variables["reportId"]) if known else None}
            case "NotifyScriptableRunAlert":
                self.alerts.append(variables)
                return {"notifyScriptableRunAlert": {"success": True}}
            case "View":
                edges = []
                if view := self.views.get(variables["viewName"]):
                    node = {k: view[k] for k in ("displayName", "spec")}
                    edges = [{"node": node | {"id": f"id-{view['name']}"}}]
                return {"project": {"allViews": {"edges": edges}}}
            case _:
                self.unknown.add(operation)
                return {}

    def _report(self, key: str) -> dict[str, Any]:
        stored = self.reports[key]
        project = {"id": "p", "name": stored["projectName"], "entityName": stored["entityName"]}
        kept = {k: stored[k] for k in ("name", "displayName", "description", "type", "spec")}
        return {"id": key, "project": project, **kept}

    def _found(self, filters: dict[str, Any]) -> dict[str, Any]:
        names = filters["name"]["$in"] if "name" in filters else [*self.runs]
        found = [self.runs[name] for name in names if name in self.runs]
        nodes = [{"node": run.shown(), "cursor": run.name} for run in found]
        page = {"endCursor": None, "hasNextPage": False}
        return {
            "internalId": "p",
            "runCount": len(found),
            "readOnly": False,
            "runs": {"edges": nodes, "pageInfo": page},
        }

    def _upsert(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["name"]
        new = name not in self.runs
        run = self.runs.setdefault(name, Run(name))
        run.opened += new
        run.group = variables.get("groupName") or run.group
        run.job_type = variables.get("jobType") or run.job_type
        run.display_name = variables.get("displayName") or run.display_name
        run.tags = variables["tags"] if variables.get("tags") is not None else run.tags
        if variables.get("config"):
            run.config = json.loads(variables["config"])
        project = {"id": "p", "name": variables.get("project") or "p", "entity": OWNER}
        bucket = run.stored() | {"description": "", "sweepName": None, "project": project}
        return {"inserted": new, "bucket": bucket}

    def _stream(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        run = self.runs[name]
        for file, part in (content.get("files") or {}).items():
            for i, line in enumerate(part["content"]):
                run.streams[file][part["offset"] + i] = line
        if content.get("preempting"):
            run.preempting = True
        if content.get("complete"):
            run.exit_code = content.get("exitcode")
        return {}


OWNER = {"id": "e", "name": "me"}
VIEWER = {
    "id": "u",
    "entity": "me",
    "username": "me",
    "email": "me@example.org",
    "flags": "{}",
    "teams": {"edges": []},
    "admin": False,
}


def _operation(content: dict[str, Any]) -> str:
    if name := content.get("operationName"):
        return str(name)
    words = re.sub(r"#.*|[({]", " ", content.get("query", "")).split()
    return words[1] if len(words) > 1 else ""


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    """A server that stops at the end."""
    server = Server(port)
    try:
        yield server
    finally:
        server.stop()
