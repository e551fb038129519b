"""Folders of runs with small clips, made without a network, and people who answer a study by script."""

import hashlib

import numpy as np

from sefa_plugin.directions.directions import Directions
from sefa_plugin.media.video import write_video
from sefa_plugin.runs.record import Manifest
from sefa_plugin.study.answers import Answer, Begin, append

NETWORK = {"path": "net.pkl", "name": "net", "class": "Generator", "hook": "test", "digest": "d" * 64}
LAYERS = (0, 1, 2)


def directions(count, seed=0):
    vectors = np.random.RandomState(seed).randn(count, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Directions.of(vectors, np.arange(count, 0, -1.0), LAYERS, network="net", digest="d" * 64, num_ws=3)


def frames_of(index, distances, size=16):
    """A grey ramp with a square whose place says which direction, and whose brightness how far."""
    ramp = np.broadcast_to(np.linspace(90, 160, size)[None, :, None], (size, size, 3))
    for distance in distances:
        frame = ramp.copy()
        frame[4 * index : 4 * index + 4, 4:12] = 128 + 50 * distance
        yield np.uint8(frame)


def made_run(folder, count=3, seed=0, loop="pingpong", video="mp4", subjects=("seed 0",), trunc=1.0, fps=20.0):
    """A finished run of some directions; gives the folder."""
    held = directions(count, seed)
    folder.mkdir(parents=True)
    held.save(folder / "directions.safetensors")
    manifest = Manifest(folder, ["sefa", "render"], NETWORK, "out", owner=NETWORK["digest"])
    distances = [-2.0, -1.0, 0.0, 1.0, 2.0] + ([1.0, 0.0, -1.0] if loop == "pingpong" else [])
    for index in range(count):
        name = f"videos/all-dir{index:02d}" + ("" if video == "png" else f".{video}")
        write_video(folder / name, frames_of(index, distances), fps, video, comment=f"direction {index}")
        settings = {
            "subjects": list(subjects),
            "look": {"trunc": trunc},
            "direction": hashlib.sha256(held.vectors[index].tobytes()).hexdigest(),
            "index": index,
            "label": "all",
            "layers": list(LAYERS),
            "name": "secret name",
            "film": {"low": -2.0, "high": 2.0, "fps": fps, "loop": loop, "video": video},
        }
        manifest.add(name, settings, distances, {"title": f"Direction {index}", "eigenvalue": "98.7"})
    return folder


def item_of(study, direction):
    """The question about one direction."""
    return next(item for item in study.items if item.kind == "one" and item.clips[0].direction == direction)


def answers_of(study, name, says, prefers=(), catches="right", seconds=4.0, repeats=(), browser=""):
    """Records of a person.

    Args:
        says: for each direction ``(text, clean)``, "nothing", "unsure", or None for no answer.
        prefers: for each pair the place of the clip, 0 or 1, or 2 for neither.
        catches: "right" or "wrong".
        repeats: ``(direction, answer)``, asked again at the end.
    """
    found = [Begin(study.id, name, True, browser, "2026-01-01T00:00:00Z")]

    def add(item, choice, text="", clean=0, again=False, chosen=None):
        shown = tuple(clip.files[(len(found) + at) % 2] for at, clip in enumerate(item.clips))
        if item.kind == "pair":
            if len(found) % 2:  # the second clip on the left
                shown = shown[::-1]
            left = 1 if len(found) % 2 else 0
            choice = "unsure" if chosen == 2 else "left" if chosen == left else "right"
        at = f"2026-01-01T00:{len(found):02d}:00Z"
        found.append(
            Answer(study.id, name, len(found) - 1, item.id, again, shown, choice, text, clean, seconds, 1, browser, at)
        )

    def say(item, answer, again=False):
        if isinstance(answer, tuple):
            add(item, "change", *answer, again=again)
        elif answer is not None:
            add(item, answer, again=again)

    for direction, answer in enumerate(says):
        say(item_of(study, direction), answer)
    for item in study.items:
        right = catches == "right"
        if item.catch == "nothing":
            say(item, "nothing" if right else ("smile", 2))
        elif item.catch == "change":
            say(item, ("darker", 5) if right else "nothing")
        elif item.catch:
            add(item, "", chosen=int(item.catch) if right else 1 - int(item.catch))
    pairs = [item for item in study.items if item.kind == "pair" and not item.catch]
    for item, chosen in zip(pairs, prefers):
        add(item, "", chosen=chosen)
    for direction, answer in repeats:
        say(item_of(study, direction), answer, again=True)
    return found


def answer(folder, records):
    """Append records as the server does."""
    for record in records:
        append(folder, record)
