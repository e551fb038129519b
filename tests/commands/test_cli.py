"""The commands as a user types them: what they make, keep, say and refuse."""

import json
import os
import re
import shlex
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from pickle_writer import call, dumps, network
from places import GOLDEN, ROOT
from typed_commands import decode, digests, gen, refused, sefa

from sefa_plugin import Directions, load_network
from sefa_plugin.commands import cli, main_job
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.rendering.frames import render

SMALL = ["--seeds", "0-1", "--num-directions", "2", "--frames", "6", "--distance", "4"]
TWO = ["--seeds", "0", "--num-directions", "2", "--frames", "6", "--distance", "4"]
FEW = ["--seeds", "0", "--num-directions", "1", "--distance", "4"]
ONE = [*FEW, "--frames", "6"]


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2-in-sg3-32").pickle


@pytest.fixture(scope="module")
def finished(net, tmp_path_factory):
    """One whole run, looked at by several tests (which must not change it)."""
    out = tmp_path_factory.mktemp("run") / "out"
    result = gen("--network", net, *SMALL, "--outdir", out)
    assert result.exit_code == 0, result.output
    return out, result


# --- the main job -------------------------------------------------------------------------------------


def test_what_a_run_makes(finished):
    out, result = finished
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == [
        "directions.safetensors",
        "index.html",
        "run.json",
        "sheets/all-dir00.jpg",
        "sheets/all-dir01.jpg",
        "sheets/unedited.jpg",
        "videos/all-dir00.mp4",
        "videos/all-dir01.mp4",
    ]
    assert "pictures to render\n" in result.stderr
    assert "5 outputs made, 0 kept" in result.stdout


def test_videos_have_their_frames_and_move(finished):
    out, _ = finished
    frames = decode(out / "videos" / "all-dir00.mp4")
    assert len(frames) == 6
    assert frames[0].shape == (256, 512, 3)  # enlarged eight times
    assert abs(frames[0].astype(int) - frames[3]).mean() > 2
    record = json.loads((out / "run.json").read_text())["outputs"]["videos/all-dir00.mp4"]
    assert record["distances"] == pytest.approx([-4, -4 / 3, 0, 4, 0, -4 / 3])


def test_the_frame_at_distance_zero_is_the_unedited_picture(net, tmp_path):
    out = tmp_path / "out"
    sefa("render", "--network", net, *SMALL, "--video", "png", "--outdir", out)
    from PIL import Image

    G = load_network(net)
    from sefa_plugin.rendering.latents import z_from_seeds

    want = np.concatenate(list(render(G, G.mapping(z_from_seeds([0, 1], 48), None))), axis=1)
    record = json.loads((out / "run.json").read_text())["outputs"]["videos/all-dir00"]["distances"]
    frame = out / "videos" / "all-dir00" / f"frame{record.index(0.0):04d}.png"
    assert (np.asarray(Image.open(frame)) == want).all()
    edited = np.asarray(Image.open(out / "videos" / "all-dir00" / "frame0000.png"))
    assert (edited != want).any()


def test_pictures_are_edited_along_the_saved_directions(net, tmp_path):
    """From the saved file alone the pictures of the video can be made again: ws plus distance x direction."""
    from PIL import Image

    out = tmp_path / "out"
    sefa("render", "--network", net, *SMALL, "--trunc", "0.5", "--layers", "2-5", "--video", "png", "--outdir", out)
    G, held = load_network(net), Directions.load(out / "directions-2-5.safetensors")
    z = torch.from_numpy(np.random.RandomState(1).randn(1, 48))
    ws = G.mapping(z, None, truncation_psi=0.5)
    ws[:, 2:6] += 4 * torch.from_numpy(held.vectors[1])  # the full step, whatever the truncation
    (want,) = render(G, ws)
    frame = np.asarray(Image.open(out / "videos" / "2-5-dir01" / "frame0003.png"))
    assert abs(frame[:, 32:].astype(int) - want).max() <= 1


def test_a_second_run_renders_nothing(net, tmp_path):
    out = tmp_path / "out"
    words = ["--network", net, *ONE, "--outdir", out]
    gen(*words)
    before = digests(out / "videos") | digests(out / "sheets")
    again = gen(*words)
    assert digests(out / "videos") | digests(out / "sheets") == before
    assert "0 outputs made, 2 kept" in again.stdout
    assert "videos/all-dir00.mp4: is up to date, kept" in again.stderr
    assert "to render" not in again.stderr
    assert "3 outputs made, 0 kept" in gen(*words, "--overwrite").stdout


def test_other_settings_render_again_and_a_damaged_output_is_replaced(net, tmp_path):
    out = tmp_path / "out"
    words = ["--network", net, *TWO, "--size", "native", "--outdir", out]
    gen(*words)
    first = (out / "videos" / "all-dir00.mp4").read_bytes()
    changed = gen(*words, "--trunc", "0.6")
    assert "5 outputs made" in changed.stdout
    assert "was made with other settings" in changed.stderr
    assert (out / "videos" / "all-dir00.mp4").read_bytes() != first
    (out / "videos" / "all-dir01.mp4").write_bytes(b"damaged")
    assert "1 outputs made, 3 kept" in gen(*words, "--trunc", "0.6").stdout
    assert "0 outputs made, 4 kept" in gen(*words, "--trunc", "0.6", "--directions", "1,0").stdout
    (out / "run.json").write_text("{broken")
    assert "5 outputs made" in gen(*words, "--trunc", "0.6").stdout


def test_a_failed_run_destroys_nothing(net, tmp_path, monkeypatch):
    out = tmp_path / "out"
    words = ["--network", net, *SMALL, "--outdir", out]
    gen(*words)
    before = {p: p.read_bytes() for p in out.rglob("*.mp4")}
    from sefa_plugin.rendering import scene

    real = scene.render

    def failing(*args, **options):
        for count, frame in enumerate(real(*args, **options)):
            if count == 9:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(scene, "render", failing)
    stopped = gen(*words, "--trunc", "0.6")
    assert stopped.exit_code == 130
    assert "stopped; what is whole was kept" in stopped.stderr
    assert {p: p.read_bytes() for p in out.rglob("*.mp4")} == before
    assert [p for p in out.rglob(".*") if p.is_file()] == []


def test_the_network_can_be_given_in_every_form(net, tmp_path):
    target = tmp_path / "net.safetensors"
    assert sefa("convert", "--network", net, "--output", target).exit_code == 0
    one, two = tmp_path / "one", tmp_path / "two"
    sefa("sheet", "--network", net, *FEW, "--outdir", one)
    sefa("sheet", "--network", target, *FEW, "--outdir", two)
    first, second = (Directions.load(out / "directions.safetensors") for out in (one, two))
    assert (first.vectors == second.vectors).all()
    assert first.digest == second.digest
    sheets = [(out / "sheets" / "all-dir00.jpg") for out in (one, two)]
    assert sheets[0].exists()
    assert sheets[1].exists()
    assert read_network(target).digest() == read_network(net).digest()


def test_directions_from_a_file(net, finished, tmp_path):
    held = finished[0] / "directions.safetensors"
    words = ["--network", net, "--directions-file", held, "--seeds", "5", "--frames", "4", "--outdir", tmp_path / "out"]
    result = sefa("render", *words, "--directions", "1")
    assert result.exit_code == 0
    assert [p.name for p in (tmp_path / "out" / "videos").iterdir()] == ["all-dir01.mp4"]
    assert not (tmp_path / "out" / "directions.safetensors").exists()
    refused(sefa("render", *words, "--directions", "2"), 2, "direction 2", "(0-1)")


def test_a_conditional_network(golden, tmp_path):
    net = golden("sg2ada-cond-32").pickle
    words = ["--network", net, *ONE, "--video", "none", "--outdir", tmp_path / "out"]
    refused(gen(*words), 2, "--class 0-9")
    refused(gen(*words, "--class", "10"), 2, "classes 0-9")
    assert gen(*words, "--class", "3").exit_code == 0


def test_a_class_that_is_not_needed_is_only_warned_of(net, tmp_path):
    result = gen("--network", net, *ONE, "--video", "none", "--class", "1", "--outdir", tmp_path / "out")
    assert result.exit_code == 0
    assert "Warning: --class is ignored" in result.stderr


def test_truncation_of_a_network_without_an_average_is_one_line(golden):
    result = gen("--network", golden("pggan-32").pickle, "--trunc", 0.7, "--seeds", 0, "-K", 1, "--distance", 1)
    assert result.exit_code == 2
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("Error: PGGAN has no W") and line.endswith("use a psi of 1")


def test_stylegan3_with_its_input_moved(golden, tmp_path):
    from PIL import Image

    words = ["edit", "--network", golden("sg3t-64").pickle, "--seeds", "0", "--edit", "0=2"]
    for name, moved in (("a", []), ("b", ["--translate", "0.2,0"]), ("c", ["--rotate", "10"])):
        assert sefa(*words, *moved, "--outdir", tmp_path / name).exit_code == 0
    assert len({Image.open(tmp_path / name / "seed0000.png").tobytes() for name in "abc"}) == 3


def test_projected_ws(net, tmp_path):
    ws = load_network(net).mapping(torch.zeros(2, 48) + 0.3, None).numpy()
    np.savez(tmp_path / "projected_w.npz", w=ws)
    words = ["--network", net, "--projected-w", tmp_path / "projected_w.npz", "-K", "1", "--outdir", tmp_path / "out"]
    assert gen(*words, "--video", "none").exit_code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())["outputs"]["sheets/all-dir00.jpg"]
    assert record["settings"]["subjects"] == ["w 0", "w 1"]
    refused(gen(*words, "--space", "z"), 2, "Z cannot edit projected ws")


def test_z_space(net, tmp_path):
    result = gen("--network", net, *ONE, "--space", "z", "--outdir", tmp_path / "out")
    assert result.exit_code == 0
    assert len(decode(tmp_path / "out" / "videos" / "z-dir00.mp4")) == 6


@pytest.mark.parametrize("kind", ["gif", "none"])
def test_kinds_of_video(net, tmp_path, kind):
    gen("--network", net, *TWO, "--size", "native", "--video", kind, "--outdir", tmp_path)
    made = [p.name for p in (tmp_path / "videos").iterdir()] if (tmp_path / "videos").exists() else []
    assert sorted(made) == (["all-dir00.gif", "all-dir01.gif"] if kind == "gif" else [])


def test_several_groups_of_layers(net, tmp_path):
    out = tmp_path / "out"
    result = sefa("sheet", "--network", net, "-K", "1", "--seeds", "0", "--layers", "coarse,fine", "--outdir", out)
    assert result.exit_code == 0
    assert sorted(p.name for p in (out / "sheets").iterdir()) == ["coarse-dir00.jpg", "fine-dir00.jpg", "unedited.jpg"]
    assert (out / "directions-coarse.safetensors").exists()


def test_ranges_are_found_saved_and_used_again(net, tmp_path):
    out = tmp_path / "out"
    words = ["--network", net, "--seeds", "0", "-K", "2", "--frames", "4", "--outdir", out]
    assert gen(*words).exit_code == 0
    held = Directions.load(out / "directions.safetensors")
    for (low, high), sigma in zip(held.ranges, held.sigmas):
        assert low < 0 < high
        assert sigma > 0
    record = json.loads((out / "run.json").read_text())["outputs"]
    assert min(record["videos/all-dir01.mp4"]["distances"]) == held.ranges[1][0]
    assert "sigmas" in record["sheets/all-dir01.jpg"]["about"]["range"]
    again = gen(*words)
    assert "0 outputs made, 4 kept" in again.stdout
    assert "to render" not in again.stderr
    # In another folder, from the file: nothing is measured, so the file stays as it is.
    file = out / "directions.safetensors"
    before = file.read_bytes()
    sefa("render", *words[:-1], tmp_path / "other", "--directions-file", file)
    assert file.read_bytes() == before
    other = json.loads((tmp_path / "other" / "run.json").read_text())["outputs"]
    assert other["videos/all-dir01.mp4"]["distances"] == record["videos/all-dir01.mp4"]["distances"]


def test_a_name_works_like_a_number(net, tmp_path):
    out = tmp_path / "out"
    words = ["--network", net, "--seeds", "0", "-K", "2", "--distance", "2", "--video", "none", "--outdir", out]
    gen(*words)
    assert "is called 'brush size'" in sefa("name", out / "directions.safetensors", "1", "brush size").stdout
    assert "brush size" in (out / "index.html").read_text(encoding="utf-8")
    named = gen(*words, "--directions", "brush size")
    assert "sheets/all-dir01.jpg" in named.stdout
    assert "all-dir00" not in named.stdout
    assert Directions.load(out / "directions.safetensors").names[1] == "brush size"  # a run keeps it
    assert "brush size" in sefa("name", out).stdout
    assert sefa("name", out, "brush size", "").exit_code == 0
    assert Directions.load(out / "directions.safetensors").names[1] == ""
    refused(gen(*words, "--directions", "smile"), 2, "smile", "no direction of all has a name")
    refused(sefa("name", out, "7", "x"), 2, "direction 7", "0-1")
    refused(sefa("name", out, "1", "a,b"), 2, "comma")
    refused(sefa("name", out, "1"), 2, "a number and a name")
    refused(sefa("name", tmp_path / "nothing", "1", "x"), 1, "no such file")
    refused(sefa("name", tmp_path, "1", "x"), 1, "one directions file")


def test_a_longer_file_is_not_cut_short(net, tmp_path):
    sefa("factorize", "--network", net, "-K", "9", "--outdir", tmp_path)
    sefa("name", tmp_path, "8", "last")
    gen("--network", net, *TWO, "--outdir", tmp_path, "--video", "none")
    held = Directions.load(tmp_path / "directions.safetensors")
    assert len(held) == 9
    assert held.names[8] == "last"
    result = gen("--network", net, *TWO, "--outdir", tmp_path, "--video", "none", "--directions", "last,0")
    assert "all-dir08.jpg" in result.stdout


def test_a_grid_with_captions_and_easing(net, tmp_path):
    words = ["render", "--network", net, *SMALL, "--outdir", tmp_path, "--grid", "--captions", "--easing", "sine"]
    assert sefa(*words).exit_code == 0
    frames = decode(tmp_path / "videos" / "all-grid.mp4")
    assert len(frames) == 6
    assert frames[0].shape[1] == 2 * 256
    assert frames[0].shape[0] > 2 * 256  # the captions
    distances = json.loads((tmp_path / "run.json").read_text())["outputs"]["videos/all-dir00.mp4"]["distances"]
    assert distances == pytest.approx([-4, -2, 2, 4, 2, -2], abs=2.1)
    assert "outputs made" in sefa(*words, "--video", "gif", "--frames", "4", "--size", "native").stdout
    assert (tmp_path / "videos" / "all-grid.gif").exists()


def test_a_gif_is_small_by_default(golden, tmp_path):
    net = golden("sg2ada-skip-64").pickle
    words = ["render", "--network", net, "--seeds", "0-9", "-K", "1", "--frames", "4", "--distance", "3"]
    words += ["--video", "gif"]
    sefa(*words, "--outdir", tmp_path)
    path = tmp_path / "videos" / "all-dir00.gif"
    from PIL import Image

    with Image.open(path) as gif:
        assert gif.size == (480, 48)
        assert gif.info["duration"] in (60, 70)
    size = path.stat().st_size
    sefa(*words, "--outdir", tmp_path, "--max-mb", f"{size / 2e6:.4f}")
    with Image.open(path) as gif:
        assert gif.size[0] < 480
        assert gif.n_frames == 4
    assert path.stat().st_size <= size / 2
    sefa(*words, "--outdir", tmp_path, "--size", "native", "--fps", "20")
    with Image.open(path) as gif:
        assert gif.size == (640, 64)
        assert gif.info["duration"] == 50


def test_files_say_how_they_were_made(finished):
    out, _ = finished
    program = imageio_ffmpeg.get_ffmpeg_exe()
    printed = subprocess.run(
        [program, "-i", str(out / "videos" / "all-dir01.mp4")], capture_output=True, text=True
    ).stderr
    (command,) = re.findall(r"comment +: (gen-sefa --network .*)", printed)
    assert "--seeds 0-1 --frames 6 --directions 1 --distance=-4,4 --outdir" in command
    assert f" {out}" not in printed.split("comment", 1)[1]  # no absolute path
    assert "run in the folder from which ../" in printed


def test_the_weakest_directions(net, tmp_path):
    words = ["sheet", "--network", net, "--seeds", "0", "--distance", "4", "--outdir", tmp_path]
    assert sefa(*words, "--directions", "-1,-2").exit_code == 0
    assert sefa(*words, "--directions=-3").exit_code == 0
    made = {p.name for p in (tmp_path / "sheets").glob("all-*")}
    assert made == {"all-dir31.jpg", "all-dir30.jpg", "all-dir29.jpg"}
    held = Directions.load(tmp_path / "directions.safetensors")
    assert len(held) == 32
    assert held.eigenvalues[31] == held.eigenvalues.min()
    refused(sefa(*words, "--directions", "-33"), 2, "direction -33", "0-31")
    assert "direction 31 is called 'least'" in sefa("name", tmp_path, "-1", "least").stdout
    refused(sefa("name", tmp_path, "-1", "--nonsense"), 2, "--nonsense")
    sefa("factorize", "--network", net, "-K", "3", "--outdir", tmp_path / "three")
    short = ["--directions-file", tmp_path / "three" / "directions.safetensors"]
    refused(sefa(*words, *short, "--directions", "-1"), 2, "from the weakest of 32", "only 3")


def test_edits_at_other_layers_than_the_factorised(net, tmp_path):
    from PIL import Image

    out = tmp_path / "out"
    words = ["--network", net, "--seeds", "1", "-K", "2", "--frames", "2", "--video", "png", "--outdir", out]
    assert gen(*words).exit_code == 0
    sefa("name", out, "1", "nose")
    before = (out / "directions.safetensors").read_bytes()
    assert gen(*words, "--edit-layers", "0-1", "--directions", "nose", "--distance", "4").exit_code == 0
    assert (out / "directions.safetensors").read_bytes() == before
    held, moved = (Directions.load(out / f"directions{label}.safetensors") for label in ("", "-all@0-1"))
    assert (held.vectors[1] == moved.vectors[1]).all()
    assert (moved.layers, moved.names[1]) == ((0, 1), "nose")
    G = load_network(net)
    ws = G.mapping(torch.from_numpy(np.random.RandomState(1).randn(1, 48)), None)
    ws[:, :2] += 4 * torch.from_numpy(held.vectors[1])
    (want,) = render(G, ws)
    frame = np.asarray(Image.open(out / "videos" / "all@0-1-dir01" / "frame0001.png"))
    assert abs(frame.astype(int) - want).max() <= 1
    entry = json.loads((out / "run.json").read_text())["outputs"]["sheets/all@0-1-dir01.jpg"]
    assert entry["settings"]["layers"] == [0, 1]
    assert "--edit-layers 0-1" in entry["about"]["command"]
    assert "edited at 0-1" in (out / "index.html").read_text(encoding="utf-8")
    # Ranges are those of the edited rows; a second run measures nothing.
    assert gen(*words, "--edit-layers", "coarse", "--directions", "1").exit_code == 0
    again = gen(*words, "--edit-layers", "coarse", "--directions", "1")
    assert "0 outputs made, 2 kept" in again.stdout
    assert Directions.load(out / "directions-all@coarse.safetensors").ranges[1] != held.ranges[1]
    # The factorised rows themselves are nothing special.
    assert "1 outputs made, 3 kept" in gen(*words, "--edit-layers", "all").stdout  # the sheet shows its name now
    refused(gen(*words, "--edit-layers", "coarse,fine"), 2, "2 groups")
    refused(gen(*words, "--edit-layers", "77"), 2, "layers 0-7")
    refused(gen(*words, "--edit-layers", "0", "--space", "z"), 2, "--space w")


# --- the other commands ---------------------------------------------------------------------------------


def test_factorize_writes_what_the_authors_find(golden, tmp_path):
    net = golden("sg2ada-skip-64").pickle
    result = sefa("factorize", "--network", net, "--layers", "all", "-K", "8", "--outdir", tmp_path)
    assert result.exit_code == 0
    held = Directions.load(tmp_path / "directions.safetensors")
    want = np.load(ROOT / "tests" / "golden" / "sefa-sg2ada-skip-64.npz")
    assert abs(held.vectors - want["all/directions"][:8]).max() < 2e-5
    assert held.eigenvalues == pytest.approx(want["all/eigenvalues"][:8], rel=1e-6)
    sefa("factorize", "--network", net, "--layers", "each", "--outdir", tmp_path)
    assert len(list(tmp_path.glob("directions-layer*.safetensors"))) == 10


def test_info(golden):
    about = json.loads(sefa("info", golden("sg3t-64").pickle, "--json").stdout)
    keys = ["class", "hook", "source", "num_ws", "z_dim", "w_dim", "c_dim", "resolution", "channels", "layers"]
    assert set(keys) <= set(about)
    assert (about["class"], about["hook"], about["num_ws"], about["resolution"]) == ("Generator", "stylegan3", 16, 64)
    assert set(about["layers"][0]) == {"name", "ws_index", "weight_gain", "style_gain", "channels", "size", "kind"}
    text = sefa("info", golden("sg3t-64").pickle).stdout
    assert "L14_64_3" in text
    assert "torgb" in text


def test_a_state_dict(tmp_path):
    """Weights without their network: looked at, and rendered with truncation."""
    path = ROOT / "tests" / "golden" / "rosinality-32.pt"
    info = sefa("info", path)
    assert info.exit_code == 0, info.output
    assert "state_dict, read by hook rosinality" in info.stdout
    assert "synthesis.b32.torgb.affine" in info.stdout
    result = gen("--network", path, "--outdir", tmp_path / "out", *ONE, "--trunc", "0.7", "--video", "none")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "sheets" / "all-dir00.jpg").is_file()


def test_what_a_state_dict_leaves_open_is_said_once(golden, tmp_path):
    path = tmp_path / "net.pt"
    torch.save({key: torch.from_numpy(value) for key, value in golden("sg2ada-orig-32").state.items()}, path)
    result = gen("--network", path, "--outdir", tmp_path / "out", *ONE, "--video", "none")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Warning: a state_dict does not say") == 1


def test_the_demo(tmp_path):
    result = sefa("demo", *ONE, "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Warning" not in result.stderr
    for layers in ("coarse", "middle"):
        assert len(decode(tmp_path / "out" / "videos" / f"{layers}-dir00.mp4")) == 6


def test_the_demo_shows_what_turned_out_well_unless_something_else_is_typed(tmp_path, monkeypatch):
    """Seeds, layers and number of directions; each typed one is kept, and those of `gen_sefa.py` are the toolkits'."""
    asked = []
    monkeypatch.setattr(main_job, "_run", lambda given, sheet: asked.append(given))
    usual = {"seeds": [13, 16, 10, 5], "layers": "coarse,middle", "num_directions": 3}
    for words, other in (
        ("", {}),
        ("--seeds 0", {"seeds": [0]}),
        ("--layers all -K 5", {"layers": "all", "num_directions": 5}),  # the defaults of other commands, typed
        ("--space z", {"layers": "all"}),
        (f"--projected-w {GOLDEN / 'sg2ada-skip-64.npz'}", {"seeds": None}),
    ):
        assert sefa("demo", *words.split()).exit_code == 0
        assert {name: asked[-1][name] for name in usual} == {**usual, **other}, words
    assert gen("--network", "demo").exit_code == 0
    assert [asked[-1][name] for name in usual] == [None, "all", 5]


def test_convert_keeps_what_is_there(net, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"precious")
    refused(sefa("convert", "--network", net, "--output", path), 2, "--overwrite")
    assert path.read_bytes() == b"precious"
    assert sefa("convert", "--network", net, "--output", path, "--overwrite").exit_code == 0
    assert path.read_bytes() != b"precious"
    refused(sefa("convert", "--network", net, "--output", tmp_path / "x.pkl"), 2, ".safetensors")


def test_help_and_version():
    for words in ([], ["--help"], *([name, "--help"] for name in cli.sefa.commands)):
        result = sefa(*words)
        assert result.exit_code == 0
        assert "Usage:" in result.stdout
    assert "gen_sefa.py --network ffhq.pkl" in gen("--help").stdout
    assert re.match(r"sefa_plugin \d", gen("--version").stdout)


def test_examples_in_help_and_readme_can_be_typed():
    """Every command line that is shown parses with the real options."""
    pages = [ROOT / "README.md", ROOT / "demo" / "README.md", *(ROOT / "docs").glob("*.md")]
    texts = [block for page in pages for block in page.read_text(encoding="utf-8").split("```")[1::2]]
    texts += [gen("--help").stdout, *(sefa(name, "--help").stdout for name in cli.sefa.commands)]
    lines = [line.split("#")[0].strip() for text in texts for line in text.splitlines()]
    pattern = r"(?:python gen_sefa\.py|gen-sefa|sefa|python -m sefa_plugin) (?=[-a-z])"
    found = 0
    for line in lines:
        match = re.match(pattern, line)
        if not match or "..." in line:
            continue
        words = shlex.split(line[match.end() :])
        command = cli.gen_sefa
        if match[0].startswith(("sefa", "python -m")):
            if words[0].startswith("-"):
                continue
            assert words[0] in cli.sefa.commands, line
            command = cli.sefa.commands[words.pop(0)]
        command.make_context("x", words)
        found += 1
    assert found >= 12


def test_the_script_runs_from_another_folder(tmp_path):
    words = [sys.executable, str(ROOT / "gen_sefa.py"), "--network", "demo", *ONE, "--video", "none"]
    subprocess.run(words, check=True, cwd=tmp_path, capture_output=True)
    assert (tmp_path / "sefa-out" / "demo" / "sheets" / "all-dir00.jpg").exists()
    module = subprocess.run(
        [sys.executable, "-m", "sefa_plugin", "info", "demo"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "Generator" in module.stdout


# --- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--seeds", "5000000000"], "0-4294967295"),
        (["--seeds", "3-1"], "backwards"),
        (["--seeds", "a"], "numbers like"),
        (["--layers", "12"], "layers 0-7"),
        (["--layers", "nose"], "neither all"),
        (["--layers", "input"], "only StyleGAN3"),
        (["--directions", "99"], "0-31"),
        (["-K", "0"], "num-directions"),
        (["--distance", "far"], "distance"),
        (["--distance", "5,2"], "below the second"),
        (["--frames", "0"], "frames"),
        (["--fps", "0"], "fps"),
        (["--size", "big"], "native"),
        (["--translate", "1"], "two numbers"),
        (["--trunc-cutoff", "11"], "8 rows"),
        (["--noise-mode", "loud"], "noise-mode"),
        (["--space", "z", "--layers", "0-2"], "no layers to choose; leave --layers out"),
        (["--device", "cuda"], "--device cpu"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_usage_errors_exit_with_two(net, tmp_path, words, says):
    if words == ["--device", "cuda"] and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    refused(gen("--network", net, "--outdir", tmp_path / "out", *words), 2, says)


def test_a_missing_network_option():
    refused(gen(), 2, "--network")
    refused(sefa("nonsense"), 2, "nonsense")


@pytest.mark.parametrize("command", [["gen"], ["info"], ["factorize"], ["convert"]])
def test_broken_networks_exit_with_one(tmp_path, command):
    pointer = tmp_path / "net.pkl"
    pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    if command == ["gen"]:
        result = gen("--network", pointer, "--outdir", tmp_path / "out")
    elif command == ["info"]:
        result = sefa("info", pointer)
    else:
        result = sefa(*command, "--network", pointer)
    refused(result, 1, "git lfs pull", str(pointer))
    assert [p.name for p in tmp_path.iterdir()] == ["net.pkl"]


def test_an_unknown_class_and_hostile_files(tmp_path):
    path = tmp_path / "net.pkl"
    kwargs = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8, "img_channels": 3}
    path.write_bytes(dumps({"G_ema": network({"w": np.zeros(2, "f4")}, kwargs, class_name="FancyNet")}))
    refused(sefa("info", path), 1, "FancyNet")
    path.write_bytes(dumps({"G_ema": call("os.mkdir", str(tmp_path / "made"))}))
    refused(gen("--network", path), 1, "os.mkdir")
    assert not (tmp_path / "made").exists()


def test_numbers_that_are_none(golden, tmp_path):
    case = golden("sg2ada-orig-32")
    state = dict(case.state)
    state["synthesis.b8.conv0.affine.weight"] = np.full_like(state["synthesis.b8.conv0.affine.weight"], np.nan)
    path = tmp_path / "net.pkl"
    path.write_bytes(dumps({"G_ema": network(state, case.info["init_kwargs"])}))
    for result in (gen("--network", path, "--outdir", tmp_path), sefa("factorize", "--network", path)):
        refused(result, 1, "synthesis.b8.conv0.affine.weight holds NaN")


def test_directions_that_do_not_fit(golden, finished, tmp_path):
    words = ["--directions-file", finished[0] / "directions.safetensors", "--outdir", tmp_path / "out"]
    refused(gen("--network", golden("sg3t-64").pickle, *words), 1, "num_ws")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no")
    refused(gen("--network", golden("sg2ada-skip-64").pickle, "--directions-file", bad), 1, str(bad))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(net, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused(gen("--network", net, "--outdir", locked / "out"), 1, "locked")


def test_an_outdir_that_is_a_file(net, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"precious")
    refused(gen("--network", net, "--outdir", path), 1, str(path))
    assert path.read_bytes() == b"precious"


def test_no_ffmpeg_is_said_before_any_work(net, tmp_path, monkeypatch):
    from sefa_plugin.media import mp4
    from sefa_plugin.runs import output_settings

    def missing():
        raise mp4.VideoError("mp4 needs ffmpeg, which was not found: pip install imageio-ffmpeg")

    monkeypatch.setattr(output_settings, "check_ffmpeg", missing)
    result = gen("--network", net, "--outdir", tmp_path / "out")
    refused(result, 1, "pip install imageio-ffmpeg")
    assert "calibrating" not in result.stderr and "to render" not in result.stderr


@pytest.mark.parametrize(("output", "name"), [("write_sheet", "all-dir00.jpg"), ("write_video", "all-dir00.mp4")])
def test_a_disk_that_fills_up(net, tmp_path, monkeypatch, output, name):
    import errno

    from sefa_plugin.runs import making

    write = getattr(making, output)

    def full(path, *args, **options):
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # says nothing of the file
        return write(path, *args, **options)

    monkeypatch.setattr(making, output, full)
    result = gen("--network", net, *ONE, "--outdir", tmp_path / "out")
    refused(result, 1, os.strerror(errno.ENOSPC), name)


def test_the_unexpected_is_one_line_and_debug_shows_all(net, tmp_path, monkeypatch):
    from sefa_plugin.networks import building as module

    monkeypatch.setattr(module, "build_network", lambda *a: 1 / 0)
    words = ["--network", net, "--outdir", tmp_path / "out", "--video", "none"]
    refused(gen(*words), 1, "ZeroDivisionError", "--debug")
    with pytest.raises(ZeroDivisionError):
        gen(*words, "--debug")
