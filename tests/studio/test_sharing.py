"""A studio for strangers: nothing is written, all is bounded, no place of this computer is said; below a path."""

import os
import re
import time

import pytest
from open_studio import SMALL, TOKEN, opened
from typed_commands import refused, sefa

from sefa_plugin.studio import recording, sharing
from sefa_plugin.studio.state import Record, State
from sefa_plugin.studio.turns import TooMany

pytestmark = pytest.mark.command


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which the owner has named a direction and kept a picture."""
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(here)
    with opened() as (made, client):
        network = made.networks[0].id
        named = {"network": network, "layers": "all", "index": 2, "name": "hair"}
        assert client.post("/api/name", json=named).status_code == 200
        setting = {"network": network, "name": "old", "edits": [{"layers": "all", "index": 0, "distance": 1.25}]}
        assert client.post("/api/presets", json=setting).status_code == 200
        assert client.post("/api/keep", json={"network": network, "seed": 5}).status_code == 200
    return here


def tree(folder):
    found = {}
    for where, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(where, name)
            found[path] = (os.stat(path).st_mtime_ns, os.stat(path).st_size)
    return found


def until(true, seconds=60):
    for _ in range(seconds * 20):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("never true")


def test_nothing_is_written_and_what_the_owner_made_is_shown(place, tmp_path):
    before = tree(place)
    with opened(shared=True, scratch=tmp_path / "scratch") as (made, client):
        about = client.get("/api/studio").json()
        network = about["networks"][0]["id"]
        assert about["shared"] is True
        path = f"/api/directions?network={network}&layers=all&count=4"
        assert [one["name"] for one in client.get(path).json()["directions"]] == ["", "", "hair", ""]
        until(lambda: all(one["measured"] for one in client.get(path).json()["directions"]))
        coarse = path.replace("all", "coarse")
        until(lambda: all(one["measured"] for one in client.get(coarse).json()["directions"]))
        assert [one["name"] for one in client.get(f"/api/presets?network={network}").json()["presets"]] == ["old"]
        (kept,) = client.get(f"/api/kept?network={network}").json()["kept"]
        assert client.get(f"/api/kept/{kept['id']}?network={network}").status_code == 200
        state = {"network": network, "seed": 3, "edits": [{"layers": "coarse", "index": 1, "distance": 0.5}]}
        for asked, sent in (("frame", state), ("preview", {"state": state}), ("recipe", state), ("lines", state)):
            assert client.post(f"/api/{asked}", json=sent).status_code == 200, asked
        strip = {"state": state, "layers": "all", "index": 0, "low": -1, "high": 1}
        assert client.post("/api/strip", json=strip).status_code == 200
        assert client.get(f"/api/presets/file?network={network}").status_code == 200
    assert tree(place) == before


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/api/name"),
        ("POST", "/api/presets"),
        ("POST", "/api/presets/file"),
        ("POST", "/api/controls"),
        ("POST", "/api/keep"),
        ("POST", "/api/remove"),
        ("GET", "/api/export"),
        ("GET", "/api/stage"),
        ("POST", "/api/stage"),
        ("POST", "/api/stage/move"),
        ("GET", "/api/photos"),
        ("POST", "/api/photos"),
        ("POST", "/api/photos/0123456789abcdef/remove"),
        ("POST", "/api/project"),
        ("GET", "/api/nothing"),
    ],
)
def test_what_would_change_something_is_a_line(place, method, path):
    with opened(shared=True) as (made, client):
        answer = client.request(method, path, content=b"{}" if method == "POST" else None)
        assert answer.status_code == 403 and answer.json()["error"] == sharing.LINE


def test_a_video_is_bounded_and_gone_with_the_studio(place, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "MOST", 2)
    scratch = tmp_path / "scratch"
    before = tree(place)
    with opened(shared=True, scratch=scratch) as (made, client):
        edits = [{"layers": "all", "index": 0, "distance": 1.0}]
        record = {"state": {"network": made.networks[0].id, "seed": 1, "edits": edits}, "frames": 6, "video": "gif"}
        id = client.post("/api/record", json=record).json()["id"]
        until(lambda: client.get(f"/api/record/{id}").json()["state"] not in ("waiting", "running"))
        about = client.get(f"/api/record/{id}").json()
        assert about["state"] == "done", about
        assert client.get(f"/api/record/{id}/file").content[:3] == b"GIF"
        assert "--recipe recipe.json" in about["command"] and str(tmp_path) not in about["command"]
        assert [path.name for path in scratch.iterdir()] == [id]
        for _ in range(2):  # as many are remembered
            other = client.post("/api/record", json=record).json()["id"]
            until(lambda id=other: client.get(f"/api/record/{id}").json()["state"] == "done")
        assert not (scratch / id).exists() and len(list(scratch.iterdir())) == 2
        for wrong in ({"frames": 121}, {"size": 1025}, {"video": "png"}, {"seeds": list(range(17))}):
            answer = client.post("/api/record", json={**record, **wrong})
            assert answer.status_code == 400 and "up to 120 frames" in answer.json()["error"]
    assert tree(place) == before
    with opened(shared=True) as (made, client):  # no place for temporary files
        assert client.post("/api/record", json=record).status_code == 403


def test_requests_recipes_and_layers_are_bounded(place):
    with opened(shared=True) as (made, client):
        network = made.networks[0].id
        assert client.post("/api/frame", content=b" " * (sharing.BODY + 1)).status_code == 413
        edits = [{"layers": "0-2", "index": 1, "distance": 0.5}]
        answer = client.post("/api/frame", json={"network": network, "seed": 1, "edits": edits})
        assert answer.status_code == 400 and "this studio has all, coarse, middle, fine" in answer.json()["error"]
        recipe = client.post("/api/recipe", json={"network": network, "seed": 1}).json()
        assert client.post("/api/picture", json=recipe).status_code == 200
        recipe["seeds"] = list(range(sharing.SEEDS + 1))
        for path in ("/api/picture", "/api/open"):
            answer = client.post(path, json=recipe)
            assert answer.status_code == 400 and "up to 16 seeds" in answer.json()["error"]


def test_no_place_of_this_computer_is_said(place, monkeypatch):
    lines = []
    with opened(shared=True) as (made, client):
        made.log = lines.append
        state = {"network": made.networks[0].id, "seed": 1}
        held = client.post("/api/recipe", json=state).text + client.post("/api/lines", json=state).text
        assert SMALL.name in held and str(SMALL.parent) not in held and "golden" not in held
        for error in (OSError(28, "No space left on device", "/home/somebody/x"), KeyError("/home/somebody")):
            monkeypatch.setattr(made.networks[0], "picture", lambda *given, error=error: (_ for _ in ()).throw(error))
            answer = client.post("/api/frame", json=state)
            assert answer.status_code == 500 and answer.json()["error"] == sharing.TROUBLE
    assert any("/home/somebody/x" in line for line in lines)  # for the owner


def test_visitors_are_bounded_and_leave(monkeypatch, place):
    monkeypatch.setattr(sharing, "VISITORS", 3)
    monkeypatch.setattr(sharing, "AWAY", 0.3)
    here = sharing.Visitors()
    for visitor in "abcabc":
        here.welcome(visitor)
    with pytest.raises(TooMany, match="3 visitors are here"):
        here.welcome("d")
    here.welcome("a")
    time.sleep(0.35)
    here.welcome("d")
    with opened(shared=True) as (made, client):
        codes = [client.get("/api/studio", headers={"X-Sefa-Visitor": str(n)}).status_code for n in range(5)]
        assert codes == [200] * 3 + [503] * 2


def test_a_public_studio_needs_no_token_and_still_refuses_other_pages(place):
    with opened(shared=True, token="", app={"frames": ["https://huggingface.co"]}) as (made, client):
        assert client.get("/api/studio", headers={"X-Sefa-Token": ""}).status_code == 200
        for wrong in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert client.get("/api/studio", headers=wrong).status_code == 403
        policy = client.get("/").headers["content-security-policy"]
        assert "frame-ancestors https://huggingface.co" in policy and "'none'; script-src 'self'" in policy
    with opened(shared=True) as (made, client):
        assert client.get("/api/studio", headers={"X-Sefa-Token": ""}).status_code == 403
        assert "frame-ancestors 'none'" in client.get("/").headers["content-security-policy"]


def test_below_a_path_with_a_proxy_that_passes_it_on_and_one_that_does_not(place):
    with opened(app={"prefix": "/sefa/studio"}) as (made, client):
        for begins in ("", "/sefa/studio"):
            assert client.get(f"{begins}/").status_code == 200
            assert client.get(f"{begins}/static/studio.js").status_code == 200
            assert client.get(f"{begins}/stage").status_code == 200
            assert client.get(f"{begins}/api/studio").status_code == 200
            assert client.get(f"{begins}/api/studio", headers={"X-Sefa-Token": ""}).status_code == 403
            assert client.get(f"{begins}/../api/studio", headers={"X-Sefa-Token": ""}).status_code in (403, 404)
        moved = client.get("/sefa/studio", follow_redirects=False)
        assert moved.status_code == 307 and moved.headers["location"] == "/sefa/studio/"
        for wrong in ("/sefa/studiox/api/studio", "/other/api/studio", "/sefa/api/studio"):
            assert client.get(wrong, headers={"X-Sefa-Token": ""}).status_code == 404
        for name in ("/", "/stage"):  # all addresses are relative
            assert not re.search(r"(?:src|href)=\"/", client.get(name).text)


def test_options_that_do_not_go_together(place):
    studio = ("studio", "--network", "demo", "--no-browser", "--port", 0)
    refused(sefa(*studio, "--public"), 2, "--public is for --share-safe")
    refused(sefa(*studio, "--public", "--share-safe", "--token", TOKEN), 2, "--public", "no --token")
    refused(sefa(*studio, "--share-safe", "--osc", 9000), 2, "--osc", "--share-safe")
    refused(sefa(*studio, "--share-safe", "--host", "0.0.0.0"), 2, "--host 0.0.0.0", "--token")
    refused(sefa(*studio, "--prefix", "sefa"), 2, "--prefix", "like /sefa")
    refused(sefa(*studio, "--prefix", "/a b"), 2, "--prefix", "like /sefa")
    refused(sefa(*studio, "--allow-frame", "https://site.org/page"), 2, "--allow-frame")
    refused(sefa(*studio, "--allow-frame", "https://site.org; script-src *"), 2, "--allow-frame")


def test_records_that_fit_are_no_trouble():
    sharing.check_record(Record(State("0" * 16, 1), frames=120, size=1024))
