"""``sefa info --audit``: nothing that would run is left out, nothing runs, and honest files are no alarm."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import hostile
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pickle_writer import call, dumps, network, persistent
from places import GOLDEN
from torch_writer import TorchWriter

from fuzz import mutations
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hooks import known_sources
from sefa_plugin.reading.audit import text as audit_text
from sefa_plugin.reading.audit.audit import AuditError
from sefa_plugin.reading.audit.audit import audit as account_of
from sefa_plugin.reading.audit.names import EXPECTED, HARMLESS, RUNS, UNKNOWN, kind_of
from sefa_plugin.reading.pickle_machine import Global

HONEST = [*sorted(GOLDEN.glob("*.pkl")), *sorted(GOLDEN.glob("*.pt")), GOLDEN / "sg3t-64.npz", GOLDEN / "sefa.json"]


@pytest.fixture
def write(tmp_path):
    def put(data, suffix=".pkl"):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(data if isinstance(data, bytes) else dumps(data))
        return path

    return put


def audit(path):
    return account_of(path, known_sources.origin)


def kinds(found):
    return {name.path: name.kind for name in found.names}


def info(*words):
    return CliRunner().invoke(sefa, ["info", "--audit", *map(str, words)])


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.name)
def test_honest_files_are_no_alarm(path):
    found = audit(path)
    assert found.findings == ()
    assert found.book.broken == ""


def test_the_bundled_network_and_its_source():
    result = info("demo", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    (source,) = told["sources"]
    assert (source["known"], source["digest"][:8], source["objects"]) == ("sefa_plugin demo", "46d11dcc", 99)
    calls = {name["name"]: name["calls"] for name in told["names"]}
    assert calls["torch_utils.persistence._reconstruct_persistent_obj"] == {"1": 99}
    assert calls["torch.FloatStorage"] == {}
    assert told["inside"] == told["persistent_ids"] == calls["torch.storage._load_from_bytes"]["1"] == 220
    assert told["safe"] and told["verdict"] == "nothing beyond what network files do"


@pytest.mark.parametrize("case", [case for case in hostile.CORPUS if case.armed], ids=lambda case: case.name)
def test_every_payload_that_is_live_is_told(case, tmp_path):
    found = audit(case.write(tmp_path))
    assert found.findings
    assert not case.canary(tmp_path).exists()
    assert all(line.isprintable() for line in audit_text.lines(found))
    json.dumps(audit_text.as_json(found))


def test_the_account_for_people(write):
    path = write(
        {"G_ema": network({"w": np.zeros(2, "f4")}, {}), "x": call("os.system", "exit 1"), "y": call("a.B", 1, 2)}
    )
    result = info(path)
    assert result.exit_code == 1
    text = result.stdout
    assert "would run code:\n    os.system  called once with 1 argument; byte " in text
    assert "would import what is not known here:\n    a.B  called once with 2 arguments; byte" in text
    assert text.index("os.system") < text.index("a.B") < text.index("_reconstruct_persistent_obj")
    last = text.splitlines()[-1]
    assert last.startswith("Verdict: not to be unpickled: runs code by way of os.system; and 1 further reason")


def test_what_runs_before_a_file_breaks_is_told(write):
    whole = dumps([call("os.system", "exit 1"), "x" * 100])
    for data, says in ((whole[:-20], "ends early"), (whole[:-1] + b"\xff", "0xff")):
        found = audit(write(data))
        assert kinds(found)["os.system"] == RUNS
        assert says in found.book.broken and "os.system" in found.verdict
        assert "has run before that" in "\n".join(audit_text.lines(found))


def test_it_goes_on_where_the_reader_of_networks_stops(write):
    """What ours refuses and Python does not must not hide what follows."""
    payload = b"cos\nsystem\nX\x01\x00\x00\x00xR0"
    for odd in (
        b"I" + b"9" * 500 + b"\n0",
        b"}(KKtNs0",
        b"\x8b\x58\x02\x00\x00" + b"\1" * 600 + b"0",
        b"Np99999999999\n0",
    ):
        found = audit(write(odd + payload + b"N."))
        assert kinds(found).get("os.system") == RUNS, odd[:10]
    found = audit(write(b"cbuiltins\nlist\n}(X\x01\x00\x00\x00aNub0" + payload + b"N."))  # the state of a class
    assert kinds(found)["os.system"] == RUNS
    assert any("sets attributes of builtins.list" in text for text in found.book.reasons)


def test_sources(write, monkeypatch):
    for text, known, findings in (("# nothing\n", "no code", 0), ("import os\nos.abort()\n", "", 1)):
        found = audit(write({"G_ema": persistent("G", {}, text)}))
        assert [source.known for source in found.sources] == [known]
        assert len(found.findings) == findings
    snapshot = write({"G_ema": None, "augment_pipe": persistent("AugmentPipe", {}, "import os\nos.abort()\n")})
    monkeypatch.setitem(known_sources.BESIDE, audit(snapshot).sources[0].digest, "a toolkit")
    assert (audit(snapshot).sources[0].known, audit(snapshot).findings) == ("a toolkit", ())
    tensorflow = call("dnnlib.tflib.network.Network", state={"build_module_src": "import os", "build_func_name": "G"})
    assert "source text that is not known" in audit(write(tensorflow)).verdict


def test_networks_of_tensorflow_made_in_other_ways(write):
    """Their source is in the state, which must be seen, whatever it is made of and whoever makes the network."""
    path, evil = "dnnlib.tflib.network.Network", {"build_module_src": "import os", "build_func_name": "G"}
    network, honest = Global("dnnlib.tflib.network", "Network"), {"build_module_src": "", "build_func_name": "G"}
    for value in (
        call("copyreg._reconstructor", network, Global("builtins", "object"), None, state=evil),
        call("copyreg.__newobj__", network, state=evil),
        call("torch._tensor._rebuild_from_type_v2", network, Global("torch", "Tensor"), (), evil),
        call(path, state=(None, evil)),
        call(path, state={}),
        call(path, state=call("builtins.dict", list(evil.items()))),
        call(path, state=call("dnnlib.util.EasyDict", pairs=tuple(honest.items()), state=(None, evil))),
    ):
        assert audit(write(value)).findings
    assert audit(write(call(path, state=honest))).findings == ()


def test_arrays_over_addresses(write):
    ndarray, given = Global("numpy", "ndarray"), ((1,), "O", b"A" * 8)
    for value in (call("numpy.ndarray", *given), call("copyreg.__newobj__", ndarray, *given)):
        assert "addresses in memory" in audit(write(value)).verdict
    by_name = dumps(ndarray)[:-1] + dumps(((1,),))[2:-1] + dumps({"dtype": "O", "buffer": b"A" * 8})[2:-1] + b"\x92."
    assert "addresses in memory" in audit(write(by_name)).verdict
    by_torch = call("torch._tensor._rebuild_from_type_v2", ndarray, Global("torch", "Tensor"), given, None)
    assert "something else than what makes tensors" in audit(write(by_torch)).verdict
    assert audit(write(call("numpy.core.multiarray._reconstruct", ndarray, (0,), b"b"))).findings == ()


def test_archives_that_say_where_their_index_is(tmp_path):
    """Also those of 4 GB and more, whose end says it in another place."""
    import zipfile

    path = tmp_path / "x.pt"
    for limit in (zipfile.ZIP64_LIMIT, 10):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(zipfile, "ZIP64_LIMIT", limit)
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in (("a/data.pkl", dumps({})), ("a/version", b"3"), ("a/data/0", b"x" * 20)):
                    archive.writestr(name, data)
        data = path.read_bytes()
        assert (b"PK\x06\x06" in data) == (limit == 10)
        assert audit(path).findings == ()
        start = data.find(b"PK\x01\x02").to_bytes(8, "little")
        for at in (data.rfind(start if limit == 10 else start[:4]), data.find(b"PK\x06\x07") + 8):
            if at > 8:
                path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
                assert any("index" in text for text in audit(path).findings), (limit, at)


def test_a_name_with_an_end_inside_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a_b/data.pkl", dumps({}))
    path.write_bytes(path.read_bytes().replace(b"a_b/", b"a\0b/"))
    assert "cut at different places" in audit(path).verdict


def test_pickles_inside(write):
    evil = dumps(call("os.system", "exit 1"))
    for value in (
        call("torch.storage._load_from_bytes", evil),
        call("x.load", evil),
        call("pickle.loads", b"PK" + evil),
    ):
        found = audit(write(value))
        assert found.findings
        inside = [name.where for name in found.names if name.path == "os.system"]
        assert value.func.name == "loads" or " > byte " in inside[0]
    shared = [call("torch.storage._load_from_bytes", evil)] * 2
    assert audit(write([shared, shared])).book.pickles == 2


def test_torch_files_of_both_layouts(write):
    for legacy in (False, True):
        writer = TorchWriter(legacy)
        honest = {"a": writer.tensor(np.ones(2))}
        found = audit(write(writer.dumps(honest), ".pt"))
        assert found.findings == () and found.book.references == 1
        found = audit(write(writer.dumps({**honest, "b": call("os.system", "x")}), ".pt"))
        assert kinds(found)["os.system"] == RUNS


def test_arrays_of_objects(write):
    for array, safe in (
        (np.ones(3), True),
        (np.array([{}], dtype=object), True),
        (np.array([Path("x")], dtype=object), True),
    ):
        file = io.BytesIO()
        np.save(file, array, allow_pickle=True)
        found = audit(write(file.getvalue(), ".npy"))
        assert (found.findings == ()) == safe
        assert found.book.pickles == (array.dtype == object)
    head = file.getvalue()[: file.getvalue().index(b"\n") + 1]
    evil = head + dumps(call("os.system", "x"))
    assert kinds(audit(write(evil, ".npy")))["os.system"] == RUNS
    for packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", packed) as archive:
            archive.writestr("a.npy", evil)
        assert kinds(audit(write(file.getvalue(), ".npz")))["os.system"] == RUNS


def test_files_without_code_say_so(write, tmp_path):
    from safetensors.numpy import save

    for data, suffix, says in (
        (save({"a": np.ones(2)}), ".safetensors", "tensors and text"),
        (b'{"format": "sefa_recipe"}', ".json", "a recipe"),
        (pickle.dumps([1, 2]), ".pkl", "a pickle"),
    ):
        found = audit(write(data, suffix))
        assert found.findings == () and says in found.format
    for data in (b"\x1f\x8b\x08\x00", b"BZh91", b"{broken", b"plain text", b"\0" * 257 + b"ustar" + b"\0" * 300):
        assert audit(write(data)).findings, data[:10]


def test_a_second_pickle_is_told_and_other_bytes_are_a_note(write):
    honest = pickle.dumps({"a": 1})
    assert audit(write(honest + dumps(call("os.system", "x")))).findings
    found = audit(write(honest + b"\0" * 50))
    assert found.findings == () and "50 bytes follow" in found.book.notes[0]


def test_a_persistent_id_in_a_plain_pickle_is_odd(write):
    assert "persistent id" in audit(write(b"Pwhat\n.")).verdict


def test_floods_end(write):
    import time

    start = time.perf_counter()
    found = audit(write(b"N0" * 2_000_000 + b"."))
    assert "not known" in found.book.broken
    assert time.perf_counter() - start < 5


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for path, says in ((tmp_path / "no", "no such file"), (tmp_path, "is a folder"), (tmp_path / "empty", "is empty")):
        with pytest.raises(AuditError, match=says):
            audit(path)
    assert info(tmp_path / "no").exit_code == 1
    assert info("demo", "--trust-pickle").exit_code == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("torch._utils _rebuild_tensor_v2", EXPECTED),
        ("src.torch_utils.persistence _reconstruct_persistent_obj", EXPECTED),
        ("evil.persistence _reconstruct_persistent_obj", UNKNOWN),
        ("antigravity.torch_utils.persistence _reconstruct_persistent_obj", RUNS),
        ("turtledemo.__main__.dnnlib EasyDict", UNKNOWN),
        ("torch.utils.dnnlib EasyDict", RUNS),
        ("builtins set", EXPECTED),
        ("builtins getattr", RUNS),
        ("collections OrderedDict", EXPECTED),
        ("collections OrderedDict.fromkeys", RUNS),
        ("collections namedtuple", UNKNOWN),
        ("datetime datetime", HARMLESS),
        ("torch.nn.modules.linear Linear", HARMLESS),
        ("torch.nn.modules.linear torch", UNKNOWN),
        ("torch load", RUNS),
        ("numpy dtype", EXPECTED),
        ("numpy load", RUNS),
        ("numpy.testing._private.utils runstring", RUNS),
        ("osx anything", UNKNOWN),
    ],
)
def test_names(name, kind):
    assert kind_of(*name.split())[0] == kind


class Stub:
    """What stands for everything that Python's own unpickler imports: it can be called, filled and forgotten."""

    def __new__(cls, *args, **kwargs):
        return object.__new__(Stub)

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return Stub()

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, item):
        pass

    extend = add = append

    def __hash__(self):
        return 1


class Recorder(pickle._Unpickler):
    """Python's unpickler, which imports nothing here and notes what it would have."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.asked = set()

    def find_class(self, module, name):
        self.asked.add((module, name))
        return Stub

    def persistent_load(self, pid):
        return Stub()


SEEDS = [
    dumps([call("a.b", 1, state={"x": 1}, pairs=(("k", "v"),)), call("c.d", {"e": call("f.g")}), b"x" * 50], protocol)
    for protocol in (0, 1, 2, 4)
] + [pickle.dumps({"array": np.arange(3.0), ("t", 1): {1, 2}, "s": frozenset("a")}, protocol) for protocol in range(6)]


@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(1, 4))
def test_whatever_python_would_import_is_told(tmp_path_factory, data, rng, times):
    """Held against Python's own unpickler, on mutated pickles, up to wherever that one stops."""
    for _ in range(times):
        data = mutations.some_instructions(data, rng)
    python = Recorder(data)
    if b"\x96" not in data:  # whose length is taken from memory at once
        with suppress(Exception):  # of any kind: what it had asked for by then counts
            python.load()
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(data or b".")
    found = audit(path)
    assert python.asked <= set(found.book.names)
    assert all(line.isprintable() for line in audit_text.lines(found))


def test_mutations_are_made_again_from_their_seed():
    for data in SEEDS:
        assert mutations.mutated(data, Random(3)) == mutations.mutated(data, Random(3))
