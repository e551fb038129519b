"""Commands on networks of the Hub and in archives, on a stand-in; no token is in what they say or write."""

import io
import json
import shlex
import zipfile
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from click.testing import CliRunner
from stand_in_hub import COMMIT, TOKEN, repo, running

from sefa_plugin.commands.cli import gen_sefa, sefa


@pytest.fixture
def site(golden, tmp_path, monkeypatch):
    """A private repository with one network, and one with several and an archive."""
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "home"),
        "DNNLIB_CACHE_DIR": str(tmp_path / "cache"),
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    network = golden("sg2ada-skip-64").pickle.read_bytes()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a/one.pkl", network)
        archive.writestr("a/two.pkl", network)
    with running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        hub.repos["o/one"] = repo({"stylegan2-x.pkl": network, "README.md": b"#"}, licence="mit", private=True)
        hub.repos["o/many"] = repo(
            {"a.zip": held.getvalue(), "s/stylegan3-t.pkl": network, "s/network-snapshot-000200.pkl": network}
        )
        yield hub
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]


def run(*words, code=0, command=sefa):
    result = CliRunner().invoke(command, list(words))
    assert result.exit_code == code, result.output
    assert TOKEN not in result.output
    return result


def test_info_lists_what_a_repository_has(site):
    one = run("info", "hf://o/one")
    assert one.stdout.splitlines() == [
        f"hf://o/one: 1 of 2 files may be networks; licence tag mit; revision main is {COMMIT[:12]}",
        "       MB  network                     by its name",
        "      0.3  hf://o/one/stylegan2-x.pkl  StyleGAN2",
        "The only one, which --network hf://o/one takes, too:",
        "sefa info hf://o/one/stylegan2-x.pkl",
    ]
    assert len(site.downloads()) == 0
    words = shlex.split(one.stdout.splitlines()[-1])[1:]
    result = run(*words)
    assert "num_ws     10" in result.stdout and "licence tag mit" in result.stderr
    many = run("info", f"{site.address}/o/many").stdout
    assert "3 of 3 files may be networks; no licence tag" in many and "a snapshot of a training" in many
    assert many.splitlines()[-1] == "sefa info hf://o/many/s/network-snapshot-000200.pkl"  # before the archive
    listed = json.loads(run("info", "hf://o/many/s", "--json").stdout)
    assert [entry["by_name"] for entry in listed["files"]] == ["a snapshot of a training", "StyleGAN3"]
    assert listed["commit"] == COMMIT and listed["licence"] == "" and listed["gated"] is False
    site.repos["o/none"] = repo({"README.md": b"#", "weights": site.repos["o/many"].at("main")[1]["s/stylegan3-t.pkl"]})
    assert "num_ws     10" in run("info", "hf://o/none/weights").stdout
    assert "no file is a network, by its name" in run("info", "hf://o/none").stdout


def test_what_is_found_is_recorded_and_found_again(site):
    run("factorize", "--network", "hf://o/one", "-K", "2", "--outdir", "out")
    record = json.loads(Path("out/run.json").read_text())
    assert record["network"]["path"] == "hf://o/one" and record["network"]["name"] == "stylegan2-x"
    assert record["command"][-6:] == ["--network", "hf://o/one", "-K", "2", "--outdir", "out"]
    several = run("factorize", "--network", "hf://o/many", code=1).stderr
    assert "has 3 files that may be networks; type hf://o/many/s/network-snapshot-000200.pkl or " in several


def test_a_recipe_of_a_network_in_an_archive(site):
    error = run("info", "hf://o/many/a.zip", code=1).stderr.splitlines()[-1]
    network = shlex.split(error.partition("choose with ")[2])[0]
    assert network == "hf://o/many/a.zip#a/one.pkl"
    run("edit", "--network", network, "--seeds", "5", "--edit", "0=+2", "--outdir", "still")
    assert json.loads(Path("still/recipe.json").read_text())["network"]["path"] == network
    run("render", "--recipe", "still", "--outdir", "again")
    assert np.array_equal(imageio.imread("again/seed0005.png"), imageio.imread("still/seed0005.png"))


def test_a_recipe_of_an_archive_that_was_moved(site, tmp_path):
    held = site.repos["o/many"].at("main")[1]["a.zip"]
    (tmp_path / "nets.zip").write_bytes(held)
    run("edit", "--network", "nets.zip#two.pkl", "--seeds", "5", "--edit", "0=+2", "--outdir", "still")
    (tmp_path / "nets.zip").rename(tmp_path / "still" / "nets.zip")
    run("render", "--recipe", "still", "--outdir", "again")
    assert np.array_equal(imageio.imread("again/seed0005.png"), imageio.imread("still/seed0005.png"))


def test_the_main_command_and_strict(site):
    words = ["--network", f"{site.address}/o/one/blob/main/stylegan2-x.pkl", "--strict", "-K", "1", "--seeds", "0"]
    result = run(*words, "--video", "none", "--outdir", "out", command=gen_sefa)
    assert "licence tag mit" in result.stderr and Path("out/index.html").exists()
    assert f"{site.address}/o/one/blob/main/stylegan2-x.pkl" in Path("out/run.json").read_text()


def test_what_is_missing_is_one_line(site, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    line = run("info", "hf://o/one", code=1).stderr
    assert (
        line == "Error: hf://o/one: there is no such repository, or it is private, and a token in HF_TOKEN opens it\n"
    )
    site.repos["o/one"].private, site.repos["o/one"].gated = False, True
    assert "gated: to be accepted at" in run("info", "hf://o/one").stdout
    line = run("factorize", "--network", "hf://o/one", "--outdir", "out", code=1).stderr.splitlines()[-1]
    assert line.startswith("Error: hf://o/one/stylegan2-x.pkl: is gated: accept its licence at ")
    assert run("info", "hf://o", code=1).stderr.startswith("Error: hf://o: has not the form hf://owner/name")
