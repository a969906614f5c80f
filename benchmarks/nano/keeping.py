"""What is recorded stands until all that hangs on it is made anew.

Records are evidence that lies in the repository, and weights are not: on another machine the same
settings give other weights, and a row means nothing beside a baseline that it did not begin from.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from benchmarks.nano.plan import BASELINE
from benchmarks.nano.record import (
    QUESTIONS_FILE,
    Questions,
    RunRecord,
    read_questions,
    read_records,
    write_record,
)
from mgld.files import write_text_atomically
from mgld.world.lexicon import Half

Key = tuple[Half, int, str]
"""Encoder, seed and row of a record."""


def key_of(record: RunRecord) -> Key:
    """Which record it is."""
    return record.encoder, record.seed, record.row


def baseline_of(half: Half, seed: int, results: Path) -> str | None:
    """Fingerprint of the weights of a seed's recorded baseline; None: there is none."""
    found = [each for each in read_records(results) if key_of(each) == (half, seed, BASELINE)]
    return found[0].model if found else None


def stands(key: Key, binding: str, there: dict[Key, RunRecord]) -> bool:
    """Whether a row is recorded as it would be made now, down to the weights of its baseline."""
    record, baseline = there.get(key), there.get((*key[:2], BASELINE))
    if record is None or baseline is None or record.binding != binding:
        return False
    return record.baseline == baseline.model


def keep(record: RunRecord, results: Path, mine: Collection[Key]) -> None:
    """Write a record. mine: rows that are made anew where a baseline comes out another.

    RuntimeError: others began from the one that is recorded.
    """
    before = baseline_of(record.encoder, record.seed, results)
    if record.row == BASELINE and before not in (None, record.model):
        left = [
            each.file
            for each in read_records(results)
            if (each.encoder, each.seed) == (record.encoder, record.seed)
            and each.baseline == before
            and key_of(each) not in mine
        ]
        _refuse(left, results, f"the baseline of seed {record.seed} came out another")
    write_record(record, results)


def keep_questions(found: Questions, results: Path, mine: Collection[Key]) -> Questions:
    """The test set as these encoders see it, with what is there of another one; written where it is
    not the one that is there.

    RuntimeError: rows that are not `mine` were asked other questions.
    """
    path = results / QUESTIONS_FILE
    if path.is_file():
        before = read_questions(results)
        changed = [
            half
            for half, sha256 in found.sha256.items()
            if before.sha256.get(half, sha256) != sha256
        ]
        left = [
            each.file
            for each in read_records(results)
            if each.encoder in changed and key_of(each) not in mine
        ]
        _refuse(left, results, "the test set is another here")
        if all(before.sha256.get(half) == sha256 for half, sha256 in found.sha256.items()):
            return before
        found = Questions(
            sha256=before.sha256 | found.sha256,
            names=found.names,
            landmarks=before.landmarks | found.landmarks,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, found.model_dump_json(indent=1) + "\n")
    return found


def _refuse(left: list[str], results: Path, why: str) -> None:
    if left:
        raise RuntimeError(
            f"{why} than {len(left)} recorded rows have that are not made now ({left[0]}, ...): "
            f"name all their tables, or move {results} away"
        )
