"""What docs/evaluation.md concludes, each as a claim that is judged by the numbers: it holds, does not, or is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sefa_plugin.evaluate.experiments.baselines import Outcome, difference
from sefa_plugin.evaluate.experiments.hierarchy import Level
from sefa_plugin.evaluate.experiments.truth import DEFAULT, Unit, between
from sefa_plugin.evaluate.statistics.bootstrap import Interval, interval

KINDS = {
    "pose": ("turn", "tilt", "size", "x", "y"),
    "shape": ("smile", "eyes", "hair_length", "wrinkles", "glasses"),
    "colour": ("hair_colour", "skin", "background"),
}  # light, a ramp across the whole picture, belongs to none


@dataclass(frozen=True)
class Claim:
    """A sentence, the number that it is about, and the sign that this must have for it to hold."""

    text: str
    found: Interval
    sign: int = 1

    @property
    def verdict(self) -> str:
        """``holds``, ``does not hold``, or ``open`` where the interval leaves both possible."""
        low, high = sorted((self.sign * self.found.low, self.sign * self.found.high))
        return "holds" if low > 0 else "does not hold" if high < 0 else "open"

    def __str__(self) -> str:
        return f"{self.text}: **{self.verdict}** ({self.found})"


def claims_of(outcomes: Sequence[Outcome], levels: Sequence[Level], units: Sequence[Unit]) -> dict[str, list[Claim]]:
    """All claims, by the part of the document that they belong to."""
    return {"methods": _of_methods(outcomes), "layers": _of_layers(levels), "variants": _of_variants(units)}


def _of_methods(outcomes: Sequence[Outcome]) -> list[Claim]:
    by = {one.found.method: one for one in outcomes}
    sefa, pca, svm = by["sefa"], by["ganspace"], by["interfacegan"]
    conditional, chance = by["interfacegan-c"], by["chance"]
    layers, pictures = by["sharpen-layers"], by["sharpen-pictures"]

    def frechet(one: Outcome, other: Outcome) -> Interval:
        error = np.hypot(*((held.frechet.high - held.frechet.low) / 2 for held in (one, other)))
        apart = one.frechet.value - other.frechet.value
        return Interval(apart, apart - error, apart + error)

    return [
        Claim("SeFa re-scores higher than chance", difference(sefa, chance, "change")),
        Claim("SeFa is purer than chance", difference(sefa, chance, "share")),
        Claim("SeFa re-scores higher than GANSpace", difference(sefa, pca, "change")),
        Claim("SeFa is purer than GANSpace", difference(sefa, pca, "share")),
        Claim("SeFa's edits leave the distribution less than GANSpace's (Frechet)", frechet(sefa, pca), -1),
        Claim("Sharp directions by layers are purer than SeFa's", difference(layers, sefa, "share")),
        Claim("They re-score higher", difference(layers, sefa, "change")),
        Claim("Sharp directions by pictures are purer than those by layers", difference(pictures, layers, "share")),
        Claim("They are purer than InterFaceGAN's", difference(pictures, svm, "share")),
        Claim("They leave more of the rest than InterFaceGAN's", difference(pictures, svm, "preserved")),
        Claim("InterFaceGAN is purer than SeFa", difference(svm, sefa, "share")),
        Claim("InterFaceGAN re-scores higher than SeFa", difference(svm, sefa, "change")),
        Claim("Conditional boundaries are purer than plain ones", difference(conditional, svm, "share")),
        Claim("They re-score higher", difference(conditional, svm, "change")),
        Claim("SeFa's directions do more independent things than InterFaceGAN's (rank)", difference(sefa, svm, "rank")),
    ]


def _of_layers(levels: Sequence[Level]) -> list[Claim]:
    by = {level.label: level for level in levels}
    if not {"coarse", "middle", "fine"} <= set(by):
        return []

    def more(kind: str, one: str, other: str) -> Interval:
        names = by[one].summary.names
        at = [names.index(name) for name in KINDS[kind] if name in names]
        values = [by[label].summary.values["change"][at].mean() for label in (one, other)]
        again = [by[label].summary.replicates["change"][:, at].mean(axis=1) for label in (one, other)]
        return interval(values[0] - values[1], again[0] - again[1])

    return [
        Claim("Coarse layers change pose more than fine ones do", more("pose", "coarse", "fine")),
        Claim("Coarse layers change pose more than middle ones do", more("pose", "coarse", "middle")),
        Claim("Middle layers change shape more than coarse ones do", more("shape", "middle", "coarse")),
        Claim("Middle layers change shape more than fine ones do", more("shape", "middle", "fine")),
        Claim("Fine layers change colour more than coarse ones do", more("colour", "fine", "coarse")),
        Claim("Fine layers change colour more than middle ones do", more("colour", "fine", "middle")),
    ]


def _of_variants(units: Sequence[Unit]) -> list[Claim]:
    default, groups = DEFAULT.name, "groups together"

    def claim(text: str, measure: str, one: str, other: str = default) -> list[Claim]:
        there = {one, other} <= set(units[0].summaries)
        return [Claim(text, between(units, one, other, measure))] if there else []

    return [
        *claim("Normalising the rows makes directions purer", "share", default, "not normalised"),
        *claim("It makes them re-score higher", "change", default, "not normalised"),
        *claim("The last ToRGB makes directions purer", "share", default, "ToRGB never"),
        *claim("All ToRGBs make directions purer than the last alone", "share", "ToRGB always"),
        *claim("They make them re-score higher", "change", "ToRGB always"),
        *claim("Truncation to 0.7 makes directions purer", "share", "truncation 0.7"),
        *claim("It makes them steadier (correlation)", "correlation", "truncation 0.7"),
        *claim("Sharp directions by layers are purer", "share", "sharp by layers"),
        *claim("They re-score higher", "change", "sharp by layers"),
        *claim("They leave more of the rest", "preserved", "sharp by layers"),
        *claim("Those by pictures are purer than those by layers", "share", "sharp by pictures", "sharp by layers"),
        *claim("As many directions, divided among the groups of layers, are purer", "share", groups),
        *claim("They re-score higher", "change", groups),
        *claim("So divided, SeFa is purer than chance", "share", groups, "chance, groups together"),
        *claim("So divided, SeFa is purer than GANSpace", "share", groups, "GANSpace, groups together"),
        *claim("So divided, SeFa re-scores higher than GANSpace", "change", groups, "GANSpace, groups together"),
        *claim(
            "So divided, sharp ones by layers are purer than SeFa's",
            "share",
            "sharp by layers, groups together",
            groups,
        ),
        *claim("So divided, those by pictures are, too", "share", "sharp by pictures, groups together", groups),
        *claim("Divided among single layers they are purer still", "share", "single layers together", groups),
    ]
