"""`majority:A,B,C`: the level that most judges give, and how far they agree.

The level with the most votes; of levels with equally many, the lower one. Members that leave a
question unscored have no vote: it is unscored unless every vote they could have given leads to the
same level. So a member's failure moves no level, up or down.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, combinations_with_replacement

from pydantic import TypeAdapter

from mgld.evaluate.judges.base import Case, Judge, OnVerdict
from mgld.evaluate.judges.drift import together
from mgld.evaluate.records import LEVELS, Level, State, Verdict
from mgld.schema import Record

_Verdicts = TypeAdapter(list[Verdict])


class Majority:
    """Several judges as one. ValueError: fewer than two, the same one twice, or one of several."""

    def __init__(self, members: Sequence[Judge]) -> None:
        ids = [member.id for member in members]
        if len(ids) < 2 or len(set(ids)) < len(ids):
            raise ValueError(f"a majority needs two judges or more, each once, not {ids}")
        if any(id.startswith("majority:") for id in ids):
            raise ValueError("a majority of majorities is not one; name all judges in one list")
        self._members = list(members)

    @property
    def id(self) -> str:
        """`majority:` and the members' ids."""
        return "majority:" + ",".join(member.id for member in self._members)

    @property
    def prompt_hash(self) -> str:
        """Over those of the members, in their order."""
        parts = [(member.id, member.prompt_hash) for member in self._members]
        return hashlib.sha256(repr(("majority", 1, parts)).encode()).hexdigest()[:16]

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """See `Judge`. One member after the other; verdicts come when the last has judged.

        Raises what members raise; their replies are kept in the ledger.
        """
        found: list[list[Verdict]] = []
        for member in self._members:
            verdicts: dict[int, Verdict] = {}
            member.judge(cases, verdicts.__setitem__)
            found.append([verdicts[row] for row in range(len(cases))])
        for row, votes in enumerate(zip(*found, strict=True)):
            on_verdict(row, self._verdict(votes))

    def _verdict(self, members: Sequence[Verdict]) -> Verdict:
        votes = {member.judge: member.level for member in members}
        level = majority(list(votes.values()))
        said = [f"{m.judge}: {m.level} ({m.reason or m.explanation})" for m in members]
        missing = [judge for judge, vote in votes.items() if vote == "unscored"]
        reason = f"missing votes decide: those of {', '.join(missing)}" if missing else ""
        return Verdict(
            level=level,
            explanation=" | ".join(said),
            reason=reason if level == "unscored" else "",
            judge=self.id,
            prompt_hash=self.prompt_hash,
            raw=_Verdicts.dump_json(list(members)).decode(),
            votes=votes,
            answered_by=together(members),
            date=max(m.date for m in members),
        )


def majority(votes: Sequence[State]) -> State:
    """The level of these votes by the rule at the top of this file; ValueError where none is."""
    if not votes:
        raise ValueError("no votes")
    given: list[Level] = [vote for vote in votes if vote != "unscored"]
    missing = len(votes) - len(given)
    possible = {
        _most(given + list(others)) for others in combinations_with_replacement(LEVELS, missing)
    }
    return possible.pop() if len(possible) == 1 else "unscored"


def _most(votes: Sequence[Level]) -> Level:
    counts = Counter(votes)
    # LEVELS has the best first: of the most voted ones, the last is the lowest.
    return max(LEVELS, key=lambda level: (counts[level], LEVELS.index(level)))


class MemberPair(Record):
    """Two members: questions that both scored, and those of them with the same level."""

    first: str
    second: str
    both: int
    same: int


class MemberAgreement(Record):
    """How far the members of an ensemble agree over a run.

    scored_by_all: questions that no member left unscored; unanimous: those of them with one level.
    unscored: by each member.
    """

    questions: int
    scored_by_all: int
    unanimous: int
    unscored: dict[str, int]
    pairs: list[MemberPair]


def member_agreement(verdicts: Sequence[Verdict]) -> MemberAgreement | None:
    """The agreement of an ensemble's members; None where these verdicts are no ensemble's."""
    voted = [
        verdict.votes for verdict in verdicts if verdict.votes
    ]  # not what a rule decided first
    if not voted:
        return None
    members = list(voted[0])
    rows = [[votes[member] for member in members] for votes in voted]
    by_all = [row for row in rows if "unscored" not in row]
    return MemberAgreement(
        questions=len(rows),
        scored_by_all=len(by_all),
        unanimous=sum(len(set(row)) == 1 for row in by_all),
        unscored={m: sum(row[n] == "unscored" for row in rows) for n, m in enumerate(members)},
        pairs=[_pair(members, rows, a, b) for a, b in combinations(range(len(members)), 2)],
    )


def _pair(members: list[str], rows: list[list[State]], a: int, b: int) -> MemberPair:
    both = [(row[a], row[b]) for row in rows if "unscored" not in (row[a], row[b])]
    return MemberPair(
        first=members[a], second=members[b], both=len(both), same=sum(x == y for x, y in both)
    )
