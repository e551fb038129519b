"""The studio below the browser: what it answers, what it refuses, and that its pictures are those of the commands."""

import hashlib
import io
import json
import re
import shlex
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from places import GOLDEN
from typed_commands import decode, sefa

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
testclient = pytest.importorskip("starlette.testclient")

from starlette.websockets import WebSocketDisconnect  # noqa: E402

from sefa_plugin.directions.directions import Directions  # noqa: E402
from sefa_plugin.rendering.look import Look  # noqa: E402
from sefa_plugin.runs.folder import own_folder  # noqa: E402
from sefa_plugin.runs.recipe import Recipe  # noqa: E402
from sefa_plugin.runs.session import Session  # noqa: E402
from sefa_plugin.runs.settings import NetworkChoice  # noqa: E402
from sefa_plugin.studio import guard, turns  # noqa: E402
from sefa_plugin.studio.network import as_jpeg  # noqa: E402
from sefa_plugin.studio.server import Studio, networks_of  # noqa: E402

pytestmark = pytest.mark.command
SMALL, CONDITIONAL = GOLDEN / "sg2-in-sg3-32.pkl", GOLDEN / "sg2ada-cond-32.pkl"
TOKEN = "a-token-of-this-test"
HEAD = {"X-Sefa-Token": TOKEN, "X-Sefa-Visitor": "somebody"}


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """Open a studio of networks in an empty folder; gives it and a client."""
    monkeypatch.chdir(tmp_path)
    clients = []

    def start(*networks):
        sessions = [Session.open(NetworkChoice(str(network))) for network in networks or (SMALL,)]
        made = Studio(networks_of([(one, own_folder(one.about(), ["sefa"])) for one in sessions], Look()), TOKEN)
        client = testclient.TestClient(made.app(), base_url="http://127.0.0.1:8765", headers=HEAD)
        client.__enter__()
        clients.append(client)
        return made, client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def state(made, *edits, place=0, **others):
    sliders = [{"layers": layers, "index": index, "distance": distance} for layers, index, distance in edits]
    return {"network": made.networks[place].id, "seed": 5, **others, "edits": sliders}


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def answered(response, status=200):
    assert response.status_code == status, response.text
    return response.json()


def until(true, seconds=60):
    for _ in range(seconds * 20):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("never true")


EDITS = ("all", 0, 1.25), ("coarse", 1, -0.5), ("fine", 3, 0.0625)


def test_a_picture_its_recipe_its_command_and_its_python_lines_are_the_same_to_the_last_bit(studio, tmp_path):
    made, client = studio()
    asked = state(made, *EDITS, trunc=0.7)
    shown = pixels(client.post("/api/frame", json=asked).content)
    assert shown.shape == (32, 32, 3)

    recipe = client.post("/api/recipe", json=asked).content
    assert np.array_equal(pixels(client.post("/api/picture", content=recipe).content), shown)
    (tmp_path / "recipe.json").write_bytes(recipe)
    assert sefa("render", "--recipe", "recipe.json", "--outdir", "again").exit_code == 0
    assert np.array_equal(pixels((tmp_path / "again/seed0005.png").read_bytes()), shown)

    lines = answered(client.post("/api/lines", json=asked))
    words = shlex.split(lines["command"])
    assert words[:2] == ["sefa", "edit"] and "--edit" in words
    assert sefa(*words[1:], "--outdir", "typed").exit_code == 0
    assert np.array_equal(pixels((tmp_path / "typed/seed0005.png").read_bytes()), shown)
    assert Recipe.load("typed/recipe.json").digest == Recipe.parse(recipe).digest

    exec(compile(lines["python"], "lines", "exec"), {})
    assert np.array_equal(pixels((tmp_path / "seed0005.png").read_bytes()), shown)


def test_a_state_comes_back_from_its_recipe(studio):
    made, client = studio()
    asked = state(made, *EDITS, trunc=0.7, noise="none")
    recipe = client.post("/api/recipe", json=asked).content
    found = answered(client.post("/api/open", content=recipe))["state"]
    assert found == {**asked, "class": None}


def test_a_recipe_that_has_no_sliders_is_said(studio, tmp_path):
    made, client = studio()
    assert sefa("edit", "--network", SMALL, "--seeds", 1, "--edit", "0=1@4-7", "--outdir", "out").exit_code == 0
    recipe = (tmp_path / "out/recipe.json").read_bytes()
    assert "no slider for 0=+1@4-7" in answered(client.post("/api/open", content=recipe), 400)["error"]
    assert client.post("/api/picture", content=recipe).status_code == 200  # any recipe has pictures


def test_a_preview_is_the_picture_in_less_quality(studio):
    made, client = studio()
    asked = state(made, *EDITS)
    full = pixels(client.post("/api/frame", json=asked).content)
    for _ in range(3):  # the second one resumes from what is kept
        answer = client.post("/api/preview", json={"state": asked, "moving": "fine"})
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content == as_jpeg(full)  # a network of 32 pixels is shown whole


def test_directions_have_calibrated_ranges_which_the_command_uses(studio, tmp_path):
    made, client = studio()
    about = answered(client.get("/api/studio"))["networks"]
    assert [one["groups"] for one in about] == [["all", "coarse", "middle", "fine"]]
    path = f"/api/directions?network={about[0]['id']}&layers=coarse&count=2"
    assert [one["index"] for one in answered(client.get(path))["directions"]] == [0, 1]
    until(lambda: all(one["measured"] for one in answered(client.get(path))["directions"]))
    file = tmp_path / "sefa-out/sg2-in-sg3-32/directions-coarse.safetensors"
    until(lambda: all(Directions.load(file).ranges[:2]))  # saved right after
    held = Directions.load(file)
    found = answered(client.get(path))["directions"]
    assert [(one["low"], one["high"]) for one in found] == list(held.ranges[:2])
    assert sefa("edit", "--network", SMALL, "--seeds", 1, "--edit", "coarse:0=auto", "--outdir", "out").exit_code == 0
    assert Recipe.load("out/recipe.json").edits[0].distance == held.ranges[0][1]


def test_names_are_those_of_the_command_line_at_once(studio, tmp_path):
    made, client = studio()
    network = made.networks[0].id
    what = {"network": network, "layers": "all", "index": 2}
    answered(client.post("/api/name", json={**what, "name": "hair", "starred": True, "note": "from fair to dark"}))
    folder = tmp_path / "sefa-out/sg2-in-sg3-32"
    assert "hair" in sefa("name", folder).stdout
    assert sefa("name", folder, "0", "turn").exit_code == 0
    found = answered(client.get(f"/api/directions?network={network}&layers=all&count=3"))["directions"]
    assert [one["name"] for one in found] == ["turn", "", "hair"]
    assert found[2]["starred"] and found[2]["note"] == "from fair to dark"
    assert "hair=+1" in answered(client.post("/api/lines", json=state(made, ("all", 2, 1.0))))["command"]
    error = answered(client.post("/api/name", json={**what, "index": 1, "name": "hair"}), 400)["error"]
    assert "direction 2 is already called 'hair'" in error
    assert answered(client.post("/api/name", json={**what, "index": 999, "name": "x"}), 400)


def test_kept_pictures_are_folders_of_the_edit_command(studio, tmp_path):
    made, client = studio()
    network = made.networks[0].id
    asked = state(made, *EDITS)
    kept = answered(client.post("/api/keep", json=asked))["id"]
    assert answered(client.post("/api/keep", json=asked))["id"] == kept  # the same again is kept once
    assert sefa("edit", "--network", SMALL, "--seeds", 9, "--edit", "0=1").exit_code == 0
    listed = answered(client.get(f"/api/kept?network={network}"))["kept"]
    assert [(one["seed"], one["ours"]) for one in listed] == [(9, False), (5, True)]
    assert listed[1]["state"] == {**asked, "class": None, "trunc": 1.0, "noise": "const"}
    shown = pixels(client.post("/api/frame", json=asked).content)
    (folder,) = (tmp_path / "sefa-out/sg2-in-sg3-32/studio").iterdir()
    assert np.array_equal(pixels((folder / "seed0005.png").read_bytes()), shown)
    assert pixels(client.get(f"/api/kept/{kept}?network={network}").content).shape == (32, 32, 3)

    with zipfile.ZipFile(io.BytesIO(client.get(f"/api/export?network={network}").content)) as archive:
        assert len(archive.namelist()) == 4
        recipe = archive.read(f"{folder.name}/recipe.json")
    assert np.array_equal(pixels(client.post("/api/picture", content=recipe).content), shown)

    of_command = {"network": network, "id": listed[0]["id"]}
    assert "does not remove" in answered(client.post("/api/remove", json=of_command), 400)["error"]
    assert answered(client.post("/api/remove", json={"network": network}))["removed"] == 1
    assert not folder.exists() and (tmp_path / "sefa-out/sg2-in-sg3-32/edits").is_dir()
    assert [one["seed"] for one in answered(client.get(f"/api/kept?network={network}"))["kept"]] == [9]


def test_sharp_directions_that_were_found_have_sliders(studio, tmp_path):
    made, client = studio()
    sharp = state(made, ("all-sharp", 1, 0.75))
    assert "found by `sefa factorize` first" in answered(client.post("/api/frame", json=sharp), 400)["error"]
    for samples, groups in ((["--code-samples", 2048], []), ([], ["all-sharp"])):
        assert sefa("factorize", "--network", SMALL, "--sharpen", "layers", "-K", 4, *samples).exit_code == 0
        about = answered(client.get("/api/studio"))["networks"][0]
        assert about["groups"][4:] == groups  # of the usual settings only
    lines = answered(client.post("/api/lines", json=sharp))
    assert "--edit all-sharp:1=+0.75" in lines["command"]
    assert sefa(*shlex.split(lines["command"])[1:], "--outdir", "typed").exit_code == 0
    shown = pixels(client.post("/api/frame", json=sharp).content)
    edited = pixels((tmp_path / "typed/seed0005.png").read_bytes())
    unedited = pixels(client.post("/api/frame", json=state(made)).content)
    assert np.array_equal(shown, edited) and not np.array_equal(shown, unedited)
    exec(compile(lines["python"], "lines", "exec"), {})
    assert np.array_equal(pixels((tmp_path / "seed0005.png").read_bytes()), shown)


def test_clean_directions_come_first_where_that_is_asked_for(studio, monkeypatch):
    made, client = studio()
    monkeypatch.setattr("sefa_plugin.directions.sharpening.SAMPLES", 2)
    assert sefa("factorize", "--network", SMALL, "--sharpen", "layers", "--order", "clean").exit_code == 0
    asked = f"/api/directions?network={made.networks[0].id}&layers=all-sharp"
    strong, clean = (answered(client.get(f"{asked}{more}")) for more in ("", "&order=clean&count=40"))
    assert strong["ordered"] and [one["index"] for one in strong["directions"]] == list(range(6))
    numbers = [one["index"] for one in clean["directions"]]
    assert numbers != sorted(numbers) and sorted(numbers) == list(range(clean["total"]))
    assert 0 <= strong["directions"][0]["alike"] <= 1
    plain = f"/api/directions?network={made.networks[0].id}&layers=all"
    assert not answered(client.get(plain))["ordered"]
    for order, says in (("clean", "is not known"), ("odd", "choose strength or clean")):
        assert says in answered(client.get(f"{plain}&order={order}"), 400)["error"]


def test_sharp_directions_of_a_tuned_network_have_sliders(studio, tmp_path):
    """They are known by the digest of the network that it was tuned from."""
    made, client = studio()
    assert sefa("factorize", "--network", SMALL, "--sharpen", "layers").exit_code == 0
    (file,) = tmp_path.rglob("directions-all-sharp.safetensors")
    replace(Directions.load(file), digest="f" * 64).save(file)
    network = made.networks[0]
    assert "all-sharp" not in network.groups
    opened = network.session.opened
    network.session.opened = replace(opened, record=replace(opened.record, parent="f" * 64))
    assert "all-sharp" in network.groups


def test_presets_are_one_file_that_can_be_passed_on(studio, tmp_path):
    made, client = studio()
    network = made.networks[0].id
    path, file = f"/api/presets?network={network}", tmp_path / "sefa-out/sg2-in-sg3-32/studio/presets.json"
    assert answered(client.get(path))["presets"] == []
    for name, edits in (("old", EDITS[:1]), ("young", EDITS[1:]), ("old", EDITS)):
        sliders = state(made, *edits)["edits"]
        answered(client.post("/api/presets", json={"network": network, "name": name, "edits": sliders}))
    held = answered(client.get(path))["presets"]
    assert [(one["name"], len(one["edits"])) for one in held] == [("young", 2), ("old", 3)]
    text = file.read_text()
    answered(client.post("/api/presets", json={"network": network, "name": "old"}))
    assert [one["name"] for one in answered(client.get(path))["presets"]] == ["young"]
    file.write_text(text)  # from somebody else
    assert answered(client.get(path))["presets"] == held
    file.write_text("{}")
    assert "presets.json: holds no presets" in answered(client.get(path), 400)["error"]
    assert answered(client.post("/api/presets", json={"network": network, "name": "a\nb", "edits": sliders}), 400)


@pytest.mark.parametrize("kind, video", [("edit", "mp4"), ("walk", "gif"), ("sequence", "png")])
def test_a_video_is_that_of_the_command(studio, tmp_path, kind, video):
    made, client = studio()
    record = {"state": state(made, *EDITS[:2]), "kind": kind, "frames": 8, "fps": 8, "video": video, "loop": "once"}
    record["seeds"] = [5, 9] if kind == "walk" else []
    id = answered(client.post("/api/record", json=record))["id"]
    until(lambda: answered(client.get(f"/api/record/{id}"))["state"] not in ("waiting", "running"))
    about = answered(client.get(f"/api/record/{id}"))
    assert about["state"] == "done" and about["done"] == about["total"] > 0, about
    answer = client.get(f"/api/record/{id}/file")
    words = shlex.split(about["command"])
    assert sefa(*words[1:], "--outdir", "out").exit_code == 0
    if video == "png":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            names = archive.namelist()
            shots = [pixels(archive.read(name)) for name in names]
        assert len(shots) == 8
        assert all(
            np.array_equal(shot, pixels((tmp_path / "out/sequence" / name).read_bytes()))
            for name, shot in zip(names, shots)
        )
        return
    theirs = tmp_path / f"out/{kind}.{video}"
    (tmp_path / f"ours.{video}").write_bytes(answer.content)
    frames = decode(tmp_path / f"ours.{video}")
    assert len(frames) == 8 and np.ptp([frame.mean() for frame in frames]) > 0.1
    assert np.array_equal(frames, decode(theirs))
    assert answer.headers["content-type"] == {"mp4": "video/mp4", "gif": "image/gif"}[video]


def test_a_video_can_be_cancelled_and_a_failing_one_is_said(studio, monkeypatch):
    made, client = studio()
    record = {"state": state(made, ("all", 0, 1.0)), "frames": 3000, "video": "gif"}
    first = answered(client.post("/api/record", json=record))["id"]
    second = answered(client.post("/api/record", json={**record, "frames": 2999}))["id"]
    for id in (second, first):
        answered(client.post(f"/api/record/{id}/cancel", json={}))
        until(lambda id=id: answered(client.get(f"/api/record/{id}"))["state"] == "cancelled")
    assert answered(client.get(f"/api/record/{first}/file"), 400)
    assert answered(client.get("/api/record/0123456789abcdef"), 400)
    for wrong in ({"kind": "walk", "seeds": [5]}, {"state": state(made)}, {"easing": "spherical"}):
        id = client.post("/api/record", json={**record, **wrong}).json().get("id")
        if id:
            until(lambda id=id: answered(client.get(f"/api/record/{id}"))["state"] == "failed")
            assert "spherical" in answered(client.get(f"/api/record/{id}"))["message"]


def test_a_conditional_network_shows_its_first_class_and_others(studio):
    made, client = studio(SMALL, CONDITIONAL)
    about = answered(client.get("/api/studio"))["networks"]
    assert about[1]["label"] == 0 and about[1]["classes"] > 1 and about[0]["classes"] == 0
    one, other = (client.post("/api/frame", json=state(made, place=1, **{"class": c})).content for c in (0, 1))
    assert not np.array_equal(pixels(one), pixels(other))
    assert "choose a class" in answered(client.post("/api/frame", json=state(made, place=1)), 400)["error"]
    far = state(made, place=1, **{"class": 10**6})
    assert "this network has classes" in answered(client.post("/api/frame", json=far), 400)["error"]


def test_a_strip_shows_the_way_and_says_what_changes(studio):
    made, client = studio()
    asked = {"state": state(made, *EDITS), "layers": "all", "index": 0, "low": -2.0, "high": 2.0}
    found = answered(client.post("/api/strip", json=asked))
    assert found["strip"].startswith("data:image/jpeg;base64,") and found["heat"].startswith("data:image/png;base64,")
    assert isinstance(found["words"], list) and found["where"]


def test_a_picture_that_cannot_be_shown_is_a_line_and_the_next_one_is_made(studio):
    made, client = studio()
    broken = state(made, ("all", 0, 1e6))
    answer = client.post("/api/frame", json=broken)
    assert answer.status_code in (200, 422)  # this network may survive it
    network = made.networks[0]
    network.engine.pictures, held = lambda view, shard: 1 / 0, network.engine.pictures
    assert "ZeroDivisionError" in answered(client.post("/api/frame", json=state(made)), 500)["error"]
    network.engine.pictures = held
    assert client.post("/api/frame", json=state(made)).status_code == 200


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Sefa-Token": ""},
        {"X-Sefa-Token": TOKEN[:-1]},
        {"X-Sefa-Token": TOKEN + "é"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8765"},
        {"Host": "127.0.0.1.evil.example:8765"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "192.168.0.7:8765"},
        {"Host": "["},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_from_elsewhere_are_refused(studio, headers):
    made, client = studio()
    coded = {name: value.encode() for name, value in headers.items()}
    for response in (client.get("/api/studio", headers=coded), client.post("/api/keep", json={}, headers=coded)):
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers
    assert client.get("/api/studio", headers={"Origin": "http://127.0.0.1:8765"}).status_code == 200
    assert client.get("/api/studio", headers={"Host": "localhost:9000"}).status_code == 200  # an SSH tunnel


def test_the_page_needs_no_token_and_holds_nothing(studio):
    made, client = studio()
    for path, kind in (
        ("/", "text/html"),
        ("/static/studio.js", "text/javascript"),
        ("/static/studio.css", "text/css"),
    ):
        response = client.get(path, headers={"X-Sefa-Token": ""})
        assert response.status_code == 200 and response.headers["content-type"].startswith(kind)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert TOKEN not in response.text and "demo.pkl" not in response.text
    text = client.get("/").text
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://(?!127\.0\.0\.1)", text)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e%2fserver.py",
        "/static/....//server.py",
        "/static//etc/passwd",
        "/static/studio.js%00",
        "/../../etc/passwd",
        "/api/kept/..%2f..%2frun.json",
        "/openapi.json",
    ],
)
def test_paths_lead_nowhere(studio, path):
    made, client = studio()
    assert client.get(path).status_code in (400, 404)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"network": "../..", "seed": 1}',
        b'{"network": "0123456789abcdef", "seed": 1}',
        b'{"network": "%s", "seed": -1}',
        b'{"network": "%s", "seed": 1.5}',
        b'{"network": "%s", "seed": 1, "path": "/etc/passwd"}',
        b'{"network": "%s", "seed": 1, "trunc": 1e999}',
        b'{"network": "%s", "seed": 1, "noise": "loud"}',
        b'{"network": "%s", "seed": 1, "edits": [{"layers": "../x", "index": 0, "distance": 1}]}',
        b'{"network": "%s", "seed": 1, "edits": [{"layers": "all", "index": 9999, "distance": 1}]}',
        b'{"network": "%s", "seed": 1, "edits": [{"layers": "each", "index": 0, "distance": 1}]}',
        b'{"network": "%s", "seed": 1, "edits": [{"layers": "0-99", "index": 0, "distance": 1}]}',
        b'{"network": "%s", "seed": 1, "edits": [{"layers": "all", "index": 0, "distance": 1e30}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_a_state_is_one_line(studio, sent):
    made, client = studio()
    body = sent.replace(b"%s", made.networks[0].id.encode())
    for path in ("/api/frame", "/api/keep", "/api/recipe", "/api/lines"):
        error = answered(client.post(path, content=body), 400)["error"]
        assert error and "\n" not in error and "Traceback" not in error


def test_recipes_of_other_networks_and_broken_ones_are_refused(studio):
    made, client = studio()
    recipe = json.loads(client.post("/api/recipe", json=state(made, *EDITS)).content)
    recipe["network"]["digest"] = "0" * 64
    for body in (json.dumps(recipe).encode(), b"{}", b"", b"\x80\x04."):
        for path in ("/api/picture", "/api/open"):
            assert answered(client.post(path, content=body), 400)["error"]
    assert (
        "counted from 0"
        in answered(
            client.post("/api/picture?subject=7", content=client.post("/api/recipe", json=state(made)).content), 400
        )["error"]
    )


def test_bodies_are_bounded_before_they_are_read(studio, monkeypatch):
    made, client = studio()
    monkeypatch.setattr(guard, "BODY", 1000)
    assert client.post("/api/frame", content=b" " * 1001).status_code == 413
    sent = []

    def endless():
        for _ in range(1000):
            sent.append(1)
            yield b" " * 100

    assert client.post("/api/frame", content=endless()).status_code == 413
    assert client.post("/api/frame", headers={"Content-Length": "-5"}, content=b"").status_code in (400, 413)


def test_websockets_are_refused(studio):
    made, client = studio()
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/api/preview"):
        pass
    assert closed.value.code == 1008


def test_each_visitor_has_turns_and_a_bound(studio):
    import asyncio

    async def scene():
        queue, done = turns.Turns(), []
        gate = asyncio.Event()

        def slowly(name):
            time.sleep(0.02)
            done.append(name)
            return name

        first = asyncio.create_task(queue.take("a", lambda: slowly("a0")))
        await asyncio.sleep(0)
        others = [asyncio.create_task(queue.take("a", lambda n=n: slowly(f"a{n}"))) for n in range(1, 5)]
        await asyncio.sleep(0)
        other = asyncio.create_task(queue.take("b", lambda: slowly("b")))
        previews = [
            asyncio.create_task(queue.take("b", lambda n=n: slowly(f"p{n}"), "preview", ("preview",))) for n in range(3)
        ]
        results = await asyncio.gather(first, *others, other, *previews, return_exceptions=True)
        assert done.index("b") < done.index("a2")  # b does not wait for all of a
        assert [type(one) for one in results[-3:]] == [turns.Superseded, turns.Superseded, str]
        many = [asyncio.create_task(queue.take("c", lambda: slowly("c"))) for _ in range(turns.WAITING + 3)]
        refused = [one for one in await asyncio.gather(*many, return_exceptions=True) if isinstance(one, turns.TooMany)]
        assert refused
        crowd = [asyncio.create_task(queue.take(f"v{n}", lambda: slowly("v"))) for n in range(turns.VISITORS + 5)]
        ended = await asyncio.gather(*crowd, return_exceptions=True)
        assert sum(isinstance(one, turns.TooMany) for one in ended) in range(1, 6)
        gate.set()
        queue.close()

    asyncio.run(scene())


def test_a_walk_through_kept_pictures_has_the_edits_of_each_and_is_that_of_the_command(studio, tmp_path):
    made, client = studio()
    states = [
        state(made, ("all", 0, 1.25), trunc=0.7),
        state(made, ("coarse", 1, -0.5), ("fine", 3, 2.0), seed=9),
        state(made, seed=2),
    ]
    kept = [answered(client.post("/api/keep", json=one))["id"] for one in states]
    record = {"state": state(made), "kind": "kept", "kept": kept, "frames": 9, "video": "png", "loop": "closed"}
    id = answered(client.post("/api/record", json={**record, "easing": "cubic"}))["id"]
    until(lambda: answered(client.get(f"/api/record/{id}"))["state"] not in ("waiting", "running"))
    about = answered(client.get(f"/api/record/{id}"))
    assert about["state"] == "done", about
    with zipfile.ZipFile(io.BytesIO(client.get(f"/api/record/{id}/file").content)) as archive:
        shots = {name: archive.read(name) for name in archive.namelist()}
    assert len(shots) == 9
    for place, one in enumerate(states):  # the key frames are the kept pictures
        shown = pixels(client.post("/api/frame", json=one).content)
        assert np.array_equal(pixels(list(shots.values())[3 * place]), shown)
    assert sefa(*shlex.split(about["command"])[1:], "--outdir", "out").exit_code == 0
    again = {path.name: path.read_bytes() for path in (tmp_path / "out/walk").iterdir()}
    assert again.keys() == shots.keys()
    assert all(np.array_equal(pixels(again[name]), pixels(shots[name])) for name in shots)
    error = answered(client.post("/api/record", json={**record, "kept": kept[:1]}), 400)["error"]
    assert "keep two or more" in error
    assert (
        "no longer in the gallery"
        in answered(client.post("/api/record", json={**record, "kept": ["0" * 16] * 2}), 400)["error"]
    )


def test_scored_attributes_stand_beside_their_directions(studio, tmp_path):
    made, client = studio()
    path = f"/api/directions?network={made.networks[0].id}&layers=coarse&count=2"
    listed = answered(client.get(path))["directions"]
    assert [one["attributes"] for one in listed] == [[], []]
    vectors = made.networks[0].group("coarse").directions.vectors
    scored = {
        "digest": hashlib.sha256(vectors[1].tobytes()).hexdigest(),
        "normalized": [0.1, -2.5, None, 1.5, 9.0],
        "significant": [True, True, True, True, False],
    }
    other = {**scored, "digest": "0" * 64}
    folder = tmp_path / "sefa-out/sg2-in-sg3-32/evaluate"
    folder.mkdir()
    table = {"attributes": ["a", "hair", "c", "d", "noise"], "directions": [other, scored], "more": 1}
    (folder / "rescore-coarse.json").write_text(json.dumps(table))
    listed = answered(client.get(path))["directions"]
    strongest = [{"attribute": name, "by": by} for name, by in (("hair", -2.5), ("d", 1.5), ("a", 0.1))]
    assert [one["attributes"] for one in listed] == [[], strongest]
    (folder / "rescore-coarse.json").unlink()
    (folder / "rescore-coarse.json").write_text("{")
    assert [one["attributes"] for one in answered(client.get(path))["directions"]] == [[], []]
