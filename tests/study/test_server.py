"""The server of a study below the browser: what it answers, keeps and refuses."""

import errno
import json

import msgspec
import pytest
from made_runs import answers_of, item_of, made_run

pytest.importorskip("starlette")
testclient = pytest.importorskip("starlette.testclient")

from sefa_plugin.study import answers  # noqa: E402
from sefa_plugin.study.making import Wanted, make_study  # noqa: E402
from sefa_plugin.study.server import Asked  # noqa: E402

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [made_run(folder / "one", 2), made_run(folder / "two", 1, seed=1)]


@pytest.fixture(scope="module")
def made(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return make_study(runs, folder, Wanted("both")), folder


@pytest.fixture
def client(made):
    study, folder = made
    for path in answers.people_in(folder):
        path.unlink()
    said = []
    with testclient.TestClient(
        Asked(study, folder, TOKEN, said.append).app(),
        base_url="http://127.0.0.1:8765",
        headers={"X-Sefa-Token": TOKEN},
    ) as opened:
        opened.said = said
        yield opened


def post(client, record, status=200):
    response = client.post("/api/answers", content=msgspec.json.encode(record))
    assert response.status_code == status, response.text
    return response.json()


def test_the_page_and_its_clips(client, made):
    study, folder = made
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html") and "default-src 'none'" in str(page.headers)
    for name in ("study.css", "study.js", "order.js", "server.js", "icon.svg"):
        assert client.get(f"/{name}").status_code == 200 and name in page.text
    assert client.get("/nothing.js").status_code == 404
    held = client.get("/api/study").json()
    assert held == json.loads(json.dumps(study.public()))
    file = held["items"][0]["clips"][0][0]
    clip = client.get(f"/api/clips/{file}")
    assert clip.headers["content-type"] == "video/mp4" and clip.content == (folder / "clips" / file).read_bytes()
    for wrong in ("0" * 12 + ".mp4", "..%2fstudy.json", "study.json"):
        assert client.get(f"/api/clips/{wrong}").status_code == 404


def test_only_this_computer_and_those_with_the_token(client):
    for headers in ({"X-Sefa-Token": "wrong"}, {"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert client.get("/api/study", headers=headers).status_code == 403
        assert client.post("/api/earlier", json={"name": "anna"}, headers=headers).status_code == 403


def test_what_was_answered_is_there_again(client, made):
    study, folder = made
    records = answers_of(study, "Anna", [("hair", 4), "nothing", "unsure"], prefers=[1])
    assert client.post("/api/earlier", json={"name": "anna"}).json() == {"begun": False, "answers": []}
    for record in records:
        post(client, record)
    changed = msgspec.structs.replace(records[1], text="hat")
    post(client, changed)
    held = client.post("/api/earlier", json={"name": " ANNA "}).json()
    assert held["begun"] and [one["place"] for one in held["answers"]] == list(range(len(records) - 1))
    assert held["answers"][0]["text"] == "hat" and held["answers"][-1]["choice"] in ("left", "right")
    assert answers.read(answers.file_of(folder, "anna")) == ([*records, changed], 0)
    assert client.post("/api/earlier", json={"name": "ben"}).json()["answers"] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"item": "f" * 12}, "no such question"),
        ({"study": "f" * 12}, "another study"),
        ({"choice": "left"}, "another question"),
        ({"shown": ("f" * 12 + ".mp4",)}, "another question"),
        ({"text": " "}, "is missing"),
        ({"clean": 0}, "is missing"),
        ({"clean": 6}, "clean"),
        ({"plays": 0}, "not watched to its end"),
        ({"name": "a\nb"}, "a name is needed"),
        ({"name": " "}, "a name is needed"),
        ({"text": "x" * 201}, "text"),
        ({"more": 1}, "more"),
    ],
)
def test_answers_that_cannot_be_are_refused(client, made, change, says):
    study, folder = made
    record = msgspec.to_builtins(answers_of(study, "anna", [("hair", 4)])[1])
    assert says in post(client, {**record, **change}, 400)["error"]
    assert answers.people_in(folder) == []


def test_nobody_takes_part_without_consent(client, made):
    begin = msgspec.structs.replace(answers_of(made[0], "anna", [])[0], consent=False)
    assert "consent" in post(client, begin, 400)["error"]


def test_a_full_disk_is_a_line_and_the_answer_can_be_sent_again(client, made, monkeypatch):
    study, folder = made
    record = answers_of(study, "anna", [("hair", 4)])[1]

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as held:
        held.setattr(answers, "append", full)
        assert "not saved: No space left" in post(client, record, 500)["error"]
    assert client.said == ["the answer is not saved: No space left on device"]
    post(client, record)
    assert answers.read(answers.file_of(folder, "anna")) == ([record], 0)


def test_the_same_question_twice(client, made):
    study, _ = made
    assert item_of(study, 0).id != item_of(study, 1).id
    assert len({item.id for item in study.items}) == len(study.items)
