"""`sefa evaluate baselines, hierarchy, truth, ganspace, boundary`, on a network of 32 pixels with few samples."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from places import GOLDEN

from sefa_plugin.commands.cli import sefa
from sefa_plugin.directions.directions import Directions
from sefa_plugin.evaluate.methods.interfacegan import load_boundary

SCORER = """
import numpy as np

title, identity = "colours", "1"

def score(pictures):
    x = pictures.astype(float) / 255
    return {"red": x[:, :12, :, 0].mean((1, 2)), "blue": x[:, :12, :, 2].mean((1, 2)), "nothing": np.ones(len(x))}

class Both:
    def __call__(self, pictures):
        return score(pictures)

    def features(self, pictures):
        return np.stack(list(score(pictures).values())[:2], axis=1)
"""


@pytest.fixture
def scorer(tmp_path):
    (tmp_path / "colours.py").write_text(SCORER)
    return str(tmp_path / "colours.py") + ":Both"


NET = GOLDEN / "sg2-in-sg3-32.pkl"  # a fifth of the time of the bundled one


def run(tmp_path, *words, code=0):
    words = ["evaluate", *words, "--network", NET, "--outdir", str(tmp_path / "out"), "--device", "cpu"]
    result = CliRunner().invoke(sefa, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.hard  # seconds
def test_baselines(tmp_path, scorer):
    few = ["--samples", 4, "--train-samples", 100, "--code-samples", 50, "-K", 2, "--scorer", scorer]
    printed = run(tmp_path, "baselines", *few)
    folder = tmp_path / "out" / "evaluate"
    rows = rows_of(folder / "baselines.csv")
    titles = ["no edit", "SeFa", "GANSpace", "InterFaceGAN", "InterFaceGAN, conditional", "chance"]
    assert [row["method"] for row in rows] == titles
    assert rows[1]["variety"].endswith(" of 2")  # what never varies is not counted
    assert "nothing is left out: " in printed
    assert float(rows[1]["re-scoring low"]) <= float(rows[1]["re-scoring"]) <= float(rows[1]["re-scoring high"])
    about = json.loads((folder / "baselines.json").read_text())
    assert about["details"]["sefa"]["attributes"] == ["red", "blue"]
    assert about["samples"] == 4 and about["network"] == "sg2-in-sg3-32" and about["scorer"] == "Both"
    Image.open(folder / "baselines.png").verify()
    held = Directions.load(folder / "interfacegan.safetensors")
    assert held.names == ("red", "blue") and all(held.ranges)
    assert [row["attribute"] for row in rows_of(folder / "baselines-share.csv")] == ["red", "blue"]
    assert [row["method"] for row in rows_of(folder / "baselines-agreement.csv")] == titles[1:]
    one = ["--methods", "sefa", "--layers", "coarse", "--features", "none", "--samples", 4, "-K", 1, "--scorer", scorer]
    run(tmp_path, "baselines", *one)
    rows = rows_of(folder / "baselines.csv")
    assert [row["method"] for row in rows] == ["SeFa"] and "Frechet" not in rows[0]


def test_baselines_with_real_pictures(tmp_path, scorer):
    real = tmp_path / "real"
    real.mkdir()
    for at in range(3):
        Image.new("RGB", (20, 20), (at * 40, 9, 200)).save(real / f"{at}.png")
    run(tmp_path, "baselines", "--methods", "sefa", "--real", real, "--samples", 4, "-K", 1, "--scorer", scorer)
    rows = rows_of(tmp_path / "out" / "evaluate" / "baselines.csv")
    assert float(rows[0]["Frechet, real"]) > 2 * float(rows[0]["Frechet"])
    (tmp_path / "empty").mkdir()
    for folder, says in (("no", "no such folder"), ("empty", "no pictures")):
        said = run(tmp_path, "baselines", "--real", tmp_path / folder, "--samples", 4, "--scorer", scorer, code=1)
        assert says in said


def test_mistakes_are_one_line(tmp_path, scorer):
    few = ["--samples", 4, "--scorer", scorer]
    assert "choose from sefa" in run(tmp_path, "baselines", "--methods", "pca", *few, code=2)
    assert "3 groups" in run(tmp_path, "ganspace", "--layers", "coarse,middle,fine", "--code-samples", 9, code=2)
    assert "--only smile" in run(tmp_path, "boundary", "--only", "smile", *few, code=2)
    assert "no features" in run(tmp_path, "baselines", "--features", scorer[:-4] + "score", *few, code=2)
    assert "there are 0-" in run(tmp_path, "truth", "--variants", "99", *few, code=2)
    assert "no such file" in run(tmp_path, "boundary", "--read", tmp_path / "x.npy", code=1)
    assert not (tmp_path / "out" / "evaluate" / "baselines.csv").exists()


@pytest.mark.hard  # seconds
def test_hierarchy(tmp_path, scorer):
    run(tmp_path, "hierarchy", "--samples", 4, "-K", 1, "--scorer", scorer)
    folder = tmp_path / "out" / "evaluate"
    rows = rows_of(folder / "hierarchy.csv")
    assert rows[0]["layer"] == "ws 0, 4 px" and rows[-1]["layer"] == "all (0-7)"
    assert [row["attribute"] for row in rows_of(folder / "hierarchy-homes.csv")] == ["red", "blue"]
    levels = json.loads((folder / "hierarchy.json").read_text())["levels"]
    assert [level["label"] for level in levels[-4:]] == ["coarse", "middle", "fine", "all"]
    Image.open(folder / "hierarchy.png").verify()


@pytest.mark.hard  # seconds
def test_truth_of_two_networks(tmp_path, scorer):
    few = ["--samples", 4, "--sets", 2, "-K", 2, "--code-samples", 50, "--scorer", scorer]
    run(tmp_path, "truth", "--variants", "1,11", "--also", GOLDEN / "stylegan2-tf-32.pkl", *few)
    folder = tmp_path / "out" / "evaluate"
    rows = rows_of(folder / "truth.csv")
    assert [row["variant"] for row in rows] == ["SeFa (default)", "not normalised", "GANSpace"]
    about = json.loads((folder / "truth.json").read_text())
    assert about["networks"] == ["sg2-in-sg3-32", "stylegan2-tf-32"] and about["sets"] == 2
    assert set(about["results"]["GANSpace"]["factors"]["share"]) == {"red", "blue"}
    assert len(rows_of(folder / "truth-differences.csv")) == 2
    assert len(rows_of(folder / "truth-share.csv")) == 2
    for name in ("truth", "truth-share", "truth-correlation", "truth-differences"):
        Image.open(folder / f"{name}.png").verify()


def test_directions_of_other_methods_can_be_rendered(tmp_path, scorer):
    run(tmp_path, "ganspace", "--code-samples", 200, "-K", 3, "--layers", "middle")
    folder = tmp_path / "out" / "evaluate"
    held = Directions.load(folder / "ganspace.safetensors")
    assert len(held) == 3 and held.label == "ganspace-middle" and held.sigmas[0] >= held.sigmas[2]
    printed = run(
        tmp_path, "boundary", "--train-samples", 100, "--condition", "all", "--only", "red", "--scorer", scorer
    )
    assert "red: " in printed and "nothing is left out" in printed
    normal = load_boundary(folder / "red_c_blue_boundary.npy", 32)
    held = Directions.load(folder / "interfacegan.safetensors")
    assert np.allclose(held.vectors, normal, atol=1e-6) and held.names == ("red",)
    run(tmp_path, "boundary", "--read", folder / "red_c_blue_boundary.npy")
    again = Directions.load(folder / "interfacegan.safetensors")
    assert again.names == ("red_c_blue",) and np.allclose(again.vectors, normal, atol=1e-6)
    words = ["sheet", "--network", str(NET), "--directions-file", str(folder / "interfacegan.safetensors")]
    words += ["--seeds", "1", "--directions", "red_c_blue", "--outdir", str(tmp_path / "sheets"), "--device", "cpu"]
    result = CliRunner().invoke(sefa, words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "sheets" / "index.html").is_file()


def test_the_help_numbers_the_variants():
    from sefa_plugin.evaluate.experiments.truth import VARIANTS

    printed = CliRunner().invoke(sefa, ["evaluate", "truth", "--help"]).output
    for number, variant in enumerate(VARIANTS):
        assert f"{number:2d} {variant.name}\n" in printed
