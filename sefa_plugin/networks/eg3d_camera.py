"""Cameras on a sphere, which EG3D's networks take as condition and for rendering.

Chan et al., "Efficient Geometry-aware 3D Generative Adversarial Networks" (2022): a camera is 25 numbers, the
4x4 matrix from camera to world and the 3x3 intrinsics, both by rows; x right, y down, z forward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

FIELD_OF_VIEW = 18.837  # degrees, of the released face networks
RADIUS = 2.7
SIZE = 25


def camera_code(
    yaw: float = 0,
    pitch: float = 0,
    fov: float = FIELD_OF_VIEW,
    radius: float = RADIUS,
    pivot: Sequence[float] = (0, 0, 0),
) -> np.ndarray:
    """Look at ``pivot`` from the sphere of ``radius`` around the origin.

    Args:
        yaw, pitch: in degrees from the front, as in the toolkit's scripts (pitch by equal areas).
        fov: field of view in degrees.

    Returns:
        float32 ``[25]``.

    Raises:
        ValueError: the field of view is not between 0 and 180 degrees, or the camera is at the pivot.
    """
    if not 0 < fov < 180:
        raise ValueError(f"field of view {fov}: expected degrees between 0 and 180")
    theta = math.pi / 2 + math.radians(yaw)
    height = min(max(math.pi / 2 + math.radians(pitch), 1e-5), math.pi - 1e-5)
    phi = math.acos(1 - 2 * height / math.pi)
    place = radius * np.array([-math.sin(phi) * math.cos(theta), math.cos(phi), math.sin(phi) * math.sin(theta)])
    ahead = np.asarray(pivot, dtype=float) - place
    if not np.linalg.norm(ahead) > 1e-6:
        raise ValueError("the camera and the point that it is aimed at are the same")
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(ahead, right), ahead, place
    focal = 1 / (math.tan(math.radians(fov) / 2) * 1.414)  # the toolkit's own rounding of sqrt(2)
    intrinsics = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    return np.concatenate([pose.reshape(-1), intrinsics.reshape(-1)]).astype(np.float32)
