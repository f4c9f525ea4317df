"""Images of holey foils and of other things, made up with all that spoils real ones.

No microscope is simulated here: what counts is that the lattice is known exactly and that each fault of an image can be
set by itself.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Foil:
    """A foil and the faults of its image; lengths in pixels, brightness as shares of the foil's."""

    size: int = 512
    spacing: float = 60.0
    ratio: float = 0.5  # hole diameter over spacing
    kind: str = "square"  # or "hexagonal", "rectangular"
    rotation_deg: float = 12.0
    contrast: float = 0.3  # how much brighter a hole is
    noise: float = 0.1
    blur: float = 1.0
    gradient: float = 0.0
    vignette: float = 0.0
    missing: float = 0.0  # share of holes without contrast
    thickness: float = 0.2  # scatter of the brightness of holes
    blobs: int = 0  # ice
    bar: float = 0.0  # share of the image under grid bars
    tears: int = 0
    inverted: bool = False
    jpeg: int = 0  # quality
    seed: int = 1

    @property
    def vectors(self) -> tuple[Floats, Floats]:
        """From a hole to two neighbours: columns to the right, rows down."""
        angle = math.radians(self.rotation_deg)
        between = math.radians(60.0 if self.kind == "hexagonal" else 90.0)
        longer = 1.3 if self.kind == "rectangular" else 1.0
        a = self.spacing * np.array([math.cos(angle), math.sin(angle)])
        b = longer * self.spacing * np.array([math.cos(angle - between), math.sin(angle - between)])
        return a, b

    def origin(self) -> Floats:
        """Column and row of a hole near the middle."""
        a, b = self.vectors
        shares = np.random.default_rng(self.seed).uniform(-0.5, 0.5, 2)
        place: Floats = (self.size - 1) / 2 + shares[0] * a + shares[1] * b
        return place

    def holes(self, margin: float = 0.0) -> Floats:
        """Columns and rows of all holes whose centres are in the image."""
        reach = 2 + int(1.6 * self.size / self.spacing)
        i, j = (axis.ravel()[:, None] for axis in np.mgrid[-reach : reach + 1, -reach : reach + 1])
        a, b = self.vectors
        places: Floats = self.origin() + i * a + j * b
        within = np.all((places > margin - 0.5) & (places < self.size - 0.5 - margin), axis=1)
        return places[within]

    def image(self) -> NDArray[np.float32]:
        """Pixels, top row first."""
        rng = np.random.default_rng(self.seed + 1000)
        pixels = 1.0 + self._holes(rng)
        y, x = np.mgrid[0 : self.size, 0 : self.size] / self.size - 0.5
        for _ in range(self.tears):
            pixels += 0.8 * _streak(x, y, rng, width=0.004 + 0.01 * rng.random())
        pixels = scipy.ndimage.gaussian_filter(pixels, self.blur)
        direction = rng.uniform(0, 2 * math.pi)
        pixels *= 1 + self.gradient * 2 * (x * math.cos(direction) + y * math.sin(direction))
        pixels *= 1 - self.vignette * 2 * (x**2 + y**2)
        for _ in range(self.blobs):
            pixels *= 1 - 0.8 * _blob(x, y, rng)
        if self.bar:
            edge = x * math.cos(direction) + y * math.sin(direction) - (0.5 - self.bar)
            pixels *= 0.03 + 0.97 / (1 + np.exp(np.clip(edge / 0.01, -50, 50)))
        pixels = pixels + self.noise * np.sqrt(np.maximum(pixels, 0.02)) * rng.standard_normal(pixels.shape)
        if self.inverted:
            pixels = -pixels
        return compressed(pixels, self.jpeg) if self.jpeg else pixels.astype(np.float32)

    def _holes(self, rng: np.random.Generator) -> Floats:
        """Additional brightness; each pixel looks at the hole nearest to it."""
        rows, columns = np.mgrid[0 : self.size, 0 : self.size].astype(np.float64)
        a, b = self.vectors
        inverse = np.linalg.inv(np.column_stack([a, b]))
        x, y = columns - self.origin()[0], rows - self.origin()[1]
        i0 = np.floor(inverse[0, 0] * x + inverse[0, 1] * y).astype(int)
        j0 = np.floor(inverse[1, 0] * x + inverse[1, 1] * y).astype(int)
        reach = 3 + int(2 * self.size / self.spacing)
        strength = self.contrast * np.maximum(
            1 + self.thickness * rng.standard_normal((2 * reach + 1, 2 * reach + 1)), 0.3
        )
        strength[rng.random(strength.shape) < self.missing] = 0.0
        added = np.zeros((self.size, self.size))
        for di in (0, 1):
            for dj in (0, 1):
                i, j = i0 + di, j0 + dj
                away = np.hypot(x - i * a[0] - j * b[0], y - i * a[1] - j * b[1])
                inside = np.clip(self.ratio * self.spacing / 2 - away + 0.5, 0, 1)
                added += inside * strength[i % len(strength), j % len(strength)]
        return added


def compressed(pixels: NDArray[np.floating], quality: int) -> NDArray[np.float32]:
    """What comes back from a JPEG file of that quality."""
    from PIL import Image

    low, high = np.percentile(pixels, (0.2, 99.8))
    grey = np.clip(255 * (pixels - low) / (high - low), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), dtype=np.float32)


def _blob(x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    at, radius = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.01, 0.06)
    stretch, angle = rng.uniform(1, 3), rng.uniform(0, math.pi)
    along = (x - at[0]) * math.cos(angle) + (y - at[1]) * math.sin(angle)
    across = (y - at[1]) * math.cos(angle) - (x - at[0]) * math.sin(angle)
    blob: Floats = np.exp(-(((along / stretch) ** 2 + across**2) / radius**2))
    return blob


def _streak(x: Floats, y: Floats, rng: np.random.Generator, width: float) -> Floats:
    angle, offset = rng.uniform(0, math.pi), rng.uniform(-0.3, 0.3)
    across = x * math.sin(angle) - y * math.cos(angle) - offset + 0.02 * np.sin(15 * x)
    streak: Floats = np.exp(-((across / width) ** 2)) * (np.abs(x + y) < 0.35)
    return streak


def _noisy(pixels: Floats, seed: int, noise: float = 0.1) -> NDArray[np.float32]:
    return (pixels + noise * np.random.default_rng(seed + 77).standard_normal(pixels.shape)).astype(
        np.float32
    )


def _axes(size: int) -> tuple[Floats, Floats]:
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    return x, y


def plain_noise(size: int, seed: int) -> NDArray[np.float32]:
    """Nothing but noise."""
    return _noisy(np.ones((size, size)), seed)


def smooth_noise(size: int, seed: int) -> NDArray[np.float32]:
    """Clouds of all sizes, as ice makes them."""
    rng = np.random.default_rng(seed)
    pixels = sum(
        scipy.ndimage.gaussian_filter(rng.standard_normal((size, size)), width, mode="wrap") * width
        for width in (2, 5, 12, 30)
    )
    return _noisy(np.asarray(pixels), seed)


def lamella(size: int, seed: int) -> NDArray[np.float32]:
    """A bright band with steps and stripes between dark walls."""
    x, y = _axes(size)
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, math.pi)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    pixels = 0.1 + 0.9 / (1 + np.exp(np.clip((np.abs(across) - 0.25) / 0.006, -50, 50)))
    pixels *= 1 - 0.4 * (along > rng.uniform(-0.2, 0.2))
    for at in rng.uniform(-0.25, 0.25, 5):
        pixels *= 1 - 0.3 * np.exp(-(((across - at - 0.02 * along) / 0.008) ** 2))
    for _ in range(12):
        pixels *= 1 - 0.7 * _blob(x, y, rng)
    return _noisy(pixels, seed, 0.05)


def stripes(size: int, seed: int) -> NDArray[np.float32]:
    """Parallel lines."""
    x, y = _axes(size)
    rng = np.random.default_rng(seed)
    angle, period = rng.uniform(0, math.pi), rng.uniform(0.04, 0.2)
    wave = np.cos(2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / period)
    return _noisy(1 + 0.3 * (wave > 0.3), seed)


def row_of_holes(size: int, seed: int) -> NDArray[np.float32]:
    """Holes in one line only."""
    x, y = _axes(size)
    rng = np.random.default_rng(seed)
    angle, apart = rng.uniform(0, math.pi), rng.uniform(0.08, 0.2)
    pixels = np.ones((size, size))
    for n in range(-8, 9):
        away = np.hypot(x - n * apart * math.cos(angle), y - n * apart * math.sin(angle))
        pixels += 0.4 * (away < 0.25 * apart)
    return _noisy(pixels, seed)


def scattered_discs(size: int, seed: int, count: int = 25) -> NDArray[np.float32]:
    """Discs anywhere, as on lacey carbon; none overlaps another."""
    x, y = _axes(size)
    rng = np.random.default_rng(seed)
    pixels = np.ones((size, size))
    places: list[Floats] = []
    while len(places) < count:
        at = rng.uniform(-0.48, 0.48, 2)
        if all(math.hypot(*(at - other)) > 0.1 for other in places):
            places.append(at)
            pixels += 0.4 * (np.hypot(x - at[0], y - at[1]) < rng.uniform(0.025, 0.045))
    return _noisy(pixels, seed)


def few_discs(size: int, seed: int) -> NDArray[np.float32]:
    """Five discs anywhere."""
    return scattered_discs(size, seed, 5)


def grid_bars(size: int, seed: int) -> NDArray[np.float32]:
    """A corner of a grid square without foil."""
    x, y = _axes(size)
    rng = np.random.default_rng(seed)
    at, angle = rng.uniform(-0.3, 0.1, 2), rng.uniform(0, math.pi / 2)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    pixels = 0.05 + 1 / (1 + np.exp(np.clip(-(np.minimum(u - at[0], v - at[1])) / 0.01, -50, 50)))
    return _noisy(pixels, seed, 0.05)


WITHOUT_LATTICE = (
    plain_noise,
    smooth_noise,
    lamella,
    stripes,
    row_of_holes,
    scattered_discs,
    few_discs,
    grid_bars,
)
