"""`sefa edit` and `sefa render --recipe` as a user types them."""

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import torch
from PIL import Image
from typed_commands import decode, digests, gen, refused, sefa

from sefa_plugin import edit, factorize, load_network, render
from sefa_plugin.commands.progress import Progress
from sefa_plugin.rendering.edits import edit_z
from sefa_plugin.rendering.local import Local
from sefa_plugin.runs.recipe import Recipe
from sefa_plugin.runs.record import Manifest

TWO = ["--edit", "0=+2.5", "--edit", "coarse:1=-1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Outputs of commands without --outdir land in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2-in-sg3-32").pickle


def pixels(path):
    return np.asarray(Image.open(path))


def made(result):
    assert result.exit_code == 0, result.output
    return Path(result.stdout.split(": ")[0])


# --- stills ---------------------------------------------------------------------------------------


def test_what_an_edit_makes(net, here):
    """Picture, ws and recipe are those of the few lines that a person would write."""
    out = made(sefa("edit", "--network", net, "--seeds", "5,3", "--trunc", "0.7", *TWO))
    assert out == Path("sefa-out/sg2-in-sg3-32/edits/seed5-3_0+2.5_coarse-1-1")
    names = ["recipe.json", "run.json", "seed0003.npz", "seed0003.png", "seed0005.npz", "seed0005.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    G = load_network(net)
    for seed in (5, 3):
        z = torch.from_numpy(np.random.RandomState(seed).randn(1, 48))
        ws = edit(G.mapping(z, None, truncation_psi=0.7), factorize(G), {0: 2.5})
        ws = edit(ws, factorize(G, "coarse"), {1: -1})
        with np.load(out / f"seed{seed:04d}.npz", allow_pickle=False) as held:
            assert held["w"].dtype == np.float32
            assert held["w"].shape == (1, 8, 32)
            assert np.allclose(held["w"], ws, atol=1e-6)
            (want,) = render(G, torch.from_numpy(held["w"]))
        assert (pixels(out / f"seed{seed:04d}.png") == want).all()
    with Image.open(out / "seed0003.png") as picture:
        told = picture.text["Comment"]
    start, end = "sefa edit --network ../", f" --seeds 5,3 --trunc 0.7 --edit 0=+2.5 --edit coarse:1=-1 --outdir {out}"
    command, place = told.splitlines()
    assert (command[: len(start)], command[-len(end) :]) == (start, end)
    assert place.startswith(f"# run in the folder that holds {out}; sefa_plugin ")


def test_the_page_of_a_network_shows_its_edits(net, here):
    """Those in its folder of edits, and those that were made in the folder itself."""
    run = ["--network", net, "--seeds", "5", "-K", "1", "--distance", "1"]
    assert sefa("sheet", *run).exit_code == 0
    out = Path("sefa-out/sg2-in-sg3-32")
    page = out / "index.html"
    assert 'href="#edits"' not in page.read_text("utf-8")
    folder = made(sefa("edit", "--network", net, "--seeds", "5,3", *TWO))
    assert sefa("render", "--recipe", folder, "--animate", "walk", "--frames", "4", "--outdir", folder).exit_code == 0
    text = page.read_text("utf-8")
    place = quote(folder.relative_to(out).as_posix())
    assert f'src="{place}/seed0003.png"' in text and f'src="{place}/seed0005.png"' in text
    assert f'src="{place}/walk.mp4"' in text and f'href="{place}/recipe.json"' in text
    assert "0=+2.5, coarse:1=-1" in text and "From seed to seed, edited" in text
    assert text.count("<article") == 2
    made(sefa("edit", "--network", net, "--seeds", "5", "--edit", "0=1", "--outdir", out))
    text = page.read_text("utf-8")
    assert 'src="seed0005.png"' in text and "0=+1<" in text and text.count("<article") == 3
    (folder / "seed0003.png").unlink()
    assert sefa("sheet", *run, "--single-file").exit_code == 0
    assert "seed0003.png" not in page.read_text("utf-8")
    single = (out / "index-single.html").read_text("utf-8")
    assert single.count("data:image/png;base64,") == 1 + 2 and single.count("data:video/mp4;base64,") == 1


def test_a_page_in_one_file_says_its_size(net, here):
    run = ["sheet", "--network", net, "--seeds", "5", "-K", "1", "--distance", "1", "--outdir", "out"]
    result = sefa(*run, "--single-file")
    file = Path("out/index-single.html")
    size = f"{file.stat().st_size / 1e6:.1f} MB"
    assert result.exit_code == 0 and f"{file}: {size}, with its pictures and clips inside" in result.stdout
    record = json.loads(Path("out/run.json").read_text())["outputs"]["sheets/all-dir00.jpg"]
    assert "--single-file" not in record["about"]["command"]
    file.write_text("mine")
    refused(sefa(*run, "--single-file"), 2, "index-single.html: was not made by this program")
    assert file.read_text() == "mine"
    recipe = made(sefa("edit", "--network", net, "--seeds", "5", "--edit", "0=1"))
    refused(sefa("render", "--recipe", recipe, "--single-file"), 2, "--single-file")


def test_company_changes_nothing(net, tmp_path):
    for seeds in ("5", "1-3,5"):
        sefa("edit", "--network", net, "--seeds", seeds, *TWO, "--outdir", tmp_path / seeds)
    one, many = tmp_path / "5", tmp_path / "1-3,5"
    assert (pixels(one / "seed0005.png") == pixels(many / "seed0005.png")).all()
    assert (np.load(one / "seed0005.npz")["w"] == np.load(many / "seed0005.npz")["w"]).all()


def test_edited_ws_are_projected_ws(net, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    sefa("edit", "--network", net, "--seeds", "7", "--edit", "0=2", "--outdir", first)
    words = ["--projected-w", first / "seed0007.npz", "--outdir", second, "--edit", "1=0"]
    assert sefa("edit", "--network", net, *words).exit_code == 0
    assert (pixels(second / "proj00.png") == pixels(first / "seed0007.png")).all()


def test_layers_and_distances(net, here):
    words = ["edit", "--network", net, "--seeds", "0"]
    moved = Recipe.load(
        made(sefa(*words, "--edit", "-1=2@0-1", "--edit", "0=1", "--edit-layers", "fine")) / "recipe.json"
    )
    assert [one.rows for one in moved.edits] == [(0, 1), factorize(load_network(net), "fine").layers]
    assert [one.index for one in moved.edits] == [31, 0]
    assert [one.typed for one in moved.edits] == ["31=+2@0-1", "0=+1@fine"]
    sefa("sheet", "--network", net, "--seeds", "0", "-K", "2")
    sefa("name", "sefa-out/sg2-in-sg3-32", "1", "nose")
    before = digests("sefa-out/sg2-in-sg3-32")
    low, high = factorize_saved().ranges[1]
    auto = Recipe.load(made(sefa(*words, "--edit", "nose=auto", "--edit", "nose=-50%")) / "recipe.json")
    assert [one.distance for one in auto.edits] == [high, low / 2]
    assert auto.edits[0].name == "nose"
    (page,) = [name for name in before if Path(name).name == "index.html"]
    del before[page]  # it shows the edit
    assert before.items() <= digests("sefa-out/sg2-in-sg3-32").items()  # nothing else there was touched
    # Measured for another truncation: the file keeps what it has.
    out = made(sefa(*words, "--edit", "nose=auto", "--trunc", "0.5"))
    assert Recipe.load(out / "recipe.json").edits[0].distance > 0
    assert before.items() <= digests("sefa-out/sg2-in-sg3-32").items()
    new = Recipe.load(made(sefa(*words, "--edit", "fine:0=auto")) / "recipe.json")
    assert new.edits[0].distance > 0
    assert before.items() <= digests("sefa-out/sg2-in-sg3-32").items()


def factorize_saved():
    from sefa_plugin import Directions

    return Directions.load("sefa-out/sg2-in-sg3-32/directions.safetensors")


def test_directions_from_a_file(net, here):
    sefa("factorize", "--network", net, "--layers", "middle", "-K", "3", "--outdir", "kept")
    sefa("name", "kept", "2", "smile")
    words = ["edit", "--network", net, "--directions-file", "kept/directions-middle.safetensors"]
    out = made(sefa(*words, "--edit", "smile=1"))
    before = pixels(out / "seed0000.png")
    Path("kept/directions-middle.safetensors").unlink()
    again = made(sefa("render", "--recipe", out / "recipe.json", "--outdir", "again"))
    assert (pixels(again / "seed0000.png") == before).all()
    refused(sefa(*words, "--edit", "smile=1"), 1, "kept/directions-middle.safetensors: no such file")


def test_an_edit_is_kept_and_never_replaced(net, here):
    words = ["edit", "--network", net, "--seeds", "5", "--edit", "0=2"]
    out = made(sefa(*words))
    before = digests(out)
    assert "0 outputs made, 3 kept" in sefa(*words).stdout
    assert {**digests(out), "run.json": 0} == {**before, "run.json": 0}
    other = made(sefa(*words, "--trunc", "0.5"))
    assert other.name == "seed5_0+2-2"
    assert made(sefa(*words, "--trunc", "0.5")) == other
    assert {**digests(out), "run.json": 0} == {**before, "run.json": 0}
    # In a folder that was asked for, another edit is refused; so is a file that was retouched.
    refused(sefa(*words, "--trunc", "0.5", "--outdir", out), 1, "recipe.json", "--overwrite")
    Image.open(out / "seed0005.png").rotate(90).save(out / "seed0005.png")
    refused(sefa(*words), 1, "seed0005.png", "--overwrite")
    assert "3 outputs made" in sefa(*words, "--overwrite").stdout
    (out / "seed0005.npz").unlink()
    assert "1 outputs made, 2 kept" in sefa(*words).stdout


def test_a_failed_edit_leaves_nothing_half_written(net, here, monkeypatch):
    from sefa_plugin.rendering import scene

    calls = []

    def failing(*args, **options):
        calls.append(args)
        if len(calls) > 1:
            raise KeyboardInterrupt
        yield np.zeros((32, 32, 3), np.uint8)

    monkeypatch.setattr(scene, "render", failing)
    stopped = sefa("edit", "--network", net, "--seeds", "0-2", "--edit", "0=2", "--outdir", "out")
    assert stopped.exit_code == 130
    assert sorted(p.name for p in Path("out").iterdir()) == ["recipe.json", "run.json", "seed0000.npz", "seed0000.png"]


# --- recipes --------------------------------------------------------------------------------------

NETWORKS = [
    (
        "sg2ada-skip-64",
        ["--trunc", "0.6", "--trunc-cutoff", "4", "--noise-mode", "random"],
        [*TWO, "--edit", "-1=1@2-5"],
    ),
    ("sg2ada-cond-32", ["--class", "3"], ["--edit", "0=2", "--edit", "z:1=-1"]),
    ("sg3t-64", ["--translate", "0.1,0", "--rotate", "20", "--precision", "float32"], ["--edit", "middle:2=3"]),
    ("pggan-32", [], ["--edit", "1=2", "--edit", "0=-0.5"]),
    ("stylegan1-32", ["--trunc", "0.5"], ["--edit", "0=4", "--edit", "fine:0=1"]),
]


@pytest.mark.parametrize(("name", "look", "edits"), NETWORKS, ids=[name for name, *_ in NETWORKS])
def test_recipes_give_identical_pixels(golden, here, name, look, edits):
    net = golden(name).pickle
    out = made(sefa("edit", "--network", net, "--seeds", "1,6", *look, *edits))
    again = made(sefa("render", "--recipe", out / "recipe.json", "--outdir", "again"))
    for seed in ("seed0001", "seed0006"):
        assert (pixels(again / f"{seed}.png") == pixels(out / f"{seed}.png")).all()
        assert (np.load(again / f"{seed}.npz")["w"] == np.load(out / f"{seed}.npz")["w"]).all()
    first, second = (json.loads((folder / "recipe.json").read_text()) for folder in (out, again))
    for folder, recipe in ((out, first), (again, second)):  # the network's path is seen from each folder
        assert (folder / recipe["network"].pop("path")).resolve() == net.resolve()
    assert first == second
    # Without --outdir it finds what is there.
    assert "0 outputs made, 5 kept" in sefa("render", "--recipe", again).stdout


def test_recipes_of_z(net, here):
    out = made(sefa("edit", "--network", net, "--seeds", "3", "--edit", "0=2", "--space", "z"))
    again = made(sefa("render", "--recipe", out / "recipe.json", "--outdir", "again"))
    assert (pixels(again / "seed0003.png") == pixels(out / "seed0003.png")).all()
    G = load_network(net)
    z = torch.from_numpy(np.random.RandomState(3).randn(1, 48))
    ws = G.mapping(edit_z(z, factorize(G, space="z"), {0: 2}), None)
    assert np.allclose(np.load(out / "seed0003.npz")["w"], ws, atol=1e-6)


def test_recipes_of_projected_ws(net, here):
    np.savez("mine.npz", w=load_network(net).mapping(torch.zeros(2, 48) + 0.3, None).numpy() + 0.01)
    out = made(sefa("edit", "--network", net, "--projected-w", "mine.npz", "--seeds", "4", *TWO))
    Path("mine.npz").unlink()
    again = made(sefa("render", "--recipe", out / "recipe.json", "--outdir", "again"))
    for name in ("proj00", "proj01", "seed0004"):
        assert (pixels(again / f"{name}.png") == pixels(out / f"{name}.png")).all()
    refused(sefa("edit", "--network", net, "--projected-w", "w.npz", "--edit", "0=1"), 1, "w.npz: no such file")
    np.savez("w.npz", w=np.load(out / "proj00.npz")["w"])
    refused(sefa("edit", "--network", net, "--projected-w", "w.npz", "--edit", "z:0=1"), 2, "Z cannot edit")


def test_a_recipe_for_other_seeds_and_networks(golden, net, here):
    out = made(sefa("edit", "--network", net, "--seeds", "5", *TWO))
    others = made(sefa("render", "--recipe", out / "recipe.json", "--seeds", "8"))
    assert others.name.startswith("seed8_")
    sefa("edit", "--network", net, "--seeds", "8", *TWO, "--outdir", "same")
    assert (pixels(others / "seed0008.png") == pixels("same/seed0008.png")).all()
    # The same edit of somebody's own picture.
    np.savez("mine.npz", w=np.load(out / "seed0005.npz")["w"])
    mine = made(sefa("render", "--recipe", out / "recipe.json", "--projected-w", "mine.npz"))
    assert mine.name.startswith("w0_")
    sefa("edit", "--network", net, "--projected-w", "mine.npz", *TWO, "--outdir", "same-w")
    assert (pixels(mine / "proj00.png") == pixels("same-w/proj00.png")).all()
    # Another network of the same sizes: only where it is asked for.
    sefa("convert", "--network", net, "--output", "copy.safetensors")
    words = ["render", "--recipe", out / "recipe.json", "--outdir", "copy"]
    assert sefa(*words, "--network", "copy.safetensors").exit_code == 0  # the same weights
    wrong = ["render", "--recipe", out / "recipe.json", "--outdir", "wrong", "--network"]
    refused(sefa(*wrong, golden("sg3t-64").pickle), 1, "another network", "--other-network")
    refused(sefa(*wrong, golden("pggan-32").pickle, "--other-network"), 1, "components")
    refused(sefa(*wrong, net, "--which", "G"), 1, "holds no G")
    text = (out / "recipe.json").read_text()
    digest = json.loads(text)["network"]["digest"]
    (out / "else.json").write_text(text.replace(digest, "0" * 64))
    refused(sefa("render", "--recipe", out / "else.json", "--outdir", "else"), 1, "another network")
    allowed = sefa("render", "--recipe", out / "else.json", "--outdir", "else", "--other-network")
    assert "Warning: this recipe was made with" in allowed.stderr
    assert Recipe.load("else/recipe.json").network["digest"] == digest  # that of the picture


def test_where_the_network_of_a_recipe_is(net, here):
    Path("nets").mkdir()
    Path("nets/mine.pkl").write_bytes(net.read_bytes())
    out = made(sefa("edit", "--network", "nets/mine.pkl", "--edit", "0=1"))
    recipe = out / "recipe.json"
    Path("nets/mine.pkl").rename(out / "mine.pkl")  # beside the recipe it is found
    assert sefa("render", "--recipe", recipe).exit_code == 0
    (out / "mine.pkl").rename("moved.pkl")
    refused(sefa("render", "--recipe", recipe), 1, "nets/mine.pkl", "--network")
    assert sefa("render", "--recipe", recipe, "--network", "moved.pkl").exit_code == 0


# --- animations -----------------------------------------------------------------------------------


def test_animations(net, here):
    words = ["edit", "--network", net, "--seeds", "1,2,3", "--edit", "0=3", "--edit", "1=2", "--outdir", "out"]
    assert sefa(*words).exit_code == 0
    render = ["render", "--recipe", "out/recipe.json", "--outdir", "out"]
    assert sefa(*render, "--animate", "edit", "--frames", "6").exit_code == 0
    frames = decode(Path("out/edit.mp4"))
    assert len(frames) == 6
    assert frames[0].shape == (256, 768, 3)  # enlarged eight times
    # Exact frames: the stills are among them.
    assert sefa(*render, "--animate", "walk", "--frames", "7", "--video", "png").exit_code == 0
    shown = [pixels(path) for path in sorted(Path("out/walk").iterdir())]
    assert len(shown) == 7
    stills = [pixels(f"out/seed000{seed}.png") for seed in (1, 2, 3)]
    record = json.loads(Path("out/run.json").read_text())["outputs"]["walk"]
    places = record["distances"]
    assert len(places) == 7
    for who, still in enumerate(stills):
        assert (shown[places.index(who)] == still).all()
    assert record["settings"]["film"]["easing"] == "cubic"
    gif = ["--video", "gif", "--size", "native", "--captions"]
    assert sefa(*render, "--animate", "sequence", "--frames", "5", *gif).exit_code == 0
    with Image.open("out/sequence.gif") as gif:
        assert gif.n_frames == 5
    # Up to date, or made anew where it was asked for otherwise.
    assert "0 outputs made, 1 kept" in sefa(*render, "--animate", "edit", "--frames", "6").stdout
    longer = sefa(*render, "--animate", "edit", "--frames", "8")
    assert "will be replaced" in longer.stderr
    assert len(decode(Path("out/edit.mp4"))) == 8
    Path("out/edit.mp4").write_bytes(b"mine")
    refused(sefa(*render, "--animate", "edit"), 1, "edit.mp4", "--overwrite")
    assert Path("out/edit.mp4").read_bytes() == b"mine"


def test_a_closed_walk_has_no_seam(net, here):
    sefa("edit", "--network", net, "--seeds", "1-3", "--edit", "0=1", "--outdir", "out")
    render = ["render", "--recipe", "out/recipe.json", "--outdir", "out", "--animate", "walk", "--video", "png"]
    for easing in ("cubic", "spherical"):
        assert sefa(*render, "--frames", "12", "--easing", easing).exit_code == 0
        frames = np.stack([pixels(path).astype(float) for path in sorted(Path("out/walk").iterdir())])
        steps = abs(frames - np.roll(frames, 1, axis=0)).mean(axis=(1, 2, 3))
        assert steps[0] < 2 * np.median(steps)  # from the last to the first as between any two


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A recipe of the bundled network, which tests must not change."""
    out = tmp_path_factory.mktemp("typed")
    assert sefa("edit", "--network", "demo", "--seeds", "0", "--edit", "0=1", "--outdir", out).exit_code == 0
    return out / "recipe.json"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "--network"),
        (["--network", "demo", "--animate", "walk"], 2, "--animate needs a --recipe"),
        (["--network", "demo", "--loop", "closed"], 2, "--loop closed"),
        (["--network", "demo", "--easing", "cubic"], 2, "--easing cubic"),
        (["--network", "demo", "--other-network"], 2, "needs a --recipe"),
        (["--recipe", "none.json"], 1, "none.json: no such file"),
        (["--recipe", "R", "--trunc", "0.5"], 2, "--trunc is stored in the recipe"),
        (["--recipe", "R", "--directions=-1"], 2, "--directions is stored in the recipe"),
        (["--recipe", "R", "--grid"], 2, "--grid"),
        (["--recipe", "R", "--frames", "9"], 2, "--frames is for videos"),
        (["--recipe", "R", "--animate", "edit", "--video", "none"], 2, "makes no video"),
        (["--recipe", "R", "--animate", "edit", "--easing", "spherical"], 2, "--animate walk"),
        (["--recipe", "R", "--animate", "walk"], 2, "type two or more, like --seeds"),
        (["--recipe", "R", "--seeds", "x"], 2, "seed"),
        (["--recipe", "R", "--network", "none.pkl"], 1, "none.pkl"),
    ],
)
def test_recipes_typed_wrongly(here, typed, words, code, says):
    words = [typed if word == "R" else word for word in words]
    refused(sefa("render", *words), code, says)


def test_hostile_recipes_are_one_line(here, typed):
    good = typed.read_text()
    for text in ("[" * 10**6, good.replace('"trunc": 1.0', '"trunc": NaN'), good.replace("demo", "demo\\n\\u001b[2J")):
        Path("bad.json").write_text(text)
        refused(sefa("render", "--recipe", "bad.json", "--outdir", "bad"), 1, "bad.json: is not a recipe")
    Path("bad.json").write_text(
        good.replace('"distance": 1.0', '"distance": 999999').replace('"trunc_cutoff": null', '"trunc_cutoff": 99')
    )
    refused(sefa("render", "--recipe", "bad.json", "--outdir", "bad"), 2, "--trunc-cutoff 99")
    with open("bad.json", "wb") as file:
        file.truncate(1 << 30)
    refused(sefa("render", "--recipe", "bad.json", "--outdir", "bad"), 1, "larger than 64 MB")
    assert not Path("bad").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--edit", "0"], "like 0=+2.5"),
        (["--edit", "0=far"], "auto or 50%"),
        (["--edit", "0=nan"], "auto or 50%"),
        (["--edit", "0=1e9"], "at most 1e+06"),
        (["--edit", "0=1@"], "like 0=+2.5"),
        (["--edit", "0,1=2"], "one is needed"),
        (["--edit", "smile=1"], "direction smile"),
        (["--edit", "99=1"], "0-63"),
        (["--edit", "-65=1"], "direction -65"),
        (["--edit", "7-2:0=1"], "backwards"),
        (["--edit", "0=1@nose"], "neither all"),
        (["--edit", "0=1", "--layers", "coarse,fine"], "2 groups"),
        (["--edit", "0=1", "--edit-layers", "each"], "10 groups"),
        (["--edit", "z:0=1@3"], "--space w"),
        (["--edit", "0=1", "--rotate", "1e9"], "rotate"),
        (["--edit", "0=1", "--trunc", "nan"], "nan is not a finite number"),
    ],
)
def test_edits_typed_wrongly(here, words, says):
    refused(sefa("edit", "--network", "demo", *words), 2, says)
    assert not list(here.rglob("*.png"))


def test_an_edit_without_edits_is_the_picture(net, here):
    out = made(sefa("edit", "--network", net, "--seeds", "5,6"))
    (want,) = render(
        load_network(net), load_network(net).mapping(torch.from_numpy(np.random.RandomState(5).randn(1, 48)), None)
    )
    assert (pixels(out / "seed0005.png") == want).all()
    words = ["render", "--recipe", out / "recipe.json", "--frames", "4", "--animate"]
    assert sefa(*words, "walk").exit_code == 0
    refused(sefa(*words, "edit"), 2, "no edits")


# --- distances far outside the range -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["edit", "--edit", "0=200"], "distance 200 is far outside the measured range of direction 0 of all, "),
        (["edit", "--edit", "0=-200", "--edit", "1=1"], "distance -200 is far outside the"),
        (["sheet", "-K", 1, "--distance", 90], "distance 90 is far outside the measured range of direction 0"),
        (["plane", "--across", "0=-1,90", "--down", "1=1", "--video", "none"], "distance 90 is far outside"),
    ],
    ids=["edit", "edits", "sheet", "plane"],
)
def test_a_distance_far_outside_has_one_line_that_names_the_range(net, here, words, says):
    """It is rendered all the same; the line gives a distance that is of use."""
    result = sefa(*words, "--network", net, "--seeds", 0, "--outdir", "out")
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1 and says in warnings[0]
    pattern = r", (\S+) to (\S+): pictures may break; try (\S+), or auto$"
    low, high, other = map(float, re.search(pattern, warnings[0]).groups())
    assert -10 < low < 0 < high < 10
    assert other == (low if " -200 " in says else high)


@pytest.mark.parametrize(
    "words", [["edit", "--edit", "0=4"], ["sheet", "-K", 1, "--distance", 4]], ids=["edit", "sheet"]
)
def test_a_usual_distance_measures_nothing(here, monkeypatch, words):
    monkeypatch.setattr("sefa_plugin.rendering.calibration.Calibrator.measure", None)
    result = sefa(*words, "--network", "demo", "--seeds", 0, "--outdir", "out")
    assert result.exit_code == 0 and "Warning" not in result.stderr


def test_a_known_range_is_enough_for_the_warning(here, monkeypatch):
    assert sefa("sheet", "--network", "demo", "--seeds", 0, "-K", 1).exit_code == 0
    monkeypatch.setattr("sefa_plugin.rendering.calibration.Calibrator.measure", None)
    result = sefa("edit", "--network", "demo", "--seeds", 0, "--edit", "0=9")
    assert result.exit_code == 0 and "Warning: distance 9 is far outside" in result.stderr


# --- the amount of work, and names of variants ----------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["edit", "--edit", "0=auto", "--edit", "1=-50%", "--seeds", "0,9"],
        ["edit", "--edit", "0=30", "--seeds", "0"],
        ["plane", "--across", "0", "--down", "1=2", "--seeds", "0", "--video", "none"],
        ["plane", "--across", "0", "--down", "1", "--seeds", "0,9", "--frames", "4", "--video", "png"],
        ["sheet", "--distance", "30", "--seeds", "0", "-K", "1"],
    ],
    ids=["auto", "far edit", "plane", "plane with a video", "far sheet"],
)
def test_the_amount_of_work_comes_before_any_picture(net, here, monkeypatch, words):
    """It counts the pictures of ranges; what is rendered then is no more, unless a probe is repeated."""
    events = []
    monkeypatch.setattr(Progress, "say", classmethod(lambda cls, text: events.append(text)))
    pictures = Local.pictures

    def rendered(self, view, shard):
        for picture in pictures(self, view, shard):
            events.append(1)
            yield picture

    monkeypatch.setattr(Local, "pictures", rendered)
    assert sefa(*words, "--network", net, "--outdir", "out").exit_code == 0
    lines = [int(event.split()[0]) for event in events if "pictures to render" in str(event)]
    first = next(event for event in events if event == 1 or "pictures to render" in str(event))
    assert first != 1, "a picture was rendered before the amount of work was printed"
    assert len(lines) == (2 if words[0] == "sheet" else 1)
    assert sum(lines) - 16 <= events.count(1) <= sum(lines) + 2 * 16  # two probes may be repeated


@pytest.mark.parametrize("more", [(), pytest.param(("raw", "torgb-never"), marks=pytest.mark.hard)])
def test_variants_of_one_set_do_not_replace_each_other(net, here, more):
    words = ["--network", net, "--seeds", "0", "--outdir", "out"]
    native = ["--size", "native"]
    options = {"raw": ["--no-normalize"], "torgb-never": ["--torgb", "never"]}
    for some in ([], ["--no-normalize", "--torgb", "always"], *(options[name] for name in more)):
        assert gen(*words, "-K", "1", "--distance", "1", "--frames", "2", "--grid", *native, *some).exit_code == 0
        assert sefa("plane", *words, "--across", "0=1", "--down", "1=1", "--video", "none", *some).exit_code == 0
    stems = ["all", "all-raw-torgb-always", *(f"all-{name}" for name in more)]
    record = json.loads(Path("out/run.json").read_text())["outputs"]
    endings = ("sheets/{}-dir00.jpg", "videos/{}-dir00.mp4", "videos/{}-grid.mp4", "sheets/{}-dir00-dir01-seed0.jpg")
    want = {ending.format(stem) for stem in stems for ending in endings}
    assert set(record) == {*want, "sheets/unedited.jpg"}
    assert len({entry["sha256"] for name, entry in record.items() if name.endswith("dir00.jpg")}) > 1
    page = Path("out/index.html").read_text()
    assert all(f'id="{stem}-dir00"' in page for stem in stems)
    # A folder of an older version: what is named without the variant stays what it is, and is up to date.
    before = digests("out/sheets")
    assert "2 kept" in gen(*words, "-K", "1", "--distance", "1", "--frames", "2", *native).stdout
    assert digests("out/sheets") == before


def test_each_class_has_a_folder_with_what_it_alone_makes(golden, here):
    net = golden("sg2ada-cond-32").pickle
    words = ["sheet", "--network", net, "--seeds", "3", "-K", "1", "--distance", "2"]
    assert sefa(*words, "--class", "0,2", "--outdir", "both").exit_code == 0
    for one in (0, 2):
        assert sefa(*words, "--class", one, "--outdir", "one", "--overwrite").exit_code == 0
        assert (pixels(f"both/class{one}/sheets/all-dir00.jpg") == pixels("one/sheets/all-dir00.jpg")).all()
        held = json.loads(Path(f"both/class{one}/run.json").read_text())
        assert held["outputs"]["sheets/all-dir00.jpg"]["settings"]["look"]["label"] == one
        assert held["command"][held["command"].index("--class") + 1] == str(one)
    assert (pixels("both/class0/sheets/all-dir00.jpg") != pixels("both/class2/sheets/all-dir00.jpg")).any()
    refused(sefa(*words, "--class", "0,99", "--outdir", "none"), 2, "class 99: this network has classes 0-9")
    assert not Path("none").exists()  # all are checked before the first is made
    assert sefa(*words, "--class", "1-2").exit_code == 0
    assert sorted(path.name for path in Path("sefa-out/sg2ada-cond-32").glob("class*")) == ["class1", "class2"]


@pytest.mark.parametrize("name", ["recipe.json", "seed0005.png", "seed0005.npz"])
def test_an_edit_that_ends_between_a_file_and_its_record_is_completed(net, here, monkeypatch, name):
    words, add = ("edit", "--network", net, "--seeds", "5", "--edit", "0=1", "--outdir", "out"), Manifest.add

    def stopped(manifest, output, *rest, **more):
        if output == name:
            raise KeyboardInterrupt
        add(manifest, output, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "add", stopped)
        assert sefa(*words).exit_code == 130
    assert json.loads(Path("out/run.json").read_text())["outputs"][name]["begun"]
    made(sefa(*words))
    held = json.loads(Path("out/run.json").read_text())["outputs"]
    assert name in held and not any(entry.get("begun") for entry in held.values())
    assert all(
        entry["sha256"] == hashlib.sha256(Path("out", file).read_bytes()).hexdigest() for file, entry in held.items()
    )
