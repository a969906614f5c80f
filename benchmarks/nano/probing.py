"""The misalignment probe (paper, Figure 1) of models of the miniature, for known and unknown apart.

What the encoder knows is not inferred here: VE-Known are the test landmarks whose names' parts it
was taught often or some, VE-Unknown those of which no part was ever shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.nano.asking import ANSWER_BATCH, decoding
from benchmarks.nano.bindings import row_bindings
from benchmarks.nano.data import SPLIT, questions_of
from benchmarks.nano.place import STAGES, Place, alone, claim, hash_of
from benchmarks.nano.plan import Row
from benchmarks.nano.record import KNOWN_TIERS, RESULTS, UNKNOWN_TIERS, ProbeRecord, write_record

GROUPS: Final = {"VE-Known": KNOWN_TIERS, "VE-Unknown": UNKNOWN_TIERS}


def probe_row(
    place: Place, row: Row, seed: int, *, device: str | None, results: Path = RESULTS
) -> Path:
    """Probe a row's model on the test set; the file of the result.

    Its tables are of the whole test set, VE-Known and VE-Unknown. RuntimeError: the row's model is
    not there, or is not the one that would be made now.
    """
    from eeca_ref.training.origins import fingerprint
    from mgld.evaluate.answering import AnswerSettings
    from mgld.evaluate.describing import load_description_judge
    from mgld.evaluate.graded import read_graded, read_rows
    from mgld.evaluate.judges import load_judge
    from mgld.evaluate.probe import DESCRIBED_FILE, probe, probe_table
    from mgld.evaluate.records import Described

    questions = questions_of([place])
    bindings = row_bindings(place, row, seed, questions.sha256[place.half])
    trained = STAGES[-1] if row.recipe is None else row.trained_as
    model = place.require(seed, trained, bindings.trained)
    folder = place.seed(seed) / "probe" / row.name
    settings = AnswerSettings(
        model=f"eeca:{model}",
        data=str(place.build),
        seed=seed,
        decoding=decoding(),
        batch_size=ANSWER_BATCH,
        device=device,
    )
    with alone(folder):
        claim(folder, hash_of([bindings.row, fingerprint(model / "model")]))
        result = probe(
            settings,
            folder,
            judge=load_judge("rule"),
            description_judge=load_description_judge("rule"),
            subsets=(SPLIT,),
        )
    (graded,) = read_graded([folder / SPLIT / "image"], "rule")
    described = folder / SPLIT / "text" / DESCRIBED_FILE
    told = {each.question_id: each for each in read_rows(described, Described)}
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
    record = ProbeRecord(
        row=row.name,
        seed=seed,
        encoder=place.half,
        model=fingerprint(model / "model"),
        result=result.model_copy(update={"tables": tables}),
    )
    return write_record(record, results)
