"""JPEG files, read back by another program."""

from __future__ import annotations

import io

import numpy as np
import pytest

from mock_serialem.files.jpeg import jpeg_bytes

Image = pytest.importorskip("PIL.Image", reason="Pillow, which comes with matplotlib, reads the files back")


def read_back(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"
        return np.asarray(image).astype(int)


@pytest.mark.parametrize("shape", [(64, 64), (7, 9), (8, 1), (1, 8), (100, 203)])
def test_noise_comes_back_nearly_as_it_was(shape: tuple[int, int]) -> None:
    levels = np.clip(np.random.default_rng(1).normal(128.0, 40.0, shape), 0, 255).astype(np.uint8)
    read = read_back(jpeg_bytes(levels))
    assert read.shape == shape
    assert np.abs(read - levels).max() < 25 and np.abs(read - levels).mean() < 4


def test_more_blocks_than_are_packed_at_once() -> None:
    levels = np.add.outer(np.arange(600), np.arange(800)).astype(np.uint8)
    assert np.abs(read_back(jpeg_bytes(levels)) - levels).mean() < 4


@pytest.mark.parametrize(
    "levels",
    [
        np.zeros((16, 16), np.uint8),
        np.full((20, 20), 255, np.uint8),
        (np.indices((40, 40)).sum(0) % 2 * 255).astype(
            np.uint8
        ),  # only the highest frequency: many zeros before it
    ],
)
def test_extremes(levels: np.ndarray) -> None:
    assert np.abs(read_back(jpeg_bytes(levels)) - levels).max() <= 5


def test_rows_go_down() -> None:
    levels = np.zeros((32, 16), np.uint8)
    levels[:8] = 200
    read = read_back(jpeg_bytes(levels))
    assert read[4].min() > 190 and read[28].max() < 10
