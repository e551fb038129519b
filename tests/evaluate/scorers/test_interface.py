import numpy as np
import pytest
import torch

from sefa_plugin.evaluate.scorers.interface import ScorerError, features_of, scores_of

PICTURES = np.zeros((3, 4, 4, 3), np.uint8)


class Answers:
    """A scorer that gives ``answer``."""

    def __init__(self, answer, features=None):
        self.answer, self.held = answer, features

    def __call__(self, pictures):
        return self.answer

    def features(self, pictures):
        return self.held


@pytest.mark.parametrize(
    "values", [[1, 2, 3], np.array([1, 2, 3], np.float16), torch.tensor([1.0, 2, 3], requires_grad=True)]
)
def test_numbers_of_any_kind(values):
    scores = scores_of(Answers({"smile": values}), PICTURES)
    assert scores["smile"].dtype == np.float64
    assert scores["smile"].tolist() == [1, 2, 3]


def test_the_order_of_names_is_that_of_the_first_answer():
    assert list(scores_of(Answers({"a": [1, 1, 1], "b": [2, 2, 2]}), PICTURES, ["b", "a"])) == ["b", "a"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([1, 2, 3], r"Answers gives a list, not a dict"),
        ({}, "an empty dict"),
        ({"smile": [1, 2]}, r"'smile' \[2\], expected \[3\]"),
        ({"smile": [[1], [2], [3]]}, r"\[3, 1\], expected \[3\]"),
        ({"smile": 1.0}, r"\[\], expected \[3\]"),
        ({"smile": "high"}, "'smile' a str, not an array of numbers"),
        ({"smile": [1, float("nan"), float("inf")]}, "NaN or infinity for 2 of 3"),
        ({3: [1, 2, 3]}, "an attribute 3"),
        ({" ": [1, 2, 3]}, "an attribute ' '"),
    ],
)
def test_what_is_no_answer(answer, says):
    with pytest.raises(ScorerError, match=says):
        scores_of(Answers(answer), PICTURES)


def test_attributes_must_stay_the_same():
    with pytest.raises(ScorerError, match=r"other attributes than before \(b, smile\)"):
        scores_of(Answers({"smile": [1, 2, 3]}), PICTURES, ["b"])


def test_features():
    assert features_of(Answers({}, torch.ones(3, 2)), PICTURES).shape == (3, 2)
    assert features_of(Answers({}, np.ones((3, 2))), PICTURES).dtype == np.float32
    for wrong in (np.ones(3), np.ones((2, 2)), np.full((3, 2), np.nan)):
        with pytest.raises(ScorerError, match="as features"):
            features_of(Answers({}, wrong), PICTURES)
    with pytest.raises(ScorerError, match="has no features"):
        features_of(lambda pictures: {}, PICTURES)
