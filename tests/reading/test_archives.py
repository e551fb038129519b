"""Networks inside of archives: the only one, one of several, and archives that are broken, or bombs."""

import gzip
import io
import os
import re
import shlex
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pickle_writer import call, dumps

from sefa_plugin import load_network
from sefa_plugin.networks.opening import locate, open_network
from sefa_plugin.reading import archives, download
from sefa_plugin.reading.download import parted
from sefa_plugin.reading.network_record import NetworkFileError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "downloads"


@pytest.fixture
def network(golden):
    return golden("sg3t-64").pickle.read_bytes()


def tar_of(files, mode="w"):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return held.getvalue()


def zip_of(files, packing=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def make(path, files):
    """An archive of the kind that its name says."""
    (_, one), *_ = files.items()
    kinds = {".zip": zip_of, ".tar": tar_of, ".tgz": lambda f: tar_of(f, "w:gz"), ".gz": lambda f: gzip.compress(one)}
    path.write_bytes(kinds[path.suffix](files))
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz", "net.pkl.gz"])
def test_the_only_network_is_taken(tmp_path, cache, network, name):
    path = make(tmp_path / name, {"folder/net.pkl": network, "README.md": b"text", "__MACOSX/folder/._net.pkl": b"x"})
    notes = []
    opened = open_network(path, note=notes.append)
    assert (opened.record.name, opened.sizes["num_ws"]) == ("net", 16)
    (note,) = notes
    assert re.match(rf"{re.escape(str(path))}: unpacking (folder/)?net\.pkl", note)
    assert [kept.read_bytes() == network for kept in cache.glob("*/*")] == [True]
    open_network(path, note=notes.append)  # once
    assert len(notes) == 1
    os.utime(path, ns=(1, 1))  # another archive of that name
    open_network(path, note=notes.append)
    assert len(notes) == 2


def test_other_kinds_of_networks_in_archives(tmp_path, golden):
    """What torch.save writes is a zip archive itself; and it may be the only file, of any name."""
    old = golden("rosinality-32").pickle.with_suffix(".pt").read_bytes()
    weights = {key: torch.tensor(value) for key, value in golden("sg2ada-orig-32").state.items()}
    torch.save(weights, tmp_path / "net.pt")
    new = (tmp_path / "net.pt").read_bytes()
    assert zipfile.is_zipfile(tmp_path / "net.pt") and locate(tmp_path / "net.pt") == str(tmp_path / "net.pt")
    assert open_network(make(tmp_path / "a.zip", {"x/net.pt": old})).hook.name == "rosinality"
    assert open_network(make(tmp_path / "b.tgz", {"data.pkl": new})).hook.name == "stylegan2_state"
    assert open_network(make(tmp_path / "c.tar", {"network": new})).hook.name == "stylegan2_state"
    assert open_network(make(tmp_path / "d.zip", {"a/b/data.pkl": new})).hook.name == "stylegan2_state"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_one_of_several_is_chosen(tmp_path, golden, network, name):
    other = golden("sg2ada-cond-32").pickle.read_bytes()
    path = make(tmp_path / name, {"x/one.pkl": network, "y/two.pkl": other, "y/three.pkl": other, "z/two.pkl": network})
    with pytest.raises(
        NetworkFileError, match=r"is an archive with several networks: x/one.pkl \(\d+\.\d MB\)"
    ) as caught:
        open_network(path)
    hint = shlex.split(str(caught.value).partition("choose with ")[2])[0]
    assert hint == f"{path}#x/one.pkl"
    assert open_network(hint).sizes["num_ws"] == 16
    assert open_network(f"{path}#three.pkl").sizes["c_dim"] == 10
    with pytest.raises(NetworkFileError, match=r"several networks: y/two.pkl .* z/two.pkl"):
        open_network(f"{path}#two.pkl")
    with pytest.raises(NetworkFileError, match=r"is an archive with no four.pkl: x/one.pkl"):
        open_network(f"{path}#four.pkl")


@pytest.mark.parametrize("name, says", [("zip", "not one that torch.save"), ("tar", "a tar"), ("pkl.gz", "with gzip")])
def test_what_is_called_as_a_network_is_no_archive(tmp_path, cache, network, name, says):
    path = make(tmp_path / f"a.{name}", {"net.pkl": network}).rename(tmp_path / "net.pt")
    with pytest.raises(NetworkFileError, match=says):
        open_network(path)
    assert not cache.exists()


@pytest.mark.parametrize("name", ["a.zip", "a.tgz", "a.pkl.gz"])
def test_nothing_of_a_network_in_an_archive_is_run(tmp_path, name):
    path = make(tmp_path / name, {"net.pkl": dumps(call("os.mkdir", str(tmp_path / "run")), 2)})
    with pytest.raises(NetworkFileError, match="needs os.mkdir"):
        open_network(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_archives_without_a_network(tmp_path, name):
    path = make(tmp_path / name, {"a.txt": b"text", "b.jpg": b"text"})
    with pytest.raises(NetworkFileError, match="is an archive with no network$"):
        open_network(path)


def test_what_stands_after_the_mark(tmp_path, network):
    path = make(tmp_path / "a#1.zip", {"net.pkl": network})
    assert parted(path) == (str(path), "")  # a file of that name
    assert parted("https://host/a.zip?dl=1#b/net.pkl") == ("https://host/a.zip?dl=1", "b/net.pkl")
    assert parted("https://host/net.pkl#part") == ("https://host/net.pkl", "")
    assert parted("hf://o/n/a.zip#net.pt") == ("hf://o/n/a.zip", "net.pt")
    assert parted("C:\\nets\\net.pkl") == ("C:\\nets\\net.pkl", "")
    plain = tmp_path / "net.pkl"
    plain.write_bytes(network)
    with pytest.raises(NetworkFileError, match=r"net.pkl: is no archive; type it without #x.pkl"):
        open_network(f"{plain}#x.pkl")


ZEROS = bytes(2 << 20)  # beside tests that let less unfold
BOMBS = {
    "a.zip": lambda: zip_of({"net.pkl": ZEROS}),
    "several.zip": lambda: zip_of({"a.pkl": ZEROS, "b.pkl": ZEROS}),
    "a.tgz": lambda: tar_of({"net.pkl": ZEROS}, "w:gz"),
    "a.pkl.gz": lambda: gzip.compress(ZEROS),
}


def test_an_archive_of_very_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
    path = make(tmp_path / "a.tgz", {f"{n}.txt": b"" for n in range(101)})
    with pytest.raises(NetworkFileError, match="is an archive of more than 100 files"):
        open_network(path)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path, cache, name, monkeypatch):
    monkeypatch.setattr(archives, "FEW_BYTES", 1 << 20)
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 20_000
    chosen = f"{path}#b.pkl" if name == "several.zip" else path
    with pytest.raises(NetworkFileError, match="unfolds to over 20 times") as caught:
        open_network(chosen)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_size_that_is_not_true(tmp_path, cache):
    """The index of a zip archive says less than there is."""
    data = zip_of({"net.pkl": ZEROS})
    data = data.replace(len(ZEROS).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(NetworkFileError, match="broken archive|unfolds") as caught:
        open_network(tmp_path / "a.zip")
    assert "\n" not in str(caught.value) and list(cache.iterdir()) == []


def sparse():
    entry = tarfile.TarInfo("net.pkl")
    entry.size, entry.pax_headers = 0, {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 50)}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)
    return held.getvalue()


def encrypted(flag):
    data = bytearray(zip_of({"net.pkl": b"x" * 100}))
    data[data.index(b"PK\x01\x02") + 8] |= flag
    return bytes(data)


BROKEN = {
    "cut.tar": (lambda n: tar_of({"net.pkl": n})[:20_000], "is a broken archive"),
    "cut.tgz": (lambda n: tar_of({"net.pkl": n}, "w:gz")[:20_000], "is a broken archive"),
    "cut.pkl.gz": (lambda n: gzip.compress(n)[:20_000], "is a broken archive"),
    "changed.pkl.gz": (lambda n: gzip.compress(n)[:-8] + bytes(8), "is a broken archive"),
    "changed.zip": (
        lambda n: zip_of({"net.pkl": n}, zipfile.ZIP_STORED).replace(n[1000:1032], bytes(32)),
        "is a broken archive",
    ),
    "xz.zip": (lambda n: zip_of({"net.pkl": n}, zipfile.ZIP_LZMA), "packs in a way that is not read here; unpack it"),
    "sparse.tar": (lambda n: sparse(), "unfolds to over 20 times"),
    "encrypted.zip": (lambda n: encrypted(1), "encrypted"),
    "strongly.zip": (lambda n: encrypted(64), "strong encryption"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_archives(tmp_path, cache, network, name):
    make_it, says = BROKEN[name]
    (tmp_path / name).write_bytes(make_it(network))
    with pytest.raises(NetworkFileError, match=says) as caught:
        open_network(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_links_and_devices_in_a_tar_are_no_networks(tmp_path):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, kind in (("a.pkl", tarfile.SYMTYPE), ("b.pkl", tarfile.CHRTYPE), ("c.pkl", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    (tmp_path / "a.tar").write_bytes(held.getvalue())
    with pytest.raises(NetworkFileError, match="no network"):
        open_network(tmp_path / "a.tar")


def test_a_name_in_an_archive_never_becomes_a_path(tmp_path, cache, network):
    path = make(tmp_path / "a.tar", {"a.txt": b"", "../../evil\x1b[31m.pkl": network})
    open_network(path)
    (kept,) = cache.glob("*/*")
    assert kept.name == "evil__31m.pkl"


def test_no_room(tmp_path, cache, network, monkeypatch):
    path = make(tmp_path / "a.zip", {"net.pkl": network})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    with pytest.raises(NetworkFileError, match="has room for 1,000; DNNLIB_CACHE_DIR moves it"):
        open_network(path)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_the_configuration_comes_along(tmp_path, network, name):
    path = make(tmp_path / name, {"x/net.pkl": network, "x/.config.json": b"{}", "config.json": b"[]"})
    local = Path(locate(path))
    assert {kept.name: kept.read_bytes() for kept in local.parent.iterdir()} == {
        "net.pkl": network,
        ".config.json": b"{}",
    }


def test_a_cache_that_cannot_be_written_to(tmp_path, network):
    (tmp_path / "cache").write_text("mine")
    path = make(tmp_path / "a.zip", {"net.pkl": network})
    with pytest.raises(NetworkFileError, match="cannot be unpacked into .* DNNLIB_CACHE_DIR names another place"):
        open_network(path)


def test_pictures_are_those_of_the_network(tmp_path, golden, network):
    path = make(tmp_path / "a.zip", {"net.pkl": network})
    case, G = golden("sg3t-64"), load_network(path)
    made = G.synthesis(torch.from_numpy(case["out/ws"])).numpy()
    assert (
        np.abs(made - golden("sg3t-64")["out/img_const" if "out/img_const" in case.arrays else "out/img"]).max() < 1e-4
    )
    assert download.cache_folder().exists()


def test_a_zip_with_a_comment_as_repositories_are_downloaded(tmp_path, network):
    path = make(tmp_path / "main.zip", {"main/net.pkl": network})
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"0123456789abcdef"
    assert open_network(path).record.family == "module"
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x05\x06" + bytes(18)
    with pytest.raises(NetworkFileError, match=r"main\.zip: .*index is not where it says|no readable zip"):
        open_network(path)
