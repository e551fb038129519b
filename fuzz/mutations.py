"""Changes of honest files: bytes, instructions of a pickle, members of an archive, the header of a safetensors file.

Every function takes a ``random.Random`` and decides by it alone, so that what was found can be made again.
"""

from __future__ import annotations

import io
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Callable
from random import Random

Change = Callable[[bytes, Random], bytes]

# Instructions that honest files do not have, or have elsewhere.
SNIPPETS = (
    b"cos\nsystem\n", b"(ios\nsystem\n", b"cbuiltins\nexec\n", b"\x8c\x02os\x8c\x06system\x93",
    b"ccollections\nOrderedDict\n", b"ctorch\nFloatStorage\n", b"cnumpy\ndtype\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b")R", b"\x85R", b"\x86R", b"\x87R", b"}b", b"]", b"}", b"(", b"t",
    b"l", b"d", b"\x8f", b"(\x90", b"(\x91", b"0", b"1", b"2", b"N", b"\x88", b")", b"e", b"a", b"s", b"u", b"o",
    b"b", b"\x81", b"\x92", b"\x93", b".", b"Q", b"Pid\n", b"\x82\x01", b"\x97", b"\x98", b"\x94", b"h\x00",
    b"j\xff\xff\xff\x7f", b"q\x00", b"r\xff\xff\xff\xff", b"p-1\n", b"g0\n", b"I" + b"9" * 300 + b"\n", b"I01\n",
    b"L5L\n", b"F1e999\n", b"Fnan\n", b"G\x7f\xf8\x00\x00\x00\x00\x00\x00", b"K\xff", b"M\xff\xff",
    b"J\xff\xff\xff\xff", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f",
    b"X\xff\xff\xff\xff", b"\x8d" + b"\xff" * 8, b"B\xff\xff\xff\x7f", b"\x8e" + b"\xff" * 8,
    b"\x96" + b"\x08" + b"\x00" * 7, b"C\x00", b"U\x01\xff", b"T\x01\x00\x00\x00x", b"S'\\x'\n", b"V\\ud800\n",
    b"X\x03\x00\x00\x00\xed\xa0\x80", b"X\x01\x00\x00\x00\xff", b"\x8c\x00", b"\x95" + b"\x00" * 8,
)  # fmt: skip
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**62, 2**63, 2**64 - 1)
WORDS = (
    b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"1e-400", b"9" * 25, b'"\\ud800"', b'""', b"[]",
    b"{}", b"[[[[", b'"x":1,', b"\\u0000", b"F32", b"BF16", b"F8_E4M3", b"U64", b'"shape":[0]',
    b'"shape":[4294967296,4294967296]', b'"data_offsets":[0,0]', b"'|O'", b"'<f4'", b"'<f8,O'", b"(1, 1000000000)",
    b"(-1,)", b"True", b"\xff\xfe", b"\xc3\x28", b"=auto", b"@4-7", b"-50%", b"coarse:", b"each", b"0-99999",
    b"--1", b"1e6", b"4294967296", b",,", "²".encode(), "\u0663".encode(), b"\n", b"\x00", b"\x1b[31m",
    "\u202e".encode(), b"inf", b"nan", b"0x10", b"1_000", b" ",
)  # fmt: skip


def some_bytes(data: bytes, rng: Random) -> bytes:
    """Flip, drop, double, move, cut or insert some bytes."""
    held = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at = rng.randrange(len(held) + 1)
        length = min(rng.choice((1, 1, 2, 4, 8, 64, 1000)), len(held) - at)
        kind = rng.randrange(8)
        if kind == 0 and at < len(held):
            held[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(held):
            held[at] = rng.randrange(256)
        elif kind == 2:
            del held[at : at + length]
        elif kind == 3:
            held[at:at] = held[at : at + length]
        elif kind == 4:
            other = rng.randrange(len(held) + 1)
            held[at : at + length] = held[other : other + length]
        elif kind == 5 and rng.random() < 0.3:
            del held[at:]
        elif kind == 6:
            raw = struct.pack("<Q", rng.choice(_NUMBERS))[: rng.choice((1, 2, 4, 8))]
            held[at : at + len(raw)] = raw if rng.random() < 0.5 else raw[::-1]
        else:
            held[at : at + (length if rng.random() < 0.5 else 0)] = rng.choice(WORDS)
    return bytes(held)


def parts_of(data: bytes) -> tuple[list[bytes], bytes]:
    """The instructions of the pickle, or of the pickles in a row, that ``data`` begins with; and what follows."""
    parts: list[bytes] = []
    end = 0
    while end < len(data) and len(parts) < 20_000:
        start, places = end, []
        try:
            for _, _, place in pickletools.genops(io.BytesIO(data[start:])):
                places.append(start + place)
        except Exception:  # not a whole pickle: genops raises whatever its parsers do
            break
        end = places[-1] + 1
        parts += [data[a:b] for a, b in zip(places, [*places[1:], end])]
    return parts, data[end:]


def some_instructions(data: bytes, rng: Random) -> bytes:
    """Drop, double, swap, replace or insert instructions of a pickle; or change a pickle that one of them carries."""
    parts, rest = parts_of(data)
    if not parts:
        return some_bytes(data, rng)
    carriers = [
        place for place, part in enumerate(parts) if len(part) > 40 and part[:1] in b"BC\x8e" and part[0] != 0x3E
    ]
    if carriers and rng.random() < 0.3:
        place = rng.choice(carriers)
        width = {b"C": 1, b"B": 4}.get(parts[place][:1], 8)
        inner = some_instructions(parts[place][1 + width :], rng)
        parts[place] = b"B" + struct.pack("<I", len(inner)) + inner
        return b"".join(parts) + rest
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place = rng.randrange(len(parts))
        kind = rng.randrange(6)
        if kind == 0 and len(parts) > 1:
            del parts[place]
        elif kind == 1:
            parts.insert(place, parts[rng.randrange(len(parts))])
        elif kind == 2:
            other = rng.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        elif kind == 3:
            parts[place] = rng.choice(SNIPPETS)
        elif kind == 4:
            parts[place] = parts[place][:1] + some_bytes(parts[place][1:], rng)
        else:
            parts.insert(place, rng.choice(SNIPPETS))
    return b"".join(parts) + rest


def some_members(data: bytes, rng: Random) -> bytes:
    """Change what a member of a zip archive holds, or its name, and write the archive anew."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            held = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    except Exception:  # broken already
        return some_bytes(data, rng)
    if not held:
        return some_bytes(data, rng)
    place = rng.randrange(len(held)) if rng.random() < 0.5 else 0
    name, content = held[place]
    kind = rng.randrange(10)
    if kind == 0:
        name = rng.choice(
            ("archive/data.pkl", "x/data.pkl", "archive/byteorder", "archive/data/0", "w.npy", "lat_comp.npy", "../x")
        )
    elif kind == 1:
        del held[place]
    elif kind == 2:
        held.append((name, content))
    elif content[:1] == b"\x93":
        content = some_header(content, rng)
    else:
        content = some_instructions(content, rng)
    if kind != 1:
        held[place] = (name, content)
    file = io.BytesIO()
    packed = zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", packed) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in held:
            info = zipfile.ZipInfo(name)
            info.compress_type = packed
            archive.writestr(info, content)
    return file.getvalue()


def some_header(data: bytes, rng: Random) -> bytes:
    """Change the text in front of the numbers (of ``.npy`` or safetensors), and keep its length right."""
    if data[:6] == b"\x93NUMPY" and len(data) > 10:
        start, width, layout = 8, 2, "<H"
    else:
        start, width, layout = 0, 8, "<Q"
    if len(data) < start + width:
        return some_bytes(data, rng)
    (length,) = struct.unpack_from(layout, data, start)
    begin = start + width
    text = some_bytes(data[begin : begin + min(length, 1 << 20)], rng)
    stated = len(text) if rng.random() < 0.95 else rng.choice(_NUMBERS)
    return data[:start] + struct.pack(layout, stated & (256**width - 1)) + text + data[begin + length :]


CHANGES: dict[str, tuple[Change, ...]] = {
    "pickle": (some_instructions, some_instructions, some_bytes),
    "zip": (some_members, some_members, some_members, some_bytes),
    "header": (some_header, some_header, some_bytes),
    "text": (some_bytes,),
}


def kind_of(data: bytes) -> str:
    """Which changes keep a file near to being one."""
    if data[:2] == b"PK":
        return "zip"
    if data[:6] == b"\x93NUMPY" or data[8:9] == b"{":
        return "header"
    return "text" if data[:1] in b'{["' else "pickle"


def mutated(data: bytes, rng: Random) -> bytes:
    """A changed copy of a file of any kind."""
    return rng.choice(CHANGES[kind_of(data)])(data, rng)
