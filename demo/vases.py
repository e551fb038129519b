"""A procedural world of vases, 128 pixels: surfaces of revolution, shaded, in front of a wall.

A second world beside the faces of ``world.py``. The factors of a picture follow from its latent, so a generator can be
trained by regression (``demo.fit``), and its pictures compared with the drawn ones, one by one.
"""

from __future__ import annotations

import math

import torch

SIZE = 128  # pixels, both ways
Z_DIM = 64
FACTORS = {  # name -> (lowest, highest)
    "tilt": (-1.0, 1.0),  # leans to the left or to the right
    "x": (-1.0, 1.0),  # place in the picture
    "size": (-1.0, 1.0),
    "belly": (0.0, 1.0),  # slim to wide
    "shoulder": (0.0, 1.0),  # where it is widest: low or high
    "neck": (0.0, 1.0),  # narrow to wide
    "lip": (0.0, 1.0),  # straight to flared
    "glaze": (0.0, 1.0),  # hue
    "bands": (0.0, 1.0),  # none to strong, in a second colour
    "gloss": (0.0, 1.0),  # dull to shining
    "light": (-1.0, 1.0),  # from the left or from the right
    "background": (0.0, 1.0),  # hue of wall and table
}
NAMES = tuple(FACTORS)
VIEW = 0.3  # sine of the angle at which one looks down


def shares_of(z: torch.Tensor, count: int) -> torch.Tensor:
    """Independent numbers ``[N, count]``, uniform from 0 to 1, of latents ``[N, z_dim]``.

    Each is the normal distribution function of one coordinate of the normalised latent, in a fixed random basis.
    """
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(z.shape[1], count, generator=generator, dtype=torch.float64))[0]
    z = z.double()
    z = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    return torch.special.ndtr(z @ basis)


def factors_of(z: torch.Tensor) -> torch.Tensor:
    """The factors of latents ``[N, Z_DIM]``: ``[N, len(NAMES)]``, independent and uniform within ``FACTORS``."""
    low, high = torch.tensor(list(FACTORS.values()), dtype=torch.float64).T
    return low + (high - low) * shares_of(z, len(NAMES))


def draw(factors: torch.Tensor) -> torch.Tensor:
    """Draw vases: factors ``[N, len(NAMES)]`` in the order of ``NAMES`` to float32 ``[N, 3, SIZE, SIZE]``, -1 to 1."""
    f = dict(zip(NAMES, factors.float().T[:, :, None, None]))
    steps = (torch.arange(SIZE) + 0.5) / SIZE
    right, up = steps[None, None, :] - 0.5 - 0.1 * f["x"], 0.86 - steps[None, :, None] + 0 * f["x"]
    tilt, unit = 0.22 * f["tilt"], 0.70 + 0.1 * f["size"]  # of the height
    x = (torch.cos(tilt) * right - torch.sin(tilt) * up) / unit
    y = (torch.sin(tilt) * right + torch.cos(tilt) * up) / unit  # 0 at the foot, 1 at the lip
    soft = 1 / (SIZE * unit)  # a pixel

    def inside(distance: torch.Tensor) -> torch.Tensor:
        """1 for points inside, 0 outside, and between them along a pixel; distances are negative outside."""
        return (distance / soft + 0.5).clamp(0, 1)

    def bump(t: torch.Tensor, at: torch.Tensor | float, wide: float) -> tuple[torch.Tensor, torch.Tensor]:
        height = torch.exp(-(((t - at) / wide) ** 2))
        return height, -2 * (t - at) / wide**2 * height

    neck, belly = 0.05 + 0.09 * f["neck"], 0.15 + 0.19 * f["belly"]

    def radius(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the vase at a height, and its slope."""
        t = t.clamp(0, 1)
        parts = [
            (belly - neck, bump(t, 0.3 + 0.3 * f["shoulder"], 0.27)),
            (0.01 + 0.1 * f["lip"], bump(t, 1.0, 0.12)),
            (0.05, bump(t, 0.0, 0.07)),
        ]
        return neck + sum(size * part[0] for size, part in parts), sum(size * part[1] for size, part in parts)

    wide, _ = radius(y)
    across = (x / wide).clamp(-1, 1)
    front = (1 - across.square()).clamp(min=0).sqrt()
    t = y + VIEW * wide * front  # the height of the point that is seen
    _, slope = radius(t)
    foot, mouth = (radius(torch.full_like(x[:, :1, :1], at))[0] for at in (0.0, 1.0))
    below = y + VIEW * (foot.square() - x.square()).clamp(min=0).sqrt()
    body = inside(wide - x.abs()) * inside(below) * inside(1 - y)
    ring = (x / mouth).square() + ((y - 1) / (VIEW * mouth)).square()
    top = inside((1 - ring.clamp(min=1e-6).sqrt()) * VIEW * mouth)
    hole = inside((0.82 - ring.clamp(min=1e-6).sqrt()) * VIEW * mouth)

    turned = (1 + slope.square()).rsqrt()
    normal = across * turned, -slope * turned, front * turned
    angle = 1.1 * f["light"]
    light = 0.8 * torch.sin(angle), 0.6 * torch.ones_like(angle), 0.8 * torch.cos(angle)
    lambert = sum(a * b for a, b in zip(normal, light)).clamp(min=0)
    half = light[0], light[1], light[2] + 1
    length = sum(part.square() for part in half).sqrt()
    shine = (sum(a * b for a, b in zip(normal, half)) / length).clamp(min=0) ** 40

    def hue(at: torch.Tensor, middle: float, spread: float) -> torch.Tensor:
        shift = torch.tensor([0.0, 1 / 3, 2 / 3])[None, :, None, None]
        return middle + spread * torch.cos(2 * math.pi * (0.85 * at[:, None] - shift))

    glaze, second = hue(f["glaze"], 0.5, 0.34), hue(f["glaze"] + 0.15, 0.78, 0.16)
    stripe = f["bands"] * torch.sigmoid(12 * torch.cos(2 * math.pi * (4 * t + 0.1)) - 3)
    colour = glaze + (second - glaze) * stripe[:, None]
    colour = colour * (0.34 + 0.8 * lambert)[:, None] + (0.75 * f["gloss"] * shine)[:, None]

    wall = hue(f["background"], 0.72, 0.14) * (1 + 0.14 * f["light"] * (2 * steps[None, None, :] - 1))[:, None]
    table = inside(0.3 - (1 - steps[None, :, None]) + 0 * x)[:, None]
    ground = wall * (1 - 0.24 * table)
    along = (right + 0.16 * torch.sin(angle) * unit) / unit
    shadow = torch.exp(-((along / (1.1 * belly + 0.1)) ** 2) - ((up / unit + 0.01) / 0.085) ** 2)
    picture = ground * (1 - 0.5 * table * shadow[:, None])
    picture = picture + (colour - picture) * body[:, None]
    rim = glaze * (0.55 + 0.4 * torch.cos(angle)[:, None])
    picture = picture + (rim - picture) * top[:, None]
    picture = picture + (0.25 * glaze - picture) * hole[:, None]
    return picture.clamp(0, 1) * 2 - 1
