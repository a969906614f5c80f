"""The clause that a name stands in, and whether it denies it.

Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

from functools import cache

from mgld.evaluate.rule.reading import Tokens
from mgld.evaluate.rule.words import word_set


def clause_start(tokens: Tokens, index: int, first: int) -> int:
    """First token of the clause that `index` stands in, within a sentence that starts at `first`.

    A comma starts one where a firm cue stands behind it: "I am not sure, but / this is X".
    """
    words = tokens.words
    turns, breaks = _turns(), _breaks()
    cue_seen = False
    for at in range(index - 1, first - 1, -1):
        word = words[at]
        if word not in turns:
            continue
        if word in breaks:
            # "no" is both a break in some languages and a denial: it belongs to what it denies.
            return at if word == "no" else at + 1
        if word != ",":
            cue_seen = True
        elif cue_seen:
            return at + 1
    return first


@cache
def _breaks() -> frozenset[str]:
    return word_set("breaks") | {";", ":", "–", "—", "(", "。", "；"}


@cache
def _turns() -> frozenset[str]:
    """Words and signs that matter to where a clause starts."""
    return _breaks() | word_set("firm") | {","}


def negated(words: list[str], start: int, end: int) -> bool:
    """Whether tokens [start, end) hold a negation that is not one of the harmless ("no doubt")."""
    negators = word_set("negators")
    if negators.isdisjoint(words[start:end]):
        return False
    harmless = word_set("harmless")
    for at in range(start, end):
        if words[at] in negators and not any(
            word in harmless for word in words[at + 1 : min(at + 3, end)]
        ):
            if words[at] == "doubt" and any(
                word in ("no", "without", "little") for word in words[max(start, at - 2) : at]
            ):
                continue
            return True
    return False


def denied_after(words: list[str], at: int, end: int) -> bool:
    """ "X is not what is shown", "X can be ruled out": a denial with the name as its subject."""
    tail = words[at : min(at + 4, end)]
    if not tail:
        return False
    if tail[0] in ("isnt", "wasnt", "cannot", "cant", "not") or tail[:2] in (
        ["is", "not"],
        ["was", "not"],
        ["ist", "nicht"],
        ["n", "est"],
        ["no", "es"],
        ["non", "e"],
        ["nao", "e"],
    ):
        later = words[at + 2 : min(at + 5, end)]
        shown = ("what", "shown", "this", "the", "pictured", "here", "depicted", "in", "it", "be")
        return (not later or later[0] in shown or tail[0] in ("cannot", "cant")) and not (
            set(tail) & word_set("harmless")
        )
    return "ruled" in tail or "excluded" in tail
