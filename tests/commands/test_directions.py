import json
import shlex

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from sefa_plugin import Directions, NetworkChoice, Session
from sefa_plugin.commands.cli import sefa


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*words, code=0):
        result = CliRunner().invoke(sefa, [str(word) for word in words])
        assert result.exit_code == code, result.output
        if code:
            assert result.stderr.count("Error: ") == 1 and "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def network(golden):
    return golden("sg2ada-skip-64").pickle


@pytest.fixture
def factorised(run, network, tmp_path):
    run("factorize", "--network", network, "--outdir", tmp_path / "own")
    return tmp_path / "own" / "directions.safetensors"


def test_a_permuted_and_turned_file_is_matched_back_exactly(run, factorised, tmp_path):
    held = Directions.load(factorised)
    order, signs = np.random.RandomState(0).permutation(32), np.random.RandomState(1).choice([-1, 1], 32)
    shuffled = (held.vectors * signs[:, None])[order]
    torch.save({"ckpt": "old.pt", "eigvec": torch.from_numpy(shuffled.T.copy())}, tmp_path / "old.pt")
    told = json.loads(run("compare", "old.pt", factorised, "--json").stdout)
    assert [one["match"] for one in told["matches"]] == order.tolist() == [one["nearest"] for one in told["matches"]]
    assert [one["sign"] for one in told["matches"]] == signs[order].tolist()
    assert min(abs(one["cosine"]) for one in told["matches"]) > 1 - 1e-6
    assert max(told["angles"][-1]["degrees"]) < 1e-3 and told["b"]["layers"] == list(range(10))
    lines = run("compare", "old.pt", factorised, "--directions", "17").stdout.splitlines()
    assert f"   17 {order[17]:>5}  {signs[order[17]] * 1.0:+.4f}" in lines[3]
    assert len(run("compare", "old.pt", factorised).stdout.splitlines()) > 25


def test_networks_are_compared_by_what_they_factorise_to(run, network, golden, factorised):
    told = json.loads(run("compare", network, factorised, "--json").stdout)
    assert [one["match"] for one in told["matches"]] == list(range(32))
    assert json.loads(run("compare", network, factorised.parent, "--json").stdout)["matches"] == told["matches"]
    assert "this folder holds none" in run("compare", network, ".", code=1).stderr
    told = run("compare", network, factorised, "--layers", "middle")
    assert "changes layers 3-6" in told.stdout
    other = run("compare", golden("sg2ada-cond-32").pickle, "demo", code=1).stderr
    assert "they belong to different networks" in other
    assert "3 groups" in run("compare", network, factorised, "--layers", "coarse,middle,fine", code=2).stderr
    assert "has 32 (0-31)" in run("compare", network, factorised, "--directions", "32", code=2).stderr
    run("compare", network, "none.pt", code=1)


def test_a_comparison_asks_nothing_back(run, factorised):
    np.save("many.npy", np.random.RandomState(0).randn(40, 32))  # `sefa import` asks: there are 32 dimensions
    run("compare", "many.npy", factorised)


def test_import_and_what_can_be_done_with_it(run, network, tmp_path):
    direction = np.random.RandomState(0).randn(1, 32).astype("f4") * 3
    np.save("smile.npy", direction)
    told = run("import", "smile.npy", "--network", network, "--layers", "middle")
    assert "a step of 1 in the file is a distance of" in told.stderr
    held = Directions.load("smile-directions.safetensors")
    assert held.layers == (3, 4, 5, 6) and held.eigenvalues[0] > 0 and held.label == "smile"
    np.testing.assert_allclose(held.vectors, direction / np.linalg.norm(direction), atol=1e-6)
    words = ["--network", network, "--directions-file", "smile-directions.safetensors", "--seeds", "1"]
    run("sheet", *words, "--distance", "2", "--outdir", "out")
    assert (tmp_path / "out/sheets/smile-dir00.jpg").exists()
    outputs = json.loads((tmp_path / "out/run.json").read_text())["outputs"]
    about = outputs["sheets/smile-dir00.jpg"]["about"]
    assert about["title"] == "Direction 0, smile"
    assert "--directions-file smile-directions.safetensors" in about["command"]
    assert "--layers" not in about["command"]
    run("edit", *words, "--edit", "0=+2", "--outdir", "edited")


def test_rows_for_each_layer_through_to_pictures(run, network, tmp_path):
    rows = np.zeros((10, 32), "f4")
    rows[4:6] = np.random.RandomState(0).randn(2, 32)
    np.save("edit.npy", rows)
    told = run("import", "edit.npy", "--network", network)
    assert "a row for each layer, changing layers 4, 5" in told.stdout and "--rows directions" in told.stderr
    run("import", "edit.npy", "--rows", "layers", "--output", "same.safetensors")  # no network is needed
    assert (Directions.load("same.safetensors").vectors == Directions.load("edit-directions.safetensors").vectors).all()
    words = ["--network", network, "--directions-file", "edit-directions.safetensors", "--seeds", "1"]
    run("render", *words, "--frames", "3", "--video", "png", "--outdir", "out")  # calibrated, too
    assert (tmp_path / "out/videos/edit-dir00").is_dir()
    run("edit", *words, "--edit", "0=+2", "--outdir", "edited")
    told = run("edit", *words, "--edit", "0=+2@2", "--outdir", "edited", code=2).stderr
    assert "no other ones" in told


def test_export(run, factorised, tmp_path):
    run("name", factorised, 3, "smile")
    told = run("export", factorised, "--format", "npy", "--directions", "smile", "--output", "smile.npy")
    assert "smile.npy: 1 direction as npy" in told.stdout and "names are not kept" in told.stderr
    assert np.load("smile.npy").shape == (1, 32)
    assert (
        "exists; use --overwrite"
        in run("export", factorised, "--format", "npy", "--output", "smile.npy", code=2).stderr
    )
    assert np.load("smile.npy").shape == (1, 32)
    run("export", factorised, "--format", "npy", "--output", "smile.npy", "--overwrite")
    assert np.load("smile.npy").shape == (32, 32)
    assert (
        "must end in .pt or .pth" in run("export", factorised, "--format", "factor", "--output", "x.npy", code=2).stderr
    )
    run("export", factorised, "--format", "npy", "--directions", "99", "--output", "x.npy", code=2)
    run("export", "none.safetensors", "--format", "npy", "--output", "x.npy", code=1)
    run("export", factorised, "--format", "csv", "--output", "x.csv", code=2)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["d.npy"], 1, "d.npy: does not say which layers its directions change; give --network"),
        (["d.npy", "--layers", "middle"], 2, "need --network"),
        (["d.npy", "--layers", "0-3", "--output", "x.npy"], 2, "must end in .safetensors"),
        (["d.npy", "--layers", "0-3", "--output", "there.safetensors"], 2, "exists; use --overwrite"),
        (["none.npy", "--layers", "0-3"], 1, "none.npy: no such file"),
        (["there.safetensors", "--layers", "0-3"], 1, "no whole safetensors"),
        (["wide.npy", "--network", "NETWORK"], 1, "33 components, the network's latents have 32 or 48"),
        (["wide.npy", "--network", "NETWORK", "--space", "z"], 1, "latents have 48"),
        (["z.npy", "--network", "NETWORK"], 1, "48 components, W of sg2ada-skip-64 has 32"),
        (["d.npy", "--network", "none.pkl"], 1, "none.pkl: no such file"),
    ],
)
def test_what_cannot_be_imported_is_one_line(run, network, words, code, says):
    np.save("d.npy", np.eye(32)[:2])
    np.save("wide.npy", np.eye(33)[:2])
    np.save("z.npy", np.eye(48)[:2])
    with open("there.safetensors", "wb") as file:
        file.write(b"\x08\0\0\0\0\0\0\0{there")
    told = run("import", *[network if word == "NETWORK" else word for word in words], code=code)
    assert says in told.stderr
    with open("there.safetensors", "rb") as file:
        assert file.read().endswith(b"{there")


def test_sharp_directions_have_a_file_names_and_outputs_of_their_own(run, golden, tmp_path):
    network = golden("sg2-in-sg3-32").pickle
    arguments = ("--network", network, "--outdir", "out", "--layers", "middle", "-K", "1", "--seeds", "1")
    run("sheet", *arguments)
    run("name", "out", "0", "plain")
    run("sheet", *arguments, "--sharpen", "layers")
    out = tmp_path / "out"
    files = {path.name: Directions.load(path) for path in out.glob("directions*.safetensors")}
    assert {held.sharpen for held in files.values()} == {"none", "layers"}
    assert sorted(path.name for path in (out / "sheets").glob("middle*")) == [
        "middle-dir00.jpg",
        "middle-sharp-dir00.jpg",
    ]
    run("name", "out", "middle-sharp:0", "clean")
    edit = ("edit", "--network", network, "--seeds", "1", "--outdir")
    run(*edit, "one", "--edit", "middle-sharp:0=1")
    run(*edit, "two", "--edit", "middle:0=1", "--sharpen", "layers")
    assert (tmp_path / "one/seed0001.png").read_bytes()[-500:] == (tmp_path / "two/seed0001.png").read_bytes()[-500:]
    file = str(next(out.glob("directions*sharp*")))
    assert (
        "leave one of them out"
        in run("sheet", *arguments, "--sharpen", "layers", "--directions-file", file, code=2).stderr
    )
    assert "1 kept" not in run("sheet", *arguments, "--sharpen", "layers", "--directions", "clean").output
    (sharp,) = (Directions.load(out / name) for name, held in files.items() if held.sharpen == "layers")
    (plain,) = (Directions.load(out / name) for name, held in files.items() if held.sharpen == "none")
    assert sharp.names[0] == "clean" and plain.names[0] == "plain"
    entry = json.loads((out / "run.json").read_text())["outputs"]["sheets/middle-sharp-dir00.jpg"]
    assert "--sharpen layers" in entry["about"]["command"] and "acts in layer" in entry["about"]["note"]


def test_the_clean_ones_of_sharp_directions_come_first(run, golden, tmp_path, monkeypatch):
    monkeypatch.setattr("sefa_plugin.directions.sharpening.SAMPLES", 2)
    network = golden("sg2-in-sg3-32").pickle
    arguments = ("--network", network, "--outdir", "out")
    told = run("factorize", *arguments, "--sharpen", "layers", "--order", "clean").output
    (held,) = (Directions.load(file) for file in (tmp_path / "out").glob("directions*"))
    first = held.in_order("clean")
    assert f"one thing first: {', '.join(map(str, first[:10]))}" in told and first[:2] != [0, 1]
    found = json.loads(run("factorize", *arguments, "--sharpen", "layers", "--order", "clean", "--json").stdout)
    assert found[0]["clean"] == first and found[0]["alike"] == [score.alike for score in held.scores]

    sheets = ("sheet", *arguments, "--sharpen", "layers", "-K", "2", "--seeds", "1")
    run(*sheets, "--order", "clean")
    stems = [f"all-sharp-dir{index:02d}" for index in first[:2]]
    assert sorted(file.stem for file in (tmp_path / "out/sheets").glob("all*")) == sorted(stems)
    page = (tmp_path / "out/index.html").read_text()
    assert page.index(f'id="{stems[0]}') < page.index(f'id="{stems[1]}') and "one thing come first" in page
    entry = json.loads((tmp_path / "out/run.json").read_text())["outputs"][f"sheets/{stems[0]}.jpg"]
    command = entry["about"]["command"]
    assert f"--directions {first[0]}" in command and "--order" not in command and "clean" not in command
    run(*sheets)
    stems = {*stems, "all-sharp-dir00", "all-sharp-dir01"}
    assert {file.stem for file in (tmp_path / "out/sheets").glob("all*")} == stems
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("of its change is the same in all pictures") == len(stems)  # of kept sheets, too
    run("sheet", *arguments, "--directions", "3", "--seeds", "1", "--order", "clean")
    _, plain, sharp = (tmp_path / "out/index.html").read_text().split('<h2 id="layers-all')
    assert "one thing come first" in sharp and "one thing come first" not in plain
    for command in ("sheet", "factorize"):
        for way in ((), ("--region", "0,0,0.5,1"), ("--space", "z")):
            told = run(command, *arguments, *way, "--order", "clean", code=2).stderr
            assert "only directions of --sharpen layers or pictures have the order clean" in told
            assert "pictures to render" not in told


@pytest.fixture
def few_pictures(monkeypatch):
    for name, value in (("DIMENSIONS", 4), ("FOUND_WITH", 2), ("APART", 1)):
        monkeypatch.setattr(f"sefa_plugin.directions.sharpening.{name}", value)


def test_local_directions_have_a_region_a_file_and_a_box(run, golden, tmp_path, few_pictures):
    network = golden("sg2-in-sg3-32").pickle
    arguments = ("--network", network, "--outdir", "out")
    told = run("factorize", *arguments, "--region", "0.25,0.5,0.5,0.25")
    assert "4 directions of all-in-0.25_0.5_0.5_0.25, of their change inside " in told.output
    run("name", "out", "all-in-0.25_0.5_0.5_0.25:1", "mouth")
    run("sheet", *arguments, "--region", "0.25,0.5,0.5,0.25", "--directions", "mouth", "--seeds", "1")
    entry = json.loads((tmp_path / "out/run.json").read_text())["outputs"]["sheets/all-in-0.25_0.5_0.5_0.25-dir01.jpg"]
    assert "--region 0.25,0.5,0.5,0.25" in entry["about"]["command"]
    assert "of its change is inside 0.25,0.5,0.5,0.25" in entry["about"]["note"]
    edit = ("edit", "--network", network, "--seeds", "1", "--outdir")
    run(*edit, "one", "--edit", "all-in-0.25,0.5,0.5,0.25:1=1")
    run(*edit, "two", "--edit", "1=1", "--region", "0.25,0.5,0.5,0.25")
    run(*edit, "three", "--edit", "1=1", "--directions-file", next((tmp_path / "out").glob("directions*")))
    pictures = {name: (tmp_path / name / "seed0001.png").read_bytes()[-500:] for name in ("one", "two", "three")}
    assert len(set(pictures.values())) == 1

    white = np.zeros((20, 20), np.uint8)
    white[10:, 5:15] = 255
    Image.fromarray(white).save("lower.png")
    (told,) = json.loads(run("factorize", *arguments, "--region", "lower.png", "--json").stdout)
    assert told["region"].startswith("mask:lower:") and len(told["inside"]) == 4 and told["names"] == [""] * 4
    assert "no directions of this mask" in run(*edit, "four", "--edit", "all-in-x.123456:0=1", code=2).stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--region", "0.5,0.5,0.6,0.2"), "more than the picture"),
        (("--region", "lips.png"), "there is no such file"),
        (("--region", "0.3,0.3,0.2,0.2", "--sharpen", "layers"), "leave --sharpen out"),
        (("--region", "0.3,0.3,0.2,0.2", "--no-normalize"), "--region uses rows as they are"),
        (("--region", "0.3,0.3,0.2,0.2", "--space", "z"), "use space w"),
    ],
)
def test_a_region_that_cannot_be_used_is_one_line(run, network, words, text):
    assert text in run("factorize", "--network", network, *words, code=2).stderr


def test_what_cannot_be_sharpened_is_one_line(run, network):
    for words, text in (
        (("--no-normalize",), "leave out --no-normalize and --torgb"),
        (("--space", "z"), "use space w"),
        (("--code-samples", "10"), "10 code samples: at least 512 are needed"),
        (("--layers", "each"), "two layers or more"),
    ):
        assert text in run("factorize", "--network", network, "--sharpen", "layers", *words, code=2).stderr


@pytest.mark.parametrize(
    ("name", "held", "hint"),
    [
        ("age_boundary.npy", np.ones((1, 64)) * np.arange(64), "--space z"),
        ("x.npy", np.random.RandomState(0).randn(18, 64), "--rows directions"),
        ("x.npy", np.random.RandomState(0).randn(70, 64), "--rows directions"),
        ("x.npy", np.random.RandomState(0).randn(10, 64), "--rows directions"),
    ],
)
def test_what_an_import_says_to_type_works(run, name, held, hint):
    """And then it is not said again."""
    np.save(name, held)
    words = ["import", name, "--network", "demo", "--overwrite"]
    told = CliRunner().invoke(sefa, words).stderr
    assert hint in told and " of Z" not in told.replace("of W or Z", "").replace("takes it as of Z", "")
    again = run(*words, *hint.split())
    assert hint not in again.stderr
    made = Directions.load(f"{name.split('.')[0]}-directions.safetensors")
    assert (made.space, made.per_row) == ("z" if "z" in hint.split() else "w", False)
    assert len(made) == len(held)


@pytest.mark.parametrize(
    ("held", "words", "hint"),
    [
        (np.eye(64)[:2], [], "--layers like 0-17"),
        (np.eye(64)[:2], [], "--rows layers"),
        (np.eye(64)[:2], [], "--network"),
        (
            np.eye(64)[:10] * np.arange(1, 11)[:, None],
            ["--network", "demo", "--rows", "layers", "--space", "z"],
            "--space w",
        ),
    ],
)
def test_what_an_import_that_fails_says_to_type_works(run, held, words, hint):
    np.save("x.npy", held)
    assert hint in run("import", "x.npy", *words, code=1).stderr
    typed = {"--network": "--network demo"}.get(hint, hint.replace(" like", "")).split()
    run("import", "x.npy", *words, *typed)


def test_a_layer_that_is_left_out_is_taken_along_by_what_is_named(run, golden):
    net = golden("sg3t-64").pickle
    np.save("x.npy", np.random.RandomState(0).randn(1, Session.open(NetworkChoice(str(net))).sizes["w_dim"]))
    said = run("import", "x.npy", "--network", net).stderr
    words = said.partition("left out; ")[2].split()[:2]
    assert words[0] == "--layers" and Directions.load("x-directions.safetensors").layers[0] == 1
    assert "left out" not in run("import", "x.npy", "--network", net, *words, "--overwrite").stderr
    assert Directions.load("x-directions.safetensors").layers[0] == 0


@pytest.mark.parametrize("option", ["--projected-w", "--directions-file", "--network"])
def test_directions_at_another_option_are_imported_by_the_command_that_is_named(run, option, tmp_path):
    torch.save({"ckpt": "x", "eigvec": torch.eye(64)}, "my factor.pt")
    words = {"--network": []}.get(option, ["--network", "demo"])
    said = run("edit", *words, option, "my factor.pt", "--edit", "0=1", code=1).stderr
    command = shlex.split(said.partition("`")[2].partition("`")[0].replace("NETWORK", "demo"))
    assert command[0] == "sefa"
    run(*command[1:])
    assert len(Directions.load("my factor-directions.safetensors")) == 64


def test_a_boundary_of_anybody_is_of_w(run):
    np.save("age_boundary.npy", np.random.RandomState(0).randn(1, 64))
    np.save("stylegan_ffhq_age_boundary.npy", np.random.RandomState(0).randn(1, 64))
    said = run("import", "age_boundary.npy", "--network", "demo").stderr
    assert "does not say whether it is of W or Z: taken as of W; --space z takes it as of Z" in said
    assert Directions.load("age_boundary-directions.safetensors").space == "w"
    said = run("import", "stylegan_ffhq_age_boundary.npy", "--network", "demo").stderr
    assert "InterFaceGAN's file of this name is of Z" in said
    assert Directions.load("stylegan_ffhq_age_boundary-directions.safetensors").space == "z"
    said = run("import", "stylegan_ffhq_age_boundary.npy", "--network", "demo", "--space", "w", "--overwrite").stderr
    assert "they are taken as of W" in said
    assert Directions.load("stylegan_ffhq_age_boundary-directions.safetensors").space == "w"


def test_one_edit_of_equal_rows_is_one_direction_that_can_be_moved(run):
    np.save("smile.npy", np.repeat(np.random.RandomState(0).randn(1, 64), 18, 0))
    assert "its 18 rows are equal" in run("import", "smile.npy", "--network", "demo").stderr
    made = Directions.load("smile-directions.safetensors")
    assert made.vectors.shape == (1, 64) and made.layers == tuple(range(10))
    run("edit", "--network", "demo", "--directions-file", "smile-directions.safetensors", "--edit", "0=1@4-7")


def test_a_network_where_directions_are_imported_is_factorised_by_the_command_that_is_named(run, network):
    said = run("import", network, "--network", "demo", code=1).stderr
    command = said.partition("`")[2].partition("`")[0]
    words = command.split()
    assert words[:3] == ["sefa", "factorize", "--network"]
    run(*words[1:], "--outdir", "made")


@pytest.fixture
def marked(run, golden, tmp_path, monkeypatch):
    """The words of a command, and the file that it has made for marks."""
    monkeypatch.setattr("sefa_plugin.runs.apart.PICTURES", 8)
    words = ("sharpen", "--network", golden("sg2-in-sg3-32").pickle, "--outdir", "out", "--apart", "0,2")
    told = run(*words)
    assert "8 pictures to look at" in told.output
    return words, tmp_path / "out/apart/all-0-apart-from-2.json"


@pytest.mark.command
def test_a_direction_is_taken_apart_from_another_by_marks(run, marked, tmp_path):
    words, file = marked
    with Image.open(file.with_suffix(".jpg")) as sheet:
        assert sheet.height > 8 * 100
    held = json.loads(file.read_text())
    for mark in held["marks"]:
        assert mark["wanted"] is None
        mark["wanted"] = abs(mark["amount"] - 0.4) < 0.4
    file.write_text(json.dumps(held))
    assert json.loads(file.read_text()) == held and "8 pictures to look at" in run(*words).output
    assert json.loads(file.read_text()) == held  # marks are not undone
    told = run(*words, "--marks", file)
    wanted = [number for number, mark in enumerate(held["marks"]) if mark["wanted"]]
    for mark in held["marks"]:
        mark["wanted"] = None
    file.write_text(json.dumps(held))
    assert run(*words, "--wanted", ",".join(map(str, wanted))).stdout == told.stdout
    made = Directions.load(tmp_path / "out/directions-all-apart-0-2.safetensors")
    plain = Directions.load(tmp_path / "out/directions.safetensors")
    first, second = (reach * vector for reach, vector in zip(held["reach"], plain.vectors[[0, 2]]))
    cosine = made.vectors[0] @ (first + 0.4 * second) / np.linalg.norm(first + 0.4 * second)
    assert abs(cosine) > 0.99 and made.names == ("0 apart from 2",) and made.layers == plain.layers
    assert "direction 0 with +0." in told.output
    before = {path.name for path in (tmp_path / "out").glob("*.safetensors")}
    few = run(*words[:-1], "0,3")
    assert "8 pictures to look at" in few.output
    stays = run(*words[:-1], "0,3", "--wanted", "7").stdout
    assert "Direction 0 stays as it is: the marks do not show whether 3 helps" in stays
    assert {path.name for path in (tmp_path / "out").glob("*.safetensors")} == before
    run("sheet", "--network", words[2], "--directions-file", "out/directions-all-apart-0-2.safetensors", "--seeds", 1)
    run("edit", "--network", words[2], "--seeds", 1, "--edit", "all-apart-0-2:0=2", "--edit", "1=1", "--outdir", "out")
    says = run("edit", *words[1:3], "--seeds", 1, "--edit", "all-apart-0-5:0=2", "--outdir", "out", code=2).stderr
    assert "--apart 0,5" in says
    assert "8 pictures to look at" in run(*says.partition("make it: sefa ")[2].split(), "--outdir", "b").output


def test_marks_that_cannot_be_used_are_one_line(run, marked, network):
    words, file = marked
    held = json.loads(file.read_text())
    assert "has pictures 0-7" in run(*words, "--wanted", "8", code=2).stderr
    assert "0 pictures are marked: mark 6" in run(*words, "--marks", file, code=2).stderr
    assert "of directions 0 and 2 of all" in run(*words[:-1], "0,3", "--marks", file, code=2).stderr
    assert (
        "of another network"
        in run("sharpen", "--network", network, *words[3:], "--outdir", "b", "--marks", file, code=2).stderr
    )
    for text, says in (("hello", "is no file of marks"), (json.dumps({**held, "set": 3}), "is no file of marks")):
        file.write_text(text)
        assert says in run(*words, "--marks", file, code=2).stderr
    assert "type the command without --wanted first" in run(*words[:-1], "0,4", "--wanted", "1", code=2).stderr
    assert "leave one of them out" in run(*words, "--wanted", "1", "--marks", file, code=2).stderr
    assert "is no file of marks" in run(*words, "--wanted", "1", code=2).stderr
    assert "takes two directions" in run(*words[:-1], "3", code=2).stderr
    assert "takes two directions" in run(*words[:-1], "3,3", code=2).stderr
