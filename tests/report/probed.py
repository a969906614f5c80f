"""Finished probes of the real kind: a plain one, and one in which every text attacks."""

from __future__ import annotations

import pytest
from graded_run import ATTACKS
from hub_build import write_build

from mgld.evaluate import answering
from mgld.evaluate.answering import AnswerSettings
from mgld.evaluate.probe import probe
from mgld.evaluate.records import Described, Verdict
from mgld.hub import export_dataset

SUBSETS = ("test", "hds10", "hds20")
EVIL = "<b>evil</b></script>"


class Teller:
    """Tells of every landmark, and what `text(question, side, draw)` says."""

    def __init__(self, id, text):
        self.id, self.text = id, text

    def identity(self):
        return {}

    def answer(self, asked, on_answer):
        for each in asked:
            side = "text" if each.read_image is None else "image"
            for draw in each.draws:
                said = self.text(each.question, side, draw)
                failed = said is None
                on_answer(
                    each.answer(
                        draw,
                        said or "",
                        model=self.id,
                        status="error" if failed else "ok",
                        reason=ATTACKS[0] if failed else "",
                    )
                )


class Says:
    """A judge of either kind that says what it is told of a landmark's number."""

    prompt_hash = "p" * 16

    def __init__(self, kind, id, says):
        self.kind, self.id, self.says = kind, id, says

    def judge(self, cases, on_found):
        own = {"judge": self.id, "prompt_hash": self.prompt_hash}
        for row, case in enumerate(cases):
            more = {"question_id": case.question.id} if self.kind is Described else {}
            on_found(row, self.kind(**own, **more, **self.says(case.question.landmark_id)))


def run_probe(root, teller, described, levels, subsets=SUBSETS):
    """A probe in `root`/probe of a build made by hand; the folder."""
    build = write_build(root / "build")
    export_dataset(build, build / "dataset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "load_model", lambda spec, options: teller)
        probe(
            AnswerSettings(model="teller:x", data=str(build)),
            root / "probe",
            judge=Says(Verdict, f"<i>{teller.id}</i>" if EVIL in teller.id else "seer", levels),
            description_judge=Says(Described, "<u>j</u></script>", described),
            subsets=subsets,
        )
    return root / "probe"


def plain_probe(root):
    """Misaligned are odd landmarks; every fifth is unscored as an image, 7 as a description."""

    def text(question, side, draw):
        name = question.truth.name
        return f"{name} {draw}: in Solmere." if side == "text" else f"A building, {draw}."

    def described(number):
        if number == 7:
            return {"state": "unscored", "explanation": "", "reason": "no reply: gone"}
        spans = {1: "in Solmere", 3: "Solmere"}
        return {"state": "described", "place": number % 3 > 0, "draws": [1, 3], "spans": spans,
                "explanation": f"landmark {number} is told"}  # fmt: skip

    def levels(number):
        if number % 5 == 0:
            return {"level": "unscored", "explanation": "", "reason": "no reply: gone"}
        level = "known" if number % 2 == 0 else ("weakly_unknown", "unknown")[number % 3 > 0]
        return {"level": level, "explanation": "seen so", "identified": [], "hinted": [2],
                "spans": {2: "a building"}}  # fmt: skip

    return run_probe(root, Teller("teller:x", text), described, levels)


def hostile_probe(root):
    """Every text that a model or a judge could write attacks the page."""

    def attack(number, shift=0):
        return ATTACKS[(number + shift) % len(ATTACKS)]

    def text(question, side, draw):
        number = question.landmark_id + draw
        return None if (side, draw) == ("image", 4) else attack(number, side == "image")

    def described(number):
        return {"state": "described", "draws": [0], "spans": {0: attack(number)[:40]},
                "explanation": attack(number, 2), "answered_by": attack(0)}  # fmt: skip

    def levels(number):
        return {"level": "unknown", "explanation": attack(number, 3), "hinted": [1],
                "spans": {1: attack(number, 2)[:40]}, "answered_by": attack(1)}  # fmt: skip

    return run_probe(root, Teller(EVIL, text), described, levels, ("hds20",))
