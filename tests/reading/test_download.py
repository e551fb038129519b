import hashlib
import http.server
import threading

import pytest

from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading import download
from sefa_plugin.reading.download import DownloadError, fetch, is_url

BODY = bytes(range(256)) * 5000


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        type(self).hits += 1
        if self.path == "/moved.pkl":
            self.send_response(302)
            self.send_header("Location", "/net.pkl")
            self.end_headers()
            return
        if self.path == "/none.pkl":
            self.send_error(404)
            return
        self.send_response(206 if self.path == "/part.pkl" else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/page.pkl" else "application/octet-stream")
        if self.path != "/unsized.pkl":
            self.send_header("Content-Length", str(len(self.content)))
        if self.path == "/named":
            self.send_header("Content-Disposition", 'attachment; filename="../../my net.pkl"')
        self.end_headers()
        self.wfile.write(self.content[:1000] if self.path == "/cut.pkl" else self.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Server.hits, Server.content = 0, BODY
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def cached():
    folder = download.cache_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_fetched_once_and_kept_under_the_toolkits_names(site):
    url = f"{site}/net.pkl"
    seen = []
    path = fetch(url, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == BODY
    assert path.name == hashlib.md5(url.encode()).hexdigest() + "_net.pkl"
    assert seen[-1] == (len(BODY), len(BODY))
    assert fetch(url) == path
    assert Server.hits == 1


@pytest.mark.parametrize("page", ["moved.pkl", "unsized.pkl"])
def test_redirects_and_answers_without_a_length(site, page):
    assert fetch(f"{site}/{page}").read_bytes() == BODY


def test_names_from_the_server_stay_in_the_cache(site):
    assert fetch(f"{site}/named").name.endswith("_.._.._my_net.pkl")
    assert len(cached()) == 1


def test_a_digest_is_checked(site):
    url = f"{site}/net.pkl"
    right = hashlib.sha256(BODY).hexdigest()
    with pytest.raises(DownloadError, match="not the 0000"):
        fetch(url, sha256="0" * 64)
    assert cached() == []
    path = fetch(url, sha256=right.upper())
    path.write_bytes(b"damaged")
    assert fetch(url, sha256=right).read_bytes() == BODY


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("cut.pkl", "stopped at 1000 of|IncompleteRead"),
        ("none.pkl", "404"),
        ("page.pkl", "web page"),
        ("part.pkl", "206 and no whole file"),
    ],
)
def test_failures_leave_nothing_behind_and_can_be_tried_again(site, page, says):
    for _ in range(2):
        with pytest.raises(DownloadError, match=says):
            fetch(f"{site}/{page}")
        assert cached() == []
    assert Server.hits == 2


def test_no_server(site, monkeypatch):
    with pytest.raises(DownloadError, match="cannot be fetched"):
        fetch("http://127.0.0.1:9/net.pkl")


def test_a_network_by_its_address(site, golden):
    Server.content = golden("sg3t-64").pickle.read_bytes()
    assert open_network(f"{site}/sg3t.pkl").sizes["num_ws"] == 16


def test_what_is_an_address():
    assert is_url("https://a/b.pkl")
    assert is_url("HTTP://a/b.pkl")
    assert not is_url("c:\\b.pkl")
    assert not is_url("ftp://a")
