"""Load scorers by the text of ``--scorer``: the bundled predictor, CLIP, an ONNX model, code of the user.

A scorer of the user's own must be trusted code: it is imported and run with all rights of this process.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from .interface import Scorer, ScorerError, TitledScorer, has_features, scores_of

if TYPE_CHECKING:
    from .interface import Numbers

KINDS = "demo, clip, open_clip, onnx:FILE, or MODULE:NAME of your own"


def load_scorer(
    *specs: str,
    device: str = "cpu",
    attributes: Sequence[str] = (),
    clip_model: str | None = None,
    clip_weights: str | None = None,
    only: Sequence[str] = (),
) -> TitledScorer:
    """Make a scorer of one or several texts; see ``interface.Scorer``.

    Args:
        specs: ``demo``, the bundled predictor of the bundled network's faces; ``clip`` or ``open_clip``; ``onnx:FILE``,
            with options after ``?`` (see ``onnx_scorer``); ``module:name`` or ``path/to/file.py:name``, the user's own.
        device: where the models of the first four are run, as torch names it.
        attributes: of CLIP, ``NAME=POSITIVE|NEGATIVE`` each (see ``clip_scorer``).
        clip_model, clip_weights: the folder of a CLIP model of ``transformers``; or a model name of ``open_clip`` and
            the file of its weights.
        only: the attributes to keep, in this order; all without any.

    Raises:
        ScorerError: it cannot be loaded.
        MissingExtra: a package is not installed.
        ValueError: a text has another form or is given twice, or options are missing.
    """
    if len(set(specs)) < len(specs):
        raise ValueError(f"scorers {', '.join(specs)}: expected different ones")
    scorers: list[TitledScorer] = []
    for spec in specs:
        kind, _, rest = spec.partition(":")
        if spec == "demo":
            from .predictor import FILE, load_predictor

            scorers.append(Titled(load_predictor(), "demo", _digest(FILE)))
        elif spec in ("clip", "open_clip"):
            from .clip_scorer import load_clip, load_open_clip, parse_attribute

            if not attributes or not clip_model:
                raise ValueError(f"--scorer {spec} needs --clip-model and --attribute 'NAME=a face with it|a face'")
            texts = [parse_attribute(text) for text in attributes]
            if spec == "clip":
                scorers.append(load_clip(clip_model, texts, device))
            else:
                scorers.append(load_open_clip(clip_model, clip_weights, texts, device))
        elif not kind or not rest:
            raise ValueError(f"scorer {spec!r}: expected {KINDS}")
        elif kind == "onnx":
            from .onnx_scorer import load_onnx

            scorers.append(load_onnx(rest, device))
        else:
            scorers.append(own_scorer(spec))
    scorer = scorers[0] if len(scorers) == 1 else Several(scorers)
    return Some(scorer, only) if only else scorer


class Titled:
    """A scorer with a title and an identity."""

    def __init__(self, scorer: Scorer, title: str, identity: str) -> None:
        self.scorer, self.title, self.identity = scorer, title, identity
        if has_features(scorer):
            self.features: Callable[[np.ndarray], Numbers] = scorer.features

    def __call__(self, pictures: np.ndarray) -> Mapping[str, Numbers]:
        return self.scorer(pictures)


class Several:
    """Several scorers as one.

    An attribute whose name an earlier scorer has too is called ``title.name``; features are those of the first scorer
    that has any.
    """

    def __init__(self, scorers: Sequence[TitledScorer]) -> None:
        self.scorers = list(scorers)
        self.title = "+".join(scorer.title for scorer in scorers)
        self.identity = "\n".join(scorer.identity for scorer in scorers)
        with_features = [scorer for scorer in scorers if has_features(scorer)]
        if with_features:
            self.features: Callable[[np.ndarray], Numbers] = with_features[0].features

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        scores: dict[str, np.ndarray] = {}
        for scorer in self.scorers:
            for name, values in scores_of(scorer, pictures).items():
                scores[f"{scorer.title}.{name}" if name in scores else name] = values
        return scores


class Some:
    """A scorer of some of another one's attributes, in an order of their own."""

    def __init__(self, scorer: TitledScorer, names: Sequence[str]) -> None:
        self.scorer, self.names = scorer, list(dict.fromkeys(names))
        self.title, self.identity = scorer.title, f"{scorer.identity}\nonly {','.join(self.names)}"
        if has_features(scorer):
            self.features: Callable[[np.ndarray], Numbers] = scorer.features

    def __call__(self, pictures: np.ndarray) -> dict[str, Numbers]:
        scores = self.scorer(pictures)
        for name in self.names:
            if name not in scores:
                raise ScorerError(f"the scorer {self.title} has no attribute {name!r:.40}; it has {', '.join(scores)}")
        return {name: scores[name] for name in self.names}


# --- the user's own -------------------------------------------------------------------------------


def own_scorer(spec: str) -> Titled:
    """Import ``module:name`` or ``path/to/file.py:name``.

    A function with an argument (the pictures) or another callable object is the scorer itself. A class, or a function
    that needs no argument, is called once and returns the scorer.

    Raises:
        ScorerError: it cannot be imported, there is no such name, or the scorer is not callable.
    """
    place, _, name = spec.rpartition(":")  # from the right: a Windows path may start with a drive letter and a colon
    module = _module(place)
    held: Any = module  # then its attribute, a part of the name at a time
    for part in name.split("."):
        if not hasattr(held, part):
            names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise ScorerError(f"scorer {spec}: {place} has no {name}; it has {', '.join(names)[:100] or 'nothing'}")
        held = getattr(held, part)
    if inspect.isclass(held) or (callable(held) and not _takes_pictures(held)):
        try:
            held = held()
        except Exception as error:
            raise ScorerError(f"scorer {spec}: making it failed: {_words(error)}") from error
    if not callable(held):
        raise ScorerError(f"scorer {spec}: {name} is a {type(held).__name__}, not a function of pictures")
    file = getattr(module, "__file__", None)
    return Titled(held, name.rpartition(".")[2], f"{spec} {_digest(Path(file)) if file else ''}")


def _takes_pictures(function: Callable[..., object]) -> bool:
    """Whether it needs an argument; True where the signature is not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _module(place: str) -> ModuleType:
    """Import a module by name (also from the working folder) or by file."""
    path = Path(place)
    folder = str(path.resolve().parent) if place.endswith(".py") else os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)  # last, and not removed: a scorer may import modules beside it later
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        if not path.is_file():
            raise ScorerError(f"scorer {place}: no such file")
        found = importlib.util.spec_from_file_location(f"sefa_scorer_{path.stem}", path)
        assert found is not None and found.loader is not None  # not None for a file that ends in .py
        module = importlib.util.module_from_spec(found)
        sys.modules[module.__name__] = module  # dataclasses look there
        found.loader.exec_module(module)
        return module
    except ScorerError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise ScorerError(f"scorer {place}: cannot be imported: {_words(error)}") from error


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
