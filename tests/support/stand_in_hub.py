"""A server in this process that answers as the Hugging Face Hub does, and another host that has its large files."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "fedcba9876543210fedcba9876543210fedcba98"
TOKEN = "hf_" + "s3cretWord" * 3


@dataclass
class Repo:
    """A repository: files by path, by revision; ``small`` ones are kept by git itself."""

    revisions: dict[str, tuple[str, dict[str, bytes]]]
    licence: str = ""
    private: bool = False
    gated: bool = False
    small: set[str] = field(default_factory=set)
    lies: set[str] = field(default_factory=set)  # files of which other bytes are given

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files."""
        by_commit = {commit: (commit, files) for commit, files in self.revisions.values()}
        return self.revisions.get(revision) or by_commit.get(revision)


def repo(files: dict[str, bytes], **about: object) -> Repo:
    """A repository with one revision, ``main``."""
    return Repo({"main": (COMMIT, files)}, **about)


class Hub:
    """Repositories by ``owner/name`` (``datasets/owner/name``), and what was asked for.

    Attributes:
        address: of the Hub.
        asked: of each request the host (``hub`` or ``cdn``), path, ``Authorization``, ``Range``.
        allowed: tokens of accounts that have accepted the licences.
        known: all valid tokens.
        cut: bytes after which the other host ends an answer; None: never.
        ranges: whether it gives a part of a file.
        renamed: repositories under their older names.
        status: instead of an answer of the API.
    """

    def __init__(self, address: str = "", elsewhere: str = "") -> None:
        self.repos: dict[str, Repo] = {}
        self.asked: list[tuple[str, str, str | None, str | None]] = []
        self.allowed: set[str] = {TOKEN}
        self.known: set[str] = {TOKEN}
        self.cut: int | None = None
        self.ranges = True
        self.renamed: dict[str, str] = {}
        self.status = 0
        self.address, self.elsewhere = address, elsewhere

    def downloads(self) -> list[tuple[str, str, str | None, str | None]]:
        """What was asked of the other host."""
        return [asked for asked in self.asked if asked[0] == "cdn"]


def _handler(hub: Hub, host: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append((host, self.path, self.headers["Authorization"], self.headers["Range"]))
            (self.file if host == "cdn" else self.hub)()

        def refuse(self, code: int, kind: str, message: str) -> None:
            self.send_response(code)
            self.send_header("X-Error-Code", kind)
            self.send_header("X-Error-Message", message)
            self.end_headers()

        def body(self, data: bytes, kind: str = "application/octet-stream") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def hub(self) -> None:
            path = urlsplit(self.path).path
            api = re.fullmatch(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/revision/([^/]+)", path)
            page = re.fullmatch(r"/((?:datasets/|spaces/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            if api:
                kind, name, revision = api.groups()
                name = name if kind == "models" else f"{kind}/{name}"
            elif page:
                name, revision, _ = page.groups()
            else:
                return self.refuse(404, "", "not found")
            if name in hub.renamed:
                self.send_response(307)
                self.send_header("Location", self.path.replace(name, hub.renamed[name], 1))
                return self.end_headers()
            if hub.status:
                return self.refuse(hub.status, "", "busy")
            token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            if token and token not in hub.known:
                return self.refuse(401, "", "Invalid username or password.")
            held = hub.repos.get(name)
            if held is None or (held.private and not token):
                return self.refuse(401 if not token else 404, "RepoNotFound", "Repository not found")
            at = held.at(unquote(revision))
            if at is None:
                return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            commit, files = at
            if api:
                blobs = parse_qs(urlsplit(self.path).query).get("blobs") == ["true"]
                return self.body(json.dumps(about(name, held, commit, files, blobs)).encode(), "application/json")
            if held.gated and token not in hub.allowed:
                return self.refuse(403 if token else 401, "GatedRepo", f"Access to {name} is restricted")
            path = unquote(page[3])
            if path not in files:
                return self.refuse(404, "EntryNotFound", "Entry not found")
            if path in held.small:
                return self.body(files[path])
            self.send_response(302)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(files[path]).hexdigest()}"')
            self.send_header("Location", f"{hub.elsewhere}/{name}/{commit}/{page[3]}?X-Amz-Signature=signed")
            self.end_headers()
            return None

        def file(self) -> None:
            name, commit, path = re.fullmatch(r"/(.+)/([0-9a-f]{40})/(.+)", urlsplit(self.path).path).groups()
            held = hub.repos[name]
            data = held.at(commit)[1][unquote(path)]
            data = data[::-1] if unquote(path) in held.lies else data
            begun = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1]) if self.headers["Range"] else 0
            begun = begun if hub.ranges else 0
            if begun >= len(data):
                return self.refuse(416, "", "no such range")
            self.send_response(206 if begun else 200)
            if begun:
                self.send_header("Content-Range", f"bytes {begun}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - begun))
            self.end_headers()
            self.wfile.write(data[begun:][: hub.cut])
            return None

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def about(name: str, held: Repo, commit: str, files: dict[str, bytes], blobs: bool) -> dict[str, object]:
    """The API's description of a revision."""
    siblings = []
    for path, data in files.items():
        entry: dict[str, object] = {"rfilename": path}
        if blobs:
            entry.update(size=len(data), blobId=hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())
            if path not in held.small:
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        siblings.append(entry)
    tags = [f"license:{held.licence}"] if held.licence else []
    gated = "auto" if held.gated else False
    return {"id": name, "sha": commit, "private": held.private, "gated": gated, "tags": tags, "siblings": siblings}


class Quiet(http.server.ThreadingHTTPServer):
    """A server that says nothing of clients that hang up."""

    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def running():
    """A Hub that runs for the block."""
    hub = Hub()
    servers = [Quiet(("127.0.0.1", 0), _handler(hub, host)) for host in ("hub", "cdn")]
    hub.address, hub.elsewhere = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=[0.01], daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads):
            server.shutdown()
            server.server_close()
            thread.join()
