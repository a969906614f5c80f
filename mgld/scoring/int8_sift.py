"""The int8 engine's inner loop, compiled: tiles of pairs, and a closer look where they leave doubt.

Three tiers decide a pair of an image and a name, each only what its bound proves:

1. first digits (`int8_tile.tile`, bound (2) of `int8_quantise`): every pair;
2. both digits (`int8_tile.digit_sums`, bound (3)): what tier 1 left, about one in a hundred;
3. the exact sum (`blocked.py`): what tier 2 left, about one in 23,000, and the nearest names.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mgld.scoring.int8_tile import NAME_FACTS, PANEL, ROW_FACTS, ROWS, digit_sums, tile
from mgld.scoring.llvm_code import compiled, count_bits, lowest_bit

LOW, HIGH, FLOOR = 4, 5, 6  # places in an image's facts, see `int8_tile.tile`
# What tier 1's float32 arithmetic may be off by. For |u|, |v| <= 2.01, |<a, y>| <= 1.01: converting
# the sum, two products and an addition 2 * 4.1 u + 5.1 u; the rounding of the offset 1.1 u; of
# value + bound 13.2 u; u = 2^-24. The bound's own roundings are made up for in `int8_pack`. Tier 2
# computes in float64, so that only the offset's rounding counts. What this leaves over is far more
# than Sim's own rounding to float64, so that what is found higher is strictly higher.
SLACK = 2.0**-19
# The floor of an image that has met fewer than K names: below every name's value, and above -inf,
# the value of what fills the last panel, which must never be looked at: there are no digits of it.
NO_FLOOR = -1e30


@compiled
def sift_panels(
    tiles: Any,
    facts: Any,
    digits: Any,
    lengths: Any,
    sums: Any,
    shift: Any,
    own_sim: Any,
    weights: Any,
    names_tiles: Any,
    names_facts: Any,
    names_digits: Any,
    names_lengths: Any,
    best: Any,
    above: Any,
    near: Any,
    top: Any,
    top_high: Any,
    state: Any,
) -> None:
    """Sift n images against panels of names, from panel state[0] on, until a list is full.

    tiles, facts, digits, lengths, sums: of `PackedImages`, with low, high and floor set in facts;
    shift float64 [n]: Sim less what `tile` calls value; own_sim float64 [n]. weights: of
    `DistinctNames`; names_*: of `PackedNames`.

    Written: above int64 [n], added up; near int32 [capacity, 2] pairs; top int32 [capacity, 2] and
    top_high float64 [capacity]: pairs that may be among the best K, with upper bounds of their Sim;
    best float64 [n, K]: a heap of each image's highest lower bounds, its least first; floor in
    facts. state int64 [4]: the next panel, the lengths of near and top, how many pairs tier 2 saw.
    """
    panels, steps = names_tiles.shape[0], names_tiles.shape[1]
    size, count = 4 * steps, len(own_sim)
    masks = np.empty((ROWS, 2), np.uint64)
    panel, nears, tops, looked = state[0], state[1], state[2], state[3]
    while panel < panels and max(nears, tops) + count * PANEL <= len(near):
        begin = panel * PANEL
        heavy = False
        for j in range(begin, min(begin + PANEL, len(weights))):
            heavy |= weights[j] != 1
        for group in range(tiles.shape[0]):
            tile(
                tiles.ctypes.data + group * ROWS * size,
                names_tiles.ctypes.data + panel * PANEL * size,
                steps,
                facts.ctypes.data + group * ROWS * ROW_FACTS * 4,
                names_facts.ctypes.data + panel * NAME_FACTS * PANEL * 4,
                masks.ctypes.data,
            )
            for place in range(ROWS):
                i = group * ROWS + place
                word = masks[place, 0]
                if word:
                    above[i] += count_bits(word)
                    while heavy and word:
                        above[i] += weights[begin + lowest_bit(word)] - 1
                        word &= word - np.uint64(1)
                word = masks[place, 1]
                while word:
                    bit = lowest_bit(word)
                    word &= word - np.uint64(1)
                    j = begin + bit
                    looked += 1
                    whole, mixed = digit_sums(
                        names_digits.ctypes.data + j * 2 * size,
                        digits.ctypes.data + i * 2 * size,
                        size,
                    )
                    # In float64: names' bias and digits are integers below 2^53.
                    product = (whole - sums[i, 0]) + (mixed - sums[i, 1]) / 256
                    scale = np.float64(facts[i, 1]) * np.float64(names_facts[panel, 0, bit])
                    value = scale * product + names_facts[panel, 1, bit] + shift[i]
                    doubt = SLACK + (
                        np.float64(lengths[i, 2]) * np.float64(names_facts[panel, 2, bit])
                        + np.float64(lengths[i, 0]) * np.float64(names_lengths[j, 1])
                        + np.float64(lengths[i, 1]) * np.float64(names_lengths[j, 0])
                    )
                    if not masks[place, 0] >> np.uint64(bit) & np.uint64(1):
                        if value - doubt > own_sim[i]:
                            above[i] += weights[j]
                        elif value + doubt >= own_sim[i]:
                            near[nears, 0], near[nears, 1] = i, j
                            nears += 1
                    # K names have Sim >= best[i, 0].
                    if value + doubt >= best[i, 0]:
                        top[tops, 0], top[tops, 1] = i, j
                        top_high[tops] = value + doubt
                        tops += 1
                        if value - doubt > best[i, 0]:
                            _replace_least(best, i, value - doubt)
                            # No lower than NO_FLOOR while the heap still holds a -inf.
                            floor = best[i, 0] - shift[i] - 2 * SLACK
                            facts[i, FLOOR] = max(floor, NO_FLOOR)
        panel += 1
    kept = 0
    for n in range(tops):
        if top_high[n] >= best[top[n, 0], 0]:
            top[kept, 0], top[kept, 1] = top[n, 0], top[n, 1]
            kept += 1
    state[0], state[1], state[2], state[3] = panel, nears, kept, looked


@compiled
def _replace_least(heaps: Any, i: int, value: Any) -> None:
    """Put `value` in the place of the least of heap i, a binary heap."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= heaps.shape[1]:
            break
        if child + 1 < heaps.shape[1] and heaps[i, child + 1] < heaps[i, child]:
            child += 1
        if heaps[i, child] >= value:
            break
        heaps[i, at] = heaps[i, child]
        at = child
    heaps[i, at] = value
