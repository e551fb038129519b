"""The command itself, in a process: its address, its errors, slow and many connections."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request

import pytest
from studio_process import running
from typed_commands import refused, sefa

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


def ask(address, token, path, body=None):
    request = urllib.request.Request(address + path, body, {"X-Sefa-Token": token})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


@pytest.mark.hard  # seconds
def test_it_prints_one_line_serves_and_ends_on_ctrl_c(tmp_path):
    chosen = "a-token-of-ours"
    with running(tmp_path, "--network", "demo", "--port", 0, "--token", chosen) as (process, address, token):
        assert address.startswith("http://127.0.0.1:") and token == chosen
        assert chosen not in (tmp_path / "sefa-out/demo/run.json").read_text()
        (one,) = json.loads(ask(address, token, "/api/studio"))["networks"]
        assert one["name"] == "demo"
        assert (
            ask(address, token, "/api/frame", json.dumps({"network": one["id"], "seed": 1}).encode())[:4] == b"\x89PNG"
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(address, "", "/api/studio")
    assert process.returncode == 0
    assert "Traceback" not in (tmp_path / "studio.log").read_text()


@pytest.mark.hard
def test_hundreds_of_idle_and_slow_connections_leave_it_usable(tmp_path):
    with running(tmp_path, "--network", "demo", "--port", 0) as (process, address, token):
        host, port = address.removeprefix("http://").split(":")
        head = (
            f"POST /api/frame HTTP/1.1\r\nHost: {host}:{port}\r\nX-Sefa-Token: {token}\r\nContent-Length: 100\r\n\r\n"
        )
        held = []
        for place in range(500):
            one = socket.create_connection((host, int(port)), timeout=60)
            one.sendall([b"", b"GET / HT", head.encode() + b"{"][min(place % 10, 2)][: None if place < 90 else 8])
            held.append(one)
        began = time.monotonic()
        (network,) = json.loads(ask(address, token, "/api/studio"))["networks"]
        assert ask(address, token, "/api/frame", json.dumps({"network": network["id"], "seed": 1}).encode())
        assert time.monotonic() - began < 60
        held[0].settimeout(60)
        assert held[0].recv(100) == b""  # closed: it brought no request
        late = next(one for place, one in enumerate(held) if place % 10 == 2)
        late.settimeout(60)
        assert b"408" in late.recv(100)
        for one in held:
            one.close()
    assert process.returncode == 0


def test_a_port_in_use_is_said_with_a_free_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(sefa("studio", "--network", "demo", "--port", port, "--no-browser"), 1, f"port {port} is in use")
    free = int(line.partition("type --port ")[2].partition(",")[0])
    assert port < free < port + 100


def test_other_hosts_need_a_token(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(sefa("studio", "--network", "demo", "--host", "0.0.0.0"), 2, "--host 0.0.0.0", "--token")
    refused(sefa("studio", "--network", "demo", "--token", "short"), 2, "--token", "8 or more")
    refused(sefa("studio", "--network", "demo", "--host", "203.0.113.7", "--token", "long-enough"), 1, "203.0.113.7")
    refused(sefa("studio", "--network", "missing.pkl"), 1, "missing.pkl")
    refused(sefa("studio"), 2, "--network")


def test_without_its_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for package in ("starlette", "uvicorn"):
        with monkeypatch.context() as held:
            held.setitem(sys.modules, package, None)
            refused(sefa("studio", "--network", "demo"), 1, f"needs {package}, which is not installed; type: ")
