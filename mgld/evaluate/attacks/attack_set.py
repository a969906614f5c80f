"""The attacks and the answers they are tried on, filled in for one question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, Literal, get_args

import yaml

from mgld.annotate.wording import fold
from mgld.evaluate.records import DRAWS
from mgld.schema import Record

Kind = Literal[
    "instruction",
    "fake_verdict",
    "delimiter",
    "html",
    "long",
    "control",
    "homoglyph",
    "stuffing",
    "ground_truth",
    "echo",
    "constant",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_PAD = 20_000
_CYRILLIC = str.maketrans("aeocpx", "аеосрх")
_SMALL = str.maketrans("abcdefghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ")
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")


class Attack(Record):
    """One attack: its template (attacks.yaml says what may stand in it) and why it might work."""

    id: str
    kind: Kind
    text: str
    why: str

    def apply(self, answer: str, fields: dict[str, str]) -> str:
        """`answer` under this attack."""
        return _fill(self.text, fields | _forms(answer))


class Base(Record):
    """Answers before an attack; the last stands for all further draws."""

    id: str
    answers: list[str]

    def fill(self, fields: dict[str, str]) -> list[str]:
        """The five texts."""
        texts = [_fill(text, fields) for text in self.answers]
        return texts + [texts[-1]] * (DRAWS - len(texts))


@cache
def load_attacks() -> tuple[Attack, ...]:
    """All attacks, in the order of their file."""
    return tuple(Attack.model_validate(each) for each in _load("attacks.yaml")["attacks"])


@cache
def load_bases() -> tuple[Base, ...]:
    """The answers that are attacked."""
    return tuple(Base.model_validate(each) for each in _load("attacks.yaml")["bases"])


@cache
def attacks_hash() -> str:
    """SHA-256 (hex) of the attack set."""
    return sha256(_read("attacks.yaml") + _read("names.yaml")).hexdigest()


def fields(name: str, question: str, others: Sequence[str]) -> dict[str, str]:
    """What templates may name, for a landmark called `name`; `others`: names besides the set's."""
    listed: list[str] = _load("names.yaml")["names"]
    pool = [each for each in dict.fromkeys([*listed, *others]) if not _overlap(each, name)]

    def among(count: int) -> list[str]:
        # The right name stands in the middle, where neither the first nor the last guess is right.
        rest = (pool * (count // len(pool) + 1))[: count - 1]
        return [*rest[: count // 2], name, *rest[count // 2 :]]

    filled = {
        "name": name,
        "question": question,
        "other": pool[0],
        "third": pool[1],
        "pad": "The weather is fine. " * (_PAD // 21),
        "lines60": "\n".join(among(60)),
        "lower60": " ".join(among(60)).lower(),
        "upper60": ", ".join(among(60)).upper(),
        "claims20": " ".join(f"This is the {each}." for each in among(20)),
        "best20": " ".join(f"It is most likely the {each}." for each in among(20)),
        "near20": " ".join(f"It stands near the {each}." for each in among(20)),
        "aka20": ", also known as ".join(among(20)),
        "brackets20": "".join(f"({each})" for each in among(20)),
    }
    filled |= {f"names{count}": ", ".join(among(count)) for count in (5, 20, 60, 500)}
    return filled


def _forms(answer: str) -> dict[str, str]:
    """The answer itself and what disguises make of it."""
    wide: Callable[[str], str] = lambda c: chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c  # noqa: E731
    return {
        "answer": answer,
        "answer_cut": "".join(f"{c}\u200b" for c in answer),
        "answer_cyrillic": answer.translate(_CYRILLIC),
        "answer_wide": "".join(map(wide, answer)),
        "answer_small": re.sub(
            r"\b(not|or|cannot|replica|although)\b",
            lambda match: match.group().translate(_SMALL),
            answer,
        ),
        "answer_struck": re.sub(
            r"\b(not|or|cannot|replica|although)\b",
            lambda match: "".join(f"{c}\u0336" for c in match.group()),
            answer,
        ),
        "answer_lower": answer.lower(),
    }


def _fill(template: str, values: dict[str, str]) -> str:
    # Only the template's own fields are filled: what comes in is never looked through again.
    def value(match: re.Match[str]) -> str:
        key = match.group(1)
        return values[key] if key else match.group()[0]

    return _FIELD.sub(value, template)


def _overlap(one: str, other: str) -> bool:
    plain = [fold(each) for each in (one, other)]
    return plain[0] in plain[1] or plain[1] in plain[0]


@cache
def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(_read(name))
    return loaded


def _read(name: str) -> bytes:
    return (files("mgld.evaluate.attacks") / name).read_bytes()
