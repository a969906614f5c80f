"""From draws to a level: the one place that counts, for every judge that looks at each draw.

Definition: docs/definitions.md, "Judges"; paper, section 4.2 and appendix C.2.
"""

from __future__ import annotations

from typing import Final

from mgld.evaluate.records import Level

SEVERAL: Final = 2
"""So many identifications are "several": two in the paper's example."""


def level_of(identified: int, hinted: int) -> Level:
    """The level of a question of whose draws so many identify the landmark, and so many hint at it.

    ValueError for a number below 0.
    """
    if identified < 0 or hinted < 0:
        raise ValueError(f"{identified} identifying and {hinted} hinting draws cannot be")
    if identified:
        return "strongly_known" if identified >= SEVERAL else "known"
    return "weakly_unknown" if hinted else "unknown"
