"""The notebook, run from its first cell to its last in a folder of its own."""

import pytest
from places import ROOT

NOTEBOOK = ROOT / "notebooks" / "first_edits.ipynb"


@pytest.mark.hard
@pytest.mark.filterwarnings("default")  # those of the kernel's machinery are not ours
def test_it_runs_and_shows_its_videos(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
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
    assert any("backdrop" in output.get("text", "") for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    assert (tmp_path / "sefa-results.zip").stat().st_size > 100_000


def test_it_is_stored_without_outputs():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert '"outputs": []' in text
    assert 'execution_count": null' in text
    assert "pip install torch" not in text
