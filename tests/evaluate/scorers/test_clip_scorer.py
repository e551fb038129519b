import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sefa_plugin.evaluate.scorers.clip_scorer import load_clip, load_open_clip, parse_attribute
from sefa_plugin.evaluate.scorers.interface import ScorerError, scores_of
from sefa_plugin.evaluate.scorers.scorers import load_scorer
from sefa_plugin.system.environment import MissingExtra

pytestmark = pytest.mark.hard

PICTURES = np.random.RandomState(0).randint(0, 256, (3, 40, 30, 3)).astype(np.uint8)
GLASSES = parse_attribute("glasses=a face with glasses|a face")
MANY = parse_attribute("smile = a smile; a grin |a face")
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "projection_dim": 8,
}


def tokens():
    """A vocabulary of single letters, each also as the end of a word, as CLIP's tokenizer writes them."""
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny CLIP with random weights, in the files that transformers writes."""
    import transformers

    place = tmp_path_factory.mktemp("clip")
    vocabulary = tokens()
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    config = transformers.CLIPConfig(
        text_config={**SMALL, **ids, "vocab_size": len(vocabulary), "max_position_embeddings": 24},
        vision_config={**SMALL, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    transformers.CLIPModel(config).save_pretrained(place)
    (place / "vocab.json").write_text(json.dumps(vocabulary))
    (place / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    about = {"tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>", "model_max_length": 24, **special}
    (place / "tokenizer_config.json").write_text(json.dumps(about))
    prepare = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}, "do_convert_rgb": True}
    (place / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "CLIPImageProcessor", "resample": 3, **prepare})
    )
    return place


def by_hand(folder, pictures, texts):
    """Logits ``[N, texts]`` of the whole model, as its own forward gives them."""
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder).eval()
    rows = []
    for picture in pictures:  # shortest side to 16, the middle of it, CLIP's means
        high, wide = picture.shape[:2]
        factor = 16 / min(high, wide)
        image = Image.fromarray(picture).resize((int(wide * factor), int(high * factor)), 3)
        left, top = (image.width - 16) // 2, (image.height - 16) // 2
        pixels = np.asarray(image.crop((left, top, left + 16, top + 16))) / 255
        rows.append((pixels - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711])
    values = torch.tensor(np.stack(rows).transpose(0, 3, 1, 2), dtype=torch.float32)
    vocabulary = tokens()
    logits = []
    for text in texts:
        ids = [vocabulary["<|startoftext|>"]]
        for word in text.split():
            ids += [vocabulary[letter] for letter in word[:-1]] + [vocabulary[word[-1] + "</w>"]]
        ids = torch.tensor([[*ids[:23], vocabulary["<|endoftext|>"]]])
        with torch.no_grad():
            logits.append(model(input_ids=ids, pixel_values=values).logits_per_image[:, 0])
    return torch.stack(logits, dim=1).numpy()


def test_the_score_is_the_difference_of_the_logits(folder):
    scorer = load_clip(str(folder), [GLASSES])
    scores = scores_of(scorer, PICTURES)
    logits = by_hand(folder, PICTURES, ["a face with glasses", "a face"])
    assert list(scores) == ["glasses"]
    assert np.allclose(scores["glasses"], logits[:, 0] - logits[:, 1], atol=2e-3)
    odds = torch.tensor(logits).softmax(dim=1)
    assert np.allclose(scores["glasses"], (odds[:, 0] / odds[:, 1]).log(), atol=2e-3)


def test_several_texts_are_averaged_as_unit_embeddings(folder):
    scorer = load_clip(str(folder), [MANY, GLASSES])
    ones = scores_of(
        load_clip(str(folder), [parse_attribute("a=a smile|a face"), parse_attribute("b=a grin|a face")]), PICTURES
    )
    scores = scores_of(scorer, PICTURES)
    assert list(scores) == ["smile", "glasses"]
    logits = by_hand(folder, PICTURES, ["a smile", "a grin", "a face"])
    assert np.allclose(ones["a"] + logits[:, 2], logits[:, 0], atol=2e-3)
    # the mean of two unit vectors is shorter than one: scaled to unit length it is farther along
    length = (logits[:, :2].mean(axis=1)) / (scores["smile"] + logits[:, 2])
    assert np.allclose(length, length[0], atol=1e-3) and 0 < length[0] < 1


def test_features_are_unit_embeddings_and_any_pictures_do(folder):
    scorer = load_clip(str(folder), [GLASSES])
    features = scorer.features(PICTURES)
    assert features.shape == (3, 8) and features.dtype == np.float32
    assert np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    grey = PICTURES[:, :, :, :1]
    assert np.allclose(scorer(grey)["glasses"], scorer(np.repeat(grey, 3, axis=3))["glasses"])


def test_weights_of_before_safetensors_are_read_and_never_unpickled(folder, tmp_path, monkeypatch):
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder)
    (old / "model.safetensors").unlink()
    torch.save(model.state_dict(), old / "pytorch_model.bin")
    monkeypatch.setattr(torch, "load", None)
    scores = scores_of(load_clip(str(old), [GLASSES]), PICTURES)
    assert np.allclose(scores["glasses"], load_clip(str(folder), [GLASSES])(PICTURES)["glasses"], atol=1e-5)
    part = {name: value for name, value in model.state_dict().items() if name != "visual_projection.weight"}
    torch.save(part, old / "pytorch_model.bin")
    with pytest.raises(ScorerError, match=r"old: its weights lack visual_projection.weight$"):
        load_clip(str(old), [GLASSES])


def test_weights_that_are_not_whole(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    part = tmp_path / "part"
    shutil.copytree(folder, part)
    held = load_file(part / "model.safetensors")
    del held["text_projection.weight"]
    save_file(held, part / "model.safetensors", {"format": "pt"})
    with pytest.raises(ScorerError, match=r"part: its weights lack text_projection.weight$"):
        load_clip(str(part), [GLASSES])


@pytest.mark.parametrize("gone", ["config.json", "model.safetensors", "vocab.json", "preprocessor_config.json"])
def test_folders_that_are_no_whole_model(folder, tmp_path, gone):
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    (part / gone).unlink()
    with pytest.raises(ScorerError, match=f"part: is not a whole CLIP model of transformers: .*{gone}"):
        load_clip(str(part), [GLASSES])


def test_other_models_and_other_places(folder, tmp_path, monkeypatch):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for text in (json.dumps({"model_type": "bert", "hidden_size": 8}), "[]", "{"):
        (other / "config.json").write_text(text)
        with pytest.raises(ScorerError, match=r"its config.json is not that of a CLIP model"):
            load_clip(str(other), [GLASSES])
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("nobody/nothing-at-all", "no such/folder/at all"):
        with pytest.raises(ScorerError, match="neither a folder nor in your Hugging Face cache"):
            load_clip(name, [GLASSES])


def test_a_model_in_the_cache_is_found_by_its_name(folder, tmp_path, monkeypatch):
    import huggingface_hub.constants

    kept = tmp_path / "models--some--clip"
    shutil.copytree(folder, kept / "snapshots" / "abc")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    scores = scores_of(load_clip("some/clip", [GLASSES]), PICTURES)
    assert np.allclose(scores["glasses"], load_clip(str(folder), [GLASSES])(PICTURES)["glasses"])


def test_what_cannot_be_an_attribute(folder):
    for text in ("", "glasses", "glasses=a face", "=a|b", "x=|b", "x=a|", "x=a|b|c", "x= ; |b"):
        with pytest.raises(ValueError, match=r"expected NAME=TEXT FOR IT\|TEXT AGAINST IT"):
            parse_attribute(text)
    assert MANY.name == "smile" and MANY.positive == ("a smile", "a grin")
    with pytest.raises(ValueError, match="two have one name"):
        load_clip(str(folder), [GLASSES, GLASSES])


def test_by_what_a_person_types(folder):
    scorer = load_scorer("clip", clip_model=str(folder), attributes=["glasses=a face with glasses|a face"])
    assert scorer.title == "clip"
    again = load_scorer("clip", clip_model=str(folder), attributes=["glasses=a face with glasses|a face"])
    other = load_scorer("clip", clip_model=str(folder), attributes=["glasses=a face with glasses|a head"])
    assert scorer.identity == again.identity != other.identity


def test_on_the_command_line_beside_another_scorer(folder, golden, tmp_path):
    import csv

    from typed_commands import sefa

    (tmp_path / "grey.py").write_text("def score(p):\n    return {'grey': p.mean(axis=(1, 2, 3))}\n")
    words = ["--scorer", "clip", "--clip-model", folder, "--attribute", "glasses=a face with glasses|a face"]
    words += ["--attribute", "smile=a smile; a grin|a face", "--scorer", f"{tmp_path}/grey.py:score"]
    words += ["--samples", 4, "-K", 1, "--distance", 2, "--outdir", tmp_path / "out"]
    result = sefa("evaluate", "rescore", "--network", golden("sg2ada-skip-64").pickle, *words)
    assert result.exit_code == 0, result.output
    with open(tmp_path / "out/evaluate/rescore-all.csv", newline="") as file:
        assert [line["attribute"] for line in csv.DictReader(file)] == ["glasses", "smile", "grey"]


def test_without_transformers(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match="the scorer clip needs transformers, .* -m pip install transformers"):
        load_clip(str(folder), [GLASSES])


class Model:
    """What open_clip's documentation says of a model, with embeddings that can be worked out by hand."""

    logit_scale = torch.tensor(10.0).log()

    def eval(self):
        return self

    def encode_image(self, batch):
        return batch.mean(dim=(2, 3))  # [N, 3]

    def encode_text(self, ids):
        return torch.eye(3)[ids]


def test_open_clip(tmp_path, monkeypatch):
    made = []

    def create(name, pretrained=None, device="cpu"):
        if name == "ViT-none":
            raise RuntimeError("Model config for ViT-none not found")
        made.append((name, pretrained, device))
        return Model(), None, lambda image: torch.tensor(np.array(image)).permute(2, 0, 1).float()

    words = {"red": 0, "green": 1}
    tokenizer = SimpleNamespace(
        create_model_and_transforms=create,
        get_tokenizer=lambda name: lambda texts: torch.tensor([words[t] for t in texts]),
    )
    monkeypatch.setitem(sys.modules, "open_clip", tokenizer)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"x")
    redness = parse_attribute("redness=red|green")
    scorer = load_open_clip("ViT-B-32", str(weights), [redness])
    means = PICTURES.mean(axis=(1, 2))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert np.allclose(scores_of(scorer, PICTURES)["redness"], 10 * (means[:, 0] - means[:, 1]), atol=1e-4)
    assert made == [("ViT-B-32", str(weights), "cpu")]
    load_open_clip(f"local-dir:{tmp_path}", None, [redness])
    assert made[1][0] == f"local-dir:{tmp_path}"
    with pytest.raises(ScorerError, match="open_clip cannot make ViT-none: Model config"):
        load_open_clip("ViT-none", str(weights), [redness])
    for file in (None, str(tmp_path / "none.pt")):
        with pytest.raises(ValueError, match="needs --clip-weights FILE"):
            load_open_clip("ViT-B-32", file, [redness])
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingExtra, match="pip install open_clip_torch"):
        load_open_clip("ViT-B-32", str(weights), [redness])
