"""A run of answers: append-only, resumable at any byte, never mixed with another."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from answer_data import QUESTIONS, rows, settings

from mgld.evaluate.answer_file import AnswerFile, Setting, read_answers
from mgld.evaluate.answering import answer_questions, load_run
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import Answer, Decoding

DRAWS = 5
SETTING = Setting(model="m", prompt_version="p", decoding=Decoding(), draws=DRAWS)


def answer(question: str, draw: int, **more: Any) -> Answer:
    fields = {"text": f"{question} {draw}", "status": "ok", "model": "m", "prompt_version": "p"}
    return Answer(question_id=question, draw=draw, decoding=Decoding(), **{**fields, **more})


def test_every_question_is_answered_five_times(
    answer_build: Path, plugin: Path, tmp_path: Path
) -> None:
    counts = answer_questions(settings(answer_build), tmp_path)
    assert (counts.ok, counts.draws, counts.missing) == (50, QUESTIONS * DRAWS, 0)
    found = rows(tmp_path)
    assert len(found) == 50 and len({row["seed"] for row in found.values()}) == 50
    for (_, draw), row in found.items():
        assert f" / {draw} / {row['seed']} / " in row["text"]
        assert row["decoding"] == {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 24}
    run = load_run(tmp_path)
    assert run.model_identity == {"weights": "w1"}
    assert run.dataset.content and run.dataset.content.startswith("sha256:")


def test_cut_at_any_byte_a_run_ends_as_if_nothing_had_happened(
    answer_build: Path, plugin: Path, tmp_path: Path
) -> None:
    asked = settings(answer_build, limit=2, prompt="probe-text")  # no image, so it is fast
    answer_questions(asked, tmp_path)
    file = tmp_path / "answers.jsonl"
    whole = file.read_bytes()
    lines = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    around = {lines[place] + step for place in (0, 4, 9) for step in (0, 1, 2)}
    for cut in sorted({*range(0, len(whole), 997), *around} & {*range(len(whole) + 1)}):
        file.write_bytes(whole[:cut])
        counts = answer_questions(asked, tmp_path)
        assert file.read_bytes() == whole, cut
        assert counts.before == whole[:cut].count(b"\n")
        cut_line = cut - (whole.rfind(b"\n", 0, cut) + 1)
        assert counts.dropped_bytes == cut_line


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (answer("q1", 0, model="other").model_dump_json(), "line 2 has model 'other', this run"),
        (answer("q1", 0, prompt_version="x").model_dump_json(), "line 2 has prompt_version 'x'"),
        (answer("q0", 0).model_dump_json(), "line 2 is a second draw 0 of q0"),
        (answer("q9", 0).model_dump_json(), "line 2 is about 'q9'"),
        (answer("q1", 5).model_dump_json(), "line 2 is draw 5 of 0 to 4"),
        ('{"question_id": "q1"}', "line 2 is no answer"),
        ("\x00\x00", "line 2 is no answer"),
    ],
)
def test_a_line_of_another_run_is_refused(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "answers.jsonl"
    text = f"{answer('q0', 0).model_dump_json()}\n{line}\n"
    path.write_text(text)
    with pytest.raises(ValueError, match=why):
        AnswerFile(path, SETTING, ["q0", "q1"])
    assert path.read_text() == text
    path.write_text(text.split("\n")[0] + "\n")
    with AnswerFile(path, SETTING, ["q0", "q1"]) as file:  # the lock was let go
        assert len(file) == 1


def test_another_temperature_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(answer("q0", 0).model_dump_json() + "\n")
    warm = SETTING.model_copy(update={"decoding": Decoding(temperature=1.0)})
    with pytest.raises(ValueError, match=r"has decoding .*0\.7.*, this run has .*1\.0"):
        AnswerFile(path, warm, ["q0"])


def test_one_process_writes_at_a_time_and_no_draw_twice(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerFile(path, SETTING, ["q0"]) as file:
        with pytest.raises(ValueError, match="another process is writing"):
            AnswerFile(path, SETTING, ["q0"])
        file.add(answer("q0", 3))
        with pytest.raises(ValueError, match="second draw 3 of q0"):
            file.add(answer("q0", 3, text="again"))
    assert [each.text for each in read_answers(path)] == ["q0 3"]


def test_a_finished_run_of_12500_is_taken_in_quickly(tmp_path: Path) -> None:
    path, ids = tmp_path / "answers.jsonl", [f"q{number}" for number in range(2500)]
    line = answer("q0", 0, text="A long answer. " * 40, seed=1).model_dump(mode="json")
    path.write_text(
        "".join(
            json.dumps(line | {"question_id": each, "draw": draw}) + "\n"
            for each in ids
            for draw in range(DRAWS)
        )
    )
    began = time.monotonic()
    with AnswerFile(path, SETTING, ids) as file:
        assert len(file) == 12_500
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "change",
    [
        {"draws": 3},
        {"seed": 1},
        {"limit": 5},
        {"split": "test_paper"},
        {"prompt": "entities-ask"},
        {"decoding": Decoding(temperature=0.2)},
        {"batch_size": 2},
        {"model": "plain:b"},
    ],
)
def test_a_folder_holds_one_run(
    answer_build: Path, plugin: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    asked = settings(answer_build, limit=1)
    answer_questions(asked, tmp_path)
    before = (tmp_path / "answers.jsonl").read_bytes()
    with pytest.raises(ValueError, match=f"holds a run with {next(iter(change))} "):
        answer_questions(asked.model_copy(update=change), tmp_path)
    assert (tmp_path / "answers.jsonl").read_bytes() == before


def test_another_dataset_or_other_weights_are_refused(
    answer_build: Path, plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_build import write_build

    from mgld.hub import export_dataset

    run = tmp_path / "run"
    asked = settings(answer_build)
    answer_questions(asked, run)
    other = write_build(tmp_path / "other" / "build", image=lambda each: b"\xff\xd8\xff" + bytes(9))
    export_dataset(other, other / "dataset")
    with pytest.raises(ValueError, match="are others now"):
        answer_questions(asked.model_copy(update={"data": str(other)}), run)
    # The same content elsewhere is the same dataset.
    moved = asked.model_copy(update={"data": str(answer_build / "dataset")})
    assert answer_questions(moved, run).before == 50
    file = run / "answers.jsonl"
    file.write_bytes(file.read_bytes()[:-1])
    monkeypatch.setenv("PLAIN_WEIGHTS", "w2")
    with pytest.raises(ValueError, match=r"'w1'.*'w2'"):
        answer_questions(asked, run)


@pytest.mark.parametrize(
    ("model", "why"), [("twice", "second time"), ("stranger", "not asked|mod")]
)
def test_a_model_is_held_to_what_it_was_asked(
    answer_build: Path, plugin: Path, tmp_path: Path, model: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        answer_questions(settings(answer_build, f"plain:{model}", limit=1), tmp_path)
    assert len(rows(tmp_path)) == 1


def test_errors_are_rows_and_can_be_asked_again(
    answer_build: Path, plugin: Path, tmp_path: Path
) -> None:
    asked = settings(answer_build, "plain:failing")
    counts = answer_questions(asked, tmp_path)
    assert (counts.ok, counts.errors, counts.missing) == (40, 10, 0)
    order = list(rows(tmp_path))
    assert answer_questions(asked, tmp_path).before == 50
    assert answer_questions(asked, tmp_path, retry_errors=True).before == 40
    assert list(rows(tmp_path)) == [
        *(key for key in order if key[1] != 2),
        *(key for key in order if key[1] == 2),
    ]


def test_a_draws_seed_is_of_seed_question_and_draw_alone(answer_build: Path) -> None:
    from mgld.evaluate.models.base import Asked

    first, second = open_questions(answer_build, limit=2).questions
    common = {"instructions": "", "text": "?", "prompt_version": "p", "decoding": Decoding()}
    one = Asked(question=first, draws=(0, 1), of=5, **common)
    seeds = [one.draw_seed(draw) for draw in range(5)]
    assert len(set(seeds)) == 5 and max(seeds) < 2**31
    assert Asked(question=first, draws=(4,), of=5, **common).draw_seed(4) == seeds[4]
    assert Asked(question=second, draws=(0,), of=5, **common).draw_seed(0) not in seeds
    assert Asked(question=first, draws=(0,), of=5, seed=1, **common).draw_seed(0) not in seeds
    # What is no Unicode text must not make a row that cannot be written.
    assert one.answer(0, "a\ud800b", model="m").text == "a???b".replace("???", "\ufffd" * 3)
