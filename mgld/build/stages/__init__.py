"""The steps of a build in order; a stage is one to three of them."""

from __future__ import annotations

from mgld.build.plan import Step
from mgld.build.stages import (
    catalog,
    dataset,
    entities,
    image_sims,
    image_vectors,
    name_index,
    name_vectors,
    qa,
    scores,
    selection,
    splits,
)

STEPS: dict[str, Step] = {
    step.key: step
    for step in (
        catalog.STEP,
        name_vectors.STEP,
        image_vectors.STEP,
        image_sims.STEP,
        name_index.STEP,
        selection.STEP,
        qa.STEP,
        entities.STEP,
        scores.STEP,
        splits.STEP,
        dataset.FILES,
        dataset.CARD,
    )
}
"""Step key -> step, in the order in which they run."""
