"""What the stages qa and entities of a build will cost with a model, before anything is sent.

The requests are the ones that the stages make, so that the ledger knows them by their keys. Where a
build has not come so far yet, stand-ins take their place: an image as large as may be sent for one
that is not chosen, an answer of usual length for one that is not given.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mgld.annotate.model import ModelAnnotator
from mgld.build.config import CONFIG_FILE, load_config
from mgld.build.read import BuildView, shard_paths
from mgld.llm.client import base_url
from mgld.llm.estimate import TYPICAL_OUTPUT
from mgld.llm.image_tokens import image_tokens
from mgld.llm.ledger import Ledger, Money
from mgld.llm.plan import Planned, StagePlan, known, plan_stage
from mgld.llm.prices import Price, find_price, find_shutdown
from mgld.llm.request import Image
from mgld.llm.settings import LlmSettings
from mgld.llm.shutdown import endpoint_shutdown
from mgld.schema import EntityTask, QaRecord, QaTask, Record, Turn

LABELS = ["name", "hierarchical_label", "supercategory", "natural_or_human_made"]
ANSWER = "a" * (4 * TYPICAL_OUTPUT["qa"])
"""Stands for an answer that is not given yet: as many tokens as a usual reply."""


class SpendingPlan(Record):
    """The plan of a build's requests. `money`: what its ledger says of earlier runs.

    `shutdown_date`: the earlier one of what the price table and the endpoint say. `notes`: on what
    the figures rest.
    """

    model: str
    base_url: str
    price: Price | None
    stages: list[StagePlan]
    money: Money | None
    max_usd: float | None
    shutdown_date: datetime.date | None
    warnings: list[str]
    notes: list[str]


class _Chosen(NamedTuple):
    """A landmark's image; sizes None where stage selection has not come to it."""

    task: QaTask
    width: int | None = None
    height: int | None = None
    file_bytes: int | None = None


def plan_build(
    view: BuildView, *, annotator: str | None = None, llm: dict[str, Any] | None = None
) -> SpendingPlan:
    """The plan of a build with its own settings, or with another `annotator` and `llm` settings.

    Nothing is sent (but the endpoint is asked when the model ends) and nothing is written. Raises
    like `plan_spending`; ValueError too where the annotator asks no model.
    """
    flags = {"annotator": annotator, "llm": llm or None}
    config = load_config(view.root / CONFIG_FILE, flags)
    if config.model is None:
        raise ValueError(
            f"the annotator {config.annotator} asks no model and costs nothing; "
            "--annotator openai:MODEL plans with one"
        )
    maker = ModelAnnotator(
        model=config.model,
        seed=config.seed,
        parameters=config.parameters,
        extra_labels=tuple(config.extra_labels),
    )
    return plan_spending(view, maker, config.llm, config.ledger_path(view.root))


def plan_spending(
    view: BuildView, maker: ModelAnnotator, settings: LlmSettings, ledger_path: Path
) -> SpendingPlan:
    """Plan the requests of a build whose catalog is complete; nothing is sent or made.

    FileNotFoundError: no catalog yet. ValueError: a price file or a ledger that cannot be read.
    """
    chosen = _chosen(view)
    if not chosen:
        raise ValueError(f"no landmark of the build in {view.root} has an image to ask about")
    answers = _answers(view, maker)
    model = maker.model
    price = find_price(model, settings)
    address = base_url(settings)
    ledger = Ledger(ledger_path, create=False) if ledger_path.is_file() else None
    try:
        facts = known(ledger)
        stages = [
            plan_stage(stage, requests, price=price, settings=settings, ledger=ledger, facts=facts)
            for stage, requests in (
                ("qa", _qa_requests(maker, chosen)),
                ("entities", _entities_requests(maker, chosen, answers)),
            )
        ]
        money = ledger.money() if ledger else None
    finally:
        if ledger:
            ledger.close()
    shutdown, warnings, told = _shutdown(model, settings)
    warnings += _over_budget(stages, money, settings)
    return SpendingPlan(
        model=model,
        base_url=address,
        price=price,
        stages=stages,
        money=money,
        max_usd=settings.max_usd,
        shutdown_date=shutdown,
        warnings=warnings,
        notes=[*_notes(model, chosen, answers, price, stages), *told],
    )


def _chosen(view: BuildView) -> list[_Chosen]:
    """Every landmark that has, or may yet have, an image, in the catalog's order."""
    landmarks = view.table("catalog", "landmarks", ["landmark_id", *LABELS]).to_pylist()
    rows = {}
    if shard_paths(view.root, "selection", "part"):
        columns = ["landmark_id", "status", "size", "sha256"]
        table = view.table("selection", "part", columns)
        rows = {row["landmark_id"]: row for row in table.to_pylist()}
    sizes = _sizes(view, [row["sha256"] for row in rows.values() if row["status"] == "ok"])
    chosen = []
    for landmark in landmarks:
        row = rows.get(landmark["landmark_id"])
        if row is None:
            # Every landmark its own: requests with one key would count as one.
            stand_in = f"{landmark['landmark_id']:064x}"
            chosen.append(_Chosen(QaTask(image_sha256=stand_in, **landmark)))
        elif row["status"] == "ok":
            task = QaTask(image_sha256=row["sha256"], **landmark)
            width, height = sizes.get(row["sha256"], (None, None))
            chosen.append(_Chosen(task, width, height, row["size"]))
    return chosen


def _sizes(view: BuildView, wanted: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Width and height in pixels of images by the hash of their files, a shard at a time."""
    sizes: dict[str, tuple[int, int]] = {}
    hashes = pa.array(wanted, pa.string())
    for path in shard_paths(view.root, "embeddings", "images") if wanted else ():
        with path.open("rb") as handle:
            table = pq.ParquetFile(handle).read(columns=["sha256", "width", "height"])
        table = table.filter(pc.is_in(table["sha256"], value_set=hashes)).drop_null()
        columns = (table[name].to_pylist() for name in ("sha256", "width", "height"))
        sizes |= {sha: (width, height) for sha, width, height in zip(*columns, strict=True)}
    return sizes


def _answers(view: BuildView, maker: ModelAnnotator) -> dict[int, QaRecord]:
    """What stage qa has of this very annotator and prompt, by landmark_id."""
    if not shard_paths(view.root, "qa", "part"):
        return {}
    records = (QaRecord.model_validate(row) for row in view.table("qa", "part").to_pylist())
    return {
        record.landmark_id: record
        for record in records
        if (record.annotator, record.prompt_version) == (maker.id, maker.qa_version)
    }


def _qa_requests(maker: ModelAnnotator, chosen: Sequence[_Chosen]) -> Iterator[Planned]:
    for task, width, height, size in chosen:
        yield Planned(maker.qa_request(task, _image(task)), width, height, size)


def _entities_requests(
    maker: ModelAnnotator, chosen: Sequence[_Chosen], answers: dict[int, QaRecord]
) -> Iterator[Planned]:
    for task, width, height, size in chosen:
        qa = answers.get(task.landmark_id)
        if qa is not None and qa.status != "ok":
            continue  # without an answer there is nothing to ask
        request = maker.entities_request(
            EntityTask(qa_task=task, qa=qa or _stand_in(task, maker)), _image(task)
        )
        unknown = request.parameters.max_output_tokens if qa is None else 0
        yield Planned(request, width, height, size, unknown)


def _stand_in(task: QaTask, maker: ModelAnnotator) -> QaRecord:
    question = "What is this place? Tell me what it looks like, and where it is."
    return QaRecord(
        landmark_id=task.landmark_id,
        status="ok",
        conversation=[
            Turn(role="user", content=question),
            Turn(role="assistant", content=ANSWER),
        ],
        annotator=maker.id,
        prompt_version=maker.qa_version,
    )


def _image(task: QaTask) -> Image:
    return Image(task.image_sha256, _never_read)


def _never_read() -> bytes:
    raise AssertionError("a plan reads no image")


def _shutdown(
    model: str, settings: LlmSettings
) -> tuple[datetime.date | None, list[str], list[str]]:
    """The day a model ends, warnings and notes of it."""
    listed = find_shutdown(model, settings)
    told, note = endpoint_shutdown(model, settings)
    days = [day for day in (listed, told) if day is not None]
    notes = [f"shutdown date of {model}: {note}"] if note else []
    if not days:
        return None, [], notes
    day = min(days)
    who = "the endpoint" if told == day else "the price table"
    left = (day - datetime.datetime.now(datetime.UTC).date()).days
    if left <= 0:
        text = f"{model} ended on {day}, says {who}: its requests will fail; choose another model"
    else:
        text = (
            f"{model} ends on {day}, in {left} days, says {who}: what is not answered by then "
            "needs another model, and with it new answers to everything"
        )
    return day, [text], notes


def _over_budget(
    stages: Sequence[StagePlan], money: Money | None, settings: LlmSettings
) -> list[str]:
    if settings.max_usd is None:
        return []
    charged = money.charged if money else 0.0
    sums = [stage.batch_usd if settings.batch else stage.online_usd for stage in stages]
    if None in sums:
        return ["--max-usd cannot be kept to without a price of the model: nothing would be sent"]
    expected = charged + sum(amount or 0.0 for amount in sums)
    if expected <= settings.max_usd:
        return []
    return [f"this is expected to come to ${expected:,.2f}, over the budget of "
            f"${settings.max_usd:,.2f}: it would stop before that is passed"]  # fmt: skip


def _notes(
    model: str,
    chosen: Sequence[_Chosen],
    answers: dict[int, QaRecord],
    price: Price | None,
    stages: Sequence[StagePlan],
) -> list[str]:
    notes = []
    unseen = sum(each.width is None for each in chosen)
    if unseen:
        notes.append(
            f"{unseen:,} of {len(chosen):,} images are not chosen yet: counted as the largest that "
            "may be sent, so this is an upper estimate; stage selection makes it exact"
        )
    missing = sum(each.task.landmark_id not in answers for each in chosen)
    if missing:
        notes.append(
            f"{missing:,} requests of stage entities hold answers of stage qa that are not there "
            f"yet: counted with {TYPICAL_OUTPUT['qa']} tokens each"
        )
    if image_tokens(model, 1, 1, "high") is None:
        notes.append(
            f"how {model} counts images is not known: taken as a token per 28 x 28 pixels, and for "
            "the dearest case as the dearest known model"
        )
    if price is None:
        notes.append(
            f"no price is known for {model}: give one in a file, --prices FILE, with a line like "
            f"`models: {{{model!r}: {{input: 0.4, output: 1.6}}}}` (US dollars per million tokens)"
        )
    elif price.dated is not None:
        notes.append(f"prices of {price.dated} ({price.source}): compare with your endpoint's")
    if not any(stage.sample for stage in stages):
        notes.append(
            "estimates only: the ledger has no reply of this model and prompt yet to compare with"
        )
    return notes
