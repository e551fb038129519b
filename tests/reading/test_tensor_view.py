import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.reading.tensor_view import ELEMENT_TYPES, TensorError, TensorView, contiguous_strides, in_place

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@given(shapes, st.permutations(range(4)))
def test_any_transposed_view_reads_as_numpy_does(shape, order):
    array = np.arange(int(np.prod(shape)), dtype="<f4").reshape(shape)
    axes = [axis for axis in order if axis < array.ndim]
    view = array.transpose(axes)
    strides = tuple(contiguous_strides(shape)[axis] for axis in axes)
    read = TensorView("float32", view.shape, strides, 0, array.tobytes()).numpy()
    assert read.shape == view.shape
    assert (read == view).all()
    assert read.flags.c_contiguous
    assert read.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_elements_where_they_lie_cannot_be_written_to(dtype):
    data = bytearray(np.arange(12, dtype="<f4").tobytes())
    view = TensorView(dtype, (2, 2), (1, 2), 1, data)
    array = in_place(view)
    assert (array == view.numpy()).all() and array.shape == (2, 2)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1
    assert np.shares_memory(array, np.frombuffer(data, np.uint8)) == (dtype == "float32")


def test_a_part_of_a_storage():
    data = np.arange(10, dtype="<i2").tobytes()
    assert TensorView("int16", (2, 2), (3, 1), 4, data).numpy().tolist() == [[4, 5], [7, 8]]


@pytest.mark.parametrize("dtype", sorted(set(ELEMENT_TYPES) - {"bfloat16"}))
def test_every_element_type(dtype):
    array = np.array([0, 1, 1], dtype=ELEMENT_TYPES[dtype][1])
    assert TensorView(dtype, (3,), (1,), 0, array.tobytes()).numpy().tolist() == array.tolist()


def test_bfloat16_is_widened():
    values = np.array([1.0, -2.5, 0.0], dtype="<f4")
    upper = (values.view("<u4") >> 16).astype("<u2").tobytes()
    read = TensorView("bfloat16", (3,), (1,), 0, upper)
    assert read.numpy().dtype == np.float32
    assert read.numpy().tolist() == [1.0, -2.5, 0.0]
    assert TensorView("bfloat16", (), (), 0, upper).numpy().shape == ()


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "says"),
    [
        ((100,), (1,), 0, "needs more than the 8"),
        ((8,), (1,), 1, "needs more than the 8"),
        ((2,), (-1,), 1, "whole numbers"),
        ((2,), (1,), -1, "whole numbers"),
        ((2**40, 2**40), (0, 0), 0, "more than once"),
        ((2, 4), (1, 1), 0, "more than once"),
        ((2, 2), (4,), 0, "2 axes but 1 strides"),
        ((2**63, 2), (1, 1), 0, "whole numbers"),
        ((1.5,), (1,), 0, "whole numbers"),
        ((True,), (1,), 0, "whole numbers"),
        ((1,) * 17, (1,) * 17, 0, "at most 16"),
        ((0,), (1,), 9, "starts at element 9"),
        ("ab", (1, 1), 0, "whole numbers"),
    ],
)
def test_shapes_that_lie_are_refused_before_anything_is_allocated(shape, strides, offset, says):
    with pytest.raises(TensorError, match=says):
        TensorView("float32", shape, strides, offset, b"\0" * 32)


def test_unknown_element_types_are_refused():
    with pytest.raises(TensorError, match="qint8"):
        TensorView("qint8", (1,), (1,), 0, b"\0")
