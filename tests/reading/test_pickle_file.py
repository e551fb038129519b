import collections
import os
import pickle
import pickletools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.reading import pickle_file as inert_pickle
from sefa_plugin.reading import pickle_machine
from sefa_plugin.reading.pickle_file import load
from sefa_plugin.reading.pickle_machine import Call, Global, InertPickleError, TruncatedPickle

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


@given(plain, st.integers(0, 5))
def test_plain_values_come_back_as_python_reads_them(value, protocol):
    def same(ours, theirs):
        if isinstance(ours, Call):  # protocols 0-2 spell bytes and sets as calls
            if ours.func.path == "_codecs.encode":
                return ours.args[0].encode("latin-1") == theirs
            made = set(ours.args[0]) if ours.args else type(theirs)()
            return made == theirs
        if isinstance(theirs, (list, tuple)):
            return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(same, ours, theirs))
        if isinstance(theirs, dict):
            return list(ours) == list(theirs) and all(same(ours[k], theirs[k]) for k in theirs)
        return (bytes(ours) if isinstance(ours, memoryview) else ours) == theirs

    assert same(load(pickle.dumps(value, protocol)).value, value)


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
    with pytest.raises(TruncatedPickle):
        load(pickle.dumps([b"x" * 1000])[:500])
    with pytest.raises(InertPickleError) as caught:
        load(b"\x80\x04\xff.")
    assert not isinstance(caught.value, TruncatedPickle)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_noted_and_not_made(tmp_path, protocol):
    data = pickle.dumps(Bomb(tmp_path / "made"), protocol)
    result = load(data)
    assert isinstance(result.value, Call)
    assert result.value.args == (str(tmp_path / "made"),)
    assert [name.path for name in result.globals] == [f"{os.mkdir.__module__}.mkdir"]
    assert not (tmp_path / "made").exists()
    pickle.loads(data)  # the same bytes do harm when they are unpickled
    assert (tmp_path / "made").exists()


def test_state_attributes_and_items_are_kept_apart():
    value = collections.OrderedDict(a=1)
    value.extra = 5
    call = load(pickle.dumps(value, 4)).value
    assert call.func.path == "collections.OrderedDict"
    assert call.pairs == [("a", 1)]
    assert call.state == {"extra": 5}


def test_old_instructions_make_records_too():
    assert load(b"(ios\nsystem\n.").value.func.path == "os.system"
    assert load(b"(cos\nsystem\nS'x'\no.").value.args == ("x",)
    assert isinstance(load(b"cos\nsystem\n.").value, Global)


def test_shared_objects_stay_shared():
    inner = [1]
    first, second = load(pickle.dumps([inner, inner])).value
    assert first is second


def test_every_instruction_of_python_is_known():
    codes = {ord(op.code) for op in pickletools.opcodes} - {ord(".")}
    assert codes == set(inert_pickle.OPCODES)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x80\x09.", "protocol 9"),
        (b"\x80\x04\x82\x01.", "extension registry"),
        (b"\x80\x05\x97.", "outside the file"),
        (b"\x80\x04K\x01Q.", "persistent id"),
        (b"\x80\x04h\x05.", "never stored"),
        (b"\x80\x04a.", "empty stack"),
        (b"\x80\x04(K\x01.", "leaves 1 objects over"),
        (b"\x80\x04K\x01K\x02b.", "sets the state of a int"),
        (b"\x80\x04}]K\x01s.", "a key of type list"),
        (b"\x80\x04K\x01K\x02R.", "malformed arguments"),
        (b"\x80\x04K\x01K\x02\x93.", "not text"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".", "ends early"),
        (b"I" + b"9" * 5000 + b"\n.", "5000 digits"),
        (b"I" + b"9" * 70000 + b"\n.", "over 65536 bytes"),
        (b"\x80\x04X\x02\x00\x00\x00\xff\xff.", "not utf-8"),
    ],
)
def test_refusals_name_what_is_wrong(data, says):
    with pytest.raises(InertPickleError, match=says):
        load(data)


def test_a_huge_memo_index_costs_nothing():
    assert load(b"\x80\x02K\x01r\xff\xff\xff\xff.").value == 1


def test_floods_are_bounded(monkeypatch):
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 1000)
    with pytest.raises(InertPickleError, match="more than 1000 instructions"):
        load(b"\x80\x04" + b"]" * 5000 + b".")


def test_keys_whose_hashes_collide_are_bounded():
    with pytest.raises(InertPickleError, match="keys that are neither text"):
        load(pickle.dumps({n * (2**61 - 1): 0 for n in range(5000)}))


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
