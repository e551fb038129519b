"""``sefa info --audit``: files as their writers write them, and what is not."""

import collections
import importlib
import io
import json
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import hostile
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pickle_writer import Call, Global, call, dumps, network, persistent, storage_bytes, tensorflow_network
from places import GOLDEN
from torch_writer import TorchWriter

from fuzz import mutations
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hooks import known_sources
from sefa_plugin.reading import audit as audits
from sefa_plugin.reading.audit import AuditError
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.reading.network_record import NetworkFileError

HONEST = [*sorted(GOLDEN.glob("*.pkl")), *sorted(GOLDEN.glob("*.pt")), GOLDEN / "sg3t-64.npz", GOLDEN / "sefa.json"]


@pytest.fixture
def write(tmp_path):
    def put(data, suffix=".pkl"):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(data if isinstance(data, bytes) else dumps(data))
        return path

    return put


def audit(path):
    return audits.audit(path, known_sources.origin)


def info(*words):
    return CliRunner().invoke(sefa, ["info", "--audit", *map(str, words)])


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.name)
def test_files_of_the_toolkits_are_exactly_theirs(path):
    assert audit(path).findings == ()


def test_the_bundled_network_and_its_source():
    result = info("demo", "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    (source,) = printed["sources"]
    assert (source["origin"], source["digest"][:8], source["owners"][0]) == (
        "sefa_plugin demo",
        "ee4a9de7",
        "FullyConnectedLayer",
    )
    assert printed["exact"] and printed["verdict"] == "exactly the form that sefa_plugin demo writes"
    assert info("demo").stdout.endswith("Verdict: exactly the form that sefa_plugin demo writes\n")


@pytest.mark.parametrize("case", [case for case in hostile.CORPUS if case.armed], ids=lambda case: case.name)
def test_every_payload_that_is_live_is_told(case, tmp_path):
    found = audit(case.write(tmp_path))
    assert found.findings
    assert not case.canary(tmp_path).exists()
    assert all(line.isprintable() for line in audits.lines(found))
    json.dumps(audits.as_json(found))


def test_the_account_for_people(write):
    G = network({"w": np.zeros(2, "f4")}, {})
    result = info(write({"G_ema": G, "x": call("os.system", "exit 1"), "y": call("a.B", state={"c": 1})}))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split(": ")[1] for line in lines if line.startswith("  byte")] == [
        "calls os.system",
        "the name os.system",
        "the name a.B",
    ]
    assert lines[-1].startswith("Verdict: not what a PyTorch toolkit of NVIDIA writes: byte ")
    assert lines[-1].endswith(": calls os.system; and 2 more")


def test_what_stands_before_a_break_is_told(write):
    whole = dumps([call("os.system", "exit 1"), "x" * 100], 3)
    for data, says in ((whole[:-20], "ends early"), (whole[:-1] + b"\xff", "0xff")):
        found = audit(write(data)).findings
        assert "calls os.system" in found[0] and says in found[1]


def test_sources(write, monkeypatch):
    for text, origin, findings in (("# nothing\n", "", 0), ("import os\nos.abort()\n", "", 1)):
        found = audit(write({"G_ema": network({}, {}, source=text)}))
        assert [source.origin for source in found.sources] == [origin]
        assert len(found.findings) == findings
    G = network({}, {})
    text = "import os\nos.abort()\nclass AugmentPipe:\n    pass\n"
    snapshot = write({"G_ema": G, "augment_pipe": persistent("AugmentPipe", {}, text)})
    assert "of AugmentPipe" in audit(snapshot).verdict
    digest = next(source.digest for source in audit(snapshot).sources if source.digest)
    monkeypatch.setitem(known_sources.BESIDE, digest, "a toolkit")
    assert (audit(snapshot).writer, audit(snapshot).findings) == ("a toolkit", ())
    imported = write({"G_ema": G, "augment_pipe": persistent("os", {}, text)})
    assert "os, which its source text does not define" in audit(imported).verdict
    of_tensorflow = tensorflow_network(4, "G", {}, {}, source="import os")
    assert "source text that is not known" in audit(write(of_tensorflow)).verdict
    assert audit(write(tensorflow_network(4, "G", {}, {}))).findings == ()


def test_networks_of_tensorflow_made_in_other_ways(write):
    path, state = "dnnlib.tflib.network.Network", tensorflow_network(4, "G", {}, {}).state
    kind = Global("dnnlib.tflib.network", "Network")
    for value in (
        call("copyreg._reconstructor", kind, Global("builtins", "object"), None, state={"build_func_name": "G"}),
        call("copyreg.__newobj__", kind, state=state),
        call("torch._tensor._rebuild_from_type_v2", kind, Global("torch", "Tensor"), (), state),
        call(path, state=(None, state)),
        call(path, state={}),
        Call(kind, (), new=True),
        call(path, 1, state=state),
        Call(kind, ()),
    ):
        assert audit(write(value)).findings


# --- what combined known names into something else ------------------------------------------------------

EVIL, TAME = "open({!r}, 'w').close()", "# nothing\n"


def copied_and_changed(canary):
    """The dict that describes a persistent object, copied, then changed: another text runs than the one reported."""
    meta = {"type": "class", "version": 6, "module_src": TAME, "class_name": "G", "state": {}}
    head = dumps(Global("torch_utils.persistence", "_reconstruct_persistent_obj"), 2)[:-1]
    body, change = dumps(meta, 2)[2:-1], dumps("module_src", 2)[2:-1] + dumps(EVIL.format(canary), 2)[2:-1] + b"s"
    body = body[:2].replace(b"q\x00", b"q\x63") + body[2:] if body[:1] == b"}" else body
    for name in (b"builtins\ndict", b"collections\nOrderedDict", b"dnnlib.util\nEasyDict"):
        yield head + b"c" + name + b"\n}" + b"\x85R" + change + b"\x85R."
        yield head + b"}r\xff\0\0\0c" + name + b"\nj\xff\0\0\0\x85R0j\xff\0\0\0" + change + b"\x85R."


def lying_frame(canary):
    """A frame that reaches over its pickle: the unpickler in C has taken what follows, and goes on after it."""
    evil = b"cbuiltins\nexec\n" + dumps(EVIL.format(canary), 2)[2:-1] + b"\x85R."
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001)]
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    honest = pickle.dumps(machine, 2) + pickle.dumps({}, 2) + pickle.dumps([], 2)
    lying = b"\x80\x04\x95" + struct.pack("<Q", len(b"N.") + len(honest)) + b"N."
    yield b"".join(parts[:1]) + lying + honest + b"\x80\x02" + evil
    yield b"".join(parts) + b"\x80\x04\x95" + struct.pack("<Q", 400) + pickle.dumps(machine, 2)[2:] + b"\x80\x02" + evil


def made_classes(canary):
    """Known names that only make objects, classes and states: one writes a file in the end."""
    base = Global("builtins", "object")
    yield dumps(call("copyreg._reconstructor", Global("argparse", "Namespace"), Global("_io", "FileIO"), canary), 2)
    yield dumps(call("copyreg._reconstructor", Global("_io", "FileIO"), base, None), 2)
    planted = b"cargparse\nNamespace\n}X\x07\0\0\0__new__c_io\nopen\nsb."
    yield b"\x80\x02" + planted
    yield b"\x80\x02cargparse\nNamespace\n)\x81}X\x09\0\0\0__class__c_io\nFileIO\nsb."


def dtype_with_objects(canary):
    whole = pickle.dumps(np.arange(3, dtype="f4"), 2)
    yield whole.replace(b"X\x02\0\0\0f4", b"X\x02\0\0\0V8")
    yield whole.replace(b"NNN", b"N)}", 1)
    yield whole.replace(b"X\x02\0\0\0f4", b"X\x02\0\0\0O8")


@pytest.mark.parametrize("make", [copied_and_changed, lying_frame, made_classes, dtype_with_objects])
def test_known_names_are_no_way_around(write, tmp_path, make):
    for data in make(str(tmp_path / "canary")):
        assert audit(write(data)).findings, data
        assert info(tmp_path / "file.pkl").exit_code == 1
    assert not (tmp_path / "canary").exists()


def test_an_archive_of_two_faces(tmp_path):
    """Programs differ in which of two members they take, by case and by suffix."""
    for first, second, suffix in (("a/data.pkl", "a/DATA.PKL", ".pt"), ("w", "w.npy", ".npz")):
        path = tmp_path / f"x{suffix}"
        file = io.BytesIO()
        np.save(file, np.ones(2))
        data = file.getvalue() if suffix == ".npz" else dumps({}, 2)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(first, data)
            archive.writestr(second, data)
        assert "twice" in audit(path).verdict


def pickle_names(data):
    """What Python's unpickler would import."""
    found = []

    class Names(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(f"{module}.{name}")
            return tuple

    with suppress(Exception):
        Names(io.BytesIO(data)).load()
    return found


def test_a_file_of_two_formats(write):
    """Which one a program reads is its choice."""
    from safetensors.numpy import load

    evil = b"cos\nsystem\n(S'exit 1'\ntR."
    size = 0x558  # of the header: BINUNICODE, of five bytes; then short strings, up to the header's end
    hops = (b"U~" + b"x" * 126) * 10 + b"UT"
    header = b'{"%s":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (hops, len(evil), len(evil))
    data = struct.pack("<Q", size) + header.ljust(size) + evil
    assert len(load(data)) == 1 and pickle_names(data) == ["os.system"]
    assert "it is a pickle, too" in audit(write(data, ".safetensors")).verdict
    archive = io.BytesIO()
    array = io.BytesIO()
    np.save(array, np.ones(2))
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("b.npy", array.getvalue())
        members.writestr("a/data.pkl", evil)
    assert "member a/data.pkl" in audit(write(archive.getvalue(), ".pt")).verdict


def test_a_pickle_that_is_a_tar_archive_too(write):
    """torch.load tries tar before pickles, and unpickles what is in it."""
    member = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    head = b"\x80\x02X" + struct.pack("<I", 512 * 3 - 7)
    block = bytearray((head + bytes(93))[:100] + member[100:148] + b" " * 8 + member[156:])
    block[148:156] = b"%06o\0 " % sum(block)
    whole = bytes(block) + bytes(1024) + b"q\x00."
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as archive:
        assert archive.getnames() and pickle.loads(whole)
    path = write(whole)
    assert "it is a tar archive, too" in audit(path).verdict
    with pytest.raises(NetworkFileError, match="is a tar archive, which torch.load reads"):
        read_network(path)
    assert audit(write(whole[:148] + b"9" + whole[149:])).findings == ()


def test_archives_that_say_where_their_index_is(tmp_path):
    """Also those of 4 GB and more, whose end says it in another place."""
    path = tmp_path / "x.pt"
    writer = TorchWriter()
    held = writer.tensor(np.zeros(5))
    for limit in (zipfile.ZIP64_LIMIT, 10):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(zipfile, "ZIP64_LIMIT", limit)
            path.write_bytes(writer.dumps({"a": held}))
        data = path.read_bytes()
        assert (b"PK\x06\x06" in data) == (limit == 10)
        assert audit(path).findings == ()
        start = data.find(b"PK\x01\x02").to_bytes(8, "little")
        for at in (data.rfind(start if limit == 10 else start[:4]), data.find(b"PK\x06\x07") + 8):
            if at > 8:
                path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
                assert any("index" in text for text in audit(path).findings), (limit, at)


def test_members_that_torch_does_not_write(tmp_path):
    path = tmp_path / "x.pt"
    for name, says in (("a/code/x.py", "member a/code/x.py"), ("a/data/7", "member a/data/7"), ("a/version", "")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", dumps({}, 2))
            archive.writestr(name, b"3\n")
        assert says in audit(path).verdict and bool(audit(path).findings) == bool(says)


def test_archives_are_whole_and_end_with_their_index(tmp_path):
    path, writer = tmp_path / "x.pt", TorchWriter()
    whole = writer.dumps({"a": writer.tensor(np.zeros(2))})
    path.write_bytes(whole)
    assert audit(path).findings == ()
    for data, says in (
        (whole + b"x", "index is not where it says"),
        (whole[:-2] + b"\1\0x", "index is not where it says"),
        (whole.replace(b"/version", b"/byteord"), "member archive/byteord"),
        (whole.replace(b"archive/", b"arch/ve/"), "not one that torch.save wrote"),
    ):
        path.write_bytes(data)
        assert says in audit(path).verdict, says
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", dumps({}, 2))
    assert "lacks the member version" in audit(path).verdict


def test_a_name_with_an_end_inside_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a_b/data.pkl", dumps({}))
    path.write_bytes(path.read_bytes().replace(b"a_b/", b"a\0b/"))
    assert "cut at different places" in audit(path).verdict


def test_pickles_inside(write):
    evil = dumps(call("os.system", "exit 1"), 2)
    found = audit(write(call("torch.storage._load_from_bytes", evil))).findings
    assert "byte " in found[0] and " > byte " in found[0] and "calls os.system" in found[0]
    stored = storage_bytes(np.ones(3, "f4"))
    assert audit(write([call("torch.storage._load_from_bytes", stored)])).findings == ()
    imported = stored.replace(b"\x04\x00\x00\x00longq\x07K\x04", b"\x04\x00\x00\x00longq\x07cthis\ns\n")
    assert imported != stored
    for changed in (imported, stored + b"x", stored.replace(b"little_endian", b"little_endiam"), stored[:-4]):
        assert audit(write([call("torch.storage._load_from_bytes", changed)])).findings


def test_torch_files_of_both_layouts(write):
    for legacy in (False, True):
        writer = TorchWriter(legacy)
        honest = {"a": writer.tensor(np.ones(2))}
        assert audit(write(writer.dumps(honest), ".pt")).findings == ()
        found = audit(write(writer.dumps({**honest, "b": call("os.system", "x")}), ".pt"))
        assert "calls os.system" in found.findings[0]


def test_a_storage_of_two_types(write):
    for legacy in (False, True):
        writer = TorchWriter(legacy)
        one, two = writer.tensor(np.ones(2)), writer.tensor(np.ones(2))
        pid = list(one.args[0].pid)
        pid[1] = Global("torch", "IntStorage")
        two.args[0].pid = tuple(pid)
        del writer.storages[1]
        assert "one storage with two types" in audit(write(writer.dumps({"a": one, "b": two}), ".pt")).verdict


def test_trees_of_torch_save_whatever_their_keys(write):
    """Beside tensors: what checkpoints hold, none of it of use here."""
    layer = torch.nn.Linear(3, 2)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    optimizer.step()
    import argparse
    import datetime

    tree = {
        "anything": [layer.state_dict(), layer.weight, torch.zeros(2, dtype=torch.bfloat16), torch.Size([1, 2])],
        7: {"optimizer": optimizer.state_dict(), "args": argparse.Namespace(a=1, b=Path("x"), c=torch.device("cpu"))},
        ("a", 1): [np.float32(2), np.arange(3), np.int64(7), np.bool_(True), datetime.datetime(2021, 1, 1), {1, 2}],
        "dtype": torch.float16,
        "ordered": collections.OrderedDict(a=None),
    }  # fmt: skip
    for zipped in (True, False):
        for protocol in (2, 3, 4, 5):
            file = io.BytesIO()
            torch.save(tree, file, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
            found = audit(write(file.getvalue(), ".pt"))
            assert (found.findings, found.writer) == ((), "torch.save")


def test_arrays_of_objects(write):
    for array, exact in ((np.ones(3), True), (np.array(["a"]), True), (np.array([{}], dtype=object), False)):
        file = io.BytesIO()
        np.save(file, array, allow_pickle=True)
        assert (audit(write(file.getvalue(), ".npy")).findings == ()) == exact
        for packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w", packed) as members:
                members.writestr("a.npy", file.getvalue())
            assert (audit(write(archive.getvalue(), ".npz")).findings == ()) == exact


def test_files_without_code_say_so(write, tmp_path):
    from safetensors.numpy import save

    for data, suffix, says in (
        (save({"a": np.ones(2)}), ".safetensors", "safetensors"),
        (b'{"format": "sefa_recipe"}', ".json", "JSON"),
        (pickle.dumps([1, 2]), ".pkl", "a pickle"),
    ):
        found = audit(write(data, suffix))
        assert found.findings == () and says in found.format
    for data in (b"\x1f\x8b\x08\x00", b"BZh91", b"{broken", b"plain text", b"\0" * 257 + b"ustar" + b"\0" * 300):
        assert audit(write(data)).findings, data[:10]


def test_whatever_follows_a_pickle_is_told(write):
    honest = pickle.dumps({"a": 1})
    assert audit(write(honest)).findings == ()
    for more in (dumps(call("os.system", "x")), b"\0" * 50):
        assert f"goes on for {len(more)} bytes after its pickle" in audit(write(honest + more)).verdict


def test_a_persistent_id_in_a_plain_pickle_is_odd(write):
    assert "persistent id" in audit(write(b"\x80\x02X\x01\0\0\0aQ.")).verdict


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for path, says in ((tmp_path / "no", "no such file"), (tmp_path, "is a folder"), (tmp_path / "empty", "is empty")):
        with pytest.raises(AuditError, match=says):
            audit(path)
    assert info(tmp_path / "no").exit_code == 1
    assert info("demo", "--trust-pickle").exit_code == 2


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("src.torch_utils.persistence", True),
        ("evil.persistence", False),
        ("antigravity.torch_utils.persistence", False),
        ("__main__.torch_utils.persistence", False),
        ("torch.torch_utils.persistence", False),
        ("a b.torch_utils.persistence", False),
    ],
)
def test_names_of_forks(write, name, exact):
    G = network({}, {})
    G.func = Global(name, "_reconstruct_persistent_obj")
    assert (audit(write({"G_ema": G})).findings == ()) == exact


SEEDS = [
    dumps([call("a.b", 1, state={"x": 1}, pairs=(("k", "v"),)), call("c.d", {"e": call("f.g")}), b"x" * 50], protocol)
    for protocol in (0, 1, 2, 4)
] + [pickle.dumps({"array": np.arange(3.0), ("t", 1): {1, 2}, "s": frozenset("a")}, protocol) for protocol in range(6)]


def test_mutations_are_made_again_from_their_seed():
    for data in SEEDS:
        assert mutations.mutated(data, Random(3)) == mutations.mutated(data, Random(3))


def test_an_audit_needs_no_torch():
    code = (
        "import sys; from sefa_plugin.reading.audit import audit; "
        f"assert not audit({str(GOLDEN / 'sg3t-64.pkl')!r}, str).findings; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=GOLDEN.parent.parent)
    assert importlib.util.find_spec("sefa_plugin.reading.audit")
