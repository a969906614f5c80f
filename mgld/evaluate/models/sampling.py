"""Sampling whose outcome is keyed by (question, draw) and not by what shares a batch.

A draw has uniform numbers u_0, u_1, ... of its own, from its seed. Token t is the one at which the
cumulative probability passes u_t: tokens in descending order of probability (ties by token id), the
smallest set of them that reaches `top_p`, after the logits were divided by the temperature, all in
float64. Temperature 0 takes the most probable token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def uniforms(seed: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """float64 [number] in [0, 1): the same for the same seed, each independent of `number`."""
    return np.random.Generator(np.random.Philox(key=seed)).random(number)


class Sampler:
    """The next tokens of R rows, each with uniform numbers of its own."""

    def __init__(
        self, seeds: Sequence[int], steps: int, *, temperature: float, top_p: float
    ) -> None:
        self._u_RT = np.stack([uniforms(seed, steps) for seed in seeds])
        self._temperature, self._top_p = temperature, top_p

    def __call__(self, logits_RV: torch.Tensor, step: int) -> torch.Tensor:
        """Token ids int64 [R] for logits [R, V], at `step` of the answers (from 0)."""
        import torch

        device = logits_RV.device
        if device.type == "mps":  # which has no float64
            logits_RV = logits_RV.cpu()
        logits_RV = logits_RV.double()
        if self._temperature == 0:
            return logits_RV.argmax(-1).to(device)
        ordered_RV, tokens_RV = torch.sort(logits_RV, dim=-1, descending=True, stable=True)
        p_RV = torch.softmax(ordered_RV / self._temperature, -1)
        cumulative_RV = p_RV.cumsum(-1)
        # The smallest set that reaches top_p: a token is in it if what comes before does not.
        kept_RV = (cumulative_RV - p_RV) < self._top_p
        mass_R1 = (p_RV * kept_RV).sum(-1, keepdim=True)
        u_R1 = torch.from_numpy(self._u_RT[:, step : step + 1]).to(mass_R1) * mass_R1
        last_R1 = kept_RV.sum(-1, keepdim=True) - 1  # rounding must not go beyond the set
        place_R1 = torch.searchsorted(cumulative_RV, u_R1, right=True).minimum(last_R1)
        return tokens_RV.gather(-1, place_R1).squeeze(-1).to(device)
