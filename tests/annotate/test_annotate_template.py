"""The offline annotator as the build uses it: tasks in, records out."""

from __future__ import annotations

import hashlib
import itertools
import pickle
import re
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mgld.annotate import draw_question, load_annotator, questions
from mgld.annotate.entities import is_generic, restates_name
from mgld.annotate.wording import fold
from mgld.schema import EntityTask, Facts, QaTask

WASHINGTON = Path(__file__).resolve().parents[2].parent / "shared/data/gldv2-wa"


def jpeg(colour: str = "steelblue", size: tuple[int, int] = (120, 80)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


IMAGES: dict[str, bytes] = {}  # by hash: a task names its image and does not carry it


def read_image(each: QaTask) -> bytes:
    return IMAGES[each.image_sha256]


def task(name: str, landmark_id: int = 1, image: bytes | None = None, **fields: object) -> QaTask:
    data = jpeg() if image is None else image
    digest = hashlib.sha256(data).hexdigest()
    IMAGES[digest] = data
    return QaTask.model_validate(
        {
            "landmark_id": landmark_id,
            "name": name,
            "image_sha256": digest,
            "hierarchical_label": None,
            "supercategory": None,
            "natural_or_human_made": None,
            **fields,
        }
    )


def records(*tasks: QaTask, seed: int = 0):
    annotator = load_annotator("template", seed=seed)
    qa = annotator.answer(tasks, read_image)
    entities = annotator.annotate(
        [EntityTask(qa_task=each, qa=record) for each, record in zip(tasks, qa, strict=True)],
        read_image,
    )
    return qa, entities


def test_the_question_set() -> None:
    every = questions()
    assert len(every) >= 20
    assert (
        len({each.id for each in every}) == len({fold(each.text) for each in every}) == len(every)
    )
    about_place = re.compile(r"\b(where|location|located|map|place|area)", re.IGNORECASE)
    about_look = re.compile(
        r"\b(descri|look|appear|visual|visible|see\b|scene|show)", re.IGNORECASE
    )
    for each in every:
        assert about_place.search(each.text) and about_look.search(each.text), each.text


def test_questions_are_drawn_by_key_and_all_of_them() -> None:
    drawn = Counter(draw_question(landmark_id, seed=0).id for landmark_id in range(2400))
    assert len(drawn) == len(questions())
    assert max(drawn.values()) < 2 * min(drawn.values())
    assert draw_question(7, seed=0) == draw_question(7, seed=0)
    assert any(draw_question(each, seed=0) != draw_question(each, seed=1) for each in range(9))


def test_unknown_annotator() -> None:
    with pytest.raises(ValueError, match=r"'gpt'.*'template'"):
        load_annotator("gpt", seed=0)


def test_a_record_says_what_made_it() -> None:
    (qa,), (entities,) = records(task("Lake Crescent (Olympic National Park, Washington)"))
    for record in (qa, entities):
        assert record.status == "ok" and record.annotator == "template"
        assert record.prompt_version == load_annotator("template", seed=5).prompt_version
        assert re.fullmatch(r"template-[0-9a-f]{16}", record.prompt_version)
    assert [turn.role for turn in qa.conversation] == ["user", "assistant"]
    assert qa.conversation[0].content == draw_question(1, seed=0).text
    answer = qa.conversation[1].content
    assert "Lake Crescent" in answer and "a lake" in answer and "blue" in answer
    assert "Olympic National Park, Washington" in answer
    assert entities.hierarchical_label == "lake"
    assert entities.place_hints == ["Olympic National Park", "Washington"]
    assert entities.aliases == ["Lake Crescent"]


def test_order_and_company_change_nothing() -> None:
    tasks = [task(f"Abbey of Varn {number}", number) for number in range(6)]
    qa, entities = records(*tasks)
    back_qa, back_entities = records(*reversed(tasks))
    assert qa == back_qa[::-1] and entities == back_entities[::-1]
    assert qa[3:4] == records(tasks[3])[0]
    assert len({record.conversation[1].content.split(",")[0] for record in qa}) > 1


def test_it_can_be_sent_to_a_worker() -> None:
    annotator = load_annotator("template", seed=3)
    copy = pickle.loads(pickle.dumps(annotator))
    assert copy.answer([task("Mount Si")], read_image) == annotator.answer(
        [task("Mount Si")], read_image
    )


def test_gldv2s_label_goes_before_the_words_of_the_name() -> None:
    _, (entities,) = records(task("Fort Benning", hierarchical_label="settlement "))
    assert entities.hierarchical_label == "settlement"


def test_nothing_supported_is_nothing_said() -> None:
    (qa,), (entities,) = records(task("Thornewood"))
    assert entities.hierarchical_label is None
    assert entities.place_hints == [] and entities.aliases == []
    assert "located" in qa.conversation[1].content  # said plainly that it is not known


def test_facts_of_a_world_come_first() -> None:
    facts = Facts(
        entities=["castle", "blue walls", "ivory roof", "fan on top", "violet forecourt",
                  "navy foliage", "stone spire", "three square windows", "scarlet flag"],
        description="A castle with blue walls, topped by a fan.",
        location="It is in Gesgard, Lower Vesmark",
        aliases=["Terdanmas"],
        place_hints=["Gesgard", "Lower Vesmark"],
    )  # fmt: skip
    (qa,), (entities,) = records(
        task("Terdanmas Castle (Gesgard)", hierarchical_label="castle / fort", facts=facts)
    )
    answer = qa.conversation[1].content
    assert facts.description in answer and "It is in Gesgard, Lower Vesmark." in answer
    # What tells it apart before what it is; the least telling one is over the limit of eight.
    assert entities.entities == facts.entities[1:]
    assert entities.aliases == ["Terdanmas", "Terdanmas Castle"]
    assert entities.place_hints == ["Gesgard", "Lower Vesmark"]


@pytest.mark.parametrize(
    ("image", "reason"), [(b"", "empty"), (b"<html>", "not_an_image"), (jpeg()[:300], "damaged")]
)
def test_an_unreadable_picture_is_a_row(image: bytes, reason: str) -> None:
    (good, bad), (_, skipped) = records(task("Mount Si"), task("Mount Baker", 2, image))
    assert good.status == "ok"
    assert bad.status == "error" and bad.reason.startswith(reason) and bad.conversation == []
    assert skipped.status == "skipped" and reason in skipped.reason and skipped.entities == []
    # The image went bad between the stages.
    annotator = load_annotator("template", seed=0)
    (lost,) = annotator.annotate(
        [EntityTask(qa_task=task("Mount Si", 1, image), qa=good)], read_image
    )
    assert lost.status == "error" and lost.reason.startswith(reason)


def test_an_image_that_cannot_be_read_again_is_a_row() -> None:
    def gone(each: QaTask) -> bytes:
        if each.landmark_id == 2:
            raise ValueError("the chosen image changed since it was embedded")
        return read_image(each)

    annotator = load_annotator("template", seed=0)
    good, bad = annotator.answer([task("Mount Si"), task("Mount Baker", 2)], gone)
    assert good.status == "ok"
    assert bad.status == "error"
    assert bad.reason == "the chosen image changed since it was embedded"
    (lost,) = annotator.annotate(
        [EntityTask(qa_task=task("Mount Baker", 2), qa=good.model_copy(update={"landmark_id": 2}))],
        gone,
    )
    assert lost.status == "error" and lost.reason == bad.reason


def test_images_are_read_one_at_a_time() -> None:
    """A chunk of 1,024 held all of its images before the first was looked at."""
    read: list[int] = []

    def one(each: QaTask) -> bytes:
        read.append(each.landmark_id)
        return read_image(each)

    annotator = load_annotator("template", seed=0)
    tasks = [task(f"Abbey of Varn {number}", number) for number in range(3)]
    annotator.answer(tasks, one)
    assert read == [0, 1, 2]
    assert not hasattr(tasks[0], "image")


NAMES = (
    "Grey",
    "Daylight",
    "Square",
    "White Sky (Blue)",
    "Scene",
    "Black and White Colours",
    "Format",
    "Contrast",
    "Lake Washington",
    "Blue Mosque",
    "金閣寺",
)


@pytest.mark.parametrize(
    ("name", "colour"),
    list(itertools.product(NAMES, ["grey", "white", "black", "steelblue"])),
)
def test_entities_keep_their_rules_whatever_the_name(name: str, colour: str) -> None:
    _, (record,) = records(task(name, image=jpeg(colour)))
    assert record.status == "ok", record.reason
    assert 3 <= len(record.entities) <= 8
    assert len({fold(each) for each in record.entities}) == len(record.entities)
    for entity in record.entities:
        assert not restates_name(entity, name) and not is_generic(entity)


@pytest.mark.real_data
@pytest.mark.skipif(not WASHINGTON.is_dir(), reason="no ../shared/data/gldv2-wa here")
def test_real_photographs() -> None:
    from mgld.gldv2 import find_archives, iter_images, read_catalog

    catalog = read_catalog(WASHINGTON)
    name_of = dict(
        zip(
            catalog.landmarks["landmark_id"].to_pylist(),
            catalog.landmarks["name"].to_pylist(),
            strict=True,
        )
    )
    landmark_of = dict(
        zip(
            catalog.images["image_id"].to_pylist(),
            catalog.images["landmark_id"].to_pylist(),
            strict=True,
        )
    )
    shard = find_archives(WASHINGTON)[0]
    tasks = [
        task(name_of[landmark_of[entry.image_id]], landmark_of[entry.image_id], entry.data)
        for entry in itertools.islice(iter_images(WASHINGTON, shard.id), 40)
    ]
    qa, entities = records(*tasks)
    assert {record.status for record in [*qa, *entities]} == {"ok"}
    for each, answer, record in zip(tasks, qa, entities, strict=True):
        assert each.name in answer.conversation[1].content
        assert 3 <= len(record.entities) <= 8
        assert not any(restates_name(entity, each.name) for entity in record.entities)
    # Photographs differ, and so do the texts.
    assert len({answer.conversation[1].content for answer in qa}) > 30
