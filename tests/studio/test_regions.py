"""A region in the studio: its directions are found in the background, and have sliders like others."""

import numpy as np
import pytest
from open_studio import answered, opened
from PIL import Image
from studio_page import until
from typed_commands import sefa

from sefa_plugin import Directions
from sefa_plugin.directions import sharpening

pytestmark = pytest.mark.command
BOX = "0.25,0.5,0.5,0.25"
GROUP = "all-in-0.25_0.5_0.5_0.25"


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in (("DIMENSIONS", 6), ("FOUND_WITH", 2), ("APART", 1)):
        monkeypatch.setattr(sharpening, name, value)
    with opened() as (made, client):
        yield made.networks[0], client


def until_over(client, network):
    def over():
        held = answered(client.get(f"/api/region?network={network.id}"))
        return None if held["state"] in ("waiting", "running") else held

    return until(over)


def test_a_rectangle_gets_sliders_that_change_it(studio, tmp_path):
    network, client = studio
    assert answered(client.get(f"/api/region?network={network.id}")) == {}
    begun = answered(client.post("/api/region", json={"network": network.id, "region": "0.25, 0.5, 0.5, 0.25"}))
    assert begun["state"] in ("waiting", "running") and begun["layers"] == GROUP
    held = until_over(client, network)
    assert held["state"] == "done", held
    assert held["done"] == held["total"] == 7 * 3 and GROUP in held["groups"]
    assert GROUP in answered(client.get("/api/studio"))["networks"][0]["groups"]

    (file,) = tmp_path.rglob(f"directions-{GROUP}.safetensors")  # as `sefa factorize --region` keeps them
    assert Directions.load(file).region == BOX
    listed = answered(client.get(f"/api/directions?network={network.id}&layers={GROUP}&count=4"))
    assert len(listed["directions"]) == 4 and listed["total"] == 6

    end = listed["directions"][0]["high"]
    state = {"network": network.id, "seed": 1, "edits": [{"layers": GROUP, "index": 0, "distance": end}]}
    picture = client.post("/api/frame", json=state)
    assert picture.status_code == 200
    plain = client.post("/api/frame", json={**state, "edits": []})
    assert picture.content != plain.content
    preview = client.post("/api/preview", json={"state": state, "moving": GROUP})
    assert preview.status_code == 200
    words = answered(client.post("/api/lines", json=state))["command"].split()
    assert sefa(*words[1:], "--outdir", "typed").exit_code == 0
    (typed,) = (tmp_path / "typed").glob("*.png")
    shown = tmp_path / "shown.png"
    shown.write_bytes(picture.content)
    assert np.array_equal(np.asarray(Image.open(typed)), np.asarray(Image.open(shown)))


def test_what_is_kept_is_not_searched_again(studio):
    network, client = studio
    drawn = {"network": network.id, "region": BOX}
    for pictures in (7 * 3, 0):
        answered(client.post("/api/region", json=drawn))
        held = until_over(client, network)
        assert (held["state"], held["done"]) == ("done", pictures)


def test_one_search_at_a_time_which_can_be_cancelled(studio):
    network, client = studio
    drawn = {"network": network.id, "region": BOX}
    answered(client.post("/api/region", json=drawn))
    assert "cancel that first" in answered(client.post("/api/region", json=drawn), 400)["error"]
    answered(client.post(f"/api/region/cancel?network={network.id}", content=b""))
    assert until_over(client, network)["state"] == "cancelled"
    answered(client.post("/api/region", json=drawn))
    assert until_over(client, network)["state"] == "done"


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("0,0,1,1", "is the whole picture"),
        ("0.5,0.5,0.6,0.1", "more than the picture"),
        ("1,2", "expected x,y,width,height"),
        ("10,20,30,40", "not pixels"),
        ("mouth", "expected x,y,width,height"),
    ],
)
def test_what_is_no_region_is_said(studio, region, says):
    network, client = studio
    error = answered(client.post("/api/region", json={"network": network.id, "region": region}), 400)["error"]
    assert says in error
    assert answered(client.get(f"/api/region?network={network.id}")) == {}


def test_no_file_is_read_for_a_visitor(studio, tmp_path):
    network, client = studio
    Image.new("L", (8, 8), 255).save(tmp_path / "0.png")
    error = answered(client.post("/api/region", json={"network": network.id, "region": "0.png"}), 400)["error"]
    assert "expected x,y,width,height" in error


def test_strangers_cannot_search(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with opened(shared=True) as (made, client):
        answered(client.post("/api/region", json={"network": made.networks[0].id, "region": BOX}), 403)
