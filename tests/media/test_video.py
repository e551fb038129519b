"""Videos: colours, exact counts and sizes, constant memory, and nothing left behind by a failure."""

from __future__ import annotations

import re
import subprocess
import tracemalloc

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from sefa_plugin.media import mp4
from sefa_plugin.media.gif import delays
from sefa_plugin.media.mp4 import VideoError, check_ffmpeg, read_mp4
from sefa_plugin.media.video import write_video

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def decoded(path, width, height):
    """uint8 [N, H, W, 3] as a player that assumes BT.709 in limited range shows it (ITU-R BT.709-6, 3.3)."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    raw = raw.reshape(-1, width * height * 3 // 2).astype(np.float64)
    luma, chroma = np.split(raw, [width * height], axis=1)
    y = (luma.reshape(-1, height, width) - 16) / 219
    chroma = (chroma.reshape(-1, 2, height // 2, width // 2) - 128) / 224
    cb, cr = np.moveaxis(chroma.repeat(2, axis=2).repeat(2, axis=3), 1, 0)
    r, b = y + 1.5748 * cr, y + 1.8556 * cb
    g = (y - 0.2126 * r - 0.0722 * b) / 0.7152
    return np.clip(np.rint(np.stack([r, g, b], axis=-1) * 255), 0, 255).astype(np.uint8)


def about(path):
    """What ffmpeg says of a file's video stream."""
    text = subprocess.run([FFMPEG, "-i", str(path)], capture_output=True, text=True).stderr
    return next(line for line in text.splitlines() if "Video:" in line)


def moving(count, height=32, width=48, channels=3):
    for i in range(count):
        frame = np.full((height, width, channels), 40, np.uint8)
        frame[: height // 2, i % width :] = 200
        yield frame


def difference(one, two):
    return np.abs(np.subtract(one, two, dtype=int))


# --- mp4 ------------------------------------------------------------------------------------------


def test_flat_colours_are_those_of_the_frames(tmp_path):
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)])
    greys = np.repeat(np.arange(0, 256, 17)[:, None], 3, axis=1)
    others = np.random.default_rng(0).integers(0, 256, (60, 3))
    frames = [np.full((64, 64, 3), c, np.uint8) for c in np.concatenate([corners, greys, others])]
    assert write_video(tmp_path / "a.mp4", frames) == len(frames)
    shown = decoded(tmp_path / "a.mp4", 64, 64)
    assert len(shown) == len(frames)
    assert difference(shown, np.stack(frames)).max() <= 3


def test_flat_colours_beside_each_other_too(tmp_path):
    patches = np.random.default_rng(1).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    frame = patches.repeat(64, axis=0).repeat(64, axis=1)
    write_video(tmp_path / "a.mp4", [frame] * 12)
    error = difference(decoded(tmp_path / "a.mp4", 256, 256), frame).reshape(12, 4, 64, 4, 64, 3)
    assert error[:, :, 8:-8, :, 8:-8].max() <= 3  # away from the edges, where chroma is shared


def test_detailed_frames_keep_their_detail(tmp_path):
    """Blobs of a few pixels that drift, in grey, so that only the quantiser of luma counts."""
    rng = np.random.default_rng(2)
    grain = Image.fromarray(rng.integers(0, 256, (48, 48)).astype(np.uint8)).resize((192, 192), 3)
    frames = [np.repeat(np.roll(np.asarray(grain), 3 * i, axis=1)[..., None], 3, axis=2) for i in range(12)]
    write_video(tmp_path / "a.mp4", frames)
    error = difference(decoded(tmp_path / "a.mp4", 192, 192), np.stack(frames))
    assert error.mean() < 2.2  # levels; a constant quality of 20 has 2.5, one of 26 has 4.4


def test_the_file_says_which_colours_it_has(tmp_path):
    write_video(tmp_path / "a.mp4", moving(3), fps=25)
    told = about(tmp_path / "a.mp4")
    assert re.search(r"h264 .*yuv420p\(tv, bt709(, progressive)?\), 48x32.* 25 fps", told)


def test_it_starts_to_play_before_it_is_loaded(tmp_path):
    write_video(tmp_path / "a.mp4", moving(3))
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 65), (30, 1000)])
def test_sizes_stay_and_odd_ones_grow_by_one(tmp_path, size):
    height, width = size
    frame = np.full((height, width, 3), 90, np.uint8)
    frame[:, -1] = 200
    assert write_video(tmp_path / "a.mp4", [frame] * 5) == 5
    shown = decoded(tmp_path / "a.mp4", width + width % 2, height + height % 2)
    assert len(shown) == 5
    assert f" {width + width % 2}x{height + height % 2}" in about(tmp_path / "a.mp4")
    assert difference(shown[:, :height, -1], 200).max() <= 12  # the edge is repeated, not black


@pytest.mark.parametrize("count", [1, 2, 60])
def test_the_number_of_frames_is_exact(tmp_path, count):
    assert write_video(tmp_path / "a.mp4", moving(count), fps=24) == count
    shown = decoded(tmp_path / "a.mp4", 48, 32)
    assert difference(shown, np.stack(list(moving(count)))).mean() < 3


# --- gif ------------------------------------------------------------------------------------------


def gif_frames(path):
    with Image.open(path) as picture:
        for index in range(picture.n_frames):
            picture.seek(index)
            yield np.asarray(picture.convert("RGB")), dict(picture.info)


def test_frames_come_back_from_a_file(tmp_path):
    path = tmp_path / "odd: clip.mp4"
    shown = [np.full((8, 10, 3), level, np.uint8) for level in (20, 120, 220)]
    write_video(path, shown, 10)
    read = list(read_mp4(path))
    assert [frame.shape for frame in read] == [(8, 10, 3)] * 3
    assert np.abs(np.stack(read).astype(int) - np.stack(shown)).max() <= 2
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(VideoError, match="ffmpeg cannot read it"):
        list(read_mp4(path))


def test_a_gif_of_few_colours_is_exact_and_loops(tmp_path):
    assert write_video(tmp_path / "a.gif", moving(9), fps=25) == 9
    shown = list(gif_frames(tmp_path / "a.gif"))
    np.testing.assert_array_equal([frame for frame, _ in shown], list(moving(9)))
    assert [info["duration"] for _, info in shown] == [40] * 9
    assert shown[0][1]["loop"] == 0


def test_a_gif_keeps_frames_that_do_not_move(tmp_path):
    still = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    still[0, :, 1] //= 2
    assert write_video(tmp_path / "a.gif", [still] * 4 + [255 - still] + [still] * 2, fps=30) == 7
    shown = [frame for frame, _ in gif_frames(tmp_path / "a.gif")]
    assert len(shown) == 7
    assert difference(shown[3], still).mean() < 12
    assert difference(shown[4], 255 - still).mean() < 12
    np.testing.assert_array_equal(shown[0], shown[6])


def test_a_gif_of_many_colours_has_those_of_the_last_frames_too(tmp_path):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    first = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 30), axis=-1).astype(np.uint8)
    last = np.stack(np.broadcast_arrays(30, ramp[:, None], ramp[None]), axis=-1).astype(np.uint8)
    write_video(tmp_path / "a.gif", [first] * 9 + [last], fps=10)
    shown = [frame for frame, _ in gif_frames(tmp_path / "a.gif")]
    assert difference(shown[0], first).mean() < 8
    assert difference(shown[9], last).mean() < 8


def test_a_gradient_has_no_bands_and_does_not_crawl(tmp_path):
    ramp = np.broadcast_to(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], (64, 256, 3)).copy()
    ramp[..., 1:] //= 2
    ramp[32:] = np.random.default_rng(0).integers(0, 256, (32, 256, 3))  # takes most of the palette
    write_video(tmp_path / "a.gif", [ramp] * 3)
    shown = [frame for frame, _ in gif_frames(tmp_path / "a.gif")]
    np.testing.assert_array_equal(shown[0], shown[2])
    far, near = (picture[:32].reshape(4, 8, 32, 8, 3).mean(axis=(1, 3)) for picture in (shown[0], ramp))
    assert np.abs(far - near).mean() < 2  # seen from afar; 2.3 without dither


@pytest.mark.parametrize("fps", [7, 12.5, 24, 30, 40, 50])
def test_the_clock_of_a_gif_does_not_drift(fps):
    waits = delays(120, fps)
    assert abs(sum(waits) / 100 - 120 / fps) <= 0.005
    assert max(waits) - min(waits) <= 1


def test_a_gif_is_never_too_fast_for_players():
    assert set(delays(60, 60)) == {2}


# --- png ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_folder_of_frames_is_exact_and_replaces_an_older_one(tmp_path, channels):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 5, 7, channels)).astype(np.uint8)
    write_video(tmp_path / "frames", moving(9), kind="png")
    assert write_video(tmp_path / "frames", iter(frames)) == 3
    names = sorted(p.name for p in (tmp_path / "frames").iterdir())
    assert names == ["frame0000.png", "frame0001.png", "frame0002.png"]
    for name, frame in zip(names, frames):
        with Image.open(tmp_path / "frames" / name) as picture:
            np.testing.assert_array_equal(np.asarray(picture).reshape(frame.shape), frame)


# --- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_grey_and_transparent_frames_are_shown_on_white(tmp_path, kind):
    grey = np.full((16, 16, 1), 77, np.uint8)
    clear = np.full((16, 16, 4), 77, np.uint8)
    clear[..., 3] = 102  # 0.4 of 77 on 255
    for frame, expected in ((grey, 77), (clear, 184)):
        path = tmp_path / f"a.{kind}"
        write_video(path, [frame])
        shown = decoded(path, 16, 16)[0] if kind == "mp4" else next(gif_frames(path))[0]
        assert difference(shown, expected).max() <= 3


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames"])
def test_memory_does_not_grow_with_the_length(tmp_path, name):
    def peak(count):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
        tracemalloc.start()
        write_video(tmp_path / name, (np.roll(noise, i, axis=0) for i in range(count)))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(2)  # imports
    assert peak(32) < peak(6) + 200_000  # 26 frames more are 319,488 bytes


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_failure_leaves_what_was_there_and_closes_the_frames(tmp_path, name, error):
    write_video(tmp_path / name, moving(2))
    before = sorted(p.name for p in tmp_path.rglob("*"))
    closed = []

    def failing():
        try:
            yield from moving(3)
            raise error("my own")
        finally:
            closed.append(True)

    with pytest.raises(error, match="my own"):
        write_video(tmp_path / name, failing())
    assert closed == [True]
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames"])
def test_frames_that_do_not_fit_are_named(tmp_path, name):
    good = np.zeros((8, 8, 3), np.uint8)
    for frames, message in (
        ([], "there are no frames"),
        ([good, good, good[:, :6]], r"frame 2 is uint8 \[8, 6, 3\], the first was \[8, 8, 3\]"),
        ([good, good[..., :1]], "frame 1 is"),
        ([good.astype(np.float32)], r"frame 0 is float32 \[8, 8, 3\], expected uint8"),
        ([good[..., 0]], r"frame 0 is uint8 \[8, 8\], expected"),
        ([good[:0]], "frame 0 is"),
    ):
        with pytest.raises(ValueError, match=message):
            write_video(tmp_path / name, frames)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.avi", {}, "choose one of mp4, gif, png"),
        ("a.mp4", {"kind": "webm"}, "choose one of"),
        ("a.gif", {"kind": "mp4"}, r"ends in \.mp4"),
        ("a.mp4", {"fps": 0}, "fps 0"),
        ("a.gif", {"fps": float("nan")}, "fps nan"),
    ],
)
def test_wrong_arguments_are_told_before_a_frame_is_rendered(tmp_path, name, options, message):
    pulled = []
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / name, (pulled.append(1) or f for f in moving(2)), **options)
    assert pulled == [] and list(tmp_path.iterdir()) == []


# --- ffmpeg's failures ----------------------------------------------------------------------------


@pytest.fixture
def untried():
    check_ffmpeg.cache_clear()
    yield
    check_ffmpeg.cache_clear()


def test_no_ffmpeg_names_the_cure_before_a_frame_is_rendered(tmp_path, monkeypatch, untried):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    pulled = []
    with pytest.raises(VideoError, match="pip install imageio-ffmpeg"):
        write_video(tmp_path / "a.mp4", (pulled.append(1) or f for f in moving(2)))
    assert pulled == [] and list(tmp_path.iterdir()) == []


def test_an_ffmpeg_without_the_encoder_is_found_out_with_its_reason(monkeypatch, untried):
    monkeypatch.setattr(mp4, "CODEC", "libx264-not-here")
    with pytest.raises(VideoError, match="libx264-not-here|[Ee]ncoder not found"):
        check_ffmpeg()


def test_ffmpegs_last_words_are_the_message_and_the_terminal_stays_clean(tmp_path, monkeypatch, capfd):
    check_ffmpeg()
    monkeypatch.setattr(mp4, "PARAMETERS", ["-vf", "no-such-filter"])
    large = np.zeros((256, 256, 3), np.uint8)
    with pytest.raises(VideoError, match=r"a\.mp4: ffmpeg failed \(.*[Ff]ilter.*\)") as caught:
        write_video(tmp_path / "a.mp4", [large] * 30)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("after", [1, 5])
def test_an_ffmpeg_that_dies_leaves_neither_a_file_nor_a_process(tmp_path, monkeypatch, capfd, after):
    processes = []
    start = mp4._started
    monkeypatch.setattr(mp4, "_started", lambda *args: processes.append(start(*args)) or processes[-1])

    def frames():
        for index, frame in enumerate(moving(9)):
            if index == after:
                processes[-1].kill()
                processes[-1].wait()
            yield frame

    with pytest.raises(VideoError, match="ffmpeg failed"):
        write_video(tmp_path / "a.mp4", frames())
    assert list(tmp_path.iterdir()) == []
    assert processes[-1].stdin.closed
    assert capfd.readouterr() == ("", "")


def test_an_interruption_ends_ffmpeg(tmp_path, monkeypatch):
    processes = []
    start = mp4._started
    monkeypatch.setattr(mp4, "_started", lambda *args: processes.append(start(*args)) or processes[-1])

    def frames():
        yield from moving(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", frames())
    assert processes[-1].returncode is not None
