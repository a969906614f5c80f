"""Vectors rounded to float16 for a GPU's matrix unit, and a bound on what that does to Sim.

float16 has 3 bits more than bfloat16 at the same rate, so an eighth of the pairs stay undecided.
Names are rounded after their mean is taken away, which shortens what is rounded, and costs nothing:
Sim(a, b) = a . c + a . (b - c), and a . c is one number per image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

# A power of two: elements of unit vectors come to lie in the middle of float16's range, and a
# product of two of them below 2^16.
SCALE = 256.0
SCALE_OF_PRODUCT = SCALE * SCALE
_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Rounded:
    """Rows x - center as float16 [n, D] in units of 1 / 256, zeros beyond the d that they have.

    length float64 [n]: of x itself. kept float64 [n]: length of what the float16 say. missed
    float64 [n]: length of what they do not.
    """

    half: torch.Tensor
    length: torch.Tensor
    kept: torch.Tensor
    missed: torch.Tensor


def round_rows(x: torch.Tensor, multiple: int, center: torch.Tensor | None = None) -> Rounded:
    """Round float32 [n, d], less `center` float32 [d], on their device; D is d up to `multiple`."""
    rows, dim = x.shape
    half = torch.zeros((rows, -(-dim // multiple) * multiple), dtype=torch.float16, device=x.device)
    lengths = torch.zeros((3, rows), dtype=torch.float64, device=x.device)
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        exact = x[part].double()
        lengths[0, part] = exact.norm(dim=1)
        if center is not None:
            exact = exact - center.double()
        half[part, :dim] = (exact * SCALE).half()
        kept = half[part, :dim].double() / SCALE
        lengths[1, part] = kept.norm(dim=1)
        lengths[2, part] = (exact - kept).norm(dim=1)
    return Rounded(half, *lengths)


def accumulation_error(dim: int) -> float:
    """A bound on |s - exact| / (|a| |b|) for s the product of float16 rows a, b [dim] as computed.

    The products are exact in float32. A matrix unit adds them, and its accumulator, in groups of
    K >= 4 products: addends are cut to 24 bits below the group's largest, and so is the sum (Fasi,
    Higham, Mikaitis, Pranesh, Numerical behavior of NVIDIA tensor cores, PeerJ CS 2021; V100 and
    A100 do no worse). With every term below sum |a_i b_i| <= |a| |b| a group loses at most
    (K + 2) 2^-23 of that, all of them dim (1 + 2/K) 2^-23 <= 1.5 dim 2^-23. Additions in float32,
    in any order, lose dim 2^-24. Twice dim 2^-23 is above both, and is checked on the device by
    `TritonEngine`, for it rests on what is known of the hardware and not on a standard.
    """
    return 2.0 * dim * 2.0**-23


@dataclass(frozen=True)
class HalfNames:
    """Names as a GPU's matrix unit takes them: rounded less their mean, and how far off at most."""

    rounded: Rounded
    center: torch.Tensor
    longest_kept: float
    longest_missed: float

    @classmethod
    def of(cls, names: torch.Tensor, multiple: int) -> HalfNames:
        """Round float32 [U, d]."""
        center = names.mean(dim=0)  # any vector would do
        rounded = round_rows(names, multiple, center)
        return cls(rounded, center, float(rounded.kept.max()), float(rounded.missed.max()))

    def error_bound(self, images: Rounded) -> torch.Tensor:
        """float64 [B]: a bound E on |s / 2^16 + offset - Sim| for an image and any name.

        s is the float32 product of the rounded rows, offset = a . center. With a = a' + e and
        b - center = b' + f, where a', b' are what is kept and e, f what is missed:
        a . (b - center) - a' . b' = e . b' + a . f, at most |e| |b'| + |a| |f|; to which comes the
        accumulation's error in a' . b'.
        """
        off = images.missed * self.longest_kept + images.length * self.longest_missed
        added = accumulation_error(images.half.shape[1]) * images.kept * self.longest_kept
        # In float64: lengths, offset and thresholds, and Sim's own rounding.
        return (off + added) * (1 + 1e-9) + 4.0 * (len(self.center) + 4) * 2.0**-52

    def offset(self, images: torch.Tensor) -> torch.Tensor:
        """float64 [B]: a . center of float32 [B, d]; its own error is within the bound's slack."""
        return images.double() @ self.center.double()


def threshold(sim: torch.Tensor, offset: torch.Tensor, *, up: bool) -> torch.Tensor:
    """float32 [B] in the units of s, not below (up) or not above `sim`, both float64 [B]."""
    exact = (sim - offset) * SCALE_OF_PRODUCT
    away = torch.full_like(exact, torch.inf if up else -torch.inf, dtype=torch.float32)
    return torch.nextafter(exact.float(), away)
