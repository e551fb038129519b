"""Scores by CLIP, without training: how much better a picture matches one text than another.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), section 3.1: pictures
and texts are embedded in one space, and the softmax over texts of scaled cosines is the probability of each. An
attribute is a positive and a negative text, ``glasses=a face with glasses|a face``; its score is the difference of
their logits, the log odds of the positive one: unlike the probability it does not saturate, so that equal changes of
a picture give equal changes of the score. Several texts of a side, separated by ``;``, are averaged in the space of
embeddings (there, section 3.1.4).

Models come from the user's own disk, through ``transformers`` or ``open_clip``; nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...media.pictures import as_rgb
from ...system.environment import require_extra
from .interface import ScorerError


@dataclass(frozen=True)
class Attribute:
    """Texts for and against an attribute."""

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def parse_attribute(text: str) -> Attribute:
    """Read ``NAME=POSITIVE|NEGATIVE``; several texts of a side are separated by ``;``.

    Raises:
        ValueError: a part is missing.
    """
    name, _, sides = text.partition("=")
    halves = [tuple(filter(None, map(str.strip, side.split(";")))) for side in sides.split("|")]
    if not name.strip() or len(halves) != 2 or not all(halves):
        raise ValueError(f"attribute {text!r:.100}: expected NAME=TEXT FOR IT|TEXT AGAINST IT")
    return Attribute(name.strip(), *halves)


class ClipScorer:
    """A CLIP model and the attributes that it scores.

    Args:
        title, identity: see ``interface.Scorer``.
        attributes: with different names.
        embed_pictures: uint8 pictures ``[N, H, W, C]`` to embeddings ``[N, d]``.
        embed_texts: texts to embeddings ``[n, d]``.
        scale: of the cosines, as trained (100 in the published models).

    Raises:
        ValueError: two attributes have one name.
    """

    def __init__(
        self,
        title: str,
        identity: str,
        attributes: Sequence[Attribute],
        embed_pictures: Callable[[np.ndarray], Tensor],
        embed_texts: Callable[[list[str]], Tensor],
        scale: float,
    ) -> None:
        self.title = title
        self.identity = f"{identity} {[(held.name, held.positive, held.negative) for held in attributes]}"
        self.names = [held.name for held in attributes]
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"attributes {', '.join(self.names)}: two have one name")
        self._embed = embed_pictures

        def side(texts: tuple[str, ...]) -> Tensor:
            with torch.no_grad():
                return F.normalize(F.normalize(embed_texts(list(texts)).float(), dim=-1).mean(dim=0), dim=-1)

        # [attributes, d]: logit for minus logit against, of a unit embedding
        self._axes = scale * torch.stack([side(held.positive) - side(held.negative) for held in attributes])

    def features(self, pictures: np.ndarray) -> np.ndarray:
        """Unit embeddings of pictures uint8 ``[N, H, W, C]``: float32 ``[N, d]``."""
        features: np.ndarray = self._embeddings(pictures).cpu().numpy()
        return features

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Log odds of the positive text: float64 ``[N]`` by attribute."""
        scores = (self._embeddings(pictures).double() @ self._axes.double().T).cpu().numpy()
        return {name: scores[:, column] for column, name in enumerate(self.names)}

    def _embeddings(self, pictures: np.ndarray) -> Tensor:
        with torch.no_grad():
            return F.normalize(self._embed(np.stack([as_rgb(picture) for picture in pictures])).float(), dim=-1)


# --- transformers ---------------------------------------------------------------------------------


def load_clip(place: str, attributes: Sequence[Attribute], device: str = "cpu") -> ClipScorer:
    """CLIP of ``transformers``, from a folder or from the user's Hugging Face cache.

    Weights in ``pytorch_model.bin`` are read without unpickling anything.

    Args:
        place: a folder with ``config.json``, weights, and the files of the tokenizer; or the name of a model that lies
            in the cache, ``openai/clip-vit-base-patch32``.

    Raises:
        ScorerError: no whole CLIP model is there.
        MissingExtra: transformers is not installed.
    """
    require_extra("transformers", "the scorer clip")
    import transformers as installed

    transformers: ModuleType = installed  # typed as a plain module: its own types are incomplete
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder = _folder(place)
    _check_files(folder)
    try:
        config = transformers.CLIPConfig.from_pretrained(folder, local_files_only=True)
        model = _weights(transformers, folder, config).to(device).eval().requires_grad_(False)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        # Newer versions have two; the one with Pillow needs no torchvision.
        kind = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
        processor = kind.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ScorerError(f"{folder}: is not a whole CLIP model of transformers: {reason}") from error

    def embed_pictures(pictures: np.ndarray) -> Tensor:
        values = processor(images=list(pictures), return_tensors="pt", input_data_format="channels_last")
        return _pooled(model.get_image_features(pixel_values=values["pixel_values"].to(device)))

    def embed_texts(texts: list[str]) -> Tensor:
        longest = config.text_config.max_position_embeddings
        held = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt").to(device)
        return _pooled(model.get_text_features(held["input_ids"], attention_mask=held["attention_mask"]))

    identity = f"clip {_stamp(folder)}"
    return ClipScorer("clip", identity, attributes, embed_pictures, embed_texts, float(model.logit_scale.exp()))


def _folder(place: str) -> Path:
    """The folder itself, or that of a model in the cache."""
    if Path(place).is_dir():
        return Path(place)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(place, local_files_only=True))
    except Exception as error:  # an invalid name, or one that is not in the cache
        raise ScorerError(f"--clip-model {place}: is neither a folder nor in your Hugging Face cache") from error


def _check_files(folder: Path) -> None:
    """Check for files that transformers replaces by defaults: another model's configuration, an empty vocabulary."""
    for kinds in (("config.json",), ("vocab.json", "tokenizer.json"), ("preprocessor_config.json",)):
        if not any((folder / name).is_file() for name in kinds):
            raise ScorerError(f"{folder}: is not a whole CLIP model of transformers: it holds no {' or '.join(kinds)}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict) or config.get("model_type") != "clip":
        raise ScorerError(f"{folder}: its config.json is not that of a CLIP model")


def _weights(transformers: ModuleType, folder: Path, config: object) -> Any:
    """The model with every one of its weights."""
    if not (folder / "pytorch_model.bin").is_file() or list(folder.glob("*.safetensors")):
        model, about = transformers.CLIPModel.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        missing = sorted(about["missing_keys"])
    else:
        from ...reading.network_file import read_network
        from ...reading.network_record import NetworkFileError

        try:
            tensors = read_network(folder / "pytorch_model.bin").tensors
        except NetworkFileError as error:
            raise ScorerError(str(error)) from None
        model = transformers.CLIPModel(config)
        held = {name: torch.from_numpy(np.asarray(tensor)) for name, tensor in tensors.items()}
        missing = sorted(model.load_state_dict(held, strict=False).missing_keys)
    missing = [name for name in missing if not name.endswith("position_ids")]  # indices, not weights
    if missing:
        raise ScorerError(f"{folder}: its weights lack {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}")
    return model


def _pooled(output: Any) -> Tensor:
    """The embeddings; newer versions wrap them."""
    found: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return found


def _stamp(place: Path) -> str:
    """A digest of names, sizes and times of the files; a digest of gigabytes of content would take too long."""
    files = [place] if place.is_file() else sorted(file for file in place.iterdir() if file.is_file())
    about = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(about).encode()).hexdigest()


# --- open_clip ------------------------------------------------------------------------------------


def load_open_clip(name: str, weights: str | None, attributes: Sequence[Attribute], device: str = "cpu") -> ClipScorer:
    """CLIP of ``open_clip``.

    Args:
        name: of an architecture, ``ViT-B-32``; or ``local-dir:FOLDER``, which holds weights as well.
        weights: a file of weights for it. ``open_clip`` itself opens it, so it must come from a trusted source.

    Raises:
        ScorerError: open_clip cannot make this model.
        MissingExtra: open_clip is not installed.
        ValueError: no file of weights is given, or it does not exist.
    """
    local = name.startswith("local-dir:")
    if not local and (weights is None or not os.path.isfile(weights)):
        raise ValueError(
            f"--scorer open_clip with {name} needs --clip-weights FILE, which is there; nothing is downloaded"
        )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # so that open_clip downloads no tokenizer
    require_extra("open_clip_torch", "the scorer open_clip")
    import open_clip

    try:
        model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=weights, device=device)
        tokenize = open_clip.get_tokenizer(name)
    except Exception as error:  # its errors are not documented
        raise ScorerError(f"open_clip cannot make {name}: {' '.join(str(error).split())[:200]}") from error
    model.eval()

    def embed_pictures(pictures: np.ndarray) -> Tensor:
        from PIL import Image

        batch = torch.stack([preprocess(Image.fromarray(picture)) for picture in pictures])
        found: Tensor = model.encode_image(batch.to(device))
        return found

    def embed_texts(texts: list[str]) -> Tensor:
        found: Tensor = model.encode_text(tokenize(texts).to(device))
        return found

    place = Path(name[len("local-dir:") :] if local else str(weights))
    identity = f"open_clip {name} {_stamp(place)}"
    return ClipScorer("open_clip", identity, attributes, embed_pictures, embed_texts, float(model.logit_scale.exp()))
