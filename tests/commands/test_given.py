"""From what is typed to settings: each option reaches the field that it is for, parsed."""

import click
import numpy as np
import pytest
from click.testing import CliRunner

from sefa_plugin.commands import given as module
from sefa_plugin.commands import options
from sefa_plugin.directions.factorization import Factorisation
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.typed_edits import TypedAxis, TypedEdit
from sefa_plugin.runs.output_settings import OutputSettings
from sefa_plugin.runs.settings import NetworkChoice, SettingsError, Wanted


def given(*words):
    """What a command with the options of all jobs is given."""
    held = {}

    @click.command()
    @options.network
    @options.factorisation
    @options.latents
    @options.which_directions
    @options.video
    @options.rendering
    @options.edits
    @options.outdir
    @options.strict
    def command(**typed):
        held.update(typed)

    result = CliRunner().invoke(command, ["--network", "x.pkl", *words])
    assert result.exit_code == 0, result.output
    return held


def test_nothing_but_a_network():
    typed = given()
    assert module.network_choice(typed) == NetworkChoice("x.pkl")
    assert module.factorisation(typed) == Factorisation()
    assert module.wanted(typed) == Wanted(count=5)
    assert module.look(typed) == Look()
    assert module.seeds(typed) == [0, 1, 2]
    assert module.output_settings(typed, sheet=True) == OutputSettings()
    assert typed["distance"] is None and typed["edits"] == ()


def test_every_option_reaches_its_field():
    digest = "ab" * 32
    words = f"--which G --sha256 {digest} --trust-pickle --allow-local --strict --device cpu"
    words += " --seeds 3,5-6 --class 2 --trunc 0.5 --background #102030"
    words += " --trunc-cutoff 4 --noise-mode none --translate 0.1,-2"
    words += " --rotate 30 --camera 20,-10 --fov-deg 12 --precision float32 --directions 0,-1,smile -K 7"
    words += " --directions-file d.safetensors --edit-layers 4-7 --distance -2,3 --frames 9 --fps 12 --loop once"
    words += " --easing sine --video gif --grid --captions --size 200 --max-mb 2 --edit coarse:smile=+2@4-7"
    typed = given(*words.split())
    assert module.network_choice(typed) == NetworkChoice("x.pkl", "G", digest, True, True, True, "cpu")
    assert module.network_choice(typed, "y.pkl").path == "y.pkl"
    assert module.factorisation(typed) == Factorisation()
    found = given(*["--layers", "coarse", "--space", "w", "--no-normalize", "--torgb", "always"])
    assert module.factorisation(found) == Factorisation("coarse", "w", False, "always")
    sharp = given("--sharpen", "pictures", "--code-samples", "2000")
    assert module.factorisation(sharp) == Factorisation(sharpen="pictures", code_samples=2000)
    wanted = module.wanted(typed)
    assert (wanted.keys, wanted.count, str(wanted.file)) == ((0, -1, "smile"), 7, "d.safetensors")
    assert wanted.edit_layers == "4-7"
    assert module.look(typed) == Look(
        trunc=0.5,
        trunc_cutoff=4,
        noise_mode="none",
        label=2,
        translate=(0.1, -2.0),
        rotate=30.0,
        camera=(20.0, -10.0),
        fov=12.0,
        force_fp32=True,
        background=(16, 32, 48),
    )
    assert module.seeds(typed) == [3, 5, 6]
    assert typed["distance"] == (-2.0, 3.0)
    assert typed["edits"] == (TypedEdit("coarse", "smile", 2.0, False, "4-7"),)
    assert module.output_settings(typed, sheet=False) == OutputSettings(
        frames=9,
        fps=12.0,
        loop="once",
        easing="sine",
        video="gif",
        max_width=200,
        max_bytes=2_000_000,
        captions=True,
        grid=True,
        sheet=False,
    )


def test_what_depends_on_the_kind_of_output():
    assert module.output_settings(given("--video", "gif"), sheet=True).max_width == 480
    assert module.output_settings(given("--video", "gif"), sheet=True).fps == 15
    assert module.output_settings(given("--size", "native"), sheet=True).max_width is None
    usual = module.output_settings(given("--loop", "once"), sheet=True, frames=120, loop="closed", easing="cubic")
    assert (usual.frames, usual.loop, usual.easing) == (120, "once", "cubic")
    assert module.seeds(given("--projected-w", "w.npz")) == []
    assert module.seeds(given("--projected-w", "w.npz", "--seeds", "4")) == [4]


@pytest.mark.parametrize(
    "option", ["--layers coarse", "--space z", "--no-normalize", "--torgb never", "--sharpen layers"]
)
def test_how_directions_are_found_contradicts_a_file_of_some(option):
    """The line names what to leave out; without it the command runs."""
    with pytest.raises(SettingsError, match=f"{option.split()[0]} .*--directions-file .*leave ") as caught:
        module.factorisation(given("--directions-file", "d.safetensors", *option.split()))
    assert ("--edit-layers chooses what they change" in str(caught.value)) == (option == "--layers coarse")
    assert module.factorisation(given("--directions-file", "d.safetensors", "--edit-layers", "coarse"))


def test_classes_and_labels(tmp_path):
    def look(*words):
        return module.look(given(*words))

    assert look().label is None
    assert look("--label", "0.5,0,-1").label == (0.5, 0.0, -1.0)
    np.save(tmp_path / "label.npy", np.array([0.25, 0.75]))
    assert look("--label", str(tmp_path / "label.npy")).label == (0.25, 0.75)
    parts = module.of_each_class(given("--class", "0,2,5-6"))
    assert [(part["part"], module.look(part).label) for part in parts] == [(f"class{c}", c) for c in (0, 2, 5, 6)]
    (whole,) = module.of_each_class(given("--class", "3"))
    assert "part" not in whole
    for words, says in ((["--class", "0,2"], "one class at a time"), (["--class", "1", "--label", "1"], "leave one")):
        with pytest.raises(click.UsageError, match=says):
            look(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--class", "cat"], "'--class': class 'cat': expected numbers"),
        (["--label", "1,x"], "'--label': '1,x': expected numbers like 0.5,0,0.5, or a file with them"),
        (["--label", "none.npy"], "'--label': none.npy: no such file"),
        (["--background", "x"], "'--background': 'x': expected a colour like black or #203040"),
        (["--seeds", "1,x"], "'--seeds': seed '1,x'"),
        (["--distance", "5,-5"], "'--distance': distance '5,-5'"),
        (["--directions", "1,,2"], "'--directions': "),
        (["--trunc", "nan"], "'--trunc': nan is not a finite number"),
        (["--translate", "1"], "'--translate': '1': expected two numbers like 0.3,0"),
        (["--size", "1"], "'--size': '1': expected a width in pixels (2-16384), or native"),
        (["--fps", "0"], "'--fps': 0 is not in the range 1<=x<=1000"),
        (["--max-mb", "0"], "'--max-mb': 0 is not in the range x>=0.01"),
        (["--edit", "smile"], "'--edit': edit 'smile'"),
    ],
)
def test_what_cannot_be_read_names_the_option(words, says):
    with pytest.raises(AssertionError) as caught:
        given(*words)
    assert says in str(caught.value)


def test_an_axis_is_parsed():
    assert options.AXIS.convert("fine:0=-1,3", None, None) == TypedAxis("fine", 0, (-1.0, 3.0), "")
    assert options.AXIS.convert("smile", None, None) == TypedAxis("", "smile", None, "")
