"""Servers that fail in every way: one clear line, nothing in the cache, and the next try is a new one."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import socket
import threading
import time

import pytest
from click.testing import CliRunner
from faults import NO_MOUNTS, at_most, finish, one_line, read_only

from sefa_plugin.commands import cli
from sefa_plugin.reading import download
from sefa_plugin.reading.download import DownloadError, fetch

BODY = bytes(range(256)) * 200
SIZE = len(BODY)


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    other = ""  # address of a second server

    def do_GET(self):
        getattr(self, self.path.strip("/").split(".")[0].replace("-", "_"))()

    def head(self, code=200, length=SIZE, **headers):
        self.send_response(code)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def body(self, data=BODY):
        self.wfile.write(data)

    def whole(self):
        self.head()
        self.body()

    def cut(self):
        self.head()
        self.body(BODY[:1000])

    def reset(self):
        self.head()
        self.body(BODY[:1000])
        # No time to linger: the connection is reset, not closed.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def cut_chunk(self):
        self.head(length=None, Transfer_Encoding="chunked")
        self.body(b"400\r\n" + BODY[:100])

    def bad_chunk(self):
        self.head(length=None, Transfer_Encoding="chunked")
        self.body(b"xyz\r\n" + BODY[:100])

    def chunks(self):
        self.head(length=None, Transfer_Encoding="chunked")
        self.body(b"".join(b"%x\r\n%s\r\n" % (1024, BODY[at : at + 1024]) for at in range(0, len(BODY), 1024)))
        self.body(b"0\r\n\r\n")

    def larger(self):
        self.head()
        self.body(BODY + b"more" * 1000)

    def nonsense_length(self):
        self.head(length="many")
        self.body()

    def negative(self):
        self.head(length=-5)
        self.body()

    def two_lengths(self):
        self.head(Content_length=str(len(BODY) + 7))
        self.body()

    def huge(self):
        self.head(length=10**18)
        self.body()

    def empty(self):
        self.head(length=0)

    def endless(self):
        self.head(length=None)
        while True:
            self.body()

    def silent(self):
        self.head()
        time.sleep(2)

    def never(self):
        time.sleep(2)

    def trickle(self):
        self.head()
        for byte in BODY:
            self.body(bytes([byte]))
            time.sleep(0.01)

    def slow_head(self):
        self.body(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(1000):
            self.body(b"x")
            time.sleep(0.01)

    def long_head(self):
        self.body(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000)

    def no_http(self):
        self.body(b"SSH-2.0-OpenSSH_9.6\r\n")

    def packed(self):
        bomb = gzip.compress(bytes(10_000_000))
        self.head(length=len(bomb), Content_Encoding="gzip")
        self.body(bomb)

    def page(self):
        self.head(length=6, Content_Type="text/html; charset=utf-8")
        self.body(b"<html>")

    def drive(self):
        """A page that asks for a click, as Google Drive's does, under the name of a file."""
        text = b"\n<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>"
        self.head(length=len(text), Content_Type="application/octet-stream")
        self.body(text)

    def away(self):
        self.head(302, 0, Location=f"{self.other}/whole.pkl")

    def loop(self):
        self.head(302, 0, Location="/loop.pkl")

    def ping(self):
        self.head(302, 0, Location="/pong.pkl")

    def pong(self):
        self.head(302, 0, Location="/ping.pkl")

    def to_file(self):
        self.head(302, 0, Location="file:///etc/passwd")

    def to_ftp(self):
        self.head(302, 0, Location="ftp://127.0.0.1/net.pkl")

    def to_nowhere(self):
        self.head(302, 0)

    def gone(self):
        self.send_error(410, "Gone\u2028for ever".encode("ascii", "replace").decode())

    def log_message(self, *args):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass


@pytest.fixture(scope="module")
def servers():
    held = [Quiet(("127.0.0.1", 0), Server) for _ in range(2)]
    addresses = [f"http://127.0.0.1:{server.server_address[1]}" for server in held]
    Server.other = addresses[1]
    for server in held:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield addresses
    for server in held:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(servers, tmp_path, monkeypatch):
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    return servers[0]


def cached():
    folder = download.cache_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refused(address, **options):
    with pytest.raises(DownloadError) as caught:
        fetch(address, **options)
    text = str(caught.value)
    assert text.startswith(address) and len(text) < 400, text
    assert cached() == []
    return " ".join(text.split())


@pytest.mark.parametrize("page", ["whole", "chunks", "larger", "away", "nonsense-length", "negative"])
def test_what_is_whole_all_the_same(site, page):
    """No more than is announced is taken; another host may have the file; a length that is none counts as none."""
    assert fetch(f"{site}/{page}.pkl").read_bytes() == BODY
    assert len(cached()) == 1


FAULTS = {
    "cut": "stopped at 1000 of 51200 bytes; run the command again",
    "reset": "cannot be fetched",
    "cut-chunk": "stopped before its end; run the command again",
    "bad-chunk": "stopped before its end",
    "huge": "has room for",
    "empty": "is empty",
    "silent": "timed out",
    "never": "timed out",
    "trickle": "bytes a second",
    "slow-head": "timed out",
    "long-head": "cannot be fetched",
    "no-http": "cannot be fetched",
    "packed": "gzip",
    "page": "web page",
    "drive": "web page",
    "loop": "leads in a circle",
    "ping": "leads in a circle",
    "to-file": "not allowed",
    "to-ftp": "from http to ftp",
    "to-nowhere": "302",
    "gone": "410",
}


@pytest.mark.parametrize("page", FAULTS)
def test_what_fails(site, page, monkeypatch):
    begun = time.monotonic()
    assert FAULTS[page] in refused(f"{site}/{page}.pkl")
    assert time.monotonic() - begun < 2


def test_an_answer_without_an_end(site, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 10_000_000)
    assert "does not end" in refused(f"{site}/endless.pkl")


def test_a_length_that_is_too_short_gives_another_digest(site):
    right = hashlib.sha256(BODY).hexdigest()
    assert "not the" in refused(f"{site}/whole.pkl", sha256=hashlib.sha256(BODY + b"x").hexdigest())
    assert fetch(f"{site}/whole.pkl", sha256=right).read_bytes() == BODY


def test_what_is_encrypted_is_not_followed_to_what_is_not(site, monkeypatch):
    import urllib.error
    import urllib.request

    redirections = next(h for h in download._opener().handlers if isinstance(h, urllib.request.HTTPRedirectHandler))
    request = urllib.request.Request("https://example.org/net.pkl")
    with pytest.raises(urllib.error.HTTPError, match="from https to http"):
        redirections.redirect_request(request, io.BytesIO(), 302, "Found", {}, "http://example.org/net.pkl")
    moved = redirections.redirect_request(request, io.BytesIO(), 302, "Found", {}, "https://example.com/net.pkl")
    assert moved.full_url == "https://example.com/net.pkl"


def test_no_encryption_where_it_is_asked_for(site):
    text = refused(site.replace("http:", "https:") + "/whole.pkl")
    assert "cannot be fetched" in text


def kept(text):
    """Blames what the file is written to, not the way to the server."""
    assert "cannot be kept as " in text and "DNNLIB_CACHE_DIR" in text and "connection" not in text, text
    return text


@pytest.mark.parametrize("page", ["whole", "chunks"])
def test_a_disk_that_fills_up_while_a_file_comes(site, page):
    """Whether or not its length is known before."""
    with at_most(20_000):
        text = kept(refused(f"{site}/{page}.pkl"))
    assert str(download.cache_folder()) in text and "(File too large)" in text


def test_a_folder_that_vanishes_while_a_file_comes(site, tmp_path):
    import shutil

    with pytest.raises(DownloadError, match=r"No such file") as caught:
        fetch(f"{site}/whole.pkl", progress=lambda *done: shutil.rmtree(tmp_path / "cache", ignore_errors=True))
    kept(str(caught.value))


@pytest.mark.parametrize("place", ["cache", "cache/downloads"])
def test_a_file_where_the_cache_should_be(site, tmp_path, place):
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(DownloadError) as caught:
        fetch(f"{site}/whole.pkl")
    kept(str(caught.value))
    assert file.read_text() == "mine"


def test_a_cache_that_cannot_be_written_to(site, tmp_path):
    cache = download.cache_folder()
    cache.mkdir(parents=True)
    words = ["info", f"{site}/whole.pkl"]
    code, told = finish(tmp_path, words, lambda: read_only(cache))
    if code == NO_MOUNTS:
        pytest.skip("nothing can be mounted here")
    assert "(Read-only file system)" in kept(one_line(code, told))


def test_what_has_the_name_of_a_copy_and_is_no_file(site):
    address = f"{site}/whole.pkl"
    folder = download.cache_folder() / fetch(address).name
    folder.unlink()
    folder.mkdir()
    with pytest.raises(DownloadError) as caught:
        fetch(address)
    assert "Is a directory" in kept(str(caught.value))
    folder.rmdir()
    os.mkfifo(folder.with_name("pipe"))  # as root a link to a device of the system was the end of it
    folder.symlink_to("pipe")
    with pytest.raises(DownloadError, match="a pipe or a device"):
        fetch(address)
    assert folder.with_name("pipe").is_fifo()
    folder.unlink()
    folder.symlink_to("nowhere")
    assert fetch(address).read_bytes() == BODY


def test_on_the_command_line_it_is_one_line(site, tmp_path):
    for page in ("cut", "to-file", "drive"):
        words = ["--network", f"{site}/{page}.pkl", "--outdir", str(tmp_path / "out")]
        result = CliRunner().invoke(cli.gen_sefa, words)
        assert result.exit_code == 1
        assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")] == [
            result.stderr.strip().splitlines()[-1]
        ]
    assert not (tmp_path / "out").exists()
