"""Names, presets and recipes in one file: from one folder into another, by the commands and by the page."""

import json
import shutil

import pytest
from open_studio import SMALL, opened
from places import GOLDEN
from typed_commands import refused, sefa

from sefa_plugin.directions.directions import Directions
from sefa_plugin.rendering.look import Look
from sefa_plugin.runs.folder import own_folder
from sefa_plugin.runs.session import Session
from sefa_plugin.runs.settings import NetworkChoice
from sefa_plugin.studio import bundle
from sefa_plugin.studio.gallery import FOLDER, Gallery
from sefa_plugin.studio.network import Network
from sefa_plugin.studio.presets import Learned, Preset, Setting, add_presets, controls_in, learn, presets_in, set_preset
from sefa_plugin.studio.state import Naming, Slider, State

OTHER = GOLDEN / "sg2ada-cond-32.pkl"
OLD = Slider("all", 0, 1.25), Slider("coarse", 1, -0.5)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """A network in whose folder somebody has named, saved and kept; gives it, and the file to pass on."""
    place = tmp_path / "theirs"
    place.mkdir()
    monkeypatch.chdir(place)
    session = Session.open(NetworkChoice(str(SMALL)))
    network = Network(session, own_folder(session.about(), ["sefa"]), Look())
    network.rename(Naming(network.id, "all", 2, name="hair", starred=True, note="from fair to dark"))
    network.rename(Naming(network.id, "coarse", 1, name="turn"))
    set_preset(network.folder / FOLDER, Setting(network.id, "old", OLD))
    learn(network.folder / FOLDER, Learned(network.id, "direction/all/2", "midi 1 cc 7"))
    Gallery(network).keep(State(network.id, 5, edits=OLD))
    made = sefa("preset", "export", "--network", SMALL)
    assert made.exit_code == 0 and "2 names, 1 preset, 1 picture" in made.stdout, made.output
    path = tmp_path / "passed.json"
    shutil.move(place / f"{SMALL.stem}.presets.json", path)
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.chdir(mine)
    return network, path


def test_a_file_holds_no_place_of_this_computer(found, tmp_path):
    network, path = found
    text = path.read_text()
    assert str(GOLDEN.parent) not in text and str(tmp_path) not in text and "theirs" not in text
    assert len(text) < 20_000  # of a network with 32 components


def test_it_comes_whole_into_another_folder(found, tmp_path):
    network, path = found
    taken = sefa("preset", "import", path, "--network", SMALL)
    assert taken.exit_code == 0, taken.output
    assert "2 names, 1 preset, 1 picture taken" in taken.stdout
    assert "old: --edit all:0=+1.25 --edit coarse:1=-0.5" in taken.stdout
    mine = tmp_path / "mine/sefa-out" / SMALL.stem
    held = Directions.load(mine / "directions.safetensors").entries[2]
    assert (held.name, held.starred, held.note, held.named_by) == ("hair", True, "from fair to dark", "person")
    assert Directions.load(mine / "directions-coarse.safetensors").names[1] == "turn"
    assert presets_in(mine / FOLDER) == (Preset("old", OLD),)
    assert controls_in(mine / FOLDER) == {"midi 1 cc 7": "direction/all/2"}
    (kept,), (theirs,) = ((folder / FOLDER).glob("*/seed0005.png") for folder in (mine, network.folder))
    assert kept.read_bytes() == theirs.read_bytes()
    again = sefa("preset", "import", path, "--network", SMALL)
    assert "0 names, 0 presets, 1 picture taken" in again.stdout and not again.stderr.count("left")
    assert sefa("edit", "--network", SMALL, "--seeds", 1, "--edit", "hair=1", "--outdir", "out").exit_code == 0


def test_what_has_a_name_here_keeps_it_and_undo_takes_all_back(found, tmp_path):
    network, path = found
    mine = tmp_path / "mine/sefa-out" / SMALL.stem
    assert sefa("factorize", "--network", SMALL).exit_code == 0
    assert sefa("name", mine, 2, "length").exit_code == 0
    set_preset(mine / FOLDER, Setting(network.id, "old", OLD[:1]))
    learn(mine / FOLDER, Learned(network.id, "seed", "midi 1 cc 7"))
    taken = sefa("preset", "import", path, "--network", SMALL)
    assert "left as it is: all:2 is called 'length' here, 'hair' in the file" in taken.stderr
    held = Directions.load(mine / "directions.safetensors")
    assert held.entries[2].name == "length" and held.entries[2].starred
    assert [one.name for one in presets_in(mine / FOLDER)] == ["old", "old 2"]
    assert controls_in(mine / FOLDER) == {"midi 1 cc 7": "seed"}
    assert not held.undone().entries[2].starred and held.undone().names[2] == "length"


def test_another_network_is_refused_with_both(found):
    network, path = found
    command = sefa("preset", "import", path, "--network", OTHER)
    refused(command, 1, SMALL.stem, network.digest[:16], OTHER.stem, "digest")


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "no file of `sefa preset export`"),
        (b"\x89PNG", "no file of `sefa preset export`"),
        (b'{"format": "sefa_presets", "version": 1, "presets": []}', "names no network"),
        (b'{"format": "sefa_recipe"}', "this is a recipe"),
        (b'{"format": "sefa_bundle", "version": 2}', "version"),
        (b"[" * 100_000, "no file of `sefa preset export`"),
        (b" " * (bundle.MAX_BYTES + 1), "8 MB"),
    ],
)
def test_other_files_are_refused(tmp_path, content, reason):
    path = tmp_path / "some.json"
    path.write_bytes(content)
    with pytest.raises(bundle.BundleError, match=reason):
        bundle.read_file(path)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda held: held["names"].append({"layers": "all", "index": 9999, "name": "x"}), "9999"),
        (lambda held: held["names"].append({"layers": "all", "index": 1, "name": "a,b"}), "comma"),
        (lambda held: held["names"].append({"layers": "../x", "index": 1, "name": "x"}), "no file of"),
        (lambda held: held["presets"].append({"name": "x", "edits": [], "path": "/etc"}), "no file of"),
        (lambda held: held["presets"].append({"name": "a\nb", "edits": []}), "line break"),
        (lambda held: held["recipes"].append({"format": "sefa_recipe"}), "recipes"),
        (lambda held: held["recipes"][0]["network"].update(digest="0" * 64), "recipes"),
    ],
)
def test_crafted_files_are_one_line(found, change, reason):
    network, path = found
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    refused(sefa("preset", "import", path, "--network", SMALL), 1, reason)


def test_added_presets_never_replace_one(tmp_path):
    network = "0" * 16
    set_preset(tmp_path, Setting(network, "old", OLD))
    more = [Preset("old", OLD), Preset("old", OLD[:1]), Preset("old", OLD[1:]), Preset("young", OLD)]
    assert add_presets(tmp_path, more) == ("old 2", "old 3", "young")
    assert add_presets(tmp_path, more) == ()


def test_nothing_to_pass_on_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(sefa("preset", "export", "--network", SMALL), 1, "nothing to pass on")
    assert sefa("preset").stdout.startswith("Usage: ")


def test_the_page_gives_and_takes_the_file(found):
    network, path = found
    with opened() as (made, client):
        gives_and_takes(path, made, client)


def gives_and_takes(path, made, client):
    taken = client.post("/api/presets/file", content=path.read_bytes())
    assert taken.status_code == 200, taken.text
    about = taken.json()
    assert about["named"] == 2 and about["presets"] == ["old"] and about["hidden"] == 0
    assert [client.post("/api/keep", json=one).status_code for one in about["states"]] == [200]
    given = client.get(f"/api/presets/file?network={made.networks[0].id}").content
    assert json.loads(given) == json.loads(path.read_text())
    held = {**json.loads(given), "network": {"name": "ffhq", "digest": "0" * 64}}
    error = client.post("/api/presets/file", json=held)
    assert error.status_code == 400 and "for 'ffhq'" in error.json()["error"]


def test_names_of_directions_that_are_not_here_are_said(found):
    """Sharp, local and marked directions are not in the file; the rest of it is taken."""
    _, path = found
    held = json.loads(path.read_text())
    held["names"].append({**held["names"][0], "layers": "all-sharp-apart-3-7", "index": 0, "name": "fair"})
    path.write_text(json.dumps(held))
    taken = sefa("preset", "import", path, "--network", SMALL)
    assert taken.exit_code == 0, taken.output
    assert "2 names, 1 preset, 1 picture taken" in taken.stdout
    assert "names of all-sharp-apart-3-7, whose directions are not here" in taken.output
