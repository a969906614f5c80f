"""The misalignment probe (paper, Figure 1) of models of the miniature, for known and unknown apart.

What the encoder knows is not inferred here: VE-Known are the test landmarks whose names' parts it
was taught often or some, VE-Unknown those of which no part was ever shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.nano.making import ANSWER_BATCH, MAX_NEW_TOKENS, Place
from benchmarks.nano.plan import BASELINE
from benchmarks.nano.record import RESULTS, Questions
from mgld.files import write_text_atomically

SPLIT: Final = "test_paper"
GROUPS: Final = {"VE-Known": ("often", "some"), "VE-Unknown": ("never",)}


def probe_row(
    place: Place,
    row: str,
    seed: int,
    questions: Questions,
    *,
    device: str | None,
    results: Path = RESULTS,
) -> Path:
    """Probe a trained row's model on the test set; the file of the result.

    Its tables are of the whole test set, VE-Known and VE-Unknown.
    """
    from mgld.evaluate.answering import AnswerSettings
    from mgld.evaluate.describing import load_description_judge
    from mgld.evaluate.graded import read_graded, read_rows
    from mgld.evaluate.judges import load_judge
    from mgld.evaluate.probe import DESCRIBED_FILE, probe, probe_table
    from mgld.evaluate.records import Decoding, Described

    trained = "stage2_instruct" if row == BASELINE else row
    folder = place.seed(seed) / "probe" / row
    settings = AnswerSettings(
        model=f"eeca:{place.run(seed, trained)}",
        data=str(place.build),
        seed=seed,
        decoding=Decoding(max_new_tokens=MAX_NEW_TOKENS),
        batch_size=ANSWER_BATCH,
        device=device,
    )
    result = probe(
        settings,
        folder,
        judge=load_judge("rule"),
        description_judge=load_description_judge("rule"),
        subsets=(SPLIT,),
    )
    (graded,) = read_graded([folder / SPLIT / "image"], "rule")
    told = {
        each.question_id: each for each in read_rows(folder / SPLIT / DESCRIBED_FILE, Described)
    }
    tables = list(result.tables)
    ids = list(graded.questions)
    for name, tiers in GROUPS.items():
        mine = [
            id
            for id, mark in zip(ids, questions.landmarks[place.half], strict=True)
            if mark.tier in tiers
        ]
        levels = {id: graded.verdicts[id].level for id in mine}
        tables.append(probe_table(name, [told[id] for id in mine], levels))
    path = results / f"probe-{place.half}-seed{seed}-{row}.json"
    kept = result.model_copy(update={"tables": tables})
    write_text_atomically(path, kept.model_dump_json(indent=1) + "\n")
    return path
