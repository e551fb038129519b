"""Two directions apart in the studio: pictures to mark, and the slider that the marks give."""

import json
import shlex

import numpy as np
import pytest
from open_studio import answered, opened
from PIL import Image
from studio_page import until
from typed_commands import sefa

from sefa_plugin import Directions

pytestmark = pytest.mark.command
GROUP = "all-apart-0-2"


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sefa_plugin.runs.apart.PICTURES", 8)
    with opened() as (made, client):
        yield made.networks[0], client


def shown(client, network, first=0, second=2):
    """The pictures of two directions, once they are rendered."""
    pair = {"network": network.id, "layers": "all", "first": first, "second": second}
    assert answered(client.post("/api/apart", json=pair))["state"] in ("waiting", "running")

    def over():
        held = answered(client.get(f"/api/apart?network={network.id}"))
        return None if held["state"] in ("waiting", "running") else held

    return until(over)


def make(client, network, status=200):
    return answered(client.post(f"/api/apart/make?network={network.id}", content=b""), status)


def marks_in(folder):
    (file,) = folder.rglob("all-0-apart-from-2.json")
    return json.loads(file.read_text())["marks"]


def test_marked_pictures_give_a_slider(studio, tmp_path):
    network, client = studio
    assert answered(client.get(f"/api/apart?network={network.id}")) == {}
    held = shown(client, network)
    assert held["state"] == "done" and (held["first"], held["second"], held["wanted"]) == (0, 2, [])
    assert held["done"] == held["total"] >= 16 and len(held["pictures"]) == 8

    marks = marks_in(tmp_path)
    assert [mark["wanted"] for mark in marks] == [None] * 8
    wanted = [number for number, mark in enumerate(marks) if abs(mark["amount"] - 0.4) < 0.4]
    assert answered(client.post("/api/apart/marks", json={"network": network.id, "wanted": wanted})) == {}
    assert [mark["wanted"] for mark in marks_in(tmp_path)] == [number in wanted for number in range(8)]
    assert answered(client.get(f"/api/apart?network={network.id}"))["wanted"] == wanted
    assert shown(client, network)["wanted"] == wanted  # they are kept

    made = make(client, network)
    assert made["layers"] == GROUP and GROUP in made["groups"] and "Direction 0 with +0." in made["line"]
    listed = answered(client.get(f"/api/directions?network={network.id}&layers={GROUP}"))
    assert listed["total"] == 1 and listed["directions"][0]["name"] == "0 apart from 2"
    (file,) = tmp_path.rglob(f"directions-{GROUP}.safetensors")
    vectors, path = Directions.load(file).vectors, network.session.choice.path
    typed = sefa("sharpen", "--network", path, "--apart", "0,2", "--wanted", ",".join(map(str, wanted)))
    assert typed.exit_code == 0, typed.output
    assert np.array_equal(Directions.load(file).vectors, vectors)

    edits = [{"layers": GROUP, "index": 0, "distance": 2.0}, {"layers": "all", "index": 1, "distance": 1.5}]
    state = {"network": network.id, "seed": 1, "edits": edits}
    picture = client.post("/api/frame", json=state)
    assert picture.status_code == 200
    assert client.post("/api/preview", json={"state": state, "moving": GROUP}).status_code == 200
    words = shlex.split(answered(client.post("/api/lines", json=state))["command"])
    assert sefa(*words[1:], "--outdir", "typed").exit_code == 0  # beside another direction
    (typed,) = (tmp_path / "typed").glob("*.png")
    (tmp_path / "shown.png").write_bytes(picture.content)
    assert np.array_equal(np.asarray(Image.open(typed)), np.asarray(Image.open(tmp_path / "shown.png")))
    recipe = client.post("/api/recipe", json=state)
    assert answered(client.post("/api/open", content=recipe.content))["state"]["edits"] == edits


def test_other_marks_give_another_slider_of_that_name(studio):
    network, client = studio
    marks = [mark["amount"] for mark in _amounts(client, network)]
    vectors, pictures = [], []
    for sign in (1, -1):
        wanted = [number for number, amount in enumerate(marks) if abs(amount - 0.4 * sign) < 0.4]
        client.post("/api/apart/marks", json={"network": network.id, "wanted": wanted})
        assert make(client, network)["layers"] == GROUP
        vectors.append(network.group(GROUP).directions.vectors[0])
        state = {"network": network.id, "seed": 1, "edits": [{"layers": GROUP, "index": 0, "distance": 2.0}]}
        pictures.append(client.post("/api/preview", json={"state": state, "moving": GROUP}).content)
    assert abs(vectors[0] @ vectors[1]) < 0.99 and pictures[0] != pictures[1]


def _amounts(client, network):
    shown(client, network)
    return marks_in(network.folder)


def test_marks_that_show_nothing_leave_the_direction(studio):
    network, client = studio
    marks = _amounts(client, network)
    wanted = [number for number, mark in enumerate(marks) if abs(mark["amount"]) < 0.5]
    client.post("/api/apart/marks", json={"network": network.id, "wanted": wanted})
    made = make(client, network)
    assert made["layers"] == "" and made["line"].startswith("It stays as it is") and GROUP not in made["groups"]


def test_what_cannot_be_done_is_said(studio):
    network, client = studio
    assert "no pictures to mark" in make(client, network, 400)["error"]
    pair = {"network": network.id, "layers": "all", "first": 0, "second": 0}
    assert "two directions" in answered(client.post("/api/apart", json=pair), 400)["error"]
    assert "999" in answered(client.post("/api/apart", json={**pair, "second": 999}), 400)["error"]
    shown(client, network)
    assert "0 pictures are marked" in make(client, network, 400)["error"]
    error = answered(client.post("/api/apart/marks", json={"network": network.id, "wanted": [8]}), 400)["error"]
    assert "has pictures 0-7" in error


def test_pictures_can_be_cancelled(studio):
    network, client = studio
    answered(client.post("/api/apart", json={"network": network.id, "layers": "all", "first": 0, "second": 2}))
    answered(client.post(f"/api/apart/cancel?network={network.id}", content=b""))
    state = until(lambda: {"cancelled"} & {answered(client.get(f"/api/apart?network={network.id}"))["state"]})
    assert state == {"cancelled"}
    assert shown(client, network)["state"] == "done"


def test_strangers_cannot_mark(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with opened(shared=True) as (made, client):
        pair = {"network": made.networks[0].id, "layers": "all", "first": 0, "second": 2}
        answered(client.post("/api/apart", json=pair), 403)
