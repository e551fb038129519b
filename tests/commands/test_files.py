"""Files and folders of options: each wrong kind at each option is named in one line, before a network is opened."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from typed_commands import gen, refused, sefa

from sefa_plugin.commands import files
from sefa_plugin.media import mp4

NET = ["--network", "demo"]
# Kinds that their first bytes do not tell: it is what is in them that is named.
NETWORKS = ("pickle", "checkpoint")
CONTENTS = (*NETWORKS, "latents.npy", "latents.pt", "latents.json", "factor", "components")
# What each option takes, and the command that it is tried with; None stands for the file.
OPTIONS = {
    "--network": (
        gen,
        ["--network", None],
        "network (.pkl, .pt, .pth, .safetensors)",
        {"network", "torch", "folder", *NETWORKS, "latents.pt", "factor"},
    ),
    "--directions-file": (gen, [*NET, "--directions-file", None], "a directions file", {"directions"}),
    "--projected-w": (
        gen,
        [*NET, "--projected-w", None],
        "projected ws (.npz, .npy, .pt)",
        {"array", "npz", "torch", *CONTENTS},
    ),
    "--recipe": (sefa, ["render", "--recipe", None], "a recipe.json", {"recipe", "folder", "text", "latents.json"}),
    "--read": (
        sefa,
        ["evaluate", "boundary", *NET, "--read", None],
        "a boundary of InterFaceGAN",
        {"array", "npz", "latents.npy", "components"},
    ),
    "--also": (
        sefa,
        ["evaluate", "truth", *NET, "--also", None],
        "a network",
        {"network", "torch", "folder", *NETWORKS, "latents.pt", "factor"},
    ),
    "info": (sefa, ["info", None], "a network", {"network", "torch", "folder", *NETWORKS, "latents.pt", "factor"}),
    "import": (sefa, ["import", None], "directions of another tool", {"array", "npz", "torch", "text", *CONTENTS}),
    "export": (sefa, ["export", None, "--format", "npz", "--output", "x.npz"], "a directions file", {"directions"}),
    "compare": (
        sefa,
        ["compare", None, "demo"],
        "a directions file or a network",
        {"picture", "video", "recipe", "text", "latents.json"},
    ),
}
TAKEN_BY = {
    "picture": ("photo.jpg", "is a picture", ""),
    "video": ("clip.mp4", "is a video", ""),
    "text": ("notes.txt", "is a text file", ""),
    "folder": ("folder", "is a folder", "name a file in it"),
    "network": ("net.safetensors", "is a network", "--network takes it"),
    "directions": ("directions.safetensors", "is a directions file", "--directions-file takes it"),
    "recipe": ("recipe.json", "is a recipe", "`sefa render --recipe` takes it"),
    "array": ("array.npy", "is a NumPy file", "--projected-w takes latents"),
    "npz": ("w.npz", "is a file of latents", "--projected-w takes it"),
    "torch": ("w.pt", "is a file of torch.save", "--network takes networks"),
    "pickle": ("net.pkl", "is a network", "--network takes it"),
    "checkpoint": ("checkpoint.pt", "is a network", "--network takes it"),
    "latents.npy": ("latents.npy", "is a file of latents", "--projected-w takes it"),
    "latents.pt": ("latents.pt", "is a file of latents", "--projected-w takes it"),
    "latents.json": ("latents.json", "is a file of latents", "--projected-w takes it"),
    "factor": ("factor.pt", "is a file of directions of another tool", "makes a directions file"),
    "components": ("components.npz", "is a file of directions of another tool", "makes a directions file"),
}
# What the readers of an option say of those that its first bytes do not tell.
SAID = {
    ("--network", "latents.pt"): ("is a file of latents (--projected-w takes it)",),
    ("--network", "factor"): (
        "is a file of directions of another tool (`sefa import ",
        "NETWORK` makes a directions file)",
    ),
    ("--read", "latents.npy"): ("holds objects, expected floats [1, dim]",),
    ("--read", "components"): ("holds an .npz, expected floats [1, dim]",),
    **{("--projected-w", kind): ("is a network; a network is given by --network",) for kind in NETWORKS},
    **{
        ("--projected-w", kind): ("holds directions (", "not latents; `sefa import ", "--network NETWORK`")
        for kind in ("factor", "components")
    },
    **{("import", kind): ("which is a network; `sefa factorize --network ",) for kind in NETWORKS},
    **{
        ("import", kind): ("holds projected latents (a.jpg), not directions; --projected-w takes them",)
        for kind in ("latents.npy", "latents.pt", "latents.json")
    },
}


@pytest.fixture
def unopened(monkeypatch):
    """No network can be opened."""
    for module in ("networks.opening", "runs.session"):
        monkeypatch.setattr(f"sefa_plugin.{module}.open_network", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, golden):
    made = tmp_path_factory.mktemp("kinds")
    Image.new("RGB", (8, 8)).save(made / "photo.jpg")
    (made / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    (made / "notes.txt").write_text("0=2")
    (made / "folder").mkdir()
    np.save(made / "array.npy", np.ones((1, 64), np.float32))
    np.savez(made / "w.npz", w=np.zeros((1, 10, 64), np.float32))
    torch.save(torch.zeros(1, 10, 64), made / "w.pt")
    shutil.copy(golden("sg2ada-skip-64").pickle, made / "net.pkl")
    shutil.copy(golden("rosinality-32").pickle.with_suffix(".pt"), made / "checkpoint.pt")
    w = np.random.RandomState(0).randn(10, 64)
    np.save(made / "latents.npy", {"a.jpg": w})
    torch.save({"a.jpg": torch.from_numpy(w)}, made / "latents.pt")
    (made / "latents.json").write_text(json.dumps({"a.jpg": w.tolist()}))
    torch.save({"ckpt": "x", "eigvec": torch.eye(64)}, made / "factor.pt")
    np.savez(made / "components.npz", lat_comp=np.eye(64)[:3, None], lat_stdev=np.ones(3))
    (made / "recipe.json").write_text('{"format": "sefa_recipe", "version": 1}')
    for words in (
        ["convert", "--output", made / "net.safetensors"],
        ["factorize", "-K", 2, "--outdir", made],
    ):
        assert sefa(*words, *NET).exit_code == 0
    return made


# Kinds that an option takes, or that its reader names better, are left out; compare lists the wrong ones.
WRONG = [
    (option, kind) for option in OPTIONS for kind in TAKEN_BY if (kind in OPTIONS[option][3]) == (option == "compare")
]


@pytest.mark.parametrize(("option", "kind"), WRONG)
def test_each_wrong_kind_at_each_option(folder, unopened, monkeypatch, tmp_path, option, kind):
    """The line says what the file is, which option takes it, and what is expected here; no network is opened."""
    monkeypatch.chdir(tmp_path)
    command, words, expected, _ = OPTIONS[option]
    file, what, taker = TAKEN_BY[kind]
    line = refused(command(*[folder / file if word is None else word for word in words]), 1, what, taker)
    if kind == "picture" and option == "--projected-w":
        assert "sefa project " in line and line.endswith("type --projected-w out/projected_w.npz")
    else:
        assert f"; expected {expected}" in line or f"; expected a {expected}" in line
    assert (f"{option} {folder / file}: " in line) == option.startswith("--")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("option", "kind"), SAID)
def test_what_is_in_a_file_is_named_by_the_reader_of_an_option(folder, monkeypatch, tmp_path, option, kind):
    """The words are those of the option, and name the one that takes the file."""
    monkeypatch.chdir(tmp_path)
    command, words, _, _ = OPTIONS[option]
    file = folder / TAKEN_BY[kind][0]
    line = refused(command(*[file if word is None else word for word in words]), 1, *SAID[option, kind])
    assert f"{file}: " in line
    assert "not a network" not in line and "hooks tried" not in line


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_missing_is_named_before_a_network_is_opened(tmp_path, unopened, option):
    command, words, _, _ = OPTIONS[option]
    missing = tmp_path / "none.pkl"
    refused(command(*[missing if word is None else word for word in words]), 1, f"{missing}: no such file")


@pytest.mark.parametrize(
    "command",
    [
        ["render", "--video", "gif"],
        ["sheet"],
        ["edit", "--edit", "0=1"],
        ["plane", "--across", "0", "--down", "1", "--video", "gif"],
        ["factorize"],
        ["evaluate", "rescore"],
        ["evaluate", "baselines", "--methods", "sefa"],
        ["evaluate", "hierarchy"],
        ["evaluate", "truth", "--variants", "0"],
        ["evaluate", "ganspace"],
        ["evaluate", "boundary"],
    ],
    ids=lambda words: words[-1] if words[0] == "evaluate" else words[0],
)
def test_an_outdir_is_checked_first_in_every_command(tmp_path, unopened, monkeypatch, command):
    file = tmp_path / "file"
    file.write_text("x")
    refused(sefa(*command, *NET, "--outdir", file), 1, f"{file}: is a file, and no folder")
    refused(sefa(*command, *NET, "--outdir", file / "out"), 1, f"cannot be made, {file} is a file")
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    refused(sefa(*command, *NET, "--outdir", tmp_path / "out"), 1, "cannot be written to")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("command", [["import", None], ["convert", *NET], ["export", None, "--format", "npz"]])
def test_an_output_is_checked_first(folder, unopened, command):
    file = folder / ("directions.safetensors" if command[0] == "export" else "array.npy")
    words = [file if word is None else word for word in command]
    refused(sefa(*words, "--output", folder), 2, "is a folder; name a file in it")
    refused(sefa(*words, "--output", folder / "x.txt"), 2, "the name must end in")
    refused(sefa(*words, "--output", folder / "notes.txt" / "x.npz"), 1, "is a file, and no folder")


@pytest.mark.parametrize(
    "command",
    [
        [gen],
        [sefa, "render"],
        [sefa, "demo"],
        [sefa, "plane", "--across", "0", "--down", "1"],
        [sefa, "render", "--recipe", None, "--animate", "edit"],
    ],
    ids=["gen-sefa", "render", "demo", "plane", "recipe"],
)
def test_ffmpeg_is_tried_before_a_network_is_opened(tmp_path, monkeypatch, request, command):
    def no_program():
        raise mp4.VideoError("mp4 needs ffmpeg, which was not found: pip install imageio-ffmpeg")

    run, *words = command
    if "--recipe" in words:
        assert sefa("edit", *NET, "--seeds", 0, "--edit", "0=1", "--outdir", tmp_path).exit_code == 0
        words = [tmp_path if word is None else word for word in words]
    elif "demo" not in words:
        words += NET
    request.getfixturevalue("unopened")
    monkeypatch.setattr("sefa_plugin.runs.output_settings.check_ffmpeg", no_program)
    refused(run(*words), 1, "mp4 needs ffmpeg")


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (["baselines", "--methods", "sefa,interfacegan-c"], "sklearn"),
        (["truth", "--variants", "13"], "sklearn"),
        (["boundary"], "sklearn"),
        (["rescore", "--scorer", "clip", "--clip-model", "x", "--attribute", "x=a|b"], "transformers"),
        (["hierarchy", "--scorer", "onnx:x.onnx"], "onnxruntime"),
        (["baselines", "--methods", "sefa", "--features", "onnx:x.onnx"], "onnxruntime"),
    ],
)
def test_extras_are_looked_for_before_a_network_is_opened(unopened, monkeypatch, words, package):
    monkeypatch.setitem(sys.modules, package, None)
    refused(sefa("evaluate", *words, *NET), 1, "which is not installed; type: ", "-m pip install ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["baselines", "--methods", "sefa,pca"], "method 'pca'"),
        (["baselines", "--methods", "sefa", "--features", "none", "--real", "."], "name one with --features"),
        (["truth", "--variants", "99"], "--variants 99"),
        (["rescore", "--scorer", "smile"], "scorer 'smile': expected demo, clip"),
    ],
)
def test_names_of_methods_and_scorers_are_checked_first(tmp_path, unopened, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("real.png")
    refused(sefa("evaluate", *words, *NET), 2, says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sheet", "--directions", "99"], "direction 99"),
        (["sheet", "--directions", "smile"], "direction smile"),
        (["sheet", "--device", "cuda"], "--device cuda"),
        (["edit", "--edit", "0=auto", "--edit", "1=2@99"], "layers '99'"),
        (["edit", "--edit", "0=auto", "--edit", "smile=2"], "smile"),
        (["plane", "--across", "0", "--down", "1", "--edit-layers", "99"], "layers '99'"),
        (["evaluate", "rescore", "--directions", "smile"], "direction smile"),
        (["evaluate", "baselines", "--layers", "each"], "gives 10 groups"),
        (["evaluate", "ganspace", "--layers", "each"], "gives 10 groups"),
        (["evaluate", "boundary", "--layers", "coarse,fine"], "gives 2 groups"),
    ],
)
def test_names_and_layers_are_checked_before_a_generator_is_built(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("sefa_plugin.networks.building.build_network", None)
    refused(sefa(*words, *NET), 2, says)
    assert not list(tmp_path.iterdir())  # no empty folder is left


def test_kinds_by_their_first_bytes(tmp_path):
    path = tmp_path / "x"
    for start, kind in (
        (b"\x89PNG\r\n", "picture"),
        (b"RIFF1234WEBP", "picture"),
        (b"\0\0\0\x18ftypheic", "picture"),
        (b"\0\0\0\x18ftypisom", "video"),
        (b"\x93NUMPY\x01", "arrays"),
        (b"cdnnlib.tflib.network\nNetwork\n", ""),  # a pickle of protocol 0 is a text
        (b"", ""),
    ):
        path.write_bytes(start)
        assert files.kind_of(path) == kind


@pytest.mark.parametrize("words", ["name ADDRESS", "sheet --network demo --outdir ADDRESS"])
def test_an_address_where_none_is_taken_keeps_its_token(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sefa(*words.replace("ADDRESS", "https://host.invalid/x.pkl?token=secret-word").split())
    assert result.exit_code == 1
    assert "x.pkl?<token>" in result.output and "secret-word" not in result.output
    assert not list(tmp_path.iterdir())


def test_names_are_of_directions_files(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    refused(sefa("name", tmp_path / "photo.png", "3", "x"), 1, "is a picture; expected a directions file, or a folder")
