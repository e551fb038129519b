"""Networks of the Hub: what is typed, what is asked of it, what is kept, and what is missing; on a stand-in."""

import hashlib

import pytest
from stand_in_hub import COMMIT, LATER, TOKEN, Repo, repo, running

from sefa_plugin.reading import download, hub
from sefa_plugin.reading.download import DownloadError
from sefa_plugin.reading.hub import HubPlace, fetch, look, place_of

BODY = bytes(range(256)) * 3000
OTHER = b"other" * 1000


@pytest.fixture(scope="module")
def server():
    with running() as held:
        yield held


@pytest.fixture
def site(server, tmp_path, monkeypatch):
    for name in (
        *("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"),
        *("HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", server.address + "/")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    server.__init__(server.address, server.elsewhere)
    server.repos["o/n"] = repo({"a/net.pkl": BODY, "README.md": b"# text"}, licence="mit", small={"README.md"})
    return server


def place(text):
    return place_of(text)


def refused(text, *says):
    with pytest.raises(DownloadError) as caught:
        fetch(place(text))
    line = str(caught.value)
    assert line.startswith(f"{text}: ") and "\n" not in line and len(line) < 400
    assert TOKEN not in line
    for part in says:
        assert part in line
    return line


@pytest.mark.parametrize(
    "typed, expected",
    [
        ("hf://o/n", HubPlace("models", "o/n")),
        ("hf://models/o/n/a/net.pkl", HubPlace("models", "o/n", "main", "a/net.pkl")),
        ("HF://o/n@v1.0/net.pkl#x", HubPlace("models", "o/n", "v1.0", "net.pkl")),
        ("hf://o/n@refs/pr/3/a/net.pkl", HubPlace("models", "o/n", "refs/pr/3", "a/net.pkl")),
        ("hf://o/n@refs%2Fpr%2F3", HubPlace("models", "o/n", "refs/pr/3")),
        ("hf://datasets/o/n/x.zip", HubPlace("datasets", "o/n", "main", "x.zip")),
        ("https://huggingface.co/o/n", HubPlace("models", "o/n")),
        ("https://hf.co/o/n/blob/main/a/net.pkl?download=true", HubPlace("models", "o/n", "main", "a/net.pkl")),
        ("https://huggingface.co/o/n/resolve/refs%2Fpr%2F3/b%20c.pt", HubPlace("models", "o/n", "refs/pr/3", "b c.pt")),
        ("https://huggingface.co/spaces/o/n/raw/dev/x.pt#y", HubPlace("spaces", "o/n", "dev", "x.pt")),
        ("https://huggingface.co/o/n/tree/main/", HubPlace("models", "o/n")),
        ("https://huggingface.co/o/n/discussions/3", None),
        ("https://huggingface.co/o/n/resolve/main/../../x", None),
        ("https://cdn.huggingface.co/o/n", None),
        ("https://example.org/o/n/resolve/main/x.pkl", None),
        ("net.pkl", None),
    ],
)
def test_what_is_typed(monkeypatch, typed, expected):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert place(typed) == expected


@pytest.mark.parametrize("typed", ["hf://", "hf://o", "hf://o/n@", "hf://o/n/../../x.pkl", "hf://o/n@../x/y.pkl"])
def test_another_form_says_which_is_expected(typed):
    with pytest.raises(DownloadError, match=r"has not the form hf://owner/name\[@revision\]\[/path\]"):
        place(typed)


@pytest.mark.parametrize("typed", ["hf://o/n/a/net.pkl", "hf://o/n", "hf://o/n/a"])
def test_a_file_is_fetched_once_and_kept_as_huggingface_hub_does(site, typed, tmp_path):
    notes = []
    path = fetch(place(typed), note=notes.append)
    folder = tmp_path / "home" / "hub" / "models--o--n"
    assert path == folder / "snapshots" / COMMIT / "a" / "net.pkl"
    assert path.resolve() == folder / "blobs" / hashlib.sha256(BODY).hexdigest()
    assert path.read_bytes() == BODY and (folder / "refs" / "main").read_text() == COMMIT
    assert notes == [f"hf://o/n/a/net.pkl: licence tag mit; revision main is {COMMIT[:12]}"]
    assert fetch(place(typed)) == path
    assert len(site.downloads()) == 1


def test_a_pasted_address_and_another_kind_of_repository(site):
    site.repos["datasets/o/n"] = repo({"x.pt": OTHER})
    assert fetch(place(f"{site.address}/datasets/o/n/blob/main/x.pt")).read_bytes() == OTHER
    assert fetch(place(f"{site.address}/o/n/resolve/main/a/net.pkl?download=true")).read_bytes() == BODY


def test_what_git_keeps_itself_has_its_digest(site):
    site.repos["o/n"] = repo({"net.pt": OTHER}, small={"net.pt"})
    assert fetch(place("hf://o/n/net.pt")).read_bytes() == OTHER


def test_the_configuration_comes_along(site):
    files = {"x/pytorch_model.bin": BODY, "x/config.json": b"{}", "config.json": b"[]"}
    site.repos["o/n"] = repo(files, small={"x/config.json", "config.json"})
    path = fetch(place("hf://o/n/x/pytorch_model.bin"))
    assert (path.with_name("config.json").read_bytes(), path.read_bytes()) == (b"{}", BODY)
    assert not (path.parent.parent / "config.json").exists()


def test_revisions(site):
    site.repos["o/n"] = Repo(
        {"main": (COMMIT, {"net.pkl": BODY, "more.pkl": BODY}), "refs/pr/2": (LATER, {"net.pkl": OTHER})}
    )
    assert fetch(place("hf://o/n@refs/pr/2/net.pkl")).read_bytes() == OTHER
    assert fetch(place("hf://o/n/net.pkl")).read_bytes() == BODY
    asked = len(site.asked)
    assert fetch(place(f"hf://o/n@{LATER}/net.pkl")).read_bytes() == OTHER  # a commit does not change: nothing is asked
    assert len(site.asked) == asked
    assert fetch(place("hf://o/n/more.pkl")).read_bytes() == BODY  # the same bytes under another name
    assert len(site.downloads()) == 2
    refused("hf://o/n@v9/net.pkl", "o/n has no revision v9")


def test_what_is_printed_of_a_place_can_be_typed():
    for revision in ("main", "v1", "refs/pr/3", "feature/x"):
        typed = HubPlace("spaces", "o/n", revision, "a/net.pkl", hub.endpoint())
        assert place(str(typed)) == typed
    assert str(typed) == "hf://spaces/o/n@feature%2Fx/a/net.pkl"


def test_a_commit_that_was_fetched_by_its_name_is_that_of_the_branch(site, monkeypatch):
    path = fetch(place(f"hf://o/n@{COMMIT}/a/net.pkl"))
    assert fetch(place("hf://o/n/a/net.pkl")) == path and len(site.downloads()) == 1
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(place("hf://o/n/a/net.pkl")) == path


def test_a_revision_that_has_moved_on_is_fetched_anew(site):
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == BODY
    site.repos["o/n"].revisions["main"] = (LATER, {"a/net.pkl": OTHER})
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == OTHER


def test_the_token_goes_to_the_hub_alone(site, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", f" {TOKEN}\n")
    site.repos["o/n"].private = True
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == BODY
    assert [(host, token) for host, _, token, _ in site.asked] == [
        ("hub", f"Bearer {TOKEN}"),
        ("hub", f"Bearer {TOKEN}"),
        ("cdn", None),
    ]


def test_a_renamed_repository_is_followed_without_the_token(site, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    site.renamed["o/old"] = "o/n"
    assert fetch(place("hf://o/old/a/net.pkl")).read_bytes() == BODY
    asked = {(path.partition("?")[0], token) for host, path, token, _ in site.asked if host == "hub"}
    assert asked == {
        ("/api/models/o/old/revision/main", f"Bearer {TOKEN}"),
        ("/api/models/o/n/revision/main", None),
        (f"/o/old/resolve/{COMMIT}/a/net.pkl", f"Bearer {TOKEN}"),
        (f"/o/n/resolve/{COMMIT}/a/net.pkl", None),
    }


def test_a_hub_that_is_not_that_of_the_token_gets_none(site, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(hub, "HUB", site.address)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch(place(f"{site.address}/o/n/blob/main/a/net.pkl")).read_bytes() == BODY
    assert {token for _, _, token, _ in site.asked} == {None}


def test_the_token_of_a_login(site, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(f"{TOKEN}\n")
    site.repos["o/n"].gated = True
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == BODY


@pytest.mark.parametrize(
    "token, known, what, says",
    [
        (
            "",
            True,
            {"private": True},
            "there is no such repository, or it is private, and a token in HF_TOKEN opens it",
        ),
        (TOKEN, False, {"private": True}, "the token in HF_TOKEN is not for it, or not valid"),
        ("", True, {"gated": True}, "is gated: accept its licence at {site}/o/n and give a token of that account in"),
        (TOKEN, True, {"gated": True}, "is gated: accept its licence at {site}/o/n with the account of HF_TOKEN"),
    ],
)
def test_what_is_missing(site, monkeypatch, token, known, what, says):
    monkeypatch.setenv("HF_TOKEN", token)
    site.allowed, site.known = set(), {TOKEN} if known else set()
    vars(site.repos["o/n"]).update(what)
    refused("hf://o/n/a/net.pkl", says.format(site=site.address))


def test_no_such_repository_and_no_such_file(site):
    refused("hf://o/x/net.pkl", "there is no such repository")
    refused("hf://o/n/net.pkl", "o/n has no such file; it has a/net.pkl")


def test_another_digest_leaves_nothing(site, tmp_path):
    site.repos["o/n"].lies.add("a/net.pkl")
    for _ in range(2):
        refused("hf://o/n/a/net.pkl", "has SHA-256", f"not the {hashlib.sha256(BODY).hexdigest()} asked for")
        assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_it_stopped(site, tmp_path, ranges):
    site.ranges, site.cut = ranges, 200_000
    refused("hf://o/n/a/net.pkl", f"stopped at 200000 of {len(BODY)} bytes; run the command again")
    (kept,) = (tmp_path / "home").rglob("*.incomplete")
    assert kept.read_bytes() == BODY[:200_000]
    site.cut = None
    seen = []
    path = fetch(place("hf://o/n/a/net.pkl"), progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == BODY
    assert seen[0][0] > (200_000 if ranges else 0) and seen[-1] == (len(BODY), len(BODY))
    assert site.downloads()[-1][3] == ("bytes=200000-" if ranges or len(site.downloads()) == 2 else None)
    assert not kept.exists()


def test_what_came_of_another_file_is_not_used(site, tmp_path):
    """More than there is, and other bytes: the digest shows it, and the next try is a new one."""
    kept = tmp_path / "home/hub/models--o--n/blobs" / f"{hashlib.sha256(BODY).hexdigest()}.incomplete"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(BODY + b"more")
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == BODY
    (kept.parent / kept.stem).unlink()
    kept.write_bytes(OTHER)
    site.repos["o/n"].revisions["main"] = (LATER, {"a/net.pkl": BODY})
    refused("hf://o/n/a/net.pkl", "has SHA-256")
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == BODY


def test_offline(site, monkeypatch):
    path = fetch(place("hf://o/n/a/net.pkl"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(site.asked)
    notes = []
    assert fetch(place("hf://o/n"), note=notes.append) == path
    assert "from the cache; revision main" in notes[0]
    for text in ("hf://o/n/b.pkl", "hf://o/other/net.pkl"):
        refused(text, "is not in", "HF_HUB_OFFLINE forbids to fetch it; unset it")
    assert len(site.asked) == asked


@pytest.mark.parametrize("gone", ["status", "address"])
def test_a_hub_that_does_not_answer(site, monkeypatch, gone):
    path = fetch(place("hf://o/n/a/net.pkl"))
    site.status = 503
    if gone == "address":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch(place("hf://o/n/a/net.pkl")) == path
    refused("hf://o/n/other.pkl", "is not in", "the Hub cannot be reached")
    refused("hf://o/other/a.pkl", "503" if gone == "status" else "cannot be fetched")


def test_what_huggingface_hub_has_fetched_is_there(site, tmp_path, monkeypatch):
    """In its layout, in the folder that is set for it; also where it could not make links."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "yes")
    folder = tmp_path / "other" / "models--o--n"
    for name, text in (("snapshots", BODY), ("refs", COMMIT.encode())):
        path = folder / name / (f"{COMMIT}/a/net.pkl" if name == "snapshots" else "main")
        path.parent.mkdir(parents=True)
        path.write_bytes(text)
    assert fetch(place("hf://o/n/a/net.pkl")).read_bytes() == BODY
    assert site.asked == []


def test_huggingface_hub_finds_what_was_fetched_here(site, tmp_path):
    theirs = pytest.importorskip("huggingface_hub")
    site.repos["o/n"].revisions["refs/pr/2"] = (LATER, {"b.pkl": OTHER})
    ours = [fetch(place("hf://o/n/a/net.pkl")), fetch(place("hf://o/n@refs/pr/2/b.pkl"))]
    folder = tmp_path / "home" / "hub"
    asked = [("a/net.pkl", None), ("a/net.pkl", COMMIT), ("b.pkl", "refs/pr/2")]
    found = [
        theirs.hf_hub_download("o/n", name, revision=revision, cache_dir=folder, local_files_only=True)
        for name, revision in asked
    ]
    assert found == [str(ours[0]), str(ours[0]), str(ours[1])]
    scanned = theirs.scan_cache_dir(folder)
    assert not scanned.warnings and [held.repo_id for held in scanned.repos] == ["o/n"]
    assert scanned.size_on_disk == len(BODY) + len(OTHER)


def test_several_candidates(site):
    files = {f"stylegan3-{name}.pkl": BODY for name in ("t-ffhq", "r-ffhq", "t-afhqv2", "x")}
    files.update({"vgg16.pkl": BODY, "optimizer.pt": BODY, "netD.pth": BODY, "config.json": b"{}"})
    site.repos["o/n"] = repo(files)
    found = look(place("hf://o/n"))
    assert [file.path for file in found.candidates] == sorted(name for name in files if "stylegan3" in name)
    assert {file.says for file in found.candidates} == {"StyleGAN3"}
    refused(
        "hf://o/n",
        "has 4 files that may be networks; type hf://o/n/stylegan3-r-ffhq.pkl or ",
        "; `sefa info hf://o/n` lists all 4",
    )
    assert fetch(place("hf://o/n/netD.pth")).read_bytes() == BODY  # what is typed is fetched
    site.repos["o/n"] = repo({"config.json": b"{}"})
    refused("hf://o/n", "none of its 1 files is a network, by their names")


def test_names_of_a_server_stay_in_the_cache(site, tmp_path):
    site.repos["o/n"] = repo({"../../../net.pkl": BODY, "..\\x.pkl": BODY, "/x.pkl": BODY})
    refused("hf://o/n", "none of its 0 files")


def test_a_server_that_is_no_hub(site, monkeypatch):
    monkeypatch.setattr(hub, "text_of", lambda address: b'{"sha": 3}')
    refused("hf://o/n/net.pkl", "127.0.0.1", "does not answer as the Hub does")


def test_the_cache_cannot_be_written_to(site, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file"))
    refused("hf://o/n/a/net.pkl", "cannot be kept as", "HF_HUB_CACHE names another place for it")


def test_a_list_without_an_end(site, monkeypatch):
    monkeypatch.setattr(download, "LONGEST_TEXT", 100)
    refused("hf://o/n/a/net.pkl", "the server's list does not end")
