"""Photographs in the studio: dropped, cropped by three clicks, projected, edited, forgotten."""

import io

import numpy as np
import pytest
from open_studio import answered
from PIL import Image
from places import GOLDEN
from studio_page import until
from typed_commands import sefa

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
testclient = pytest.importorskip("starlette.testclient")

from sefa_plugin.projecting import manifold  # noqa: E402
from sefa_plugin.projecting.settings import HowToProject  # noqa: E402
from sefa_plugin.rendering.look import Look  # noqa: E402
from sefa_plugin.runs.folder import own_folder  # noqa: E402
from sefa_plugin.runs.session import Session  # noqa: E402
from sefa_plugin.runs.settings import NetworkChoice  # noqa: E402
from sefa_plugin.studio import photographs  # noqa: E402
from sefa_plugin.studio.server import Studio, networks_of  # noqa: E402

pytestmark = pytest.mark.command
NETWORK, TOKEN = GOLDEN / "sg2ada-skip-64.pkl", "a-token-of-this-test"
HEAD = {"X-Sefa-Token": TOKEN, "X-Sefa-Visitor": "somebody"}


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifold, "SAMPLES", 32)
    monkeypatch.setattr(manifold, "CODES", 600)
    session = Session.open(NetworkChoice(str(NETWORK)))
    made = Studio(networks_of([(session, own_folder(session.about(), ["sefa"]))], Look()), TOKEN)
    made.photographs._how = HowToProject(steps=6)
    with testclient.TestClient(made.app(), base_url="http://127.0.0.1:8765", headers=HEAD) as client:
        yield made, client


def photograph(wide=120, high=90, kind="JPEG"):
    rng = np.random.RandomState(0)
    held = io.BytesIO()
    Image.fromarray(rng.randint(0, 255, (6, 8, 3), np.uint8)).resize((wide, high)).save(held, kind)
    return held.getvalue()


def until_done(client, id):
    def over():
        held = answered(client.get(f"/api/photos/{id}"))
        return None if held["state"] in ("waiting", "running") else held

    return until(over, 120)


def test_a_photograph_is_projected_and_edited_like_a_seed(studio, tmp_path):
    made, client = studio
    network = made.networks[0].id
    one = answered(client.post(f"/api/photos?network={network}&name=me.jpg", content=photograph()))
    assert (one["name"], one["width"], one["height"], one["state"]) == ("me.jpg", 120, 90, "new")
    shown = Image.open(io.BytesIO(client.get(f"/api/photos/{one['id']}/picture").content))
    assert shown.size == (120, 90)
    state = {"network": network, "seed": 0, "photo": one["id"], "edits": []}
    assert "not projected yet" in answered(client.post("/api/frame", json=state), 400)["error"]

    crop = "eyes=45,40,75,40,60,65"
    assert answered(client.post("/api/project", json={"id": one["id"], "crop": crop}))["state"] in (
        "waiting",
        "running",
    )
    assert "being projected" in answered(client.post("/api/project", json={"id": one["id"]}), 400)["error"]
    done = until_done(client, one["id"])
    assert done["state"] == "done", done
    assert "PSNR" in done["message"]
    assert done["beside"].startswith("data:image/jpeg;base64,")

    edits = [{"layers": "all", "index": 0, "distance": 1.5}]
    picture = client.post("/api/frame", json={**state, "edits": edits}).content
    assert client.post("/api/preview", json={"state": {**state, "edits": edits}, "moving": "all"}).status_code == 200
    (tmp_path / "projected_w.npz").write_bytes(client.get(f"/api/photos/{one['id']}/ws").content)
    lines = answered(client.post("/api/lines", json={**state, "edits": edits}))
    assert "--projected-w projected_w.npz" in lines["command"]
    assert "projected='projected_w.npz'" in lines["python"]
    assert sefa(*lines["command"].split()[1:], "--outdir", "typed").exit_code == 0
    (typed,) = (tmp_path / "typed").glob("*.png")
    assert np.array_equal(np.asarray(Image.open(typed)), np.asarray(Image.open(io.BytesIO(picture))))
    recipe = client.post("/api/recipe", json={**state, "edits": edits}).content
    assert client.post("/api/picture", content=recipe).content == picture
    assert "save its PNG" in answered(client.post("/api/keep", json=state), 400)["error"]


def test_uploads_are_bounded_decoded_within_limits_and_gone_at_the_end(studio, monkeypatch, tmp_path):
    made, client = studio
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    place = f"/api/photos?network={made.networks[0].id}"
    assert "no picture" in answered(client.post(place, content=b"GIF89a nothing"), 400)["error"].replace("broken", "no")
    large = answered(client.post(place, content=photograph(3000, 1000, "PNG")))
    assert (large["width"], large["height"]) == (2048, 683)
    assert client.post(place, content=b"\xff" * (9 << 20)).status_code == 413
    monkeypatch.setattr(photographs, "MOST", 2)
    second = answered(client.post(place, content=photograph()))
    assert "are kept" in answered(client.post(place, content=photograph()), 503)["error"]
    assert [one["id"] for one in answered(client.get(place))["photos"]] == [large["id"], second["id"]]
    answered(client.post(f"/api/photos/{large['id']}/remove"))
    answered(client.post(place, content=photograph()))
    assert "no longer here" in answered(client.get(f"/api/photos/{large['id']}"), 400)["error"]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before  # nothing of them on disk
    made.photographs.close()
    assert not made.photographs.of(made.networks[0])


def test_a_projection_is_cancelled_and_its_best_can_be_used(studio):
    made, client = studio
    made.photographs._how = HowToProject(steps=100_000)
    one = answered(client.post(f"/api/photos?network={made.networks[0].id}", content=photograph()))
    answered(client.post("/api/project", json={"id": one["id"]}))
    while not answered(client.get(f"/api/photos/{one['id']}"))["projected"]:
        pass
    answered(client.post(f"/api/photos/{one['id']}/cancel"))
    assert until_done(client, one["id"])["state"] == "cancelled"
    state = {"network": made.networks[0].id, "seed": 0, "photo": one["id"], "edits": []}
    assert client.post("/api/frame", json=state).status_code == 200
