"""Cameras of EG3D: 25 numbers."""

import numpy as np
import pytest

from sefa_plugin.networks.eg3d_camera import camera_code


def parts(*angles, **options):
    code = camera_code(*angles, **options)
    assert code.shape == (25,) and code.dtype == np.float32
    return code[:16].reshape(4, 4), code[16:].reshape(3, 3)


def test_the_frontal_camera_is_that_of_the_toolkits_documentation():
    pose, intrinsics = parts(0, 0)
    np.testing.assert_allclose(pose, [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(intrinsics, [[4.2634, 0, 0.5], [0, 4.2634, 0.5], [0, 0, 1]], atol=1e-3)


@pytest.mark.parametrize("yaw, pitch", [(20, 0), (-35, 10), (0, -25), (170, 40), (0, 95)])
def test_a_camera_is_a_rotation_that_looks_at_the_pivot(yaw, pitch):
    pivot = np.array([0.1, 0, 0.2])
    pose, _ = parts(yaw, pitch, radius=2.0, pivot=pivot)
    turn, place = pose[:3, :3], pose[:3, 3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(place) == pytest.approx(2, abs=1e-5)
    ahead = (pivot - place) / np.linalg.norm(pivot - place)
    np.testing.assert_allclose(turn[:, 2], ahead, atol=1e-5)
    assert turn[1, 0] == pytest.approx(0, abs=1e-6)  # no roll


def test_which_way_angles_count():
    right, _ = parts(30, 0)
    assert right[0, 3] == pytest.approx(2.7 * np.sin(np.pi / 6), abs=1e-5)
    low, _ = parts(0, 30)
    assert low[1, 3] == pytest.approx(2.7 * (1 - 2 * (0.5 + 30 / 180)), abs=1e-5)


def test_the_field_of_view_narrows_the_picture():
    assert parts(0, 0, fov=10)[1][0, 0] > parts(0, 0, fov=20)[1][0, 0]
    with pytest.raises(ValueError, match="field of view"):
        camera_code(fov=0)
    with pytest.raises(ValueError, match="are the same"):
        camera_code(pivot=(0, 0, 2.7))
