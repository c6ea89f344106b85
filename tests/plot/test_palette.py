"""Colours stay apart for every colour vision, and can be read on their pages."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib import colors
from matplotlib.figure import Figure

import scaling_jax as sj
from scaling_jax.plot.palette import DARK, LIGHT, Palette, palette_of, sequence

# what the three dichromacies make of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1
VISIONS = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
JUST_SEEN = 2.3  # of CIELAB's distance (Mahy et al. 1994)


def linear(colour: str) -> np.ndarray:
    rgb = np.array(colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    t = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def luminance(colour: str) -> float:
    return float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_the_first_four_accents_are_told_apart(page: Palette, vision: str) -> None:
    seen = [lab(np.asarray(VISIONS[vision]) @ linear(colour)) for colour in page.accents[:4]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 4 * JUST_SEEN


@pytest.mark.parametrize("page", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_lines_stand_out_from_the_page(page: Palette) -> None:
    """WCAG 2.2 asks 4.5 of text and 3 of graphics; the lightest accents are for lines beside others."""
    assert contrast(page.ink, page.paper) > 7 and contrast(page.quiet, page.paper) > 4.5
    assert min(contrast(colour, page.paper) for colour in page.accents[:3]) > 3
    assert min(contrast(colour, page.paper) for colour in page.accents) > 2


def test_the_palette_is_that_of_the_page() -> None:
    for face, page in (("white", LIGHT), ("#eeeeee", LIGHT), ("black", DARK), ("#222233", DARK)):
        ax = Figure(facecolor=face).subplots()
        ax.set_facecolor(face)
        assert palette_of(ax) is page
    with sj.plot.style(dark=True):
        ax = Figure().subplots()
    assert palette_of(ax) is DARK
    clear = Figure(facecolor="none").subplots()
    clear.set_facecolor("none")
    assert palette_of(clear) is LIGHT


def test_a_sequence_goes_away_from_the_page() -> None:
    ax = Figure().subplots()
    light = [luminance(colors.to_hex(c)) for c in sequence(6, ax)]
    assert (np.diff(light) < 0).all() and sequence(1, ax).shape == (1, 4)
    ax.set_facecolor("black")
    dark = [luminance(colors.to_hex(c)) for c in sequence(6, ax)]
    assert (np.diff(dark) > 0).all()
