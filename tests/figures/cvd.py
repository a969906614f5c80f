"""Colours as colour-blind eyes see them: Machado et al. 2009, severity 1, and CIE76 distances."""

from __future__ import annotations

from itertools import combinations

import numpy as np

EYES = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """Linear RGB of "#rrggbb"."""
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB under D65."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours: list[str]) -> float:
    """The smallest distance of two of the colours for any of the EYES."""
    return min(
        float(np.linalg.norm(lab(eye @ linear(a)) - lab(eye @ linear(b))))
        for eye in map(np.array, EYES.values())
        for a, b in combinations(colours, 2)
    )


def contrast(colour: str, ground: str) -> float:
    """WCAG contrast of two colours."""
    light, dark = sorted((float(linear(c) @ TO_XYZ[1]) for c in (colour, ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
