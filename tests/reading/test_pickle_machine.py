"""Pickles: those of every pickler are read, what no pickler writes is refused."""

import collections
import io
import os
import pickle
import pickletools
import re
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.reading import pickle_machine
from sefa_plugin.reading.pickle_forms import Keyed, UnknownGlobal, load
from sefa_plugin.reading.pickle_machine import Budget, Global, InertPickleError, OtherForm, TruncatedPickle

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


def same(ours, theirs):
    if isinstance(theirs, (list, tuple)):
        return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[k], theirs[k]) for k in theirs)
    return (bytes(ours) if isinstance(ours, memoryview) else ours) == theirs


@given(plain, st.integers(0, 5))
def test_plain_values_come_back_as_python_reads_them(value, protocol):
    assert same(load(pickle.dumps(value, protocol)).value, value)
    file = io.BytesIO()
    pickle._Pickler(file, protocol).dump(value)  # the one in Python
    assert same(load(file.getvalue()).value, value)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_clear_refusal(data):
    try:
        load(data)
    except InertPickleError as error:
        assert "\n" not in str(error)


@given(plain, st.data())
def test_every_truncation_is_told_as_such_or_refused(value, data):
    whole = pickle.dumps(value, 4)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InertPickleError):
        load(whole[:cut])


def test_a_cut_file_is_told_from_a_broken_one():
    for protocol in (3, 4):
        with pytest.raises(TruncatedPickle):
            load(pickle.dumps([b"x" * 1000], protocol)[:500])
    with pytest.raises(InertPickleError) as caught:
        load(b"\x80\x04\xff.")
    assert not isinstance(caught.value, TruncatedPickle)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_named_and_not_made(tmp_path, protocol):
    data = pickle.dumps(Bomb(tmp_path / "made"), protocol)
    with pytest.raises(UnknownGlobal, match=rf"needs {os.mkdir.__module__}.mkdir.*byte \d+"):
        load(data)
    assert not (tmp_path / "made").exists()
    pickle.loads(data)  # the same bytes do harm when they are unpickled
    assert (tmp_path / "made").exists()


def test_what_torch_hangs_onto_a_dict_of_tensors():
    value = collections.OrderedDict(a=1)
    value._metadata = collections.OrderedDict(version=1)
    read = load(pickle.dumps(value, 2)).value
    assert isinstance(read, Keyed) and read == {"a": 1}
    value.extra = 5
    with pytest.raises(OtherForm, match="gives a keyed a state"):
        load(pickle.dumps(value, 2))


def test_shared_objects_stay_shared():
    inner = [1]
    first, second = load(pickle.dumps([inner, inner])).value
    assert first is second


def test_pickles_of_python_2():
    """Spelled as its two picklers do: the one in C numbers its memo from 1, and stores only what is used again."""
    for data in (
        b"(dp1\nS'a'\np2\n(lp3\nI1\naL2L\naF1.5\naI01\nasS\"it's \\x00\\xe9\\n\"\np4\nVx\\u005cy\np5\ns.",
        b"}q\x01(U\x01aq\x02]q\x03(K\x01L2L\nG?\xf8\x00\x00\x00\x00\x00\x00I01\neU\x08"
        b"it's \x00\xe9\nX\x03\x00\x00\x00x\\yu.",
        b"\x80\x02}(U\x01a](K\x01\x8a\x01\x02G?\xf8\x00\x00\x00\x00\x00\x00\x88eU\x08"
        b"it's \x00\xe9\nX\x03\x00\x00\x00x\\yq\x01u.",
    ):
        assert load(data).value == {"a": [1, 2, 1.5, True], "it's \0é\n": "x\\y"}


def test_every_instruction_is_read_or_refused():
    codes = {ord(op.code) for op in pickletools.opcodes} - {ord("."), 0x80}
    read = {code for table in pickle_machine._OPCODES for code in table}
    assert read | pickle_machine._NEVER == codes | {0x80} and not read & pickle_machine._NEVER


EMPTY = b"ccollections\nOrderedDict\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x80\x09.", "protocol 9"),
        (b"\x80\x04\x82\x01.", "instruction 0x82"),
        (b"\x80\x05\x97.", "instruction 0x97"),
        (b"\x80\x04K\x01Q.", "persistent id"),
        (b"\x80\x04h\x05.", "never stored"),
        (b"\x80\x04a.", "empty stack"),
        (b"\x80\x04(K\x01.", "leaves 1 objects over"),
        (b"\x80\x04K\x01K\x02b.", "gives a int a state"),
        (b"\x80\x04}]K\x01s.", "a key of type list"),
        (b"\x80\x04K\x01K\x02R.", "malformed arguments"),
        (b"\x80\x04K\x01K\x02\x93.", "not text"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".", "ends early"),
        (b"I" + b"9" * 5000 + b"\n.", "5000 digits"),
        (b"I" + b"9" * 70000 + b"\n.", "over 65536 bytes"),
        (b"\x80\x04X\x02\x00\x00\x00\xff\xff.", "not utf-8"),
        # what unpicklers read and picklers do not write
        (b"I010\n.", "no whole number as a pickler"),
        (b"I 1\n.", "no whole number as a pickler"),
        (b"I1_0\n.", "no whole number as a pickler"),
        (b"L5\n.", "no whole number as a pickler"),
        (b"F1_0\n.", "no number as a pickler"),
        (b"F 1\n.", "no number as a pickler"),
        (b"S'\\141'\n.", "not spelled as a pickler"),
        (b"S'\\N{BULLET}'\n.", "not spelled as a pickler"),
        (b"S'\\u0041'\n.", "not spelled as a pickler"),
        (b"S\"a\"\n.", "not spelled as a pickler"),
        (b"V\\u0041\n.", "not spelled as a pickler"),
        (b"K\x01\x80\x02.", "instruction 0x80"),
        (b"\x80\x02\x8c\x01a.", "instruction 0x8c"),
        (b"\x80\x04N0N.", "instruction 0x30"),
        (b"\x80\x02N2\x86.", "instruction 0x32"),
        (b"(iargparse\nNamespace\n.", "instruction 0x69"),
        (b"\x80\x02]q\x01q\x02.", "out of turn"),
        (b"\x80\x02]q\x05.", "out of turn"),
        (b"\x80\x02Nq\x00.", "out of turn"),
        (b"\x80\x02]q\x00]q\x00\x86.", "out of turn"),
        (b"\x80\x02]K\x01aq\x00.", "out of turn"),
        (b"(K\x01l.", "of what is on the stack"),
        (b"(K\x01K\x02d.", "of what is on the stack"),
        (b"\x80\x02}(K\x01NK\x01Nu.", "a key of a dict twice"),
        (b"\x80\x02}(K\x01NI01\nNu.", "a key of a dict twice"),
        (b"\x80\x04\x8f(K\x01K\x01\x90.", "to a set twice"),
        (b"\x80\x02]q\x00(h\x00K\x01a.", "after something referred to it"),
        (b"\x80\x02]q\x00(K\x01h\x00h\x00K\x01at\x86.", "after something referred to it"),
        (b"\x80\x02" + EMPTY + b"q\x00h\x00.", "leaves 1 objects over"),
        (b"\x80\x02K\x01N}s.", "changes a int like a dict"),
        # frames
        (b"\x80\x04\x95" + struct.pack("<Q", 5) + b"N.....", "inside of a frame"),
        (b"\x80\x04\x95" + struct.pack("<Q", 3) + b"K\x01J\x01\0\0\0\x86.", "out of its frame"),
        (b"\x80\x04\x95" + struct.pack("<Q", 12) + b"\x95" + struct.pack("<Q", 1) + b"NN.", "a frame inside"),
        # calls and states
        (b"\x80\x02ccollections\nOrderedDict\n)R}b.", "a state that no OrderedDict has"),
        (b"\x80\x02cdnnlib\nEasyDict\n)\x81}b}b.", "a state, which it has none of"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "OrderedDict with 1 as part 1"),
        (b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0utf-8\x86R.", "encode with 'utf-8' as part 2"),
        (b"\x80\x02cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R.", "only numbers are read"),
        (b"\x80\x02cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R.", "makes a dtype without its state"),
        (b"\x80\x02cargparse\nNamespace\nN\x85\x81.", "argparse.Namespace from arguments"),
        (b"\x80\x02cargparse\nNamespace\n)\x81}b}b.", "a state, which it has none of"),
        (b"\x80\x02cargparse\nNamespace\n)\x81K\x01K\x02s.", "changes a object like a dict"),
        (b"\x80\x02ccollections\nOrderedDict\n)R)R.", "calls what the file itself has made"),
    ],
)  # fmt: skip
def test_refusals_name_what_is_wrong(data, says):
    with pytest.raises(InertPickleError, match=says):
        load(data)


def test_a_type_of_numbers_is_only_what_numpy_writes():
    whole = pickle.dumps(np.arange(3, dtype="f4"), 2)
    assert load(whole).value.view.numpy().tolist() == [0, 1, 2]
    (state,) = re.findall(rb"\(K\x03X\x01\x00\x00\x00<q.NNNJ\xff{4}J\xff{4}K\x00t", whole)
    for changed in (
        state.replace(b"NNN", b"NN}"),  # a field
        state.replace(b"K\x00t", b"K\x3ft"),  # flags
        state.replace(b"K\x00t", b"\x89t"),
        state.replace(b"<", b">"),
        state.replace(b"<", b"|"),
        state.replace(b"K\x03", b"K\x04"),
    ):
        with pytest.raises(OtherForm, match=r"gives a dtype .* as part \d"):
            load(whole.replace(state, changed))


def test_floods_are_bounded(monkeypatch):
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 1000)
    with pytest.raises(InertPickleError, match="more than 1000 instructions"):
        load(b"\x80\x04" + b"]" * 5000 + b".")


def test_keys_whose_hashes_collide_are_bounded():
    with pytest.raises(InertPickleError, match="keys that are neither text"):
        load(pickle.dumps({n * (2**61 - 1): 0 for n in range(5000)}))


def test_a_text_is_encoded_once():
    """Picklers write each byte string of protocol 2 as a text of its own; a shared one would be encoded each time."""
    values = [b"x" * 30_000, b"y" * 30_000, b"a", b"a", b""]
    assert [bytes(held) for held in load(pickle.dumps(values, 2)).value] == values
    text = b"X" + struct.pack("<I", 30_000) + b"x" * 30_000 + b"q\x01"
    again = b"c_codecs\nencode\nq\x00" + text + b"X\x06\0\0\0latin1q\x02\x86q\x03R" + b"h\x00h\x01h\x02\x86R" * 100_000
    budget = Budget()
    with pytest.raises(OtherForm, match="bytes that are used twice at byte"):
        load(b"\x80\x02(" + again + b"t.", budget=budget)
    noted = Budget([])
    with pytest.raises(OtherForm, match="does more than 1000 things"):
        load(b"\x80\x02(" + again + b"t.", budget=noted)


LONG = b"(" + b"K\0" * 100 + b"tq\0"
PAIRS = b"]q\0(" + b"".join(b"K%cN\x86" % number for number in range(100)) + b"e"
ITEMS = b"]q\0(" + b"".join(b"K%c" % number for number in range(100)) + b"e"
STATE = b"}q\0(" + b"".join(b"U\x02%02dN" % number for number in range(100)) + b"u"
META = b"}(U\x04typeU\x05classU\x07versionK\x06U\nmodule_srcU\0U\nclass_nameU\1AU\x05stateh\0u\x85R"


@pytest.mark.parametrize(
    "held, name, use, kind",
    [
        (LONG, b"ctorch\nSize\n", b"h\0\x85R", "tuple"),
        (LONG, b"cpathlib\nPosixPath\n", b"h\0R", "tuple"),
        (PAIRS, b"ccollections\nOrderedDict\n", b"h\0\x85R", "list"),
        (ITEMS, b"cbuiltins\nset\n", b"h\0\x85R", "list"),
        (STATE, b"csome\nClass\n", b")\x81h\0b", "dict"),
        (STATE, b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n", META, "dict"),
        (LONG, b"ctorch._utils\n_rebuild_tensor_v2\n", b"(Nh\0tR", ""),
    ],
)
def test_long_parts_are_read_where_they_stand_once(held, name, use, kind):
    """Each of many calls would go through them again."""
    again = held + name + b"q\1" + b"h\1" + use
    with pytest.raises(OtherForm, match=f"makes two things of one {kind}"):
        load(b"\x80\x02(" + again + b"t.")


def test_names_and_devices_are_short():
    with pytest.raises(InertPickleError, match="a name of more than 1000 letters"):
        load(b"\x80\x02c" + b"a" * 990 + b"\nEasyDict_____\n.")
    with pytest.raises(OtherForm, match="calls torch.device with 'aaa"):
        load(b"\x80\x02ctorch\ndevice\nU\x20" + b"a" * 32 + b"K\0\x86R.")
    assert load(pickle.dumps(torch.device("cuda", 1), 2)).value == "cuda:1"


def test_names_are_made_fit_for_a_message():
    name = Global("os\n\x1b[31m" + "x" * 500, "system")
    assert "\n" not in name.path
    assert "\x1b" not in name.path
    assert len(name.path) <= 200


@pytest.mark.parametrize("size", [1, 255, 256, 512])
def test_whole_numbers_of_up_to_512_bytes(size):
    value = -(2 ** (8 * size - 1))
    for data in (struct.pack("<BI", ord(pickle.LONG4), size), bytes([ord(pickle.LONG1), size]) if size < 256 else b""):
        if data:
            assert load(b"\x80\x02" + data + value.to_bytes(size, "little", signed=True) + b".").value == value


def test_whole_numbers_of_513_bytes_are_refused():
    data = b"\x80\x02" + struct.pack("<BI", ord(pickle.LONG4), 513) + bytes(512) + b"\x01."
    assert pickle.loads(data) == 2 ** (8 * 512)
    with pytest.raises(InertPickleError, match="a whole number of 513 bytes"):
        load(data)


def test_long_byte_strings_are_views_of_the_file():
    data = pickle.dumps(b"x" * 100_000)
    assert isinstance(load(data).value, memoryview)
