"""Scores by any ONNX model that takes a batch of pictures and gives numbers, run by onnxruntime.

Size, layout and element type of a model's input are read from its shape and type. The rest, and dimensions without
a size, are given by options after the file's name, or by entries of the model's metadata under the same keys::

    onnx:smile.onnx?pixels=-1,1&names=smile,age

* ``size``: ``224`` or ``HEIGHTxWIDTH``. Without any size pictures are not resized.
* ``layout``: ``nchw`` or ``nhwc``.
* ``pixels``: the values of black and white: ``0,1`` (the default), ``-1,1``, ``0,255``; or ``imagenet`` or ``clip``,
  the means and deviations that such networks are trained with. A uint8 model gets 0 to 255.
* ``channels``: ``rgb`` or ``bgr``.
* ``names``: of the attributes, one for each number of a picture's result; the default is the names of the
  model's outputs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import torch

from ...media.pictures import as_rgb
from ...system.environment import require_extra
from .interface import ScorerError

MEANS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
OPTIONS = ("size", "layout", "pixels", "channels", "names")
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
WHOLE = "tensor(uint8)"


def load_onnx(text: str, device: str = "cpu") -> OnnxScorer:
    """Make a scorer of ``FILE`` or ``FILE?option=value&option=value``.

    On another device than the CPU it is run with CUDA, if this onnxruntime can.

    Raises:
        ScorerError: the model cannot be used.
        MissingExtra: onnxruntime is not installed.
        ValueError: an option is unknown or cannot be read.
    """
    file, _, query = text.partition("?")
    options = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if key not in OPTIONS or not equals or not value:
            raise ValueError(f"onnx option {part!r}: expected one of {', '.join(f'{name}=' for name in OPTIONS)}")
        options[key] = unquote(value)
    return OnnxScorer(Path(file), options, device)


class OnnxScorer:
    """A model, run on batches of pictures.

    Args:
        path: the ``.onnx`` file.
        options: see the module's text.
        device: as torch names it.

    Raises:
        ScorerError: the model does not take pictures.
        MissingExtra: onnxruntime is not installed.
        ValueError: an option cannot be read.
    """

    def __init__(self, path: Path, options: dict[str, str], device: str = "cpu") -> None:
        require_extra("onnxruntime", "an ONNX scorer")
        import onnxruntime

        if not path.is_file():
            raise ScorerError(f"{path}: no such file")
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = torch.get_num_threads()
        usable = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
        providers = [name for name in usable if name in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(str(path), settings, providers=providers)
        except Exception as error:  # its exception classes are not public
            raise ScorerError(f"{path}: onnxruntime cannot load it: {' '.join(str(error).split())[:200]}") from error
        self.path, self.title = path, path.stem
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.identity = f"onnx {digest} {sorted(options.items())}"
        held = self._session.get_modelmeta().custom_metadata_map
        options = {**{key: value for key, value in held.items() if key in OPTIONS}, **options}
        self._read_input(options)
        self._read_pixels(options)
        self._names = [name.strip() for name in options["names"].split(",")] if options.get("names") else None

    def _read_input(self, options: dict[str, str]) -> None:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in (*TYPES, WHOLE):
            found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)[:120]
            raise ScorerError(f"{self.path}: takes {found}; a scorer takes one batch of pictures, floats or uint8")
        self._input, shape = inputs[0].name, [n if isinstance(n, int) else None for n in inputs[0].shape]
        self._type, self._batch = inputs[0].type, shape[0]
        layout = options.get("layout") or {(True, False): "nchw", (False, True): "nhwc"}.get(
            (shape[1] in (1, 3), shape[3] in (1, 3))
        )
        if layout not in ("nchw", "nhwc"):
            raise ValueError(f"{self.path}: its input is {inputs[0].shape}; add ?layout=nchw or ?layout=nhwc")
        self._last = layout == "nhwc"
        channels, size = (shape[3], shape[1:3]) if self._last else (shape[1], shape[2:])
        if channels not in (None, 1, 3):
            raise ScorerError(f"{self.path}: takes pictures of {channels} channels, expected 1 or 3")
        self._grey = channels == 1
        high, wide = size
        # Height and width; None leaves pictures as they are.
        self._size = (high, wide) if high and wide else _size(options["size"]) if options.get("size") else None

    def _read_pixels(self, options: dict[str, str]) -> None:
        order, text = options.get("channels", "rgb"), options.get("pixels", "0,1")
        if order not in ("rgb", "bgr"):
            raise ValueError(f"channels={order}: expected rgb or bgr")
        self._backwards = order == "bgr"
        if text in MEANS:
            mean, deviation = (np.array(values, np.float64) for values in MEANS[text])
            self._black, self._span = -mean / deviation, 1 / deviation
            return
        try:
            black, white = map(float, text.split(","))
        except ValueError:
            raise ValueError(f"pixels={text}: expected two numbers like -1,1, or {', '.join(MEANS)}") from None
        self._black, self._span = np.array(black), np.array(white - black)

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Scores of pictures uint8 ``[N, H, W, C]``: float64 ``[N]`` by attribute."""
        values = self._prepared(pictures)
        size = self._batch or len(values)
        pieces = [self._run(values[start : start + size]) for start in range(0, len(values), size)]
        scores = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        if self._names is None:
            return scores
        if len(self._names) != len(scores):
            raise ScorerError(
                f"{self.path}: gives {len(scores)} numbers for a picture, {len(self._names)} names are given"
            )
        return dict(zip(self._names, scores.values()))

    def _prepared(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures in the model's size, layout and element type."""
        from PIL import Image

        rows = []
        for picture in pictures:
            image = Image.fromarray(as_rgb(picture))
            if self._size and image.size != self._size[::-1]:
                image = image.resize(self._size[::-1], 2)  # bilinear, over all pixels where it reduces
            rows.append(np.asarray(image.convert("L"))[:, :, None] if self._grey else np.asarray(image))
        values = np.stack(rows)
        if self._backwards:
            values = values[..., ::-1]
        if self._type != WHOLE:
            values = (values / 255.0 * self._span + self._black).astype(TYPES[self._type])
        return np.ascontiguousarray(values if self._last else values.transpose(0, 3, 1, 2))

    def _run(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Scores by name; for a model of fixed batch size the last batch is padded."""
        count = len(values)
        if self._batch and count < self._batch:
            values = np.concatenate([values, np.repeat(values[-1:], self._batch - count, axis=0)])
        scores = {}
        for output, held in zip(self._session.get_outputs(), self._session.run(None, {self._input: values})):
            table = np.asarray(held)
            if table.ndim not in (1, 2) or len(table) != len(values) or table.dtype.kind not in "fiu":
                raise ScorerError(
                    f"{self.path}: its output {output.name} is {table.dtype} {list(table.shape)}, expected numbers "
                    f"[{len(values)}] or [{len(values)}, attributes]"
                )
            table = table.reshape(len(values), -1)[:count].astype(np.float64)
            for column in range(table.shape[1]):
                scores[output.name if table.shape[1] == 1 else f"{output.name}{column}"] = table[:, column]
        return scores


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isdigit() and 1 <= int(part) <= 4096 for part in parts):
        raise ValueError(f"size={text}: expected pixels like 224, or HEIGHTxWIDTH")
    return int(parts[0]), int(parts[-1])
