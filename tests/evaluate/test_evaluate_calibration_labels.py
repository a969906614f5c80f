"""Labels of people: the CSV, its errors, majorities and agreement between people."""

from __future__ import annotations

import pytest

from mgld.evaluate.human_labels import between_people, majority, read_labels, write_labels


def labels(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return read_labels(path)


def test_the_least_one_can_fill(tmp_path) -> None:
    (one,) = labels(tmp_path, "question_id,level\nq1,known\n")
    assert (one.question_id, one.level, one.labeller, one.note, one.line) == (
        "q1", "known", "", "", 2
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "question_id,level,labeller,note\nq1,Strongly Known,Ada,\nq2,partially known,Ada,x\n",
        "\ufeffquestion_id;level;labeller;note\r\nq1;strongly-known;Ada;\r\nq2;WEAKLY_UNKNOWN;Ada;x",
        'note,Level,Question_ID,labeller\n,strongly_known,q1,Ada\n"x",Weakly unknown, q2 ,Ada\n\n',
    ],
)
def test_spreadsheets_ways_are_understood(tmp_path, text) -> None:
    found = labels(tmp_path, text)
    assert [(each.question_id, each.level, each.labeller) for each in found] == [
        ("q1", "strongly_known", "Ada"),
        ("q2", "weakly_unknown", "Ada"),
    ]
    assert found[1].note == "x"


def test_what_is_not_labelled_yet_is_left_out(tmp_path) -> None:
    found = labels(tmp_path, "question_id,level,note\nq1,,look again\nq2,known,\n")
    assert [each.question_id for each in found] == ["q2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column question_id or level"),
        ("id,level\nq1,known\n", "line 1: no column question_id;"),
        ("level,question_id,level\nknown,q1,known\n", "line 1: a column is there twice"),
        ("question_id,level\nq1,sure\n", "line 2: 'sure' is no level; levels are strongly_known"),
        ("question_id,level\nq1,unscored\n", "line 2: 'unscored' is no level"),
        ("question_id,level\nq1,known,what, now\n", "line 2: 4 cells under 2 columns"),
        ("question_id,level\n,known\n", "line 2: no question_id"),
        ('question_id,level,note\nq1,known,"a\nb\nc"\nq2,bad,\n', "line 5: 'bad'"),
        ("question_id,level\nq1,known\nq1,known\n", "line 3: q1 is labelled in line 2 already"),
        (
            "question_id,level,labeller\nq1,known,Ada\nq1,known,Bo\nq1,unknown,Ada\n",
            "line 4: q1 is labelled by Ada in line 2 already",
        ),
        ('question_id,level\nq1,"known\n', "line 2: unexpected end of data"),
        ("question_id,level\nq1,\n", "has no labels"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, said) -> None:
    with pytest.raises(ValueError, match=r"labels\.csv") as error:
        labels(tmp_path, text)
    assert said in str(error.value)


def test_another_encoding_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="not UTF-8"):
        labels(tmp_path, "question_id,level,note\nq1,known,Świdnica\n", "utf-16")


def test_what_is_written_is_read_back(tmp_path) -> None:
    text = 'question_id,level,labeller,note\nq1,known,"Bo, Ada","say ""no""\ntwice"\n'
    found = labels(tmp_path, text)
    assert labels(tmp_path, write_labels(found)) == found


def test_majority_and_ties(tmp_path) -> None:
    found = labels(
        tmp_path,
        "question_id,level,labeller\n"
        "q1,known,A\nq1,known,B\nq1,unknown,C\nq2,known,A\nq2,unknown,B\nq3,unknown,C\n",
    )
    assert majority(found) == ({"q1": "known", "q3": "unknown"}, ["q2"])


def test_people_are_held_against_each_other_on_what_both_labelled(tmp_path) -> None:
    rows = [f"q{k},{level},A" for k, level in enumerate(["known", "unknown"] * 4)]
    rows += [f"q{k},{level},B" for k, level in enumerate(["known", "unknown"] * 3)]
    rows += ["q9,known,C"]
    found = labels(tmp_path, "question_id,level,labeller\n" + "\n".join(rows))
    (pair,) = between_people(found)
    assert pair.labellers == ("A", "B")
    assert pair.agreement.items == 6
    assert pair.agreement.quadratic_kappa == 1.0
