"""A Hugging Face hub on loopback: the routes that a download uses, and faults to order."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLD_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
TOKEN = "hf_token_that_works"


@dataclass(frozen=True)
class Reply:
    """A fault: a status, and what the hub says with it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Repository:
    """A model on the hub.

    Attributes:
        files: contents by name, of the main branch.
        old_files: contents by name, of the branch `old`.
        fault: reply to all requests.
        hangs_up: whether requests are never answered, and the connection is closed.
        weights_fault: reply to requests for weights.
        gated: whether only `TOKEN` may read files.
        claimed_bytes: size that the hub claims of each file of weights; None for the true one.
        xet_fault: reply of the Xet storage, where the weights then are; None for plain storage.
        breaks_at: file whose download breaks off half way, `num_breaks` times.
        seconds_to_answer: delay of every reply.
        before_sending: called with the name of a file of weights before its contents are sent.
        requests: `METHOD path` of those that came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    old_files: dict[str, bytes] = field(default_factory=dict)
    fault: Reply | None = None
    hangs_up: bool = False
    weights_fault: Reply | None = None
    gated: bool = False
    claimed_bytes: int | None = None
    xet_fault: Reply | None = None
    breaks_at: str = ""
    num_breaks: int = 0
    seconds_to_answer: float = 0
    before_sending: Callable[[str], None] | None = None
    requests: list[str] = field(default_factory=list)

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files of a branch or commit; None if there is none."""
        if revision in ("main", COMMIT):
            return COMMIT, self.files
        if self.old_files and revision in ("old", OLD_COMMIT):
            return OLD_COMMIT, self.old_files
        return None

    @property
    def downloads(self) -> list[str]:
        """Files whose contents were sent, in order."""
        return [request.rpartition("/")[2] for request in self.requests if request.startswith("GET /cdn/")]


GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model is restricted."}
NOT_FOUND = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}


@dataclass
class Hub:
    """Address, and repositories by id, of a running hub."""

    endpoint: str
    cdn: str
    repositories: dict[str, Repository]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Nothing: a test reads `requests`."""

    def _answer(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        kind, place = ("api", parts[2:]) if parts[:2] == ["api", "models"] else ("file", parts)
        if parts[0] in ("cdn", "xet"):
            kind, place = parts[0], parts[1:]
        repository = self.hub.repositories.get("/".join(place[:2]))
        if repository is None:
            self._reply(Reply(404 if self._token() else 401, NOT_FOUND))
            return
        repository.requests.append(f"{self.command} {unquote(urlsplit(self.path).path)}")
        time.sleep(repository.seconds_to_answer)
        if repository.hangs_up:
            self.close_connection = True
        elif repository.fault is not None:
            self._reply(repository.fault)
        elif kind == "xet" and repository.xet_fault is not None:
            self._reply(repository.xet_fault)
        elif kind == "api" and place[2:3] == ["xet-read-token"]:
            self._let_into_xet("/".join(place[:2]))
        elif kind == "api":
            self._list(repository, "/".join(place[:2]), place[3] if len(place) > 3 else "main")
        elif kind == "file" and repository.gated and self._token() != TOKEN:
            self._reply(Reply(403 if self._token() else 401, GATED))
        elif kind == "cdn":
            self._send_contents(repository, place[2], "/".join(place[3:]))
        else:
            self._resolve(repository, "/".join(place[:2]), place[3], "/".join(place[4:]))

    def _token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def _list(self, repository: Repository, repo_id: str, revision: str) -> None:
        found = repository.at(revision)
        if found is None:
            self._reply(Reply(404, {"X-Error-Code": "RevisionNotFound"}))
            return
        commit, files = found
        siblings = [{"rfilename": name, "size": self._claimed(repository, name, files[name])} for name in files]
        body = json.dumps({"id": repo_id, "sha": commit, "siblings": siblings}).encode()
        self._reply(Reply(200, {"Content-Type": "application/json"}, body))

    def _let_into_xet(self, repo_id: str) -> None:
        """Address of the Xet storage, and a token for it."""
        headers = {
            "X-Xet-Cas-Url": f"{self.hub.cdn}/xet/{repo_id}",
            "X-Xet-Access-Token": "token",
            "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
        }
        self._reply(Reply(200, headers))

    def _resolve(self, repository: Repository, repo_id: str, revision: str, name: str) -> None:
        """Send a small file, or redirect to large storage elsewhere, with size and hash of the file there."""
        found = repository.at(revision)
        if found is None:
            self._reply(Reply(404, {"X-Error-Code": "RevisionNotFound"}))
            return
        commit, files = found
        if name not in files:
            self._reply(Reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}))
            return
        contents, is_large = files[name], name.endswith(".safetensors")
        if is_large and repository.weights_fault is not None:
            self._reply(repository.weights_fault)
            return
        digest = hashlib.sha256(contents).hexdigest()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest}"'}
        if is_large:
            headers |= {
                "X-Linked-Size": str(self._claimed(repository, name, contents)),
                "X-Linked-Etag": f'"{digest}"',
                "Location": f"{self.hub.cdn}/cdn/{repo_id}/{commit}/{name}",
            }
            if repository.xet_fault is not None:
                headers |= {
                    "X-Xet-Hash": digest,
                    "X-Xet-Refresh-Route": f"{self.hub.endpoint}/api/models/{repo_id}/xet-read-token/{commit}",
                }
            self._reply(Reply(302, headers))
        else:
            self._reply(Reply(200, headers, contents))

    def _send_contents(self, repository: Repository, commit: str, name: str) -> None:
        """From the offset that is asked for; broken off half way as often as the repository says."""
        found = repository.at(commit)
        assert found is not None
        contents = found[1][name]
        start = int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        rest = contents[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(contents) - 1}/{len(contents)}")
        self.end_headers()
        if repository.before_sending is not None:
            repository.before_sending(name)
        if name == repository.breaks_at and repository.num_breaks > 0:
            repository.num_breaks -= 1
            rest = rest[: len(rest) // 2]
            self.close_connection = True
        self.wfile.write(rest)

    @staticmethod
    def _claimed(repository: Repository, name: str, contents: bytes) -> int:
        is_claimed = repository.claimed_bytes is not None and name.endswith(".safetensors")
        return repository.claimed_bytes if is_claimed and repository.claimed_bytes is not None else len(contents)

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for key, value in reply.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub without repositories, and storage for large files at another address."""
    hub = Hub("", "", {})
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.endpoint, hub.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
