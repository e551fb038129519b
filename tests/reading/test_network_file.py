import io
import os
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest
import torch
from pickle_writer import (
    ORDERED,
    Call,
    Global,
    PersistentId,
    call,
    dumps,
    module_state,
    network,
    ordered,
    persistent,
    storage_bytes,
    tensor,
)
from places import GOLDEN
from torch_writer import MACHINE, TorchWriter

from sefa_plugin.reading.network_file import read_network, write_converted
from sefa_plugin.reading.network_record import NetworkFileError

CASES = ["sg2ada-skip-64", "sg2ada-cond-32", "sg2-in-sg3-32", "sg3t-64", "sg3r-64"]
KWARGS = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8, "img_channels": 3}


@pytest.fixture
def write(tmp_path):
    def to_file(value, name="net.pkl", protocol=4):
        path = tmp_path / name
        path.write_bytes(value if isinstance(value, bytes) else dumps(value, protocol))
        return path

    return to_file


def small(value=1.0, **extra):
    return network({"synthesis.b4.const": np.full((2, 4, 4), value, "f4"), **extra}, KWARGS)


def refusal(path, which="G_ema"):
    with pytest.raises(NetworkFileError) as caught:
        read_network(path, which)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("name", CASES)
def test_files_of_the_toolkits(golden, name):
    case = golden(name)
    record = read_network(case.pickle)
    assert record.class_name == "Generator"
    assert record.init_kwargs == case.info["init_kwargs"]
    assert set(record.tensors) == set(case.state)
    for key, want in case.state.items():
        assert (record.tensors[key].numpy() == want).all(), key
    assert record.none_buffers == set(case.info["pickle"]["buffers_registered_as_None"])
    assert record.sources == {}


def test_only_the_wanted_network_is_read(golden):
    case = golden("sg2ada-cond-32")
    ema, raw = read_network(case.pickle), read_network(case.pickle, "G")
    assert ema.entries == ("G", "G_ema")
    assert ema.digest() != raw.digest()
    assert "holds no D" in refusal(case.pickle, "D")


def test_attributes_of_modules(golden):
    record = read_network(golden("sg3t-64").pickle)
    layer = record.modules["synthesis.L0_36_20"]
    assert layer.class_name == "SynthesisLayer"
    assert layer.attributes["out_cutoff"] == 2.0
    assert layer.attributes["in_size"].numpy().tolist() == [36, 36]
    assert layer.attributes["up_factor"] == 2


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(write, protocol):
    path = write({"G": None, "G_ema": small(3.0)}, protocol=protocol)
    assert (read_network(path).tensors["synthesis.b4.const"].numpy() == 3).all()


def test_what_only_old_protocols_do(write):
    """They make an EasyDict of its base, and write numbers as one long line of text."""
    dicts = Global("dnnlib.util", "EasyDict"), Global("builtins", "dict")
    kwargs = {**KWARGS, "mapping_kwargs": call("copyreg._reconstructor", *dicts, {"num_layers": 3})}
    path = write({"G_ema": network({"x": np.full(100_000, -1.5, "f4")}, kwargs)}, protocol=0)
    record = read_network(path)
    assert record.init_kwargs["mapping_kwargs"] == {"num_layers": 3}
    assert (record.tensors["x"].numpy() == -1.5).all()
    assert "truncated" in refusal(write(path.read_bytes()[:200_000]))


def test_a_file_that_holds_only_the_network(write):
    assert read_network(write(small())).entries == ("G_ema",)
    assert read_network(write({"G_ema": small()})).entries == ("G_ema",)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_save(tmp_path, zipped):
    """A whole file of torch.save refers to storages outside its pickle."""
    values = torch.arange(6.0)
    place = ("storage", Global("torch", "FloatStorage"), "0", "cuda:0", 6)
    reference = PersistentId(place if zipped else (*place, None))
    view = call(
        "torch._utils._rebuild_tensor_v2",
        reference,
        2,
        (2, 2),
        (2, 1),
        False,
        Call(Global("collections", "OrderedDict"), ()),
    )
    value = {"G_ema": network({"synthesis.b4.const": view}, KWARGS)}
    sample = io.BytesIO()
    torch.save(values, sample, _use_new_zipfile_serialization=zipped)
    path = tmp_path / "net.pt"
    if zipped:
        with zipfile.ZipFile(sample) as old, zipfile.ZipFile(path, "w") as new:
            for entry in old.namelist():
                body = dumps(value, 2) if entry.endswith("data.pkl") else old.read(entry)
                new.writestr(entry, body)
    else:
        raw = sample.getvalue()
        key = pickle.dumps(["0"], 2)
        magic = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, MACHINE))
        path.write_bytes(magic + dumps(value, 2) + key + raw[-6 * 4 - 8 :])
    assert read_network(path).tensors["synthesis.b4.const"].numpy().tolist() == [[2, 3], [4, 5]]


def test_checksums_of_archives(tmp_path):
    """torch compares none: a damaged archive would give a network that looks whole."""
    writer = TorchWriter()
    whole = writer.dumps({"G": {"a": writer.tensor(np.full(5, 3.5))}, "G_ema": {"a": writer.tensor(np.full(9, 1.5))}})
    path = tmp_path / "net.pt"
    weights = np.full(9, 1.5, "<f4").tobytes()
    path.write_bytes(whole.replace(weights, weights[:-1] + b"\xbf"))
    words = "tensor a: its file is damaged: the checksum of archive/data/1 differs; download or copy it again"
    assert words in refusal(path)
    assert (read_network(path, "G").tensors["a"].numpy() == 3.5).all()  # what is not needed is not looked at
    path.write_bytes(whole.replace(b"G_ema", b"G_emb"))
    assert "the file is damaged: the checksum of archive/data.pkl differs" in refusal(path)
    unsummed = bytearray(whole)  # as torch.serialization.set_crc32_options(False) leaves it
    for entry in range(whole.count(b"PK\x01\x02")):
        at = [place for place in range(len(whole)) if whole.startswith(b"PK\x01\x02", place)][entry]
        unsummed[at + 16 : at + 20] = bytes(4)
    path.write_bytes(unsummed)
    assert (read_network(path).tensors["a"].numpy() == 1.5).all()


@pytest.mark.parametrize("legacy", [True, False])
def test_what_the_unpickler_refuses(tmp_path, legacy):
    """Found by changing files: a device that torch does not know, tensors elsewhere that are none."""
    path = tmp_path / "net.pt"
    writer = TorchWriter(legacy)
    honest = writer.tensor(np.full(5, 3.5))
    for place, good in (("cuda:1", True), ("cpa", False), ("cuda:", False), ("data.pkl", False), (None, False)):
        pid = honest.args[0].pid
        honest.args[0].pid = (*pid[:3], place, *pid[4:])
        path.write_bytes(writer.dumps({"G_ema": {"a": honest}}))
        assert good or "on a device that torch does not name so" in refusal(path)
        assert not good or read_network(path).tensors["a"].numpy().tolist() == [3.5] * 5
    honest.args[0].pid = (*pid[:3], "cpu", *pid[4:])
    for shape, strides, says in (((6,), (1,), "shape \\(6,\\) that needs more"), ((5,), (1, 1), "go with its strides")):
        other = writer.tensor(np.zeros(5))
        other.args = (other.args[0], 0, shape, strides, *other.args[4:])
        path.write_bytes(writer.dumps({"G_ema": {"a": honest}, "D": {"a": other}}))
        with pytest.raises(NetworkFileError, match=says):
            read_network(path)


@pytest.mark.parametrize("legacy", [True, False])
def test_damage_is_said_with_its_cure(tmp_path, legacy):
    writer = TorchWriter(legacy)
    whole = writer.dumps({"G_ema": {"a": writer.tensor(np.full(5, 3.5))}})
    path = tmp_path / "net.pt"
    path.write_bytes(whole.replace(b"_rebuild_tensor_v2", b"\xff" * 18))
    if legacy:
        assert "is a broken file of torch.save: text that is not utf-8" in refusal(path)
    assert "download or copy it again" in refusal(path)
    path.write_bytes(whole.replace(b"K\x05N" if legacy else b"K\x05t", b"K\x04N" if legacy else b"K\x04t"))
    assert "download or copy it again" in refusal(path)


def test_members_that_overlap(tmp_path):
    """Many members over the same bytes would be summed for ever."""
    writer = TorchWriter()
    header = (30 + len("archive/data/0")) // 4
    sizes = [1000 * (9 - key) + header * (8 - key) for key in range(9)]  # each reaches to the end of the last
    value = {"G_ema": {f"a{key}": writer.tensor(np.zeros(size)) for key, size in enumerate(sizes)}}
    writer.storages = [np.zeros(1000, "<f4")] * 9
    data = bytearray(writer.dumps(value))
    at = data.find(b"PK\x01\x02")
    for size in sizes:
        at = data.find(b"PK\x01\x02", at + 1)
        struct.pack_into("<III", data, at + 16, 0, 4 * size, 4 * size)
    path = tmp_path / "net.pt"
    path.write_bytes(data)
    assert "has members that overlap" in refusal(path)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.float32])
def test_element_types(write, kind):
    values = torch.tensor([1.0, -2.0, 0.5], dtype=kind)
    made = call(
        "torch._utils._rebuild_tensor_v2",
        call("torch.storage._load_from_bytes", storage_bytes(values)),
        0, (3,), (1,), False, Call(Global("collections", "OrderedDict"), ()),
    )  # fmt: skip
    record = read_network(write({"G_ema": network({"a": made}, KWARGS)}))
    assert record.tensors["a"].numpy().tolist() == [1.0, -2.0, 0.5]


def test_spellings_of_numpy_one_and_two(write):
    for core in ("numpy.core", "numpy._core"):
        kind = call("numpy.dtype", "f8", False, True, state=(3, "<", None, None, None, -1, -1, 0))
        gain = call(f"{core}.multiarray.scalar", kind, np.float64(0.25).tobytes())
        sizes = call(f"{core}.multiarray._reconstruct", Global("numpy", "ndarray"), (0,), b"b")
        sizes.state = (1, (2,), kind, False, np.array([3.0, 4.0]).tobytes())
        record = read_network(write({"G_ema": network({}, KWARGS, gain=gain, sizes=sizes)}))
        assert record.modules[""].attributes["gain"] == 0.25
        assert record.modules[""].attributes["sizes"].numpy().tolist() == [3.0, 4.0]


def test_objects_of_unknown_classes_elsewhere_are_listed_and_never_fatal(write):
    D = call("timm.models.Net", state={"training": False, "act": Global("torch.nn.functional", "relu")})
    path = write({"G_ema": small(), "D": D})
    assert read_network(path).other_globals == ("timm.models.Net", "torch.nn.functional.relu")
    assert "known to be harmless" in refusal(path, "D")


def test_unknown_functions_are_refused_anywhere(write):
    assert "needs timm.create, which is not known" in refusal(write({"G_ema": small(), "D": call("timm.create", 1)}))


def test_parts_of_a_network_are_its_own(write):
    """The class of an object elsewhere could change them."""
    kwargs, shape = dict(KWARGS), (2, 4)
    G = network({"x": np.ones(2, "f4")}, kwargs, shape=shape)
    assert read_network(write({"G_ema": G, "D": call("timm.Net", state={"shape": shape})})).tensors
    for shared in (kwargs, G, [{"deep": kwargs}]):
        said = refusal(write({"G_ema": G, "D": call("timm.Net", state={"held": shared})}))
        assert "parts of the network are also parts of objects of unknown classes (timm.Net)" in said


@pytest.mark.parametrize(
    "place",
    [
        lambda bad: {"G_ema": bad},
        lambda bad: {"G_ema": network({"w": bad}, KWARGS)},
        lambda bad: {"G_ema": network({}, {**KWARGS, "x": bad})},
        lambda bad: {"G_ema": network({}, KWARGS, attribute=[{"deep": bad}])},
        lambda bad: {"G_ema": persistent("Generator", module_state(modules={"mapping": bad}))},
    ],
)
def test_unknown_names_in_the_network_are_refused_by_name(write, tmp_path, place):
    path = write(place(call("os.mkdir", str(tmp_path / "made"))))
    assert "os.mkdir" in refusal(path)
    assert not (tmp_path / "made").exists()


def test_a_known_name_is_no_way_to_an_unknown_one(write, tmp_path):
    mkdir = call("os.mkdir", str(tmp_path / "made"))
    inner = dumps(mkdir)
    for bad in (
        call("collections.OrderedDict", mkdir),
        call("torch._utils._rebuild_parameter", mkdir, False, None),
        call(
            "torch._tensor._rebuild_from_type_v2",
            Global("os", "mkdir"),
            Global("torch", "Tensor"),
            (str(tmp_path / "made"),),
            None,
        ),
        call("torch.storage._load_from_bytes", inner),
        call(
            "torch._utils._rebuild_tensor_v2", call("torch.storage._load_from_bytes", inner), 0, (1,), (1,), False, None
        ),
        call("numpy.core.multiarray.scalar", mkdir, b"1234"),
        Call(mkdir, ()),
        Call(call("builtins.getattr", Global("os", "mkdir"), "__call__"), (str(tmp_path / "made"),)),
    ):
        refusal(write({"G_ema": network({"w": bad}, KWARGS)}))
        refusal(write({"G_ema": network({}, {**KWARGS, "x": bad})}))
    assert not (tmp_path / "made").exists()


def _with(made, **changes):
    for name, value in changes.items():
        setattr(made, name, value)
    return made


ONES = np.ones(2, "f4")
HIDDEN = {
    "a state of a tensor": lambda: _with(tensor(ONES), state={"data": 1}),
    "a state of a parameter": lambda: _with(tensor(ONES, parameter=True), state={"data": 1}),
    "an item of a tensor": lambda: _with(tensor(ONES), pairs=[(None, 0)]),
    "an item appended to a tensor": lambda: _with(tensor(ONES), items=[0]),
    "metadata of a tensor": lambda: _with(tensor(ONES), args=(*tensor(ONES).args, {"neg": True})),
    "hooks of a tensor": lambda: _with(tensor(ONES), args=(*tensor(ONES).args[:5], ordered({0: 1}))),
    "a parameter with a state": lambda: call(
        "torch._utils._rebuild_parameter_with_state", tensor(ONES), True, Call(ORDERED, ()), {"data": 1}
    ),
    "a tensor of another type": lambda: call(
        "torch._tensor._rebuild_from_type_v2", Global("torch._utils", "_rebuild_tensor_v2"), Global("torch", "Tensor"),
        tensor(ONES).args, {"data": 1},
    ),
    "a negative view": lambda: tensor(ONES, shape=(2,), stride=(-1,), offset=1),
}  # fmt: skip


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("which", ["G_ema", "D"])
def test_what_would_change_a_tensor_unseen(write, kind, which):
    assert read_network(write({"G_ema": small(), "D": network({"w": tensor(ONES)}, {})})).tensors
    assert "refused: the file " in refusal(write({"G_ema": small(), which: network({"w": HIDDEN[kind]()}, KWARGS)}))


def test_what_would_change_a_module_unseen(write):
    shadow = network({"w": ONES}, KWARGS, w=tensor(np.zeros(2, "f4")))
    assert "has two things of one name" in refusal(write(shadow))
    parameters = persistent("G", module_state({"w": tensor(ONES)}, {"w": None}, _init_args=(), _init_kwargs={}))
    assert "has two things of one name" in refusal(write(parameters))
    for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs"):
        hooked = network({"w": ONES}, KWARGS, **{hooks: ordered({0: Global("torch", "neg")})})
        assert f"root has hooks ({hooks})" in refusal(write(hooked))
    assert "a state, which it has none of" in refusal(write(_with(small(), state={"synthesis": None})))
    twice = dumps({"G_ema": small(), "G_emb": small(2.0)}, 2).replace(b"G_emb", b"G_ema")
    assert "sets a key of a dict twice" in refusal(write(twice))
    G = small()
    meta = G.args[0]
    assert "after something referred to it" in refusal(write(dumps([G, meta], 2)[:-1] + b"h\x02K\x01K\x02s."))


def test_tensors_that_lie(write):
    array = np.zeros(4, "f4")
    for lie in (
        tensor(array, shape=(1000, 1000), stride=(1000, 1)),
        tensor(array, shape=(2**30, 2**30), stride=(0, 0)),
        tensor(array, shape=(4,), stride=(1,), offset=-1),
        tensor(array, shape=(4,), stride=(1,), offset=2**62),
        tensor(array, shape="abcd", stride=(1,)),
        tensor(array, shape=(4,), stride=None, offset=0.5),
    ):
        assert re.search(
            "tensor w|tensor of shape|calls torch._utils._rebuild_tensor_v2 with",
            refusal(write({"G_ema": network({"w": lie}, KWARGS)})),
        )


def test_storages_that_lie(write):
    good = storage_bytes(np.arange(4, dtype="f4"))
    for bad in (good[:-5], good.replace(b"FloatStorage", b"FlootStorage"), b"", b"PK\x03\x04", good[:40]):
        held = call("torch.storage._load_from_bytes", bad)
        made = call("torch._utils._rebuild_tensor_v2", held, 0, (4,), (1,), False, Call(ORDERED, ()))
        assert "the file " in refusal(write({"G_ema": network({"w": made}, KWARGS)}))


def test_structures_without_end(write):
    deep: list = []
    for _ in range(200):
        deep = [deep]
    wide: list = [0]
    for _ in range(60):
        wide = [wide, wide]
    nested = small()
    for _ in range(40):
        nested = persistent("Part", module_state(modules={"m": nested}))
    for bad in ({"G_ema": network({}, {**KWARGS, "x": x})} for x in (deep, wide)):
        assert "values" in refusal(write(bad))
    ring: list = []
    ring.append(ring)
    assert "changes a list after something referred to it" in refusal(write({"G_ema": network({}, {"x": ring})}))
    assert "too deep" in refusal(write({"G_ema": nested}))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "git lfs pull"),
        (b"\n <!DOCTYPE html><html><body>Sign in</body>", "web page"),
        (b"hello, this is text\n", "not a pickle"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "picture"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "gzip"),
        (b'{"a": 1}', "text file"),
        (b"PK\x03\x04" + b"\0" * 50, "zip archive"),
        (pickle.dumps([1, 2, 3]), "a list of 3 things"),
        (pickle.dumps({"model": 1, "epoch": 2}), "a dict of model, epoch"),
        (pickle.dumps(5), "a int"),
        (pickle.dumps(b"x" * 999)[:500], "truncated"),
        (b"\x80\x04\xff\xff", "broken pickle"),
    ],
)
def test_files_of_another_kind(write, content, says):
    assert says in refusal(write(content))


def test_networks_of_tensorflow(write):
    nets = tuple(call("dnnlib.tflib.network.Network", state={"version": 4}) for _ in range(3))
    assert "other attributes than those of version 4" in refusal(write(nets))


def test_missing_files_and_folders(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.pkl")
    assert "folder" in refusal(tmp_path)


def test_which_must_be_a_network_of_the_file(golden):
    with pytest.raises(NetworkFileError, match=r"holds no H; it holds .* \(choose with --which "):
        read_network(golden("sg3t-64").pickle, "H")


@pytest.mark.parametrize("name", CASES)
def test_a_converted_network_is_the_same(golden, tmp_path, name):
    record = read_network(golden(name).pickle)
    path = tmp_path / "net.safetensors"
    write_converted(record, path)
    again = read_network(path)
    assert again.digest() == record.digest()
    assert again.init_kwargs == record.init_kwargs
    assert again.none_buffers == record.none_buffers
    assert set(again.modules) == set(record.modules)
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]
    with pytest.raises(NetworkFileError, match="holds only G_ema"):
        read_network(path, "G")


def test_other_safetensors_are_told_apart(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(3, "f4")}, str(path))
    assert "sefa convert" in refusal(path)
    path.write_bytes(path.read_bytes()[:-4])
    assert "broken safetensors" in refusal(path)


def test_digests_do_not_depend_on_the_place(golden, tmp_path):
    data = golden("sg3t-64").pickle.read_bytes()
    other = tmp_path / "elsewhere.pkl"
    other.write_bytes(data)
    assert read_network(other).digest() == read_network(golden("sg3t-64").pickle).digest()


def test_reading_needs_no_torch_and_no_numpy():
    import subprocess
    import sys

    code = (
        "import sys; from sefa_plugin.reading.network_file import read_network; "
        f"r = read_network({os.fspath(GOLDEN / 'sg3t-64.pkl')!r}); assert len(r.tensors) == 114; "
        "assert not {'torch', 'numpy', 'safetensors'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=GOLDEN.parent.parent)
