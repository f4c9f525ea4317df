import itertools

import numpy as np
import pytest

from pacetomo.editor import looks
from pacetomo.editor.looks import LOOKS, State

# Machado, Oliveira and Fernandes 2009, severity 1: what remains of linear RGB.
DEFICIENCIES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def seen(colour, deficiency):
    """A colour as seen with a deficiency, each channel 0 to 1."""
    linear = (np.array(colour[:3]) / 255) ** 2.2
    return np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_states_are_told_apart_by_shape_and_by_colour_also_by_colour_blind_people(deficiency):
    assert set(LOOKS) == set(State)
    assert len({look.shape for look in LOOKS.values()}) == len(State)
    for one, other in itertools.combinations(LOOKS.values(), 2):
        assert np.abs(seen(one.colour, deficiency) - seen(other.colour, deficiency)).max() > 0.12


def test_scores_have_colours_of_steadily_rising_brightness():
    colours = [looks.scale_colour(share) for share in np.linspace(0, 1, 50)]
    brightness = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue, _ in colours]
    assert np.all(np.diff(brightness) > 0)
    assert looks.scale_colour(-1) == colours[0]
    assert looks.scale_colour(2) == colours[-1]


def test_the_scale_spans_the_scores_that_there_are():
    scale = looks.score_scale([None, 2.0, 4.0])
    assert scale == (2.0, 4.0)
    assert scale.colour(3.0) == looks.scale_colour(0.5)
    assert scale.colour(None) == looks.GREY
    assert looks.score_scale([None]) is None
    assert looks.score_scale([1.0, 1.0]).colour(1.0) == looks.scale_colour(0.5)


def test_more_added_dose_is_shaded_more_strongly():
    shades = [looks.overlap_colour(dose)[3] for dose in (0.5, 2.0, 10.0, 100.0)]
    assert shades == sorted(set(shades))
