"""Commands that make outputs again, from the words that were typed, or from the settings of a run from Python."""

import numpy as np
import pytest

from sefa_plugin.directions.directions import Directions
from sefa_plugin.directions.kept import KeptDirections
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.shards import View
from sefa_plugin.rendering.typed_edits import MeasuredRange, parse_axis, parse_distance
from sefa_plugin.runs.output_settings import OutputSettings
from sefa_plugin.runs.reproduce import from_python, number, of_direction, of_edits, of_plane, of_run
from sefa_plugin.runs.settings import NetworkChoice, Wanted


def directions(**other):
    fields = {"vectors": np.eye(4), "eigenvalues": np.arange(4, 0, -1), "layers": (0, 1, 3), "label": "all"}
    return Directions.of(**{**fields, **other})


TYPED = ["gen-sefa", "--network", "ffhq.pkl", "--seeds", "0,7", "--layers", "coarse,0-1,5", "-K", "3", "--grid"]


def test_the_command_of_one_direction():
    command = of_direction([*TYPED, "--outdir=out", "--overwrite"], directions(label="0-1_5"), 2, (-1.5, 2.0))
    assert command == "gen-sefa --network ffhq.pkl --seeds 0,7 --directions 2 --layers 0-1,5 --distance=-1.5,2"
    again = of_direction(TYPED, directions(label="0-1_5"), 2, (-1.5, 2.0), measured=True)
    assert again.endswith("--layers 0-1,5 --distance auto:-1.5,2")
    assert parse_distance("auto:-1.5,2") == MeasuredRange(-1.5, 2.0) == parse_distance("-1.5,2")


@pytest.mark.parametrize(
    ("label", "layers"),
    [
        ("all", ""),
        ("coarse", "--layers coarse "),
        ("0-1_5@coarse", "--layers 0-1,5 "),
        ("layer03", "--layers layer03 "),
        ("layer12@0-1", "--layers layer12 "),
    ],
)
def test_labels_become_layers_again(label, layers):
    held = directions(label=label)
    command = of_direction(["sefa", "render", "--layers=coarse,fine", "-K3"], held, 0, (0.0, 1 / 3))
    assert command == f"sefa render --directions 0 {layers}--distance 0,0.3333333333333333"


def test_directions_of_a_file_and_of_z_have_their_own_layers():
    words = ["sefa", "sheet", "--directions-file", "d.safetensors", "--directions", "smile"]
    again = "sefa sheet --directions-file d.safetensors --directions 1 --distance=-1,1"
    assert of_direction(words, directions(label="coarse"), 1, (-1, 1)) == again
    words = ["sefa", "sheet", "--space", "z", "--num-directions", "9"]
    held = directions(label="z", space="z", layers=())
    assert of_direction(words, held, 1, (-1, 1)) == "sefa sheet --space z --directions 1 --distance=-1,1"


def test_the_command_of_edits_has_their_numbers_and_distances():
    held = directions(names=("", "smile", "", ""))
    edits = [edit_of(held, "smile", -0.1), edit_of(held, 3, 1 / 3), edit_of(held, 0, 2)]
    words = ["sefa", "edit", "--edit", "smile=-50%", "--trunc", "0.7", "--edit=coarse:-1=auto@4-7", "--edit", "z:0=2"]
    want = "sefa edit --trunc 0.7 --edit 1=-0.1 --edit coarse:3=+0.3333333333333333@4-7 --edit z:0=+2"
    assert of_edits([*words, "--outdir", "out"], edits) == want
    words = ["sefa", "render", "--recipe", "out", "--animate", "walk"]
    assert of_edits([*words, "--overwrite"], edits) == "sefa render --recipe out --animate walk"


def test_the_command_of_a_plane_has_its_ranges():
    held = directions(names=("", "smile", "", ""))
    edits, typed = [edit_of(held, "smile", 1), edit_of(held, 3, 1)], [parse_axis("smile"), parse_axis("fine:-1=2@0-3")]
    words = ["sefa", "plane", "--across", "smile", "--down=fine:-1=2@0-3", "--debug"]
    want = "sefa plane --across 1=auto:-0.1,1.25 --down fine:3=-2,2@0-3"
    assert of_plane(words, typed, edits, [(-0.1, 1.25), (-2.0, 2.0)]) == want


def test_without_a_command_there_is_none():
    held = directions()
    assert of_direction([], held, 0, (-1, 1)) == of_edits([], [edit_of(held, 0, 1)]) == of_run([]) == ""


def test_numbers_have_all_digits():
    assert [number(value) for value in (2.0, -0.1, 1 / 3, np.float64(1.5), 1e-7, 3)] == [
        *("2", "-0.1", "0.3333333333333333", "1.5", "1e-07", "3")
    ]


def from_settings(view=None, wanted=None, output=None, distance=None, held=None, **choice):
    return " ".join(
        from_python(
            NetworkChoice(**{"path": "ffhq.pkl", **choice}),
            view or View(Look(), (0, 7)),
            [KeptDirections(held or directions())],
            wanted or Wanted(count=2),
            output or OutputSettings(),
            distance,
        )
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "gen-sefa --network ffhq.pkl --seeds 0,7 --layers all -K 2 --video mp4"),
        ({"output": OutputSettings(sheet=False)}, "sefa render --network ffhq.pkl"),
        ({"which": "G", "sha256": "ab", "trust_pickle": True}, "--which G --sha256 ab --trust-pickle"),
        ({"view": View(Look(trunc=0.7, label=2, rotate=15.0), (1,))}, "--trunc=0.7 --class=2 --rotate=15.0"),
        ({"view": View(Look(label=(0.5, -1.0, 0.0)), (1,))}, "--label=0.5,-1,0"),
        ({"view": View(Look(background=(16, 32, 48)), (1,))}, "--background=#102030"),
        ({"view": View(Look(translate=(0.1, -1 / 3)), (1,))}, "--translate=0.1,-0.3333333333333333"),
        ({"view": View(Look(force_fp32=True, noise_mode="none"), (1,))}, "--noise-mode=none --precision float32"),
        ({"view": View(Look(camera=(-5.0, 2.0), fov=20.0), (1,))}, "--fov-deg=20.0 --camera=-5.0,2.0"),
        ({"view": View(Look(), (), np.zeros((1, 2, 4)), ws_file="w.npz")}, "--projected-w w.npz"),
        ({"wanted": Wanted((0, -1, "smile"), edit_layers="0-1")}, "--edit-layers 0-1 --directions=0,-1,smile"),
        ({"wanted": Wanted(count=4, order="clean")}, "-K 4 --order clean"),
        ({"held": directions(space="z", layers=(), label="z")}, "--space z"),
        ({"held": directions(normalize=False, torgb="never")}, "--no-normalize --torgb never"),
        ({"distance": (-2.0, 3.5)}, "--distance=-2,3.5"),
        (
            {"output": OutputSettings(frames=12, fps=25, captions=True, grid=True)},
            "--frames 12 --fps 25 --captions --grid",
        ),
        ({"output": OutputSettings.of_kind("gif", easing="sine")}, "--video gif --easing sine"),
        ({"output": OutputSettings.of_kind("gif", max_mb=2.5, width="native")}, "--size native --max-mb 2.5"),
    ],
)
def test_the_command_of_a_run_from_python(given, words):
    assert words in from_settings(**given)


def test_what_is_in_no_file_has_no_command():
    assert from_settings(view=View(Look(), (), np.zeros((1, 2, 4)))) == ""
    assert from_settings(held=directions(origin="factor.pt")) == ""
