"""Every command that outputs carry runs as it stands, from the folder it was typed in, and makes the same pixels."""

import http.server
import json
import os
import shlex
import shutil
import threading
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from stored_commands import comment_of, pictures_in, pixels, stored
from typed_commands import gen, sefa

from sefa_plugin.directions.directions import Directions
from sefa_plugin.runs.recipe import Recipe

FEW = "--seeds 0,2 -K 2 --frames 4"
NET = "'my net.pkl'"
# The commands of each case, in order; those of the outputs of all of them are run again. HERE is the folder with the
# networks, and the commands are typed in a folder of it.
CASES = {
    "auto": (f"gen-sefa --network '../a \"net\"/it''s $HOME.pkl' {FEW} --grid --video gif --outdir ../out",),
    "layers": (f"gen-sefa --network {NET} --seeds 0 --layers coarse,0-1,5 -K1 --video png --captions --frames 3",),
    "each": (f"sefa sheet --network {NET} --seeds 0 --layers each --directions=0 --distance 2 --outdir=each",),
    "absolute": (f"gen-sefa --network 'HERE/typed/my net.pkl' {FEW} --size 60 --loop once --outdir 'HERE/the out'",),
    "mp4": (
        f"sefa render --network {NET} --seeds 0 -K 1 --frames 4 --distance=-1.234567891,2"
        " --no-normalize --torgb never --fps 12.5",
    ),
    "weakest": (f"gen-sefa --network {NET} --seeds 0 --directions 0,-1 --edit-layers 0-1 --video none --overwrite",),
    "file": (
        f"sefa factorize --network {NET} --layers coarse -K 3 --outdir kept",
        f"sefa render --network {NET} --directions-file kept/directions-coarse.safetensors --seeds 1"
        " --frames 3 --video gif --directions 1 --trunc 0.7 --trunc-cutoff 4 --noise-mode none",
        f"sefa edit --network {NET} --directions-file 'HERE/typed/kept/directions-coarse.safetensors' --edit 2=auto"
        " --edit 0=1@2-3 --seeds 4",
    ),
    "edit": (
        f"sefa factorize --network {NET} -K 2",
        "sefa name 'sefa-out/my net' 1 'brush size'",
        f"sefa sheet --network {NET} {FEW}",
        f"sefa edit --network {NET} --seeds 3,5 --edit 'brush size=auto' --edit coarse:0=-1.3 --edit=-1=0.1@0-1",
        f"sefa edit --network {NET} --seeds 3 --edit 'brush size=-50%' --edit 0=2 --edit-layers fine --outdir still",
        f"sefa edit --network {NET} --seeds 3 --space z --edit 0=0.5 --edit 1=0.25 --outdir zet",
        "sefa render --recipe still --seeds 7,8 --outdir others",
        "sefa render --recipe 'HERE/typed/still/recipe.json' --animate edit --frames 4 --video gif",
        "sefa render --recipe still --animate walk --seeds 3,5 --frames 4 --outdir still --easing spherical",
        f"sefa plane --network {NET} --across 'brush size' --down=-2@0-3 --seeds 4 --frames 3 --path corners",
        f"sefa plane --network {NET} --across coarse:0=1 --down 'fine:0=-1,2' --seeds 4 --video gif --frames 3",
    ),
    "projected": (
        f"sefa edit --network {NET} --seeds 3 --edit 0=1 --outdir 'a w'",
        f"gen-sefa --network {NET} --projected-w 'a w/seed0003.npz' --directions 0 --distance 2 --frames 3",
        f"sefa edit --network {NET} --projected-w 'HERE/typed/a w/seed0003.npz' --seeds 1 --edit 1=1 --outdir more",
        "sefa render --recipe 'a w' --projected-w more/proj00.npz --outdir again",
        f"sefa plane --network {NET} --projected-w more/proj00.npz --across 0 --down 1 --video none --outdir plane",
    ),
    "class": (f"gen-sefa --network classes.pkl --class 3 {FEW} --precision float32 --distance 3",),
    "classes": (
        "sefa sheet --network classes.pkl --class 0,2 --seeds 0 -K 1 --distance 2 --outdir sheets",
        "sefa edit --network classes.pkl --class=1,3 --seeds 0 --edit 0=auto --outdir edits",
        "sefa plane --network classes.pkl --class 4-5 --seeds 0 --across 0=1 --down 1=1 --video none --outdir planes",
        "sefa sheet --network classes.pkl --label=0.5,0,0.5,0,0,0,0,0,0,-0.25 --seeds 0 -K 1 --distance 1",
    ),
    "variants": (
        f"sefa sheet --network {NET} --seeds 0 -K 1 --distance 2 --outdir one",
        f"sefa sheet --network {NET} --seeds 0 -K 1 --distance 2 --outdir one --no-normalize",
        f"sefa sheet --network {NET} --seeds 0 -K 1 --distance 2 --outdir one --torgb never",
    ),
    "stylegan3": ("gen-sefa --network sg3.pkl --translate=-0.1,0.123456789 --rotate 15 --seeds 0 -K 1 --video none",),
    "z": (f"gen-sefa --network {NET} --space z {FEW} --video png --which G_ema --device cpu --easing sine",),
    "demo": (
        "sefa demo --seeds 13 -K 1 --frames 3 --max-mb 1 --video gif",
        "sefa demo --seeds 0 -K 1 --layers all,fine --video none --outdir all",
    ),
    "scores": ("sefa evaluate rescore --network demo --samples 4 -K 1 --distance 1 --outdir scores",),
}


def typed(command, here):
    """Run a command, as a shell gives it."""
    program, *words = shlex.split(command.replace("HERE", str(here)))
    result = {"gen-sefa": gen, "sefa": sefa}[program](*words)
    assert result.exit_code == 0, f"{command}\n{result.output}"
    return result


@pytest.fixture(scope="module")
def networks(golden, tmp_path_factory):
    here = tmp_path_factory.mktemp("networks")
    (here / "typed").mkdir()
    (here / 'a "net"').mkdir()
    names = {"typed/my net.pkl": "sg2-in-sg3-32", 'a "net"/its $HOME.pkl': "sg2-in-sg3-32"}
    names |= {"typed/classes.pkl": "sg2ada-cond-32", "typed/sg3.pkl": "sg3t-64"}
    for name, case in names.items():
        shutil.copy(golden(case).pickle, here / name)
    return here


def folders_of_outputs(here):
    return [path.parent for path in sorted(here.rglob("run.json"))]


def without_pictures(here, again):
    """A copy of a folder without any picture that a command has made."""
    shutil.copytree(here, again)
    for path in pictures_in(again).values():
        path.unlink()


QUICK = ("file", "mp4")  # the others are of many commands, many sheets or the bundled network


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.hard) for case in CASES]
)
def test_every_stored_command_makes_the_same_pixels(networks, tmp_path, monkeypatch, case):
    here = tmp_path / "here"
    shutil.copytree(networks, here)
    monkeypatch.chdir(here / "typed")
    for command in CASES[case]:
        typed(command, here)
    commands = {}
    for folder in folders_of_outputs(here):
        for command, names, place in stored(folder):
            assert str(tmp_path) not in command, place
            commands.setdefault(command, ([], set()))[0].append(place)
            commands[command][1].update((folder / name).relative_to(here) for name in names)
    making = [command for command in CASES[case] if command.split()[1] not in ("factorize", "name")]
    assert len(commands) >= len(making)
    for number, (command, (places, names)) in enumerate(commands.items()):
        again = tmp_path / f"again{number}"
        without_pictures(here, again)
        monkeypatch.chdir(again / "typed")
        typed(command, again)
        for name in names:
            assert (again / name).is_file(), f"{command}\nof {places} does not make {name}"
            first, second = pixels(here / name), pixels(again / name)
            same = len(first) == len(second) and all(map(np.array_equal, first, second))
            assert same, f"{command}\nof {places} makes another {name}"


# --- secrets --------------------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "sesame-token" not in self.path:
            return self.send_error(403, f"no {self.path} here")
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def address(golden, monkeypatch, tmp_path):
    """Of a network that needs a password and a token."""
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    Server.content = golden("sg2-in-sg3-32").pickle.read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://me:sesame-word@127.0.0.1:{server.server_address[1]}/nets/ffhq.pkl?key=sesame-token"
    server.shutdown()
    server.server_close()
    thread.join()


def test_no_output_and_no_message_has_a_secret(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gif = ["--video", "gif", "--size", "native"]
    printed = [
        gen("--network", address, "--seeds", "0", "-K", "1", "--frames", "2", "--video", "mp4", "--grid"),
        sefa("render", f"--network={address}", "--seeds", "0", "-K", "1", "--frames", "2", *gif),
        sefa("edit", "--network", address, "--seeds", "0", "--edit", "0=1"),
        sefa("plane", "--network", address, "--seeds", "0", "--across", "0=1", "--down", "1=1", "--video", "none"),
        sefa("factorize", "--network", address),
        sefa("compare", address, address),
        sefa("convert", "--network", address),
        sefa("info", address),
        sefa("info", address, "--json"),
        sefa("info", address, "--audit"),
    ]
    assert all(result.exit_code == 0 for result in printed), [result.output for result in printed]
    (edits,) = Path("sefa-out/ffhq/edits").iterdir()  # called by the name of the file
    printed += [
        sefa("render", "--recipe", edits),
        gen(address),
        gen("--network", address.replace("sesame-token", "sesame-word")),
        gen("--network", address, "--sha256", "0" * 64),
        gen("--network", address, "--layers", "nose"),
        sefa("info", address.replace("127.0.0.1", "sesame-word:")),
        sefa("register", address),
        sefa("unregister", address),
    ]
    assert all(result.exit_code for result in printed[10:])
    for result in printed:
        assert "sesame" not in result.output + result.stderr
    for path in tmp_path.rglob("*"):
        assert "sesame" not in path.name
        assert not path.is_file() or b"sesame" not in path.read_bytes(), path
    shown = address.replace("me:sesame-word", "<password>").replace("key=sesame-token", "<token>")
    assert json.loads(Path("sefa-out/ffhq/run.json").read_text())["network"]["path"] == shown
    command = comment_of(Path("sefa-out/ffhq/videos/all-dir00.mp4")).splitlines()[0]
    assert shlex.split(command)[:5] == ["gen-sefa", "--network", shown, "--seeds", "0"]
    assert "give the address with --network" in printed[10].stderr
    assert sefa("render", "--recipe", edits, "--network", address, "--outdir", "again").exit_code == 0
    assert Directions.load("sefa-out/ffhq/directions.safetensors").network == "ffhq"


def test_a_recipe_finds_a_network_of_elsewhere(networks, tmp_path, monkeypatch):
    """An absolute path is stored relative to the recipe, so that no name of a home is in it."""
    shutil.copytree(networks, tmp_path / "nets")
    monkeypatch.chdir(tmp_path)
    net = tmp_path / "nets" / "typed" / "my net.pkl"
    assert (
        sefa("edit", "--network", net, "--edit", "0=1", "--seeds", "1", "--outdir", tmp_path / "a" / "still").exit_code
        == 0
    )
    recipe = tmp_path / "a" / "still" / "recipe.json"
    assert Recipe.load(recipe).network["path"] == os.path.join("..", "..", "nets", "typed", "my net.pkl")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert sefa("render", "--recipe", recipe, "--outdir", "again").exit_code == 0
    assert str(tmp_path) not in recipe.read_text()
    assert quote(str(tmp_path)) not in (tmp_path / "a" / "still" / "run.json").read_text()
