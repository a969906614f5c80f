"""`submission.yaml`: what a submission is about, and the hash of each of its other files.

Whatever is shown of it is held to plain characters here, so that no name can be markup, and to a
few plain kinds of values, so that no YAML can be more than data.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, field_validator

from mgld.evaluate.questions import DatasetIdentity
from mgld.evaluate.records import Decoding
from mgld.leaderboard.container import ANSWERS, METRICS, QUESTIONS, VERDICTS, BundleError
from mgld.schema import Record

_SIGNS: Final = frozenset(" -_.,:;+/()@#=~%*!?'[]|")
"""Allowed in names besides letters, their accents, and digits. Neither angle bracket nor double
quotation mark nor ampersand: a name can be no markup, even where a reader forgets to escape it."""
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(
    map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
"""Letters and accents that are shown as nothing: by them two names look the same, or like none."""
_ACCENTS: Final = 3
"""So many in a row at most: more are drawn over the lines above and below."""
_MAX_NAME: Final = 200
_MAX_DEPTH: Final = 8
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)


def _plain(text: str) -> str:
    strange = sorted({letter for letter in text if not _is_plain(letter)})
    if strange:
        shown = ", ".join(f"U+{ord(letter):04X}" for letter in strange[:5])
        raise ValueError(
            f"has characters that are not shown in a table ({shown}): letters, digits, spaces and "
            f"{''.join(sorted(_SIGNS)).strip()} are"
        )
    kinds = "".join(unicodedata.category(letter)[0] for letter in text)
    if "M" * (_ACCENTS + 1) in kinds:
        raise ValueError(f"has more than {_ACCENTS} accents on one letter")
    if len(text) > _MAX_NAME:
        raise ValueError(f"is longer than {_MAX_NAME} characters")
    return text


def _is_plain(letter: str) -> bool:
    return letter in _SIGNS or (letter not in _UNSEEN and unicodedata.category(letter)[0] in "LNM")


def _named(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    if not any(letter.isalnum() for letter in _plain(text)):
        raise ValueError("has no letter and no digit")
    return text


def _https(text: str) -> str:
    if text and not text.startswith("https://"):
        raise ValueError("is no https:// address")
    return _plain(text)


def is_repo(text: str) -> bool:
    """Whether a text is an id of a repository, OWNER/NAME."""
    return _REPO.fullmatch(text) is not None


def _repo(text: str) -> str:
    if text and not is_repo(text):
        raise ValueError("is no id of a repository, which is OWNER/NAME")
    return text


Plain = Annotated[str, AfterValidator(_plain)]
Named = Annotated[str, AfterValidator(_named)]
Https = Annotated[str, AfterValidator(_https)]
RepoId = Annotated[str, AfterValidator(_repo)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Date = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?)?$")]


class FileHash(Record):
    """A file's size and content."""

    bytes: int = Field(ge=0)
    sha256: Sha256


class Submission(Record):
    """What a submitter states, and what the run's own files say.

    name: how the board calls it. submitter: who answers for it. model: as the run calls it;
    model_repo, model_revision: where it is on the Hub, "" where nowhere; model_identity: what else
    identifies it (weights' hash, commit). url: a page about it. notes: one line. prompt_version,
    decoding, seed, began, hardware, versions: of the asking, see `AnswerRun`. files: the rest.
    """

    format: Literal[1] = 1
    name: Named
    submitter: Named
    model: Named
    model_repo: RepoId = ""
    model_revision: Plain = ""
    model_identity: dict[Plain, Plain | int | float | bool | None] = Field(default_factory=dict)
    url: Https = ""
    notes: Plain = ""
    prompt: Literal["question", "entities-ask", "entities-given"]
    prompt_version: Plain
    decoding: Decoding
    draws: Literal[5] = 5
    seed: int = Field(ge=0)
    dataset: DatasetIdentity
    judge: Named
    judge_prompt_hash: Sha256
    began: Date = ""
    hardware: dict[Plain, Plain | int] = Field(default_factory=dict)
    versions: dict[Plain, Plain]
    files: dict[
        Literal["questions.jsonl", "answers.jsonl", "verdicts.jsonl", "metrics.json"], FileHash
    ]

    @field_validator("dataset")
    @classmethod
    def _dataset_is_plain(cls, dataset: DatasetIdentity) -> DatasetIdentity:
        for name in ("source", "config", "split", "revision", "content"):
            _plain(getattr(dataset, name) or "")
        if not re.fullmatch(
            "[0-9a-f]{64}", dataset.questions_sha256
        ):  # it names a file of the board
            raise ValueError("questions_sha256 is no SHA-256")
        return dataset


def file_hashes(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """`Submission.files` of these contents."""
    return {
        name: {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
        for name in (QUESTIONS, ANSWERS, VERDICTS, METRICS)
    }


def dump_manifest(submission: Submission) -> bytes:
    """`submission.yaml`, the same bytes for the same values."""
    data = submission.model_dump(mode="json")
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1_000).encode()


def parse_manifest(data: bytes) -> Submission:
    """Read `submission.yaml`. BundleError says which field is wrong, and how."""
    try:
        text = data.decode("utf-8")
        _require_simple(text)
        return Submission.model_validate(yaml.safe_load(text))
    except BundleError:
        raise
    except ValidationError as error:
        raise BundleError(f"submission.yaml: {_said(error)}") from error
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # ValueError: a date like 2026-99-99
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise BundleError(
            f"submission.yaml is no YAML that can be read: {why}; `mgld submit prepare` writes it"
        ) from error


def _require_simple(text: str) -> None:
    """BundleError for what makes a short YAML expensive to read; it is found before it costs."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):  # a few that name one another are billions of values
            raise BundleError("submission.yaml has YAML aliases (*name), which it needs none of")
        if getattr(event, "tag", None) is not None:  # what a reader makes of one, it may fail at
            raise BundleError("submission.yaml has YAML tags (!name), which it needs none of")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:  # reading time grows with its square
            raise BundleError(f"submission.yaml is nested more than {_MAX_DEPTH} deep")


def bundle_id(manifest: bytes) -> str:
    """A bundle's id: SHA-256 of its manifest, which holds the hashes of its other files."""
    return hashlib.sha256(manifest).hexdigest()


def _said(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    parts = [
        f"{'.'.join(map(str, each['loc']))[:80]} {each['msg'].removeprefix('Value error, ')}"
        for each in found[:5]
    ]
    return "; ".join(parts) + ("; ..." if len(found) > 5 else "")
