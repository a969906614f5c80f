"""Builds whose stages 2 and 3 are written by a model: the loopback endpoint of tests/llm."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from build_process import start_build, warm_up
from click.testing import CliRunner
from openai_server import LoopbackServer, start_server

from mgld.annotate import model as model_module
from mgld.build import (
    BuildConfig,
    BuildError,
    BuildView,
    build_dataset,
    build_status,
    load_config,
    verify_build,
)
from mgld.build.annotating import stage_requests
from mgld.build.stages.chosen_images import ChosenImages
from mgld.cli import main
from mgld.llm import Ledger, batch

MODEL = "gpt-4o-2024-11-20"
WITH_IMAGE = 38
STAGES = ("qa", "entities")


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with start_server() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(server: LoopbackServer) -> None:
    server.set_faults({})
    server.reset()


@pytest.fixture
def asking(config: BuildConfig, server: LoopbackServer) -> BuildConfig:
    return with_llm(config, annotator=f"openai:{MODEL}", llm={"base_url": server.url})


@pytest.fixture(scope="module")
def annotated(
    config: BuildConfig, server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory
) -> BuildView:
    """A finished build. Do not change it."""
    root = tmp_path_factory.mktemp("annotated") / "build"
    server.set_faults({})
    build_dataset(with_llm(config, annotator=f"openai:{MODEL}", llm={"base_url": server.url}), root)
    return BuildView(root)


@pytest.fixture
def own(annotated: BuildView, tmp_path: Path) -> Path:
    """A copy of it, ledger included."""
    return Path(shutil.copytree(annotated.root, tmp_path / "build"))


def with_llm(config: BuildConfig, **changes: Any) -> BuildConfig:
    settings = config.model_dump()
    for name, value in changes.items():
        settings[name] = settings[name] | value if isinstance(value, dict) else value
    return load_config(None, settings)


def statuses(root: Path, stage: str) -> Counter[str]:
    return Counter(BuildView(root).table(stage, "part", ["status"])["status"].to_pylist())


def served(server: LoopbackServer) -> int:
    return int(server.stats(whole=False)["billed_online"])


def replies(root: Path) -> int:
    """How many replies the build's ledger holds."""
    try:
        with Ledger(root / "ledger.sqlite", create=False) as ledger:
            return len(ledger.answered())
    except FileNotFoundError:
        return 0


def made(root: Path) -> dict[str, int]:
    """When each shard of the two stages was written."""
    return {
        f"{stage}/{path.name}": path.stat().st_mtime_ns
        for stage in STAGES
        for path in (root / stage).glob("*.parquet")
    }


def test_a_whole_dataset(asking: BuildConfig, tmp_path: Path, server: LoopbackServer) -> None:
    root = tmp_path / "build"
    build_dataset(asking, root)
    assert served(server) == 2 * WITH_IMAGE
    status = build_status(root)
    assert status.complete and all(balance.balanced for balance in status.balances)
    for stage in STAGES:
        assert statuses(root, stage) == {"ok": WITH_IMAGE, "skipped": 2}
    view = BuildView(root)
    rows = view.table("entities", "part").to_pylist()
    assert {row["annotator"] for row in rows} == {MODEL}
    assert len({row["prompt_version"] for row in rows}) == 1
    assert all(row["entities_raw"] for row in rows if row["status"] == "ok")
    assert "gpt-4o" in (root / "dataset" / "README.md").read_text()
    with Ledger(root / "ledger.sqlite") as ledger:
        assert len(ledger.answered()) == 2 * WITH_IMAGE
    # Nothing is asked twice, nothing is made twice.
    before = made(root)
    build_dataset(asking, root)
    assert served(server) == 2 * WITH_IMAGE and made(root) == before


def test_in_batches(
    asking: BuildConfig,
    annotated: BuildView,
    tmp_path: Path,
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same records as online: how a model is asked changes none."""
    monkeypatch.setattr(batch, "run_batches", partial(batch.run_batches, poll_seconds=0.05))
    build_dataset(with_llm(asking, llm={"batch": True}), tmp_path / "build")
    assert BuildView(tmp_path / "build").manifest.files() == annotated.manifest.files()
    found = server.stats(whole=False)
    assert (found["billed_batched"], found["billed_online"]) == (2 * WITH_IMAGE, 0)


def test_what_is_in_a_batch_is_not_asked_online_too(
    asking: BuildConfig, tmp_path: Path, server: LoopbackServer
) -> None:
    root = tmp_path / "build"
    build_dataset(asking, root, stages=["catalog", "embeddings", "selection"])
    with Ledger(root / "ledger.sqlite") as ledger:
        some = list(stage_requests(root, "qa"))[:20]
        batch.submit(some, ledger, asking.llm)
    with pytest.raises(BuildError, match=r"20 requests are in batches; `mgld annotate collect"):
        build_dataset(asking, root)
    assert served(server) == WITH_IMAGE - 20


def test_killed_on_the_way_nothing_is_lost_and_the_result_is_the_same(
    asking: BuildConfig, annotated: BuildView, tmp_path: Path, server: LoopbackServer
) -> None:
    root = tmp_path / "build"
    server.set_faults({"latency": 0.1})
    slow = with_llm(asking, llm={"concurrency": 4})
    warm_up()
    moments = random.Random(3)
    for _ in range(4):
        wanted = replies(root) + moments.randint(2, 15)  # at most 60 of 76: always on the way
        process = start_build(slow, root)
        while replies(root) < wanted:
            assert process.exitcode is None
            time.sleep(0.02)
        process.kill()
        process.join()
    server.set_faults({})
    build_dataset(slow, root)
    assert BuildView(root).manifest.files() == annotated.manifest.files()
    with Ledger(root / "ledger.sqlite") as ledger:
        again = served(server) - 2 * WITH_IMAGE
        # What was sent twice was in flight at a kill and is known to the ledger.
        assert 0 <= again <= ledger.lost() <= 4 * 4


def test_what_goes_wrong_is_a_row_and_errors_can_be_retried(
    asking: BuildConfig, tmp_path: Path, server: LoopbackServer
) -> None:
    root = tmp_path / "build"
    server.set_faults(
        {
            "rules": [
                {"fault": "refusal", "match": "Abbey of Värn 7"},
                {"fault": "wrong_schema", "match": "Abbey of Värn 2"},  # 2 and 20 to 29
                {"fault": "fenced", "match": "Abbey of Värn 11"},
            ]
        }
    )
    build_dataset(asking, root)
    assert statuses(root, "qa") == {"ok": 26, "error": 11, "refused": 1, "skipped": 2}
    assert statuses(root, "entities") == {"ok": 26, "skipped": 14}
    status = build_status(root)
    assert status.complete and all(balance.balanced for balance in status.balances)
    rows = {row["landmark_id"]: row for row in BuildView(root).table("qa", "part").to_pylist()}
    assert "refusal:" in rows[7]["reason"] and "no valid reply" in rows[20]["reason"]
    assert rows[11]["repaired"] and not rows[12]["repaired"]

    server.set_faults({})
    sent = served(server)
    build_dataset(asking, root)
    assert served(server) == sent  # an error is an answer until one asks again
    before = made(root)
    ledger = root / "ledger.sqlite"
    ledger.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="needs the ledger"):
        build_dataset(asking, root, retry_errors=True)
    assert served(server) == sent and statuses(root, "qa")["ok"] == 26
    (tmp_path / "elsewhere").rename(ledger)
    build_dataset(asking, root, retry_errors=True)
    assert served(server) == sent + 11 + 11
    assert statuses(root, "qa") == {"ok": 37, "refused": 1, "skipped": 2}
    assert statuses(root, "entities") == {"ok": 37, "skipped": 3}
    # The last of three shards holds no error (32 to 39); the others are new.
    changed = {name for name, when in made(root).items() if when != before[name]}
    assert changed == {f"{stage}/part-0000{n}.parquet" for stage in STAGES for n in (0, 1)}


def test_reading_replies_otherwise_costs_nothing(
    own: Path, asking: BuildConfig, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_image(*_: object) -> bytes:
        raise AssertionError("an image was read for a request that is answered")

    monkeypatch.setattr(ChosenImages, "__call__", no_image)
    monkeypatch.setattr(model_module, "READING", 99)
    before = made(own)
    build_dataset(asking, own)
    assert all(when != before[name] for name, when in made(own).items())
    assert served(server) == 0


def test_where_a_model_is_asked_changes_nothing_and_what_it_is_sent_does(
    own: Path, asking: BuildConfig, server: LoopbackServer, finished: BuildView
) -> None:
    before = made(own)
    build_dataset(
        with_llm(asking, llm={"concurrency": 3, "max_usd": 9.0, "base_url": "http://x.invalid/v1"}),
        own,
    )
    assert made(own) == before and served(server) == 0
    build_dataset(with_llm(asking, parameters={"temperature": 0.5}), own)
    assert served(server) == 2 * WITH_IMAGE
    server.reset()
    build_dataset(asking, own)  # back again: all of it is in the ledger
    assert served(server) == 0
    assert BuildView(own).manifest.files().keys() >= before.keys()
    build_dataset(with_llm(asking, extra_labels=["treehouse"]), own)
    assert served(server) == WITH_IMAGE  # stage 3 only: the Q-A prompt is the same
    bound = BuildView(own).manifest.stages["entities"].settings["part"]
    assert bound["extra_labels"] == ["treehouse"]
    # Of a build that asks no model nothing else is bound than before there were any.
    assert finished.manifest.stages["qa"].settings["part"].keys() == {
        "code", "annotator", "prompt_version", "seed",
    }  # fmt: skip


def test_a_rebuild_asks_nothing(own: Path, server: LoopbackServer) -> None:
    assert verify_build(own, rebuild=True).ok
    assert served(server) == 0
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (own / name).unlink(missing_ok=True)
    with pytest.raises(BuildError, match="38 of 38 replies are not in"):
        verify_build(own, rebuild=True)
    assert served(server) == 0


def test_a_budget_stops_it_and_more_goes_on(
    asking: BuildConfig, annotated: BuildView, tmp_path: Path, server: LoopbackServer
) -> None:
    root = tmp_path / "build"
    with pytest.raises(BuildError, match=r"(?s)qa/replies: .*budget.*goes on") as stopped:
        build_dataset(with_llm(asking, llm={"max_usd": 0.12, "concurrency": 2}), root)
    assert stopped.value.details == ""
    sent = served(server)
    assert 0 < sent < WITH_IMAGE
    build_dataset(asking, root)
    assert served(server) == 2 * WITH_IMAGE
    assert BuildView(root).manifest.files() == annotated.manifest.files()


def test_an_endpoint_that_refuses_the_key_ends_it_without_telling_the_key(
    asking: BuildConfig, tmp_path: Path, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
    server.set_faults({"rules": [{"fault": "bad_key"}]})
    with pytest.raises(BuildError, match="qa/replies") as stopped:
        build_dataset(asking, tmp_path / "build")
    assert "secret" not in str(stopped.value) and "6789" not in str(stopped.value)
    written = (tmp_path / "build").rglob("*")
    assert not any(b"sk-secret" in path.read_bytes() for path in written if path.is_file())


def test_requests_of_a_stage(
    own: Path, annotated: BuildView, asking: BuildConfig, finished: BuildView, tmp_path: Path
) -> None:
    for stage in STAGES:
        assert list(stage_requests(annotated.root, stage)) == []
        every = list(stage_requests(annotated.root, stage, whole=True))
        assert len(every) == WITH_IMAGE and {each.purpose for each in every} == {stage}
        with Ledger(annotated.root / "ledger.sqlite") as ledger:
            assert {each.key for each in every} <= ledger.answered()
        assert every[0].image is not None and every[0].image.read().startswith(b"\xff\xd8")
    (own / "qa" / "part-00001.parquet").unlink()
    assert len(list(stage_requests(own, "qa"))) == 16
    with pytest.raises(ValueError, match="needs stage qa"):
        stage_requests(own, "entities")
    with pytest.raises(ValueError, match="asks no model"):
        stage_requests(finished.root, "qa")


def test_options_are_settings(asking: BuildConfig, tmp_path: Path, server: LoopbackServer) -> None:
    settings = tmp_path / "settings.yaml"
    told = asking.model_dump(mode="json")
    told["llm"] = {"request_seconds": 7.0, "concurrency": 3, "base_url": "http://x.invalid/v1"}
    settings.write_text(json.dumps(told))
    arguments = ["build", "--config", settings, "--out", tmp_path / "build", "--workers", 1,
                 "--base-url", server.url, "--max-usd", 5, "--concurrency", 8, "--rpm", 60_000,
                 "--tpm", 90_000_000, "--api", "chat",
                 "--ledger", tmp_path / "replies.db"]  # fmt: skip
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    found = BuildView(tmp_path / "build").config
    assert found.llm.model_dump(exclude_defaults=True) == {
        "base_url": server.url, "max_usd": 5.0, "concurrency": 8, "requests_per_minute": 60_000,
        "tokens_per_minute": 90_000_000, "api": "chat", "request_seconds": 7.0,
    }  # fmt: skip
    assert found.ledger == str(tmp_path / "replies.db")
    assert not (tmp_path / "build" / "ledger.sqlite").exists()
    with Ledger(tmp_path / "replies.db", create=False) as ledger:
        assert len(ledger.answered()) == 2 * WITH_IMAGE
    assert "qa/replies: 38/38 replies" in result.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"llm": {"base_url": None}}, "no API key: set the environment variable OPENAI_API_KEY"),
        ({"annotator": "openai:my-own", "llm": {"max_usd": 3}}, "what my-own costs"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_before_anything_is_made(
    asking: BuildConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match=message):
        build_dataset(with_llm(asking, **changes), tmp_path / "build")
    assert BuildView(tmp_path / "build").manifest.stages == {}
    build_dataset(with_llm(asking, **changes), tmp_path / "build", stages=["catalog"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extra_labels": ["church"]}, "among GLDv2's labels already"),
        ({"extra_labels": ["a", " a"]}, "each once"),
        ({"extra_labels": [""]}, "must be words"),
        ({"extra_labels": ["treehouse"], "annotator": "template"}, "the annotator is template"),
        ({"llm": {"max_usd": -1}}, "setting llm.max_usd"),
        ({"llm": {"api_key": "sk-x"}}, "setting llm.api_key"),
        ({"llm": {"base_url": "127.0.0.1:8000"}}, "setting llm: base URL .* is not an address"),
        ({"llm": {"base_url": "http://me:pass@x.invalid/v1"}}, "give the key by environment"),
        (
            {"llm": {"base_url": "me:pass@x.invalid/v1"}},
            r"^((?!pass@).)*give the key by environment",
        ),
        ({"llm": {"base_url": "http://x.invalid/v1?key=s3"}}, r"^((?!s3).)*without \? or #"),
        ({"parameters": {"image_side": 1}}, "setting parameters.image_side"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(None, {"source": "world:3", "annotator": "openai:m"} | settings)


def test_a_price_file_is_found_again_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are written beside the build, which is gone on with from any folder."""
    monkeypatch.chdir(tmp_path)
    config = load_config(None, {"source": "world:3", "llm": {"prices": "prices.yaml"}})
    assert config.llm.prices == str(tmp_path / "prices.yaml")
