"""The notebook, run from its first cell to its last in an empty folder, such as Colab's."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from places import NOTHING_EDITABLE, ROOT

NOTEBOOK = ROOT / "notebooks" / "first_edits.ipynb"


@pytest.mark.hard
@pytest.mark.filterwarnings("default")  # those of the kernel's machinery are not ours
def test_it_runs_and_shows_its_videos(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.data for output in outputs if output.output_type == "display_data"]
    videos = [data["text/html"] for data in shown if "<video" in data.get("text/html", "")]
    assert len(videos) == 3
    assert all("data:video/mp4;base64," in html for html in videos)
    assert sum("image/jpeg" in data for data in shown) == 3
    tables = [data["text/html"] for data in shown if "<table>" in data.get("text/html", "")]
    assert len(tables) == 1 and "3 directions of demo, middle layers" in tables[0] and "backdrop" in tables[0]
    explorers = [data for data in shown if "application/vnd.jupyter.widget-view+json" in data]
    assert len(explorers) == (importlib.util.find_spec("ipywidgets") is not None)
    assert any("backdrop" in output.get("text", "") for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    assert (tmp_path / "sefa-results.zip").stat().st_size > 100_000


def test_it_is_stored_without_outputs():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert '"outputs": []' in text
    assert 'execution_count": null' in text
    assert "pip install torch" not in text


def cells():
    return ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]]


@pytest.mark.hard
def test_its_first_cell_clones_and_installs_the_project_in_an_empty_folder(tmp_path):
    """From a copy in the place of its address, and into a folder that Python looks into."""
    pytest.importorskip("setuptools")
    source, site, empty = tmp_path / "source", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    subprocess.run(["git", "clone", "--quiet", ROOT, source], check=True)
    (install,) = [cell for cell in cells() if "ADDRESS =" in cell]
    address = next(line for line in install.splitlines() if line.startswith("ADDRESS"))
    script = NOTHING_EDITABLE + install.replace(address, f"ADDRESS = {str(source)!r}")
    script += "\nimport sefa_plugin\nprint(sefa_plugin.__file__)"
    environ = {**os.environ, "PIP_TARGET": str(site), "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    environ["PYTHONPATH"] = str(site)
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=empty, env=environ, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == str(site / "sefa_plugin" / "__init__.py")
    assert (empty / "sefa_plugin" / "setup.cfg").is_file()


def test_cells_for_colab_do_nothing_unless_they_are_asked_to():
    for call, off in (("files.upload()", "UPLOAD = False"), ("drive.mount(", 'DRIVE = ""')):
        (cell,) = [cell for cell in cells() if call in cell]
        assert cell.startswith(off)
        held = {"NETWORK": "mine.pkl"}
        exec(cell, held)
        assert held["NETWORK"] == "mine.pkl"
