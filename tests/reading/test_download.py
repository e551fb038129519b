import base64
import hashlib
import http.server
import socket
import threading

import pytest

from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading import download
from sefa_plugin.reading.download import DownloadError, NetworkAddress, fetch, is_url, without_secrets

BODY = bytes(range(256)) * 5000


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        type(self).hits += 1
        if self.path == "/moved.pkl":
            self.send_response(302)
            self.send_header("Location", "/net.pkl")
            self.end_headers()
            return
        if self.path == "/away.pkl":
            self.send_response(302)
            self.send_header("Location", f"http://away.test:{self.server.server_address[1]}/net.pkl")
            self.end_headers()
            return
        type(self).asked = self.path, self.headers["Authorization"]
        if self.path.startswith("/echo.pkl"):  # a server that repeats what it was asked for
            self.send_error(403, f"no {self.path}, not for secret-word" + " and so on" * 100)
            return
        if self.path.startswith("/none.pkl"):
            self.send_error(404)
            return
        self.send_response(206 if self.path == "/part.pkl" else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/page.pkl" else "application/octet-stream")
        if self.path == "/lengths.pkl":
            self.send_header("Content-Length", str(len(self.content) - 7))
        if self.path == "/same.pkl":
            self.send_header("Content-Length", str(len(self.content)))
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
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
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


@pytest.mark.parametrize("page", ["moved.pkl", "unsized.pkl", "same.pkl"])
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
        ("lengths.pkl", "several lengths"),
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


@pytest.fixture
def hosts(monkeypatch):
    """Names of hosts: all are this computer, but for those who ask where ``public.test`` is."""
    real, public = socket.getaddrinfo, {"public.test"}

    def found(host, port, *args, **options):
        if host.endswith(".test"):
            host = "93.184.215.14" if host in public and port is None else "127.0.0.1"
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setenv("no_proxy", "*")
    return public


def test_a_public_server_does_not_lead_into_a_private_network(site, hosts):
    address = site.replace("127.0.0.1", "public.test") + "/away.pkl"
    with pytest.raises(DownloadError, match="private network, which is not followed without --allow-local"):
        fetch(address)
    assert cached() == []
    assert fetch(address, allow_local=True).read_bytes() == BODY


def test_other_redirections_are_followed(site, hosts):
    assert fetch(f"{site}/away.pkl").read_bytes() == BODY  # from here to here
    hosts.add("away.test")
    assert fetch(site.replace("127.0.0.1", "public.test") + "/away.pkl?2").read_bytes() == BODY


@pytest.mark.parametrize(
    ("place", "local"),
    [
        ("127.0.0.1", True),
        ("[::1]", True),
        ("[::ffff:10.0.0.1]", True),
        ("169.254.169.254", True),
        ("192.168.1.5:8080", True),
        ("0.0.0.0", True),
        ("93.184.215.14", False),
        ("[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", False),
    ],
)
def test_private_places(place, local):
    assert download._is_local(f"http://{place}/net.pkl") is local


def test_a_login_is_sent_and_a_query_too(site):
    address = site.replace("//", "//me:secret%20word@") + "/net.pkl?token=secret-word"
    assert fetch(address).name.endswith("_net.pkl")
    login = base64.b64encode(b"me:secret word").decode()
    assert Server.asked == ("/net.pkl?token=secret-word", f"Basic {login}")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("https://host/a/x.pkl", "https://host/a/x.pkl"),
        ("http://host:80/x.pkl?token=secret-word&id=3#part", "http://host:80/x.pkl?<token>"),
        ("HTTP://me:secret-word@host/x.pkl", "HTTP://<password>@host/x.pkl"),
        ("https://me:se@cret-word@host:8080?secret-word", "https://<password>@host:8080?<token>"),
        ("http://me:secret-word/x.pkl", "http://<host>/x.pkl"),
        ("http://[::1]:80/x.pkl", "http://[::1]:80/x.pkl"),
    ],
)
def test_what_is_shown_of_an_address(typed, shown):
    assert NetworkAddress(typed).shown == shown
    assert without_secrets(f"give {typed!r} and {typed}") == f"give {shown!r} and {shown}"


@pytest.mark.parametrize(
    "page",
    ["echo.pkl?token=secret-word", "echo.pkl?token=secret%2Dword", "none.pkl?secret-word", "a b?token=secret-word"],
)
@pytest.mark.parametrize("login", ["", "me:secret-word@", "secret-word@"])
def test_no_message_has_a_secret(site, page, login):
    with pytest.raises(DownloadError) as caught:
        fetch(f"{site.replace('//', f'//{login}')}/{page}")
    text = str(caught.value)
    assert "secret" not in text
    assert len(text) < 300
    assert cached() == []


def test_a_port_that_is_a_password(site):
    with pytest.raises(DownloadError, match="this is no address") as caught:
        fetch("http://me:secret-word/x.pkl")
    assert "secret" not in str(caught.value)


def test_what_is_an_address():
    assert is_url("https://a/b.pkl")
    assert is_url("HTTP://a/b.pkl")
    assert not is_url("c:\\b.pkl")
    assert not is_url("ftp://a")
