"""Pairs of images and names on a GPU: found in words of bits, summed exactly, the best kept."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import triton

from mgld.scoring.exact import tail_slack
from mgld.scoring.triton_kernels import exact_kernel

_PAIRS_PER_PROGRAM = 16
_DIM_PER_STEP = 128


def exact_sums(
    images: torch.Tensor, names: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """Sim of images[rows[i]] and names[columns[i]], as `exact.exact_sim_pairs` gives it.

    images and names: float32 [*, d], contiguous, rows unit to 1e-3; rows, columns: int64 [P].
    Returns float64 [P]; NaN where only `math.fsum` can tell which way to round.
    """
    head = torch.empty(len(rows), dtype=torch.float64, device=images.device)
    tail = torch.empty_like(head)
    if len(rows):
        exact_kernel[(triton.cdiv(len(rows), _PAIRS_PER_PROGRAM),)](
            images,
            names,
            rows.int(),
            columns.int(),
            head,
            tail,
            len(rows),
            images.shape[1],
            BP=_PAIRS_PER_PROGRAM,
            BK=min(_DIM_PER_STEP, triton.next_power_of_2(images.shape[1])),
        )
    slack = tail_slack(images.shape[1])
    infinity = torch.full_like(tail, torch.inf)
    low = head + torch.nextafter(tail - slack, -infinity)
    high = head + torch.nextafter(tail + slack, infinity)
    return torch.where(low == high, low, torch.nan)


def pairs_of_words(
    words: torch.Tensor, length: torch.Tensor, stride: int, at_once: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(rows, columns) int64 [P] of the bits in words int64 [B, capacity] (`sift_kernel`).

    length [B]: how many words of a row are to be read. `at_once`: most words in one result.
    """
    words = words[:, : int(length.max())]
    used = torch.arange(words.shape[1], device=words.device) < length[:, None]
    rows = used.nonzero()[:, 0]
    flat = words[used]
    places = torch.arange(32, device=words.device)
    for start in range(0, len(flat), at_once):
        part = flat[start : start + at_once]
        word, bit = ((part[:, None] >> places) & 1).nonzero(as_tuple=True)
        yield rows[start + word], (part[word] >> 32) + bit * stride


def merge_best(
    best: torch.Tensor,
    best_column: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    sims: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best K of each row of float64 and int64 [B, K] and of more pairs, ties by column.

    Empty places are column -1 with -inf and come last.
    """
    height, count = best.shape
    row = torch.arange(height, device=best.device)
    rows = torch.cat([row.repeat_interleave(count), rows])
    columns = torch.cat([best_column.ravel(), columns])
    sims = torch.cat([best.ravel(), sims])
    order = torch.argsort(columns, stable=True)
    for key in (-sims, rows):
        order = order[torch.argsort(key[order], stable=True)]
    starts = torch.searchsorted(rows[order], row)
    chosen = order[starts[:, None] + torch.arange(count, device=best.device)]
    return sims[chosen], columns[chosen]
