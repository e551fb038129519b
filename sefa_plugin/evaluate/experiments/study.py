"""What people said in a study: votes, names, how far they agree, and which of two methods they prefer.

Rules, which the tables repeat:

* Of a question that was asked twice, the first answer counts; the second is only held against it.
* A person is left out who answered more than a third of the catch questions wrongly, or needed in the median less
  than 0.3 s beyond the length of a clip, or answered fewer than half of two or more repeated questions alike.
* Two texts say the same if the same words are left of them without capitals, punctuation, filling words ("more",
  "the", "changes") and the plural's s, in any order, or if a list of synonyms says so.
* A direction is called what most people call it, if two or more do; of equally many both names stand.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ...reading.json_file import read_bounded
from ...study.answers import Answer, Record, latest, people_in, person, read
from ...study.design import NAME, Item, Study, StudyError, load
from ...system.messages import without_unprintable
from ..statistics.agreement import alpha_interval, counts_of, kappa_interval, sign_test, wilson
from ..statistics.bootstrap import Interval, interval, resampling
from ..tables.table import Table

if TYPE_CHECKING:
    from ..tables.table import Cell

WRONG, FASTEST, ALIKE, REPEATED = 1 / 3, 0.3, 0.5, 2
ENOUGH = 2  # people who must give a name
MOST = 1 << 20  # bytes of a list of synonyms
_WORDS = (
    "a an the of in on to and or is are it its this that with from into some more less gets get getting becomes become "
    "becoming goes turns change changes changed changing different increase increases decrease decreases"
)
_FILLING = frozenset(_WORDS.split())
_SPELLED = {"color": "colour", "gray": "grey", "centre": "center"}
NOTHING = "nothing changes"  # what an answer of ``nothing`` counts as among names


@dataclass
class Person:
    """A person's answers.

    Attributes:
        name: as typed.
        answers: the last one for each place.
        left_out: why they do not count; '' where they do.
    """

    name: str
    answers: list[Answer]
    right: int = 0
    caught: int = 0
    alike: int = 0
    repeated: int = 0
    beyond: float | None = None
    left_out: str = ""

    @property
    def first(self) -> list[Answer]:
        """Those that count."""
        return [one for one in self.answers if not one.again]


@dataclass
class Words:
    """What people call things, merged.

    Attributes:
        synonyms: see :func:`synonyms_in`.
        written: by reduced text, how often each spelling was typed.
    """

    synonyms: Mapping[str, str] = field(default_factory=dict)
    written: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, text: str) -> str:
        """The reduced text that stands for a text, whose spelling is counted."""
        short = reduced(text)
        if short in self.synonyms:
            return reduced(self.synonyms[short])
        self.written[short][" ".join(without_unprintable(text).replace(",", " ").split()).lower()] += 1
        return short

    def spelled(self, key: str) -> str:
        """How the list of synonyms spells it, or most people, of equally many spellings the shortest."""
        found = self.written[key]
        name = self.synonyms.get(key) or min(found, key=lambda word: (-found[word], len(word), word))
        return name[:60].strip()


def reduced(text: str) -> str:
    """The words of a text that say something, in the order of the alphabet; all of them where none is left."""
    text = without_unprintable(text).lower()
    words = re.findall(r"\w+", text) or [text.strip()]
    words = [_SPELLED.get(word, word) for word in words]
    left = [word for word in words if word not in _FILLING] or words
    return " ".join(sorted(dict.fromkeys(re.sub(r"(?<=\w\w[^s])s$", "", word) for word in left)))


def synonyms_in(path: Path) -> dict[str, str]:
    """A list of synonyms, lines such as ``hair colour = hair, shade of the hair``: from each, reduced, to the first.

    Raises:
        ValueError: a line is none, or a word stands for two names.
        OSError: it cannot be read.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_bounded(path, MOST).decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, others = line.partition("=")
        name = name.strip()
        if not equals or not name or "," in name or not others.strip():
            raise ValueError(f"{path}, line {number}: expected NAME = WORD, WORD, got {line.strip()!r:.60}")
        for word in filter(str.strip, [name, *others.split(",")]):
            if found.setdefault(reduced(word), name) != name:
                raise ValueError(f"{path}, line {number}: {word.strip()!r:.40} stands for two names")
    return found


# --- reading --------------------------------------------------------------------------------------


def read_all(paths: Sequence[Path], warn: Callable[[str], None]) -> tuple[Study, Path, list[Person]]:
    """A study, its folder, and what people answered.

    Args:
        paths: the folder of the study, and files or folders of answers from elsewhere.
        warn: called with a line on what is left out.

    Raises:
        StudyError: there is no study among them, or more than one, or nobody has answered.
        OSError: a file cannot be read.
    """
    folders = [path for path in paths if (path / NAME).is_file()]
    files = [path for path in paths if path not in folders]
    if not folders:  # answers inside of the folder of a study
        folders = [path.parent.parent for path in files if (path.parent.parent / NAME).is_file()][:1]
    if not folders:
        what = "is no folder of a study" if paths[0].is_dir() else "answers alone say little"
        raise StudyError(f"{paths[0]}: {what}; name the folder of the study, too, which knows what the clips show")
    if len(folders) > 1:
        raise StudyError(f"{folders[0]} and {folders[1]}: are two studies; evaluate one at a time")
    (folder,) = folders
    study = load(folder)
    held = people_in(folder)
    for path in files:
        held += sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    records: dict[tuple[str, str], list[Record]] = {}
    for path in dict.fromkeys(file.resolve() for file in held):
        for one in _records_of(path, study, warn):
            records.setdefault((person(one.name), one.browser), []).append(one)
    people = [_person(study, mine) for mine in records.values()]
    people = [one for one in people if one.answers]
    if not people:
        raise StudyError(f"{folder}: nobody has answered yet")
    names = Counter(person(one.name) for one in people)
    for name in [name for name, count in names.items() if count > 1]:
        for number, same in enumerate([one for one in people if person(one.name) == name], 1):
            same.name = f"{same.name} ({number})"
    return study, folder, sorted(people, key=lambda one: one.name.lower())


def _records_of(path: Path, study: Study, warn: Callable[[str], None]) -> list[Record]:
    try:
        records, broken = read(path)
    except ValueError as error:
        warn(f"{path}: left out: {error}")
        return []
    mine = [one for one in records if one.study == study.id]
    if len(mine) < len(records):
        warn(f"{path}: {len(records) - len(mine)} of its lines are of another study, left out")
    known = [one for one in mine if not isinstance(one, Answer) or _fits(study, one)]
    broken += len(mine) - len(known)
    if broken:
        warn(f"{path}: {broken} of its lines {'is' if broken == 1 else 'are'} no answer to this study, left out")
    return known


def _fits(study: Study, answer: Answer) -> bool:
    item = study.item(answer.item)
    if item is None or len(item.clips) != len(answer.shown):
        return False
    kinds = {"one": ("change", "nothing", "unsure"), "pair": ("left", "right", "unsure")}
    files = {file for clip in item.clips for file in clip.files}
    whole = answer.choice != "change" or (bool(answer.text.strip()) and answer.clean > 0)
    return set(answer.shown) <= files and answer.choice in kinds[item.kind] and whole


def _person(study: Study, records: Sequence[Record]) -> Person:
    """A person, with the reasons to be left out."""
    ordered = sorted(records, key=lambda one: one.at)  # of a part that was saved, and of the whole
    one = Person(without_unprintable(records[0].name), list(latest(ordered).values()))
    pairs = [(answer, _item(study, answer)) for answer in one.answers]
    catches = [_given(item, answer) == item.catch for answer, item in pairs if item.catch]
    one.right, one.caught = sum(catches), len(catches)
    before = {answer.item: answer for answer in one.first}
    twice = [(before[answer.item], answer, item) for answer, item in pairs if answer.again and answer.item in before]
    one.alike, one.repeated = sum(_alike(*two) for two in twice), len(twice)
    times = [answer.seconds - max(clip.seconds for clip in item.clips) for answer, item in pairs]
    one.beyond = median(times) if times else None
    reasons = []
    if one.caught and one.caught - one.right > WRONG * one.caught:
        reasons.append(f"{one.caught - one.right} of {one.caught} catch questions wrong")
    if one.beyond is not None and one.beyond < FASTEST:
        reasons.append(f"too fast: in the median {max(one.beyond, 0):.1f} s beyond the clip")
    if one.repeated >= REPEATED and one.alike < ALIKE * one.repeated:
        reasons.append(f"{one.repeated - one.alike} of {one.repeated} repeated questions answered otherwise")
    one.left_out = "; ".join(reasons)
    return one


def _item(study: Study, answer: Answer) -> Item:
    item = study.item(answer.item)
    assert item is not None  # see _fits
    return item


def _given(item: Item, answer: Answer) -> str:
    """An answer as ``Item.catch`` has it: of a pair the place of the clip that was chosen."""
    if item.kind == "one" or answer.choice == "unsure":
        return answer.choice
    chosen = answer.shown[0 if answer.choice == "left" else 1]
    return str(next(place for place, clip in enumerate(item.clips) if chosen in clip.files))


def _alike(first: Answer, second: Answer, item: Item) -> bool:
    """Whether two answers to one question are the same; of names one word in common is enough."""
    if _given(item, first) != _given(item, second):
        return False
    return first.choice != "change" or bool({*reduced(first.text).split()} & {*reduced(second.text).split()})


# --- results --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """What a direction is called.

    Attributes:
        direction: its place in the study.
        name: '' where too few people agree.
        votes: who call it so.
        answers: all who answered, also that nothing changes.
    """

    direction: int
    name: str
    votes: int
    answers: int


@dataclass(frozen=True)
class Results:
    """The tables of a study; ``pairs`` and those of names are None where it did not ask."""

    directions: Table | None
    pairs: Table | None
    agreement: Table
    people: Table
    names: Sequence[Named]


def results_of(
    study: Study, people: Sequence[Person], synonyms: Mapping[str, str], seed: int = 0, keep_all: bool = False
) -> Results:
    """The tables of the answers that count.

    Args:
        study, people: see :func:`read_all`.
        synonyms: see :func:`synonyms_in`.
        seed: of the resampling.
        keep_all: nobody is left out.
    """
    used = [one for one in people if keep_all or not one.left_out]
    words = Words(synonyms)
    given = {id(answer): words.add(answer.text) for one in used for answer in one.first if answer.choice == "change"}
    singles = [item for item in study.items if item.kind == "one" and not item.catch]
    couples = [item for item in study.items if item.kind == "pair" and not item.catch]
    by_item = {item.id: _answers_to(item, used) for item in study.items}
    names = [_named(item, by_item[item.id], given, words) for item in singles]
    agreement = [*_of_singles(singles, by_item, given, seed), *_of_pairs(couples, by_item, seed)]
    counted = f"{len(used)} of {len(people)} people count"
    return Results(
        _directions(study, singles, by_item, given, names, counted) if singles else None,
        _preferences(study, couples, used, seed, counted) if couples else None,
        Table(
            "How far people agree",
            ["measure", "value", "questions", "answers", "people"],
            agreement,
            f"{counted}. Krippendorff's alpha (2011) takes missing answers, Fleiss' kappa (1971) needs all. 1 is full "
            f"agreement, 0 that of chance; 95 % intervals by resampling the questions. {NOTHING.capitalize()} is a "
            "name among others; who could not tell gave none. Where all answers are the same, nothing is defined.",
        ),
        _people(people, keep_all),
        names,
    )


def _answers_to(item: Item, used: Sequence[Person]) -> dict[int, Answer]:
    """Answers to a question by the place of who gave them."""
    return {place: answer for place, one in enumerate(used) for answer in one.first if answer.item == item.id}


def _named(item: Item, answers: Mapping[int, Answer], given: Mapping[int, str], words: Words) -> Named:
    """What most people call what a clip shows."""
    direction = item.clips[0].direction
    assert direction is not None
    votes = Counter(given[id(answer)] for answer in answers.values() if answer.choice == "change")
    most = max(votes.values(), default=0)
    first = sorted(words.spelled(key) for key, count in votes.items() if count == most)
    name = " / ".join(first[:2]) if most >= ENOUGH and len(first) <= 2 else ""
    return Named(direction, name[:100].strip(), most if name else 0, len(answers))


def _directions(
    study: Study,
    singles: Sequence[Item],
    by_item: Mapping[str, Mapping[int, Answer]],
    given: Mapping[int, str],
    names: Sequence[Named],
    counted: str,
) -> Table:
    rows: list[list[Cell]] = []
    for item, named in zip(singles, names):
        answers = list(by_item[item.id].values())
        kinds = Counter(answer.choice for answer in answers)
        clean = [answer.clean for answer in answers if answer.choice == "change"]
        rows.append(
            [
                study.title(named.direction),
                len(answers),
                wilson(kinds["change"], len(answers)),
                kinds["nothing"],
                kinds["unsure"],
                named.name or None,
                wilson(named.votes, len(answers)) if named.name else None,
                float(np.mean(clean)) if clean else None,
            ]
        )
    heads = ["direction", "answers", "see a change", "nothing", "cannot tell", "name", "call it so", "cleanly (1-5)"]
    note = (
        f"{counted}. Shares of all answers to a clip, with Wilson's 95 % intervals. A name is what most people call "
        f"it, if {ENOUGH} or more do; of equally many both stand."
    )
    return Table("What people see", heads, rows, note)


def _of_singles(
    singles: Sequence[Item], by_item: Mapping[str, Mapping[int, Answer]], given: Mapping[int, str], seed: int
) -> list[list[Cell]]:
    if not singles:
        return []
    codes: dict[str, float] = {}

    def name(answer: Answer) -> float:
        if answer.choice == "unsure":
            return float("nan")
        word = NOTHING if answer.choice == "nothing" else given[id(answer)]
        return codes.setdefault(word, float(len(codes)))

    seen = {"change": 1.0, "nothing": 0.0, "unsure": float("nan")}
    named = _ratings(singles, by_item, name)
    change = _ratings(singles, by_item, lambda answer: seen[answer.choice])
    clean = _ratings(singles, by_item, lambda answer: float(answer.clean) if answer.clean else float("nan"))
    return [
        _row("names: alpha, nominal", named, "nominal", seed),
        _row("names: Fleiss' kappa", named, "kappa", seed),
        _row("a change or nothing: alpha, nominal", change, "nominal", seed),
        _row("how cleanly: alpha, ordinal", clean, "ordinal", seed),
        _row("how cleanly: alpha, interval", clean, "interval", seed),
    ]


def _of_pairs(couples: Sequence[Item], by_item: Mapping[str, Mapping[int, Answer]], seed: int) -> list[list[Cell]]:
    if not couples:
        return []
    items = {item.id: item for item in couples}

    def chosen(answer: Answer) -> float:
        return float("nan") if answer.choice == "unsure" else float(_given(items[answer.item], answer))

    rated = _ratings(couples, by_item, chosen)
    return [_row("pairs: alpha, nominal", rated, "nominal", seed), _row("pairs: Fleiss' kappa", rated, "kappa", seed)]


def _ratings(
    items: Sequence[Item], by_item: Mapping[str, Mapping[int, Answer]], value: Callable[[Answer], float]
) -> np.ndarray:
    """Values ``[people, items]`` of answers, NaN where there is none."""
    people = 1 + max((place for item in items for place in by_item[item.id]), default=0)
    found = np.full((people, len(items)), np.nan)
    for at, item in enumerate(items):
        for place, answer in by_item[item.id].items():
            found[place, at] = value(answer)
    return found


def _row(measure: str, ratings: np.ndarray, level: str, seed: int) -> list[Cell]:
    counts, values = counts_of(ratings)
    if level == "kappa":
        # Of all who answered this kind of question: who lacks one makes it incomplete.
        value = kappa_interval(counts, seed) if not np.isnan(ratings[~np.isnan(ratings).all(axis=1)]).any() else None
    else:
        value = alpha_interval(counts, values, level, seed)
    paired = int((counts.sum(axis=1) > 1).sum())
    return [measure, value, paired, int(counts.sum()), int((~np.isnan(ratings)).any(axis=1).sum())]


def _preferences(study: Study, couples: Sequence[Item], used: Sequence[Person], seed: int, counted: str) -> Table:
    """For every two methods, and for each of their pairs, who prefers the first."""
    votes: dict[
        tuple[int, ...], list[list[int]]
    ] = {}  # by two runs, or two directions: [first, second, unsure] of each
    titles: dict[tuple[int, ...], str] = {}
    for item in couples:
        one, other = (clip.direction for clip in item.clips)
        assert one is not None and other is not None
        runs = (study.directions[one].run, study.directions[other].run)
        keys: list[tuple[int, ...]] = [runs, (*runs, one, other)]
        titles[keys[0]] = " or ".join(study.runs[run].called for run in runs)
        titles[keys[1]] = f"{study.title(one)} or {study.title(other)}"
        for place, person_ in enumerate(used):
            for answer in person_.first:
                if answer.item != item.id:
                    continue
                which = {"0": 0, "1": 1}.get(_given(item, answer), 2)
                for key in keys:
                    votes.setdefault(key, [[0, 0, 0] for _ in used])[place][which] += 1
    rows: list[list[Cell]] = []
    for key in sorted(titles, key=lambda key: (len(key), key)):
        each = np.array(votes.get(key, [[0, 0, 0]]), dtype=float)
        first, second, unsure = map(int, each.sum(axis=0))
        rows.append(
            [
                titles[key],
                first,
                second,
                unsure,
                wilson(first, first + second),
                _by_people(each, seed) if len(key) == 2 else None,
                sign_test(first, second) if first + second else None,
            ]
        )
    heads = ["first or second", "first", "second", "cannot tell", "prefer the first", "by people", "p"]
    note = (
        f"{counted}. Shares of the votes for one of the two: with Wilson's 95 % intervals, as if all votes were "
        "independent, and by resampling the people. p: exact binomial test, two-sided."
    )
    return Table("Which people prefer", heads, rows, note)


def _by_people(votes: np.ndarray, seed: int) -> Interval | None:
    """The share of the first among votes ``[people, 3]``, with its interval by resampling the people."""
    decided = votes[:, 0] + votes[:, 1]
    if not decided.sum() or len(votes) < 2:
        return None
    draws = resampling(len(votes), seed=seed)
    of = draws @ decided
    replicates = (draws @ votes[:, 0])[of > 0] / of[of > 0]
    return interval(float(votes[:, 0].sum() / decided.sum()), replicates)


def _counts(one: Person, keep_all: bool) -> str:
    if not one.left_out:
        return "yes"
    return f"{'yes, though' if keep_all else 'no:'} {one.left_out}"


def _people(people: Sequence[Person], keep_all: bool) -> Table:
    rows: list[list[Cell]] = [
        [
            one.name,
            len(one.answers),
            f"{one.right} of {one.caught}",
            f"{one.alike} of {one.repeated}",
            float(median(answer.seconds for answer in one.answers)),
            _counts(one, keep_all),
        ]
        for one in people
    ]
    note = (
        "Left out is who answered more than a third of the catch questions wrongly, needed in the median less than "
        f"{FASTEST} s beyond the length of a clip, or answered fewer than half of the repeated questions alike (of "
        f"{REPEATED} or more; one word in common makes names alike)."
    )
    return Table("People", ["person", "answers", "catches right", "repeats alike", "seconds", "counts"], rows, note)
