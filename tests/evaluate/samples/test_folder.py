"""Real pictures in a folder."""

import os

import numpy as np
import pytest
from PIL import Image

from sefa_plugin.evaluate.samples.folder import BATCH, FolderError, pictures_in


def test_sorted_in_batches_of_one_size(tmp_path):
    rng = np.random.RandomState(0)
    made = []
    (tmp_path / "b").mkdir()
    for at in range(BATCH + 3):
        side = 8 if at != 5 else 10
        picture = rng.randint(0, 256, (side, side, 3), dtype=np.uint8)
        made.append(picture)
        Image.fromarray(picture).save(tmp_path / ("b" if at > 40 else "") / f"{at:03d}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    batches = list(pictures_in(tmp_path))
    found = [picture for batch in batches for picture in batch]
    assert len(found) == len(made) and all(np.array_equal(one, other) for one, other in zip(found, made))
    assert [len(batch) for batch in batches] == [5, 1, BATCH - 3]


def test_grey_and_palettes_become_rgb(tmp_path):
    Image.new("L", (4, 4), 77).save(tmp_path / "a.png")
    Image.new("P", (4, 4)).save(tmp_path / "b.png")
    (batch,) = pictures_in(tmp_path)
    assert batch.shape == (2, 4, 4, 3) and batch[0].min() == 77


def test_what_is_no_folder_of_pictures(tmp_path):
    with pytest.raises(FolderError, match="no pictures"):
        list(pictures_in(tmp_path / "nowhere"))
    (tmp_path / "x.png").write_bytes(b"nonsense")
    with pytest.raises(FolderError, match="x.png: is not a picture"):
        list(pictures_in(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_picture(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(FolderError, match="a pipe or a device"):
        list(pictures_in(tmp_path))
