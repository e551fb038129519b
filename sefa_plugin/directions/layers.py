"""Select layers: from a specification like ``middle`` or ``0-1,5`` to the weights and the rows of ws.

Layer numbers are ws indices. The layers that are factorised are also edited: the rows of ws that feed the chosen
convolutions (the last ToRGB counts as the last layer; an inner ToRGB adds no row).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..hook import StyleLayer
from ..system.messages import spans
from .keys import APART, IN_REGION

GROUPS = ("coarse", "middle", "fine")
BOUNDS = {"coarse": 8.0, "middle": 32.0}  # pixels of detail up to which a layer belongs to the group
TORGB = ("last", "never", "always")
ENDINGS = {"none": "", "layers": "-sharp", "pictures": "-sharp-pictures"}  # of labels, by the way of sharpening
_TOLERANCE = 1 + 1e-6


@dataclass(frozen=True)
class LayerGroup:
    """One selection.

    Attributes:
        label: short name, fit for file names (``all``, ``coarse``, ``0-1_5``, ``layer03``).
        ws_indices: rows of ws that an edit changes, ascending.
        layers: the style layers whose weights are factorised, in the order of execution.
    """

    label: str
    ws_indices: tuple[int, ...]
    layers: tuple[StyleLayer, ...]


def select_layers(layers: Sequence[StyleLayer], spec: str = "all", torgb: str = "last") -> list[LayerGroup]:
    """Select layers.

    Args:
        layers: every style layer of a network.
        spec: ``all``, ``coarse``, ``middle``, ``fine``, ``input`` (StyleGAN3's rigid motion), ``each``
            (one group per ws index), or ws indices such as ``0-1,5,8-10``. Names separated by commas
            give one group each; all numbers together give one. A repeated part gives no second group.
        torgb: ``last`` includes the final ToRGB (as the paper's authors do), ``never`` none,
            ``always`` also the inner ones whose row is chosen.

    Returns:
        The groups, in the order of the specification.

    Raises:
        ValueError: the specification cannot be read, is out of range, or selects nothing.
    """
    if torgb not in TORGB:
        raise ValueError(f"torgb {torgb!r}: choose one of {', '.join(TORGB)}")
    parts = [part.strip() for part in spec.split(",")]
    numbers = [part for part in parts if re.fullmatch(r"\d{1,100}(-\d{1,100})?", part)]
    groups: dict[str, LayerGroup] = {}  # by label, without repeated ones
    for part in parts:
        named = _numbered(numbers, layers, torgb) if part in numbers else _named(part, layers, torgb)
        if named is None:
            raise ValueError(
                f"layers {spec!r:.60}: {part!r:.60} is neither all, coarse, middle, fine, each, input "
                "nor a range like 0-3"
            )
        groups.update((group.label, group) for group in named if group.label not in groups)
    return list(groups.values())


def one_group(layers: Sequence[StyleLayer], spec: str, torgb: str = "last") -> LayerGroup:
    """The only group of layers of a specification.

    Raises:
        ValueError: there are several, or no such layers.
    """
    groups = select_layers(layers, spec, torgb)
    if len(groups) != 1:
        raise ValueError(f"layers {spec!r} gives {len(groups)} groups; type one, like middle or 0-3")
    return groups[0]


def _named(name: str, layers: Sequence[StyleLayer], torgb: str) -> list[LayerGroup] | None:
    """The groups that a name stands for; None where it is not a name."""
    if name == "input":
        return [_input_group(layers)]
    one = re.fullmatch(r"layer(\d\d+)", name)  # one of ``each``
    if name not in ("all", "each", *GROUPS) and not one:
        return None
    styles = _primary(layers, torgb)
    if one:
        return [_group(layers, [int(one[1])], name, torgb)] if int(one[1]) in styles else None
    if name == "each":
        return [_group(layers, [row], f"layer{row:02d}", torgb) for row in sorted(styles)]
    rows = sorted(styles) if name == "all" else _rows_of_group(styles, name)
    return [_group(layers, rows, name, torgb)]


def _primary(layers: Sequence[StyleLayer], torgb: str) -> dict[int, StyleLayer]:
    """The layer that stands for each ws index: the convolution, at the last index the final ToRGB."""
    styles = {layer.ws_index: layer for layer in layers if layer.kind == "conv"}
    final = _final_torgb(layers)
    if final is not None and torgb != "never":
        styles.setdefault(final.ws_index, final)
    if not styles:
        raise ValueError(f"this network has no style layers to select from (torgb {torgb!r})")
    return styles


def _final_torgb(layers: Sequence[StyleLayer]) -> StyleLayer | None:
    final = max((layer for layer in layers if layer.kind == "torgb"), key=lambda x: x.ws_index, default=None)
    last = max((layer.ws_index for layer in layers), default=-1)
    return final if final is not None and final.ws_index == last else None


def _group(layers: Sequence[StyleLayer], rows: Sequence[int], label: str, torgb: str) -> LayerGroup:
    wanted = set(rows)
    final = _final_torgb(layers)
    chosen = []
    for layer in layers:
        torgb_used = layer.kind == "torgb" and (torgb == "always" or (torgb == "last" and layer is final))
        if layer.ws_index in wanted and (layer.kind == "conv" or torgb_used):
            chosen.append(layer)
    return LayerGroup(label, tuple(sorted(wanted)), tuple(chosen))


def _input_group(layers: Sequence[StyleLayer]) -> LayerGroup:
    chosen = tuple(layer for layer in layers if layer.kind == "input")
    if not chosen:
        raise ValueError("layers 'input': only StyleGAN3 networks have such a layer")
    return LayerGroup("input", tuple(layer.ws_index for layer in chosen), chosen)


def _numbered(parts: Sequence[str], layers: Sequence[StyleLayer], torgb: str) -> list[LayerGroup]:
    """The one group of all numbers and ranges."""
    styles = _primary(layers, torgb)
    rows: set[int] = set()
    last = max(layer.ws_index for layer in layers)
    inputs = {layer.ws_index for layer in layers if layer.kind == "input"}
    for part in parts:
        low, _, high = part.partition("-")
        first, final = int(low), int(high or low)
        if first > final:
            raise ValueError(f"layers {part!r:.60}: the range runs backwards")
        if final > last:
            raise ValueError(f"layers {part!r:.60}: this network has layers {min(styles)}-{last}")
        rows.update(range(first, final + 1))
    if rows & inputs:
        raise ValueError(f"layer {min(rows & inputs)} moves the picture as a whole; ask for it by `--layers input`")
    if rows - set(styles):
        raise ValueError(f"layer {min(rows - set(styles))} is a ToRGB layer, which torgb {torgb!r} leaves out")
    # Equal selections have equal labels, however they were typed.
    return [_group(layers, sorted(rows), spans(sorted(rows)).replace(", ", "_"), torgb)]


class Label(NamedTuple):
    """The parts of the label of a set of directions: ``coarse-sharp@4-7``.

    Attributes:
        layers: the factorised layers, or the file of imported directions.
        sharpen: ``none``, ``layers``, ``pictures`` or ``region``.
        rows: the rows of ws that edits change, '' where they are those of the factorised layers.
        region: of local directions, the ``Region.label``; else ''.
        apart: of a direction that marks took apart from another one, the numbers of both, ``3-7``; else ''.
    """

    layers: str
    sharpen: str = "none"
    rows: str = ""
    region: str = ""
    apart: str = ""

    @classmethod
    def of(cls, label: str) -> Label:
        """Take a label apart."""
        found, _, rows = label.partition("@")
        numbers = ""
        if pair := re.search(f"{APART}$", found):
            found, numbers = found[: pair.start()], pair[1]
        if local := re.search(f"{IN_REGION}$", found):
            return cls(found[: local.start()], "region", rows, local[1].replace(",", "_"), numbers)
        for sharpen, ending in ENDINGS.items():
            if ending and found.endswith(ending):
                return cls(found[: -len(ending)], sharpen, rows, apart=numbers)
        return cls(found, rows=rows, apart=numbers)

    def __str__(self) -> str:
        ending = f"-in-{self.region}" if self.region else ENDINGS[self.sharpen]
        ending += f"-apart-{self.apart}" if self.apart else ""
        return f"{self.layers}{ending}{f'@{self.rows}' if self.rows else ''}"

    def of_variant(self, normalize: bool, torgb: str) -> Label:
        """For file names: with the options of the factorisation that are not the usual ones, ``all-raw``.

        Unchanged where these options chose nothing: of sharp and of imported directions.
        """
        if self.is_kept or not self.is_selection:
            return self
        ending = ("" if normalize else "-raw") + ("" if torgb == "last" else f"-torgb-{torgb}")
        return self._replace(layers=self.layers + ending)

    @property
    def plain(self) -> Label:
        """Without what :meth:`of_variant` adds."""
        return self._replace(layers=re.sub(r"(-raw)?(-torgb-(never|always))?$", "", self.layers))

    @property
    def of_layers(self) -> str:
        """With the layers as they are typed, without other rows: ``0-3,5-sharp``, ``all-in-0.3_0.6_0.4_0.2``."""
        return str(self._replace(layers=self.layers.replace("_", ","), rows=""))

    @property
    def words(self) -> str:
        """For display: ``coarse layers, sharpened by layers, edited at 4-7``."""
        found = self.layers
        if found in ("all", *GROUPS, "input"):
            found = f"{found} layers"
        elif self.is_selection and found != "z":
            rows = found.replace("layer", "").lstrip("0") or "0"
            found = f"layer {rows}" if rows.isdigit() else f"layers {found.replace('_', ',')}"
        return f"{found}{self.found_by}{f', edited at {self.rows}' if self.rows else ''}"

    @property
    def found_by(self) -> str:
        """What is said after the layers: ``, sharpened by layers``; '' of SeFa's own directions."""
        found = "" if self.sharpen == "none" else f", sharpened by {self.sharpen}"
        if self.region:
            found = f", inside {self.region.replace('_', ',')}"
        return found + (f", {self.apart.replace('-', ' apart from ')}" if self.apart else "")

    @property
    def is_kept(self) -> bool:
        """Whether it is of directions that are looked up in their file: sharp, local, or taken apart by marks."""
        return self.sharpen != "none" or bool(self.apart)

    @property
    def is_selection(self) -> bool:
        """Whether layers were factorised; the label of imported directions is the name of their file."""
        one = rf"(all|{'|'.join(GROUPS)}|input|z|layer\d+|[\d_-]+)"
        return bool(re.fullmatch(rf"{one}(-raw)?(-torgb-(never|always))?", self.layers))


def _rows_of_group(styles: dict[int, StyleLayer], name: str) -> list[int]:
    """Rows of coarse, middle or fine; where a group would be empty, one row of its neighbour is moved into it."""
    details: dict[int, float] = {}
    for row in sorted(styles):
        detail = styles[row].detail
        if detail is None:
            raise ValueError(f"layers {name!r}: this network has no coarse, middle and fine layers; use numbers")
        details[row] = detail
    if len(styles) < len(GROUPS):
        raise ValueError(f"layers {name!r}: this network has too few layers for groups; use numbers")
    rows: dict[str, list[int]] = {group: [] for group in GROUPS}
    for row, detail in details.items():
        group = next((group for group, bound in BOUNDS.items() if detail <= bound * _TOLERANCE), "fine")
        rows[group].append(row)
    _fill_middle(rows)
    if not rows["coarse"]:
        rows["coarse"].append(rows["middle"].pop(0))
    if not rows["fine"]:
        rows["fine"].append(rows["middle"].pop())
    _fill_middle(rows)  # its only row may have been moved out
    return rows[name]


def _fill_middle(rows: dict[str, list[int]]) -> None:
    """Move the nearest row of the larger neighbour into an empty middle."""
    if not rows["middle"]:
        larger = "coarse" if len(rows["coarse"]) > len(rows["fine"]) else "fine"
        rows["middle"].append(rows[larger].pop(-1 if larger == "coarse" else 0))
