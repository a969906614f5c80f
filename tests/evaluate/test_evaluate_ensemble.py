"""Several judges as one, and the rule before a paid judge."""

from __future__ import annotations

import json
from itertools import permutations, product

import pytest
from grading_data import MadeUp, case

from mgld.evaluate.calibration import load_sets
from mgld.evaluate.judges import load_judge
from mgld.evaluate.judges import rule_first as rule_first_module
from mgld.evaluate.judges.drift import changed, judged_by, replied_as
from mgld.evaluate.judges.ensemble import Majority, majority, member_agreement
from mgld.evaluate.judges.rule_first import RuleFirst, is_certain
from mgld.evaluate.records import LEVELS, Verdict

SHORT = {
    "s": "strongly_known",
    "k": "known",
    "w": "weakly_unknown",
    "u": "unknown",
    "-": "unscored",
}


def judged(judge, cases) -> list[Verdict]:
    found: dict[int, Verdict] = {}
    judge.judge(cases, found.__setitem__)
    assert sorted(found) == list(range(len(cases)))
    return [found[row] for row in range(len(cases))]


@pytest.mark.parametrize(
    ("votes", "level"),
    [
        ("ssu", "s"), ("kku", "k"), ("uuu", "u"), ("wws", "w"),
        ("sk", "k"), ("su", "u"), ("skw", "w"), ("skwu", "u"), ("sskk", "k"), ("sskku", "k"),
        # A vote that is missing counts only where it could change nothing.
        ("ss-", "s"), ("sk-", "-"), ("s-", "-"), ("u-", "u"), ("s--", "-"), ("---", "-"),
        ("sss--", "s"), ("ssk--", "-"), ("-", "-"), ("uu--", "u"), ("ww--", "-"),
    ],
)  # fmt: skip
def test_majority(votes: str, level: str) -> None:
    for order in set(permutations(votes)):
        assert majority([SHORT[vote] for vote in order]) == SHORT[level]


def test_a_failed_member_moves_no_level() -> None:
    """Whatever three members say: with one of them gone the level is the same, or there is none."""
    for votes in product(LEVELS, repeat=3):
        whole = majority(votes)
        for gone in range(3):
            left = [*votes]
            left[gone] = "unscored"
            assert majority(left) in (whole, "unscored")


def test_no_votes() -> None:
    with pytest.raises(ValueError, match="no votes"):
        majority([])


def test_an_ensemble() -> None:
    says = {"a": "known", "b": "known", "c": "unscored"}
    members = [MadeUp(lambda _, level=level: level, id) for id, level in says.items()]
    (found,) = judged(Majority(members), [case()])
    assert found.level == "known" and found.reason == ""
    assert found.judge == "majority:a,b,c"
    assert found.votes == says
    assert "a: known (so it is)" in found.explanation and "broken" in found.explanation
    assert [each["judge"] for each in json.loads(found.raw)] == ["a", "b", "c"]


def test_an_undecided_ensemble_is_unscored_and_says_why() -> None:
    says = {"a": "known", "b": "unknown", "c": "unscored"}
    members = [MadeUp(lambda _, level=level: level, id) for id, level in says.items()]
    (found,) = judged(Majority(members), [case()])
    assert (found.level, found.reason) == ("unscored", "missing votes decide: those of c")


def test_a_member_that_changed_under_its_name_is_seen() -> None:
    def verdicts(days):
        both = zip("ab", days, strict=True)
        said = [MadeUp(str, id).verdict("known", answered_by=f"m-{day}") for id, day in both]
        said.append(MadeUp(str, "rule").verdict("known"))
        members = [MadeUp(lambda _, each=each: each, each.judge) for each in said]
        return judged(Majority(members), [case()])[0]

    same = [verdicts("11"), verdicts("11")]
    assert changed(same) == ""
    assert same[0].answered_by == "a = m-1; b = m-1"
    assert changed([*same, verdicts("12")]) == "b: m-1 2, m-2 1"
    assert replied_as(same) == {"a": {"m-1": 2}, "b": {"m-1": 2}}


@pytest.mark.parametrize(
    ("judge", "itself"),
    [
        ("openai:m-1:paper", True),
        ("openai:m-1:description", True),
        ("majority:rule,openai:m-1:strict", True),
        ("rule-first:openai:m-1:paper", True),
        ("openai:m-10:paper", False),
        ("openai:other:m-1:paper", False),
        ("rule", False),
    ],
)
def test_who_judges_itself_is_said(judge: str, itself: bool) -> None:
    verdicts = [MadeUp(str, judge).verdict("known")]
    assert judged_by(verdicts, "openai:m-1").is_model is itself
    assert bool(judged_by(verdicts, "openai:m-1").notes()) is itself
    assert judged_by(verdicts).is_model is False


def test_agreement_of_members() -> None:
    rows = ["kkk", "kku", "uuu", "k-k", "--u"]
    verdicts = [
        Verdict(
            level="unknown", explanation="", judge="majority:a,b,c", prompt_hash="0",
            votes={id: SHORT[vote] for id, vote in zip("abc", row, strict=True)},
        )
        for row in rows
    ]  # fmt: skip
    found = member_agreement(verdicts)
    assert found is not None
    assert (found.questions, found.scored_by_all, found.unanimous) == (5, 3, 2)
    assert found.unscored == {"a": 1, "b": 2, "c": 0}
    assert [(p.first, p.second, p.both, p.same) for p in found.pairs] == [
        ("a", "b", 3, 3),
        ("a", "c", 4, 3),
        ("b", "c", 3, 2),
    ]
    assert (
        member_agreement([Verdict(level="known", explanation="", judge="rule", prompt_hash="")])
        is None
    )


def test_its_hash_is_that_of_its_members() -> None:
    hashes = {
        Majority([MadeUp(str, a, pa), MadeUp(str, b, pb)]).prompt_hash
        for a, pa, b, pb in [("a", "1", "b", "2"), ("a", "1", "b", "3"), ("b", "2", "a", "1")]
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    "spec",
    ["majority:", "majority:openai:m", "majority:openai:m,openai:m:paper", "majority:openai:m,"],
)
def test_what_is_no_ensemble(spec: str) -> None:
    with pytest.raises(ValueError, match=r"needs two judges|no judge is called"):
        load_judge(spec)


def test_an_ensemble_by_name() -> None:
    found = load_judge("majority:openai:m, openai:m:strict")
    assert found.id == "majority:openai:m:paper,openai:m:strict"


# The rule first


@pytest.fixture
def rule(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """A rule judge that finds question 1 strongly known, 2 known and the others unknown."""
    made = MadeUp(lambda _: "unknown", "rule", "r1")

    def says(each):
        hits = {"q00001": [0, 3], "q00002": [4]}.get(each.question.id, [])
        level = ("unknown", "known", "strongly_known")[len(hits)]
        return made.verdict(level, identified=hits)

    made.says = says
    monkeypatch.setattr(rule_first_module, "RuleJudge", lambda: made)
    return made


def test_only_what_is_certain_is_decided_by_the_rule(rule: MadeUp) -> None:
    paid = MadeUp(lambda _: "weakly_unknown", "paid")
    found = judged(RuleFirst(paid), [case(n) for n in range(4)])
    assert paid.asked == ["q00000", "q00002", "q00003"]
    assert [v.level for v in found] == ["weakly_unknown", "strongly_known"] + ["weakly_unknown"] * 2
    assert [v.decided_by for v in found] == ["paid", "rule", "paid", "paid"]
    assert {v.judge for v in found} == {"rule-first:paid"}
    assert len({v.prompt_hash for v in found}) == 1


def test_the_rule_before_a_majority(rule: MadeUp) -> None:
    members = [MadeUp(lambda _: "known", "a"), MadeUp(lambda _: "unknown", "b")]
    found = judged(RuleFirst(Majority(members)), [case(n) for n in (1, 2, 3)])
    assert [v.level for v in found] == ["strongly_known", "unknown", "unknown"]
    assert [v.decided_by for v in found] == ["rule", "majority:a,b", "majority:a,b"]
    agreed = member_agreement(found)
    assert agreed is not None
    assert (agreed.questions, agreed.unanimous) == (2, 0)


def test_its_verdicts_are_not_those_of_the_judge_alone(rule: MadeUp) -> None:
    paid = MadeUp(str, "paid", "p1")
    hashes = {RuleFirst(paid).prompt_hash, paid.prompt_hash}
    rule.prompt_hash = "r2"
    hashes.add(RuleFirst(paid).prompt_hash)
    assert len(hashes) == 3


def test_what_is_certain() -> None:
    def said(level, identified):
        return Verdict(
            level=level, explanation="", judge="rule", prompt_hash="", identified=identified
        )

    assert is_certain(said("strongly_known", [0, 1]))
    for level, identified in [("strongly_known", None), ("known", [0]), ("unknown", []),
                              ("weakly_unknown", []), ("unscored", None)]:  # fmt: skip
        assert not is_certain(said(level, identified))


def test_the_rule_before_itself(rule: MadeUp) -> None:
    with pytest.raises(ValueError, match="asks the rule twice"):
        RuleFirst(rule)


def test_what_the_rule_is_certain_of_is_right() -> None:
    """On every set of the calibration that it would decide, and it decides enough to be of use."""
    sets = load_sets()
    found = judged(load_judge("rule"), [each.case() for each in sets])
    decided = [each.level for each, verdict in zip(sets, found, strict=True) if is_certain(verdict)]
    assert set(decided) == {"strongly_known"}
    assert len(decided) >= 20
