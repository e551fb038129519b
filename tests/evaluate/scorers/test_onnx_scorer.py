import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sefa_plugin.evaluate.scorers.interface import ScorerError, scores_of
from sefa_plugin.evaluate.scorers.onnx_scorer import load_onnx
from sefa_plugin.system.environment import MissingExtra

RNG = np.random.RandomState(0)
PICTURES = RNG.randint(0, 256, (5, 6, 4, 3)).astype(np.uint8)  # 6 high, 4 wide


def model(path, shape, kind=TensorProto.FLOAT, outputs=2, nhwc=False, metadata=None):
    """Weighted means of the channels: one output of ``outputs`` numbers, or of one dimension for 0."""
    node = helper.make_node
    axes = numpy_helper.from_array(np.array([1, 2] if nhwc else [2, 3], np.int64), "axes")
    wide = shape[3] if nhwc else shape[1]
    channels = wide if isinstance(wide, int) else 3
    table = np.arange(1, channels * max(outputs, 1) + 1, dtype=np.float32).reshape(channels, -1)
    steps = [
        node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        node("MatMul", ["means", "table"], ["scores"]),
    ]
    last = [shape[0], outputs]
    if not outputs:
        steps[-1] = node("MatMul", ["means", "table"], ["column"])
        steps += [node("Squeeze", ["column", "one"], ["scores"])]
        last = [shape[0]]
    graph = helper.make_graph(
        steps,
        "means",
        [helper.make_tensor_value_info("pictures", kind, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, last)],
        [axes, numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1], np.int64), "one")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(made, metadata or {})
    onnx.save(made, str(path))
    return path, table


def means(pictures, low=0.0, high=1.0):
    return pictures.mean(axis=(1, 2)) / 255 * (high - low) + low


def test_scores_of_a_model(tmp_path):
    path, table = model(tmp_path / "m.onnx", ["N", 3, None, None])
    scores = scores_of(load_onnx(str(path)), PICTURES)
    want = means(PICTURES) @ table
    assert list(scores) == ["scores0", "scores1"]
    assert np.allclose(np.stack(list(scores.values()), axis=1), want, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "kind", "query", "low", "high", "nhwc"),
    [
        (["N", 3, 6, 4], TensorProto.FLOAT, "?pixels=-1,1", -1, 1, False),
        (["N", 6, 4, 3], TensorProto.FLOAT, "?pixels=0,255", 0, 255, True),
        ([2, 6, 4, 3], TensorProto.UINT8, "", 0, 255, True),  # batches of two, the last one filled up
        ([1, 3, 6, 4], TensorProto.DOUBLE, "", 0, 1, False),
        (["N", None, None, None], TensorProto.FLOAT16, "?layout=nchw", 0, 1, False),
    ],
)
def test_what_a_model_wants(tmp_path, shape, kind, query, low, high, nhwc):
    path, table = model(tmp_path / "m.onnx", shape, kind, nhwc=nhwc)
    scores = scores_of(load_onnx(f"{path}{query}"), PICTURES)
    want = means(PICTURES, low, high) @ table
    atol = 5e-3 if kind == TensorProto.FLOAT16 else 2e-4 * max(1, high)
    assert np.allclose(np.stack(list(scores.values()), axis=1), want, atol=atol)


def test_channels_sizes_and_means(tmp_path):
    path, table = model(tmp_path / "m.onnx", ["N", 3, None, None], outputs=0)
    assert list(scores_of(load_onnx(str(path)), PICTURES)) == ["scores"]
    backwards = scores_of(load_onnx(f"{path}?channels=bgr"), PICTURES)["scores"]
    assert np.allclose(backwards, (means(PICTURES)[:, ::-1] @ table)[:, 0], atol=1e-5)
    usual = scores_of(load_onnx(f"{path}?pixels=imagenet"), PICTURES)["scores"]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert np.allclose(usual, ((means(PICTURES) - mean) / deviation @ table)[:, 0], atol=1e-4)
    smaller = scores_of(load_onnx(f"{path}?size=3x2"), PICTURES)["scores"]
    assert np.allclose(smaller, (means(PICTURES) @ table)[:, 0], atol=0.3)  # of other pixels, about the same means
    assert not np.allclose(smaller, (means(PICTURES) @ table)[:, 0], atol=1e-5)
    grey, grey_table = model(tmp_path / "grey.onnx", ["N", 1, None, None], outputs=0)
    luma = PICTURES @ np.array([0.299, 0.587, 0.114])
    want = luma.mean(axis=(1, 2)) / 255 * grey_table[0, 0]
    assert np.allclose(scores_of(load_onnx(str(grey)), PICTURES)["scores"], want, atol=0.004)


def test_names_from_options_and_from_the_model(tmp_path):
    path, table = model(tmp_path / "m.onnx", ["N", 3, None, None], metadata={"names": "smile,age", "pixels": "-1,1"})
    scores = scores_of(load_onnx(str(path)), PICTURES)
    assert list(scores) == ["smile", "age"]
    assert np.allclose(scores["age"], (means(PICTURES, -1, 1) @ table)[:, 1], atol=1e-4)
    assert list(scores_of(load_onnx(f"{path}?names=a%26b, c"), PICTURES)) == ["a&b", "c"]
    with pytest.raises(ScorerError, match="gives 2 numbers for a picture, 1 names"):
        scores_of(load_onnx(f"{path}?names=a"), PICTURES)


def test_identity_tells_models_and_options_apart(tmp_path):
    path, _ = model(tmp_path / "m.onnx", ["N", 3, None, None])
    other, _ = model(tmp_path / "n.onnx", ["N", 3, None, None], outputs=3)
    texts = {load_onnx(text).identity for text in (str(path), f"{path}?pixels=-1,1", str(other))}
    assert len(texts) == 3
    assert load_onnx(str(path)).identity in texts


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?sise=3", "onnx option 'sise=3'"),
        ("?size=", "onnx option 'size='"),
        ("?size=3x4x5", "size=3x4x5"),
        ("?size=0", "size=0"),
        ("?pixels=1", "pixels=1"),
        ("?channels=rbg", "channels=rbg"),
        ("?layout=hwc", "add .layout=nchw"),
    ],
)
def test_options_that_cannot_be_read(tmp_path, query, says):
    path, _ = model(tmp_path / "m.onnx", ["N", 3, None, None])
    with pytest.raises(ValueError, match=says):
        load_onnx(f"{path}{query}")


def test_models_that_are_none_of_pictures(tmp_path):
    with pytest.raises(ScorerError, match="no such file"):
        load_onnx(str(tmp_path / "none.onnx"))
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ScorerError, match=r"text.onnx: onnxruntime cannot load it"):
        load_onnx(str(tmp_path / "text.onnx"))
    path, _ = model(tmp_path / "five.onnx", ["N", 5, None, None])
    with pytest.raises(ValueError, match="add .layout"):
        load_onnx(str(path))
    with pytest.raises(ScorerError, match="5 channels"):
        load_onnx(f"{path}?layout=nchw")
    flat = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "flat",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8])],
    )
    onnx.save(
        helper.make_model(flat, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(tmp_path / "f.onnx")
    )
    with pytest.raises(ScorerError, match="takes x tensor.float. .*one batch of pictures"):
        load_onnx(str(tmp_path / "f.onnx"))


def test_outputs_that_are_no_scores(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "same",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 6, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 6, 4])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(tmp_path / "s.onnx")
    )
    with pytest.raises(ScorerError, match=r"its output y is float32 \[5, 3, 6, 4\]"):
        scores_of(load_onnx(str(tmp_path / "s.onnx")), PICTURES)


def test_without_onnxruntime(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="pip install onnxruntime"):
        load_onnx(str(tmp_path / "m.onnx"))
