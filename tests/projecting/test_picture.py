"""Pictures of any kind as targets: upright, cropped, of a network's size and channels."""

import io

import numpy as np
import pytest
from PIL import Image

from sefa_plugin.projecting import picture as module
from sefa_plugin.projecting.picture import PictureError, face_corners, read_picture, target_of
from sefa_plugin.projecting.settings import Crop


def encoded(image, kind="PNG", **options):
    held = io.BytesIO()
    image.save(held, kind, **options)
    return held.getvalue()


def ramp(high, wide):
    """Red grows to the right, green downwards."""
    pixels = np.zeros((high, wide, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, wide)[None]
    pixels[..., 1] = np.linspace(0, 255, high)[:, None]
    return pixels


def test_a_phone_photograph_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    found = read_picture(encoded(Image.fromarray(ramp(20, 40)), exif=exif))
    assert found.shape == (40, 20, 3)
    assert found[0, 0, 1] > 200  # what was at the bottom left is now at the top left
    assert found[0, -1, 1] < 60


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "I;16"])
def test_every_mode_becomes_rgb_or_rgba(mode):
    grey = Image.fromarray(np.full((9, 7), 200, np.uint8))
    made = {
        "I;16": Image.fromarray(np.full((9, 7), 200 * 257, np.uint16)),
        "P": grey.convert("RGB").quantize(4),
        "1": Image.fromarray(np.full((9, 7), 255, np.uint8)).convert("1"),
        "CMYK": grey.convert("RGB").convert("CMYK"),
    }
    found = read_picture(encoded(made.get(mode) or grey.convert(mode), "TIFF" if mode == "CMYK" else "PNG"))
    assert found.shape == (9, 7, 3)
    assert abs(int(found[4, 3, 0]) - (255 if mode == "1" else 200)) <= 1


def test_what_is_transparent_lies_on_white_except_in_a_transparent_network():
    image = Image.fromarray(np.full((8, 8, 4), (255, 0, 0, 0), np.uint8))
    found = read_picture(encoded(image))
    assert found.shape == (8, 8, 4)
    assert (target_of(found, Crop(), 4, 4, 3) == 255).all()
    assert target_of(found, Crop(), 4, 4, 4)[..., 3].max() == 0
    assert target_of(ramp(8, 8), Crop(), 4, 4, 4)[..., 3].min() == 255
    assert target_of(ramp(8, 8), Crop(), 4, 4, 1).shape == (4, 4, 1)


def test_broken_files_are_one_line(tmp_path):
    whole = encoded(Image.fromarray(ramp(64, 64)), "JPEG")
    for name, data, words in (("cut.jpg", whole[: len(whole) // 2], "broken"), ("text.png", b"no picture", "save it")):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(PictureError, match=words) as caught:
            read_picture(path)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(PictureError, match="no such file"):
        read_picture(tmp_path / "missing.jpg")


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 100)
    with pytest.raises(PictureError, match="11 x 10 pixels"):
        read_picture(encoded(Image.fromarray(ramp(10, 11))))


def test_center_takes_the_largest_part_of_the_networks_shape():
    found = target_of(ramp(100, 300), Crop(), 50, 50, 3)
    assert found.shape == (50, 50, 3)
    assert abs(int(found[25, 0, 0]) - 86) < 3
    assert abs(int(found[25, -1, 0]) - 169) < 3
    upright = target_of(ramp(100, 300), Crop(), 64, 32, 3)  # StyleGAN-Human
    assert upright.shape == (64, 32, 3)
    assert abs(int(upright[0, 0, 0]) - 106) < 4


def test_a_square_is_in_pixels_and_mirrored_outside():
    found = target_of(ramp(101, 101), Crop.parse("20,40,40"), 40, 40, 3)
    assert np.abs(found[0, 0, :2].astype(int) - (50, 102)).max() <= 3
    outside = target_of(ramp(101, 101), Crop.parse("-20,0,60"), 60, 60, 3).astype(int)
    assert abs(outside[30, 5, 0] - outside[30, 34, 0]) < 25  # 15 pixels to each side of the edge
    with pytest.raises(PictureError, match="lies outside"):
        target_of(ramp(101, 101), Crop.parse("500,0,60"), 60, 60, 3)


def test_the_alignment_is_that_of_ffhq():
    """Of an upright face: the sizes are those of its script, by hand."""
    eyes_apart, mouth_below = 40.0, 50.0
    corners = face_corners((80, 100, 80 + eyes_apart, 100, 100, 100 + mouth_below))
    half = max(2 * eyes_apart, 1.8 * mouth_below)
    middle = np.array([100, 100 + 0.1 * mouth_below])
    assert np.allclose(corners, middle + half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]))


def test_a_tilted_face_is_turned_back():
    """A face drawn tilted by 30 degrees has its eyes level afterwards."""
    points = np.array([(-20.0, -10), (20, -10), (0, 40)])
    turn = np.deg2rad(30)
    turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + (150, 140)
    pixels = np.zeros((300, 300, 3), np.uint8)
    for place, (x, y) in enumerate(turned):
        pixels[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5, place] = 255
    found = target_of(pixels, Crop("eyes", tuple(turned.ravel())), 128, 128, 3).astype(float)
    places = [np.argwhere(found[..., channel] > 128).mean(axis=0) for channel in range(3)]
    assert abs(places[0][0] - places[1][0]) < 2
    assert abs(places[0][1] + places[1][1] - 2 * places[2][1]) < 3
    assert places[2][0] > places[0][0] + 20


@pytest.mark.parametrize(
    "text", ["middle", "1,2", "1,2,0", "eyes=1,2,3,4,5", "eyes=5,5,5,5,9,9", "1,2,nan", "center=1"]
)
def test_other_crops_are_refused(text):
    with pytest.raises(ValueError, match="expected center"):
        Crop.parse(text)


@pytest.mark.parametrize("text", ["center", "eyes", "1,2,30", "eyes=1,2,30,4,5,60"])
def test_a_crop_is_written_as_it_is_typed(text):
    assert str(Crop.parse(text)) == text
