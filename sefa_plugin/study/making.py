"""Make the folder of a study: clips under names that say nothing, and its file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, repeat
from pathlib import Path

from msgspec import structs

from ..media.frame_store import FrameList
from ..media.video import write_video
from ..runs.record import NAME as RECORD
from ..system.whole_files import whole_file
from .answers import people_in
from .clips import Source, darkening, found_in, name_of, still
from .design import CLIPS, NAME, Clip, Item, Run, Study, StudyError, load
from .texts import read_texts

ASK = ("names", "pairs", "both")


@dataclass(frozen=True)
class Wanted:
    """What a study is to ask.

    Attributes:
        ask: what each clip changes (``names``), which of two is better (``pairs``), or ``both``.
        seed: of the orders.
        repeats: the share of questions that are asked twice.
        catches: clips among the single ones that are there to catch those who do not look, every other one without
            any change; half as many among the pairs.
        texts: a file of texts; None takes the usual ones.
    """

    ask: str = "names"
    seed: int = 0
    repeats: float = 0.1
    catches: int = 2
    texts: Path | None = None


def make_study(
    runs: Sequence[Path], folder: Path, wanted: Wanted, say: Callable[[str], None] = lambda text: None
) -> Study:
    """Make a study of the clips of some runs, or find the one that a folder holds already.

    Args:
        runs: folders of finished runs.
        folder: of the study; made where it is missing. One that holds another study is made anew, unless it has
            answers.
        wanted: what it asks.
        say: called with a line on what is done.

    Raises:
        StudyError: a run has no clips, two methods cannot be compared, or there are answers to another study.
        ValueError: the texts cannot be used.
        VideoError: there is no ffmpeg.
        OSError: a file cannot be read or written.
    """
    if len({run.resolve() for run in runs}) < len(runs):
        raise StudyError("the folder of a run is named twice")
    if (folder / RECORD).exists():
        raise StudyError(f"--outdir {folder}: is the folder of a run; a study has a folder of its own")
    found = [found_in(run, place, folder) for place, run in enumerate(runs)]
    sources = [one for _, some in found for one in some]
    pairs = [] if wanted.ask == "names" else _pairs([some for _, some in found], runs)
    texts = read_texts(wanted.texts)
    about = [wanted.ask, wanted.seed, wanted.repeats, wanted.catches, sorted(texts.items())]
    id = name_of(*about, *((one.sha256, one.shown) for one in sources))
    clips = {place: _clip(id, place, one) for place, one in enumerate(sources)}
    items = [] if wanted.ask == "pairs" else [Item(name_of(id, "one", at), (clip,)) for at, clip in clips.items()]
    items += [Item(name_of(id, "pair", pair), (clips[pair[0]], clips[pair[1]])) for pair in pairs]
    made = [_made(id, at, sources[at % len(sources)]) for at in range(wanted.catches)]
    if wanted.ask != "pairs":
        right = {"still": "nothing", "obvious": "change"}
        items += [Item(name_of(id, "catch", at), (clip,), right[clip.made]) for at, clip in enumerate(made)]
    if pairs:
        both = list(zip(made[::2], made[1::2]))
        items += [Item(name_of(id, "catches", at), pair, "1") for at, pair in enumerate(both)]
    study = Study(
        id,
        wanted.seed,
        wanted.repeats,
        _told_apart([run for run, _ in found]),
        tuple(one.shown for one in sources),
        tuple(items),
        texts,
    )
    if _is_there(study, folder):
        return study
    _write(study, folder, sources, clips, made, say)
    return study


def _told_apart(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Runs whose folders have the same name are called by their paths."""
    names = [run.called for run in runs]
    return tuple(structs.replace(run, called=run.path) if names.count(run.called) > 1 else run for run in runs)


def _pairs(runs: Sequence[Sequence[Source]], folders: Sequence[Path]) -> list[tuple[int, int]]:
    """The places of clips that are compared: the first of one run with the first of another, and so on."""
    if len(runs) < 2:
        raise StudyError("pairs are of two methods: name the folders of two runs, or type --ask names")
    starts = [sum(map(len, runs[:place])) for place in range(len(runs))]
    found = []
    for one, other in combinations(range(len(runs)), 2):
        if runs[one][0].sight != runs[other][0].sight or len({source.sight for source in runs[one]}) > 1:
            what = f"{folders[one]} and {folders[other]}: their clips are of other seeds, or made with another --trunc"
            raise StudyError(f"{what} or class, so that they cannot be compared; type --ask names, or make them alike")
        both = min(len(runs[one]), len(runs[other]))
        found += [(starts[one] + place, starts[other] + place) for place in range(both)]
    return found


def _clip(id: str, place: int, source: Source) -> Clip:
    plain, turned = (f"{name_of(id, place, way)}.mp4" for way in ("plain", "turned"))
    return Clip((plain, turned), source.seconds, place)


def _made(id: str, at: int, source: Source) -> Clip:
    plain, turned = (f"{name_of(id, 'made', at, way)}.mp4" for way in ("plain", "turned"))
    return Clip((plain, turned), source.seconds, None, "obvious" if at % 2 else "still")


def _is_there(study: Study, folder: Path) -> bool:
    """Whether a folder holds this study, whole.

    Raises:
        StudyError: it holds another one, which has answers, or something that is no study.
    """
    if not (folder / NAME).exists():
        return False
    held = load(folder)
    if held.id == study.id:
        return all((folder / CLIPS / name).is_file() for name in _files(study))
    people = people_in(folder)
    if people:
        what = f"{folder}: holds answers of {len(people)} to a study of other clips, texts or settings"
        raise StudyError(f"{what}; choose another folder: --outdir")
    return False


def _files(study: Study) -> set[str]:
    return {name for item in study.items for clip in item.clips for name in clip.files}


def _write(
    study: Study,
    folder: Path,
    sources: Sequence[Source],
    clips: dict[int, Clip],
    made: Sequence[Clip],
    say: Callable[[str], None],
) -> None:
    needed = _files(study)
    say(f"{folder}: making {len(needed)} clips")
    for old in (folder / CLIPS).glob("*.mp4"):
        if re.fullmatch(r"[0-9a-f]{12}\.mp4", old.name) and old.name not in needed:
            old.unlink()
    for place, source in enumerate(sources):
        clip, copies = clips[place], [one for at, one in enumerate(made) if at % len(sources) == place]
        with FrameList() as frames:
            source.read(frames)
            turned = source.turned()
            orders = {clip.files[0]: range(len(frames)), clip.files[1]: turned}
            for name in needed & orders.keys():
                write_video(folder / CLIPS / name, (frames[at] for at in orders[name]), source.fps)
            unedited, count = still(frames, source.distances), len(frames)
        for one in copies:
            for way, name in enumerate(one.files):
                if name in needed:
                    obvious = one.made == "obvious"
                    shown = darkening(unedited, count, way * count // 2) if obvious else repeat(unedited, count)
                    write_video(folder / CLIPS / name, shown, source.fps)
    with whole_file(folder / NAME) as part:
        part.write_bytes(study.data())
