"""What is made of answers whose result is known: votes, names, agreement, preferences, who is left out."""

import msgspec
import numpy as np
import pytest
from made_runs import answer, answers_of, directions, made_run

from sefa_plugin.directions.directions import Directions
from sefa_plugin.evaluate.experiments import study as work
from sefa_plugin.evaluate.experiments.study_names import write_names
from sefa_plugin.study.design import Clip, Item, Run, Shown, Study, StudyError

FINE = {"catches": "right", "seconds": 5.0}


def made(folder, count=3, methods=1):
    """A study of directions of one or two methods, without clips."""
    shown = tuple(
        Shown(run, "all", at, f"{run}{at}".zfill(64), (0, 1)) for run in range(methods) for at in range(count)
    )
    files = iter(f"{number:012x}.mp4" for number in range(10_000))
    clips = [Clip((next(files), next(files)), 2.0, place) for place in range(len(shown))]
    still, obvious = (Clip((next(files), next(files)), 2.0, None, made) for made in ("still", "obvious"))
    items = [(clip,) for clip in clips]
    if methods == 2:
        items += list(zip(clips[:count], clips[count:]))
    items = [(pair, "") for pair in items] + [((still,), "nothing"), ((obvious,), "change")]
    items += [((still, obvious), "1")] * (methods - 1)
    study = Study(
        "a" * 12,
        0,
        0.1,
        tuple(Run(f"../run{run}", f"method{run}", "net", "") for run in range(methods)),
        shown,
        tuple(Item(f"{number:012x}", pair, catch) for number, (pair, catch) in enumerate(items)),
        {},
    )
    folder.mkdir(exist_ok=True)
    (folder / "study.json").write_bytes(study.data())
    return study


def evaluated(study, folder, *people, synonyms=None, **options):
    for records in people:
        answer(folder, records)
    said = []
    again, place, found = work.read_all([folder], said.append)
    assert (again, place, said) == (study, folder, [])
    return work.results_of(study, found, synonyms or {}, **options)


def rows(table):
    return {row[0]: dict(zip(table.columns, row)) for row in table.rows}


def test_two_people_with_known_answers(tmp_path):
    """Names (hair, hair), (smile, pose), (nothing, nothing), and ratings (4, 5), (2, 2).

    Alpha of names: 2 of 6 pairs differ where 26 of 30 would by chance. Kappa: (2/3 - 10/36) / (1 - 10/36). Ratings, as
    intervals: observed 2 / 4, expected over the 4 * 3 pairs of 4, 5, 2, 2: 54 / 12.
    """
    study = made(tmp_path)
    result = evaluated(
        study,
        tmp_path,
        answers_of(study, "anna", [("Hair", 4), ("smile", 2), "nothing"], **FINE),
        answers_of(study, "ben", [("the hair!", 5), ("pose", 2), "nothing"], **FINE),
    )
    agreement = rows(result.agreement)
    names = agreement["names: alpha, nominal"]
    assert names["value"].value == pytest.approx(1 - (2 / 6) / (26 / 30))
    assert (names["questions"], names["answers"], names["people"]) == (3, 6, 2)
    kappa = agreement["names: Fleiss' kappa"]["value"]
    assert kappa.value == pytest.approx((2 / 3 - 10 / 36) / (1 - 10 / 36))
    assert agreement["how cleanly: alpha, interval"]["value"].value == pytest.approx(1 - 0.5 / (54 / 12))
    assert agreement["a change or nothing: alpha, nominal"]["value"].value == 1
    first, second, third = result.directions.rows
    assert first[:2] == ["all:0", 2] and first[5] == "hair" and first[7] == 4.5
    assert [round(number, 3) for number in first[2].as_list()] == [1, 0.342, 1]  # Wilson, 2 of 2
    assert [round(number, 3) for number in first[6].as_list()] == [1, 0.342, 1]
    assert second[5] is None and second[6] is None  # nobody agrees
    assert third[3] == 2 and third[2].value == 0 and third[5] is None
    assert [row[-1] for row in result.people.rows] == ["yes", "yes"] and result.pairs is None


def test_who_could_not_tell_has_not_rated_and_a_missing_answer_makes_kappa_incomplete(tmp_path):
    study = made(tmp_path)
    result = evaluated(
        study,
        tmp_path,
        answers_of(study, "anna", [("hair", 4), ("smile", 2), "unsure"], **FINE),
        answers_of(study, "ben", [("hair", 4), ("smile", 3), ("pose", 3)], **FINE),
        answers_of(study, "carl", [None, ("smile", 2), "nothing"], **FINE),
    )
    agreement = rows(result.agreement)
    names = agreement["names: alpha, nominal"]
    assert (names["questions"], names["answers"], names["people"]) == (3, 7, 3)
    # Units (h, h), (s, s, s), (p, n): observed 2 of 7; expected 42 - (2 + 6) of 42.
    assert names["value"].value == pytest.approx(1 - (2 / 7) / ((42 - 2 - 6) / 42))
    assert agreement["names: Fleiss' kappa"]["value"] is None
    assert [row[1:5:2] for row in result.directions.rows] == [[2, 0], [3, 0], [3, 1]]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"catches": "wrong"}, "2 of 2 catch questions wrong"),
        ({"seconds": 2.2}, "too fast: in the median 0.2 s beyond the clip"),
        ({"repeats": [(0, ("pose", 4)), (1, "nothing")]}, "2 of 2 repeated questions answered otherwise"),
        ({"repeats": [(0, ("pose", 4))]}, ""),  # one is not enough
        ({"repeats": [(0, ("more hair", 1)), (1, "nothing")]}, ""),  # half of them are alike
    ],
)
def test_who_is_left_out_and_why(tmp_path, options, why):
    study = made(tmp_path)
    says = [("hair", 4), ("smile", 4), "nothing"]
    people = [answers_of(study, name, says, **FINE) for name in ("anna", "ben")]
    people.append(answers_of(study, "carl", [("dog", 1)] * 3, **{**FINE, **options}))
    if not why or "repeats" in options:
        people[2] = answers_of(study, "carl", says, **{**FINE, **options})
    result = evaluated(study, tmp_path, *people)
    assert [row[-1] for row in result.people.rows] == ["yes", "yes", f"no: {why}" if why else "yes"]
    assert result.directions.rows[0][1] == (2 if why else 3)
    assert f"{2 if why else 3} of 3 people count" in result.directions.note
    kept = evaluated(study, tmp_path, keep_all=True)
    assert kept.directions.rows[0][1] == 3
    assert kept.people.rows[2][-1] == (f"yes, though {why}" if why else "yes")


def test_names_are_merged_ties_kept_and_synonyms_joined(tmp_path):
    study = made(tmp_path)
    says = [
        [("Hair colour", 3), ("smile", 3), ("age", 3)],
        [("the colour of the hair", 3), ("smiles", 3), ("age", 3)],
        [("hair color changes", 3), ("grin", 3), ("wrinkles", 3)],
        [("hair", 3), ("mouth", 3), ("wrinkles", 3)],
    ]
    people = [answers_of(study, f"person {at}", one, **FINE) for at, one in enumerate(says)]
    result = evaluated(study, tmp_path, *people)
    assert [(one.name, one.votes, one.answers) for one in result.names] == [
        ("hair colour", 3, 4),
        ("smile", 2, 4),
        ("age / wrinkles", 2, 4),
    ]
    (tmp_path / "words.txt").write_text("# ours\nhair colour = hair, hair color\nsmile = grin, mouth\nage = wrinkles\n")
    merged = evaluated(study, tmp_path, synonyms=work.synonyms_in(tmp_path / "words.txt"))
    assert [(one.votes, one.answers) for one in merged.names] == [(4, 4)] * 3
    assert [one.name for one in merged.names] == ["hair colour", "smile", "age"]
    assert rows(merged.agreement)["names: Fleiss' kappa"]["value"].value == 1
    (tmp_path / "words.txt").write_text("smile grin\n")
    with pytest.raises(ValueError, match="line 1: expected NAME = WORD, WORD"):
        work.synonyms_in(tmp_path / "words.txt")
    (tmp_path / "words.txt").write_text("smile = grin\nmouth = grin\n")
    with pytest.raises(ValueError, match="line 2: 'grin' stands for two names"):
        work.synonyms_in(tmp_path / "words.txt")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hair-Colour!", "color of the hairs"), ("more glasses", "glasses"), ("髪の色", "髪の色 "), ("🙂", "🙂")],
)
def test_texts_that_say_the_same(one, other):
    assert work.reduced(one) == work.reduced(other) != ""
    assert work.reduced("hair") != work.reduced("hair colour") and work.reduced("the") == "the"


def test_which_method_is_preferred(tmp_path):
    """Three people, three pairs: the first method 6 times, the second twice, one cannot tell."""
    study = made(tmp_path, methods=2)
    says = [("hair", 3)] * 6
    result = evaluated(
        study,
        tmp_path,
        answers_of(study, "anna", says, prefers=[0, 0, 1], **FINE),
        answers_of(study, "ben", says, prefers=[0, 0, 0], **FINE),
        answers_of(study, "carl", says, prefers=[0, 1, 2], **FINE),
    )
    total, *each = result.pairs.rows
    assert total[:4] == ["method0 or method1", 6, 2, 1]
    assert total[4].value == 0.75 == total[5].value and total[4].low == pytest.approx(0.409, abs=0.001)
    assert total[5].low >= 0.5 and total[6] == pytest.approx(2 * (28 + 8 + 1) / 256)
    assert [row[1:4] for row in each] == [[3, 0, 0], [2, 1, 0], [1, 1, 1]]
    assert each[0][0] == "method0 all:0 or method1 all:0"
    # Pairs (0, 0, 0), (0, 0, 1), (1, 0): observed 1 + 1 of 8 pairs, twice each over m - 1; expected 24 of 56.
    alpha = rows(result.agreement)["pairs: alpha, nominal"]["value"]
    assert alpha.value == pytest.approx(1 - ((4 / 2 + 2) / 8) / (2 * 6 * 2 / 56))
    assert result.people.rows[0][2] == "3 of 3"


def test_answers_from_elsewhere(tmp_path):
    study = made(tmp_path / "study")
    records = answers_of(study, "anna", [("hair", 4), ("smile", 4), "nothing"], browser="1" * 16, **FINE)
    lines = [msgspec.json.encode(record) + b"\n" for record in records]
    (tmp_path / "part.jsonl").write_bytes(b"".join(lines[:3]))
    (tmp_path / "whole.jsonl").write_bytes(b"".join(lines) + b"{not a line\n")
    other = msgspec.structs.replace(records[1], study="b" * 12, name="ben")
    (tmp_path / "other.jsonl").write_bytes(msgspec.json.encode(other))
    answer(tmp_path / "study", answers_of(study, "Anna", [("hair", 4), None, None], **FINE))  # another Anna
    said = []
    files = [tmp_path / name for name in ("whole.jsonl", "part.jsonl", "other.jsonl")]
    _, _, people = work.read_all([tmp_path / "study", *files], said.append)
    assert [(one.name, len(one.answers)) for one in people] == [("Anna (1)", 3), ("anna (2)", 5)]
    assert len(said) == 2 and "1 of its lines is no answer" in said[0] and "of another study" in said[1]
    _, _, again = work.read_all([tmp_path / "study", tmp_path], said.append)  # a folder of them
    assert [one.answers for one in again] == [one.answers for one in people]
    only = tmp_path / "study/answers/anna.jsonl"
    assert len(work.read_all([only], said.append)[2]) == 1  # inside of the folder of a study
    with pytest.raises(StudyError, match="answers alone say little; name the folder of the study"):
        work.read_all(files, said.append)
    made(tmp_path / "second")
    with pytest.raises(StudyError, match="are two studies"):
        work.read_all([tmp_path / "study", tmp_path / "second"], said.append)
    with pytest.raises(StudyError, match="nobody has answered"):
        work.read_all([tmp_path / "second"], said.append)


def test_lines_that_do_not_fit_are_left_out(tmp_path):
    study = made(tmp_path)
    good = answers_of(study, "anna", [("hair", 4)], **FINE)
    answer(tmp_path, [*good, msgspec.structs.replace(good[1], place=50, item="f" * 12)])
    answer(tmp_path, [msgspec.structs.replace(good[1], place=51, choice="left")])
    answer(tmp_path, [msgspec.structs.replace(good[1], place=52, shown=("f" * 12 + ".mp4",))])
    answer(tmp_path, [msgspec.structs.replace(good[1], place=53, clean=0)])
    said = []
    _, _, (person,) = work.read_all([tmp_path], said.append)
    assert len(person.answers) == 3 and "4 of its lines are no answer" in said[0]


def test_names_are_written_and_a_persons_own_stay(tmp_path):
    run = made_run(tmp_path / "run", 4)
    held = Directions.load(run / "directions.safetensors").named(1, "mine").with_auto_names({2: ("old", 0.4)}, [2])
    held.save(run / "directions.safetensors")
    from sefa_plugin.study.making import Wanted, make_study

    study = make_study([run], tmp_path / "study", Wanted(catches=0))
    people = [
        answers_of(study, name, [("smile", 4), ("pose", 4), ("smile", 3), (word, 2)], **FINE)
        for name, word in (("anna", "12"), ("ben", "12"), ("carl", "dog"))
    ]
    result = evaluated(study, tmp_path / "study", *people)
    lines = write_names(study, tmp_path / "study", result.names)
    now = Directions.load(run / "directions.safetensors")
    assert now.names == ("smile", "mine", "smile 2", "") and now.named_by == ("auto", "person", "auto", "")
    assert now.purity[:3] == (1.0, None, 1.0)
    text = "\n".join(lines)
    assert "direction 0 is called 'smile'" in text and "direction 2 is called 'smile 2', no longer 'old'" in text
    assert "direction 1 keeps the name 'mine' that you gave it; people say 'pose'" in text
    assert "direction 3 is not named" in text and len(lines) == 4
    assert write_names(study, tmp_path / "study", result.names)  # again: the same names
    assert Directions.load(run / "directions.safetensors").names == now.names


def test_names_of_directions_from_another_file(tmp_path):
    run = made_run(tmp_path / "run", 1)
    (run / "directions.safetensors").rename(tmp_path / "elsewhere.safetensors")
    from sefa_plugin.study.making import Wanted, make_study

    study = make_study([run], tmp_path / "study", Wanted(catches=0))
    names = [work.Named(0, "smile", 2, 2)]
    (line,) = write_names(study, tmp_path / "study", names)
    assert "'smile' is not written" in line and "--directions-file" in line
    write_names(study, tmp_path / "study", names, [tmp_path / "elsewhere.safetensors"])
    assert Directions.load(tmp_path / "elsewhere.safetensors").names == ("smile",)
    assert np.array_equal(Directions.load(tmp_path / "elsewhere.safetensors").vectors, directions(1).vectors)
