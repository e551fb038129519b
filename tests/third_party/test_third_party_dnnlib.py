"""Our implementation of the ``dnnlib`` interface."""

import copy
import ctypes
import http.server
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from sefa_plugin.reading.download import DownloadError
from sefa_plugin.third_party import dnnlib
from sefa_plugin.third_party.dnnlib import EasyDict, util


def test_easy_dict():
    held = EasyDict(a=1)
    held.b = 2
    assert (held.a, held["b"]) == (1, 2)
    del held.a
    assert dict(held) == {"b": 2}
    with pytest.raises(AttributeError, match="c"):
        held.c  # noqa: B018
    with pytest.raises(AttributeError, match="c"):
        del held.c
    assert isinstance(copy.deepcopy(held), EasyDict)


def test_easy_dict_is_pickled_by_the_name_that_toolkits_know(monkeypatch):
    held = EasyDict(a=[1], b=EasyDict(c=2))
    assert b"sefa_plugin.third_party.dnnlib.util" in pickle.dumps(held)
    monkeypatch.setitem(sys.modules, "dnnlib", dnnlib)
    monkeypatch.setitem(sys.modules, "dnnlib.util", util)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        written = pickle.dumps(held, protocol)
        assert b"sefa_plugin" not in written
        again = pickle.loads(written)
        assert again == held and type(again.b) is EasyDict
    # Where a toolkit has put its own module there, ours keeps to its own name.
    monkeypatch.setitem(sys.modules, "dnnlib.util", sys)
    assert b"sefa_plugin.third_party.dnnlib.util" in pickle.dumps(held)


@pytest.mark.parametrize(
    "seconds, long, brief",
    [
        (0, "0s", "0s"),
        (59.4, "59s", "59s"),
        (59.6, "1m 00s", "1m 00s"),
        (61, "1m 01s", "1m 01s"),
        (3599, "59m 59s", "59m 59s"),
        (3661, "1h 01m 01s", "1h 01m"),
        (86400, "1d 00h 00m", "1d 00h"),
        (93784, "1d 02h 03m", "1d 02h"),
    ],
)
def test_times(seconds, long, brief):
    assert util.format_time(np.float32(seconds)) == long
    assert util.format_time_brief(seconds) == brief


def test_products_and_types():
    assert util.tuple_product((2, 3, 4)) == 24
    assert util.tuple_product(()) == 1
    for name in ("uint8", "int32", "float32", "float64"):
        for asked in (name, np.dtype(name), getattr(np, name)):
            dtype, ctype = util.get_dtype_and_ctype(asked)
            assert dtype == np.dtype(name) and ctypes.sizeof(ctype) == dtype.itemsize
    assert util.get_dtype_and_ctype("uint8")[1] is ctypes.c_ubyte
    for wrong in ("float16", 3):
        with pytest.raises(ValueError, match="none of the types"):
            util.get_dtype_and_ctype(wrong)


def test_things_by_name(tmp_path, monkeypatch):
    assert util.get_obj_by_name("np.linalg.norm") is np.linalg.norm
    assert util.get_obj_by_name("os.path") is __import__("os").path
    assert util.get_obj_by_name("pathlib.Path.home").__func__ is Path.home.__func__
    assert util.get_module_from_obj_name("pathlib.Path.home") == (sys.modules["pathlib"], "Path.home")
    assert util.get_obj_from_module(sys, "") is sys
    assert util.call_func_by_name(2, 5, func_name="operator.sub") == -3
    made = util.construct_class_by_name(3, class_name="fractions.Fraction", denominator=4)
    assert made.denominator == 4 and made.numerator == 3
    assert util.get_module_dir_by_obj_name("sefa_plugin.reading.download.fetch") == str(
        Path(sys.modules["sefa_plugin"].__file__).parent / "reading"
    )
    with pytest.raises(ImportError, match="nowhere.Net: there is no module"):
        util.get_obj_by_name("nowhere.Net")
    with pytest.raises(AttributeError, match="Nothing"):
        util.get_obj_by_name("pathlib.Nothing")
    for call in (util.call_func_by_name, util.construct_class_by_name):
        with pytest.raises(AssertionError, match="func_name"):
            call()
    with pytest.raises(AssertionError, match="cannot be called"):
        util.call_func_by_name(func_name="math.pi")
    # A module that is there but lacks what it needs says so itself.
    (tmp_path / "lacking.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        util.get_obj_by_name("lacking.Net")


def test_top_level_functions(monkeypatch):
    assert util.is_top_level_function(Path) and not util.is_top_level_function(lambda: None)
    assert not util.is_top_level_function(3)
    assert util.get_top_level_function_name(util.format_time) == "sefa_plugin.third_party.dnnlib.util.format_time"
    with pytest.raises(AssertionError, match="not at the top"):
        util.get_top_level_function_name(lambda: None)

    def here():
        pass

    here.__module__ = "__main__"
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "here", here, raising=False)
    monkeypatch.setattr(main, "__file__", "/x/train.py", raising=False)
    assert util.get_top_level_function_name(here) == "train.here"


def test_folders(tmp_path):
    for name in ("a.py", "b.txt", "deep/c.py", "deep/__pycache__/c.pyc"):
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).write_text(name)
    found = util.list_dir_recursively_with_ignore(str(tmp_path / "top") + "/", ["__pyca*", "*.txt"])
    assert sorted(found) == [(str(tmp_path / "top" / n), n) for n in ("a.py", "deep/c.py")]
    assert len(util.list_dir_recursively_with_ignore(str(tmp_path / "top"))) == 4
    based = util.list_dir_recursively_with_ignore(str(tmp_path / "top"), ["deep"], add_base_to_relative=True)
    assert sorted(relative for _, relative in based) == ["top/a.py", "top/b.txt"]
    with pytest.raises(AssertionError, match="not a folder"):
        util.list_dir_recursively_with_ignore(str(tmp_path / "none"))
    util.copy_files_and_create_dirs([(full, str(tmp_path / "copy" / name)) for full, name in found])
    assert (tmp_path / "copy/deep/c.py").read_text() == "deep/c.py"


@pytest.mark.parametrize(
    "text, is_one",
    [
        ("https://a.b/c.pkl", True),
        ("s3://x.y/z", True),
        ("http://localhost/x", False),
        ("a/b", False),
        ("://a.b", False),
    ],
)
def test_addresses(text, is_one):
    assert util.is_url(text) == is_one
    assert util.is_url(text, allow_file_urls=True) == is_one


def test_addresses_of_files_and_other_things():
    assert not util.is_url("file:///x") and util.is_url("file:///x", allow_file_urls=True)
    assert not util.is_url(Path("x")) and not util.is_url(None) and not util.is_url("http://[a.b")


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("DNNLIB_CACHE_DIR", raising=False)
    assert dnnlib.make_cache_dir_path("downloads", "x") == str(Path.home() / ".cache/dnnlib/downloads/x")
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path))
    assert util.make_cache_dir_path() == f"{tmp_path}/" or util.make_cache_dir_path() == str(tmp_path)
    util.set_cache_dir(str(tmp_path / "own"))
    try:
        assert util.make_cache_dir_path("a") == str(tmp_path / "own" / "a")
    finally:
        util.set_cache_dir(None)
    assert util.make_cache_dir_path("a") == str(tmp_path / "a")


class Server(http.server.BaseHTTPRequestHandler):
    fails = 0
    hits = 0

    def do_GET(self):
        type(self).hits += 1
        if type(self).fails > 0:
            type(self).fails -= 1
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"bytes")

    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Server.hits = Server.fails = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_open_url(site, tmp_path, capsys):
    with util.open_url(f"{site}/net.pkl") as file:
        assert file.read() == b"bytes"
    assert f"Downloading {site}/net.pkl" in capsys.readouterr().err
    kept = util.open_url(f"{site}/net.pkl", return_filename=True)
    assert Path(kept).parent == tmp_path / "cache" / "downloads" and kept.endswith("_net.pkl")
    assert Server.hits == 1 and capsys.readouterr().err == ""
    other = util.open_url(f"{site}/net.pkl", cache_dir=str(tmp_path / "b"), return_filename=True, verbose=False)
    assert Path(other).parent == tmp_path / "b" and capsys.readouterr().err == ""
    with util.open_url(f"{site}/new.pkl", cache=False) as file:
        assert file.read() == b"bytes"
    assert not list((tmp_path / "cache").rglob("*new.pkl"))
    Server.fails = 2
    with util.open_url(f"{site}/tried.pkl", num_attempts=3) as file:
        assert file.read() == b"bytes"
    Server.fails = 2
    with pytest.raises(DownloadError, match="503"):
        util.open_url(f"{site}/given-up.pkl", num_attempts=2)
    with pytest.raises(AssertionError, match="no file to name"):
        util.open_url(f"{site}/x", return_filename=True, cache=False)
    with pytest.raises(AssertionError, match="0 attempts"):
        util.open_url(f"{site}/x", num_attempts=0)


def test_open_url_of_local_files(tmp_path):
    path = tmp_path / "my net.pkl"
    path.write_bytes(b"here")
    for name in (str(path), path.as_uri()):
        with util.open_url(name) as file:
            assert file.read() == b"here"
        assert util.open_url(name, return_filename=True) == str(path)
    with pytest.raises(FileNotFoundError):
        util.open_url(str(tmp_path / "none.pkl"))


def test_importing_it_loads_no_torch():
    code = (
        "import sys, sefa_plugin.third_party.dnnlib.util; assert not {'torch', 'numpy', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
