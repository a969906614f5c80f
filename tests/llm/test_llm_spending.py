"""`mgld plan` on a small real build, beside a loopback endpoint."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openai_server import LoopbackServer, start_server

from mgld.build import BuildView, build_dataset, load_config
from mgld.build.annotating import stage_requests
from mgld.build.read import read_table
from mgld.build.spending import SpendingPlan, plan_build
from mgld.cli import main
from mgld.llm.estimate import estimate
from mgld.llm.ledger import Ledger
from mgld.llm.online import gather
from mgld.llm.settings import LlmSettings
from mgld.llm.shutdown import endpoint_shutdown

MODEL = "gpt-4.1-mini-2025-04-14"
LANDMARKS = 20
NO_NETWORK = {"base_url": "http://127.0.0.1:9/v1"}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with start_server({"models": {MODEL: "2026-12-24", "tiny": None, "odd": "soon"}}) as started:
        yield started


@pytest.fixture(scope="module")
def roots(server: LoopbackServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A build with its catalog alone, and one whose images are chosen."""
    folder = tmp_path_factory.mktemp("builds")
    flags = {
        "source": f"world:{LANDMARKS}",
        "encoder": "nano",
        "annotator": f"openai:{MODEL}",
        "llm": {"base_url": server.url},
    }
    config = load_config(None, flags)
    build_dataset(config, folder / "chosen", stages=["catalog"])
    shutil.copytree(folder / "chosen", folder / "catalog")
    build_dataset(config, folder / "chosen", stages=["catalog", "embeddings", "selection"])
    return {name: folder / name for name in ("catalog", "chosen")}


def plan(root: Path, **options: object) -> SpendingPlan:
    return plan_build(BuildView(root), **options)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments)])


def test_a_catalog_alone_gives_an_upper_estimate(roots: dict[str, Path]) -> None:
    early, exact = plan(roots["catalog"]), plan(roots["chosen"])
    assert any("upper estimate" in note for note in early.notes)
    assert not any("upper estimate" in note for note in exact.notes)
    for before, after in zip(early.stages, exact.stages, strict=True):
        assert before.to_send == after.to_send == LANDMARKS
        assert before.input_tokens > after.input_tokens
        assert before.batch_bytes > after.batch_bytes
        assert before.online_usd is not None and after.online_usd is not None
        assert before.online_usd > after.online_usd > 0


def test_the_requests_are_those_that_the_build_will_make(roots: dict[str, Path]) -> None:
    root = roots["chosen"]
    made = list(stage_requests(root, "qa", whole=True))
    table = read_table(root, "embeddings", "images", ["sha256", "width", "height"]).to_pylist()
    sizes = {row["sha256"]: (row["width"], row["height"]) for row in table}
    assert all(request.image is not None for request in made)
    exact = sum(estimate(each, *sizes[each.image.sha256]).input_tokens for each in made)
    (qa, _) = plan(root).stages
    assert (qa.requests, qa.input_tokens) == (LANDMARKS, exact)


def test_what_is_answered_counts_and_is_a_sample_for_the_rest(
    roots: dict[str, Path], server: LoopbackServer, tmp_path: Path
) -> None:
    root = roots["chosen"]
    before, _ = plan(root).stages
    path = tmp_path / "ledger.sqlite"
    settings = LlmSettings(base_url=server.url)
    requests = list(stage_requests(root, "qa", whole=True))
    config = (root / "config.yaml").read_text()
    try:
        (root / "config.yaml").write_text(config.replace("ledger: null", f"ledger: {path}"))
        with Ledger(path) as ledger:
            gather(requests[:5], ledger, settings)
        found = plan(root)
        qa, entities = found.stages
        assert (qa.requests, qa.answered, qa.to_send) == (LANDMARKS, 5, LANDMARKS - 5)
        assert entities.sample is None and entities.to_send == LANDMARKS
        assert qa.sample is not None and qa.projection is not None
        assert qa.sample.replies == 5
        assert qa.projection.input_tokens == round(qa.sample.input_tokens * (LANDMARKS - 5))
        assert qa.seconds_per_reply == qa.sample.seconds
        assert found.money is not None
        assert found.money.spent == pytest.approx(5 * qa.sample.usd)
        text = command(root).output
        assert "5 replies took" in text and "measured" in text

        with Ledger(path) as ledger:
            gather(requests, ledger, settings)
            spent = ledger.money().spent
        # What was really paid stays below what was said to be the most.
        assert before.most_usd is not None and 0 < spent <= before.most_usd
        done, _ = plan(root).stages
        assert (done.to_send, done.online_usd, done.batch_files) == (0, 0, 0)
    finally:
        (root / "config.yaml").write_text(config)


def test_answers_that_are_there_take_the_place_of_stand_ins(
    roots: dict[str, Path], server: LoopbackServer, tmp_path: Path
) -> None:
    config = load_config(
        roots["chosen"] / "config.yaml", {"ledger": str(tmp_path / "ledger.sqlite")}
    )
    root = tmp_path / "build"
    build_dataset(config, root, stages=["catalog", "embeddings", "selection", "qa"])
    found = plan(root)
    assert not any("not there yet" in note for note in found.notes)
    made = list(stage_requests(root, "entities", whole=True))
    assert found.stages[1].requests == len(made) > 0
    with Ledger(config.ledger_path(root)) as ledger:
        gather(made[:3], ledger, config.llm)
    assert plan(root).stages[1].answered == 3
    # Another model's answers are not these.
    other = plan(root, annotator="openai:tiny")
    assert other.stages[0].answered == 0
    assert any("not there yet" in note for note in other.notes)


def test_shutdown_dates_of_the_table_and_of_the_endpoint(
    roots: dict[str, Path], server: LoopbackServer
) -> None:
    asked = plan(roots["chosen"])
    assert str(asked.shutdown_date) == "2026-12-24"
    assert any("says the endpoint" in warning for warning in asked.warnings)
    silent = plan(roots["chosen"], llm=NO_NETWORK)
    assert str(silent.shutdown_date) == "2027-01-14"
    assert any("says the price table" in warning for warning in silent.warnings)
    assert any("the endpoint does not tell" in note for note in silent.notes)
    settings = LlmSettings(base_url=server.url)
    assert endpoint_shutdown("tiny", settings) == (None, "")
    day, note = endpoint_shutdown("odd", settings)
    assert day is None and "soon" in note


def test_a_model_that_has_ended_is_said_to_have(roots: dict[str, Path]) -> None:
    ended = plan(roots["chosen"], annotator="openai:gpt-4o-2024-05-13", llm=NO_NETWORK)
    assert any("ended on 2026-10-23" in warning for warning in ended.warnings)


@pytest.mark.parametrize("drip", [b"", b"H"])
def test_an_endpoint_that_does_not_answer_holds_nobody_up(
    drip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgld.llm.shutdown.WAIT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for _ in range(30):  # a byte now and then: no single read is late
                    time.sleep(0.1)
                    try:
                        connection.send(drip)
                    except OSError:
                        return

        threading.Thread(target=serve, daemon=True).start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        began = time.monotonic()
        day, note = endpoint_shutdown("tiny", LlmSettings(base_url=address))
        assert time.monotonic() - began < 2.5
    assert day is None and note


def test_without_a_key_openai_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    day, note = endpoint_shutdown("gpt-4o", LlmSettings())
    assert day is None and "OPENAI_API_KEY" in note


def test_no_price_says_how_to_give_one(roots: dict[str, Path], tmp_path: Path) -> None:
    root = roots["chosen"]
    said = command(root, "--annotator", "openai:tiny", "--max-usd", 1)
    assert said.exit_code == 0, said.output
    assert "no known price" in said.output and "--prices FILE" in said.output
    assert "$" not in said.stdout.replace("(US dollars", "")
    assert "cannot be kept to without a price" in said.stderr
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {tiny: {input: 1, output: 2}}")
    given = plan(root, annotator="openai:tiny", llm={"prices": str(prices)})
    (qa, _) = given.stages
    assert qa.online_usd == pytest.approx((qa.input_tokens + 2 * qa.output_tokens) / 1e6)
    prices.write_text("models: {tiny: {input: 1}}")
    wrong = command(root, "--annotator", "openai:tiny", "--prices", prices)
    assert wrong.exit_code == 1 and "model tiny: output" in wrong.output


def test_limits_bind_and_a_budget_is_compared(roots: dict[str, Path]) -> None:
    root = roots["chosen"]
    slow = plan(root, llm={"requests_per_minute": 2})
    assert [(stage.minutes, stage.binds) for stage in slow.stages] == [
        (LANDMARKS / 2, "requests per minute")
    ] * 2
    over = command(root, "--max-usd", 0.001, "--rpm", 2, "--tpm", 100, "--concurrency", 1)
    assert over.exit_code == 0
    assert "bound by tokens per minute" in over.stdout
    assert "over the budget of $0.00" in over.stderr
    assert "over the budget" not in command(root, "--max-usd", 10).output


def test_the_command_speaks_json_and_plain_lines(roots: dict[str, Path]) -> None:
    root = roots["chosen"]
    text = command(root)
    assert text.exit_code == 0, text.output
    assert text.stdout.startswith(f"{MODEL} at http://127.0.0.1:")
    assert f"{LANDMARKS} requests, 0 answered, {LANDMARKS} to send" in text.stdout
    assert "assumed" in text.stdout and "prices of 20" in text.stdout
    value = json.loads(command(root, "--json").stdout)
    assert value["model"] == MODEL
    assert [stage["stage"] for stage in value["stages"]] == ["qa", "entities"]
    assert SpendingPlan.model_validate(value) == plan(root)


def test_a_plan_writes_nothing(roots: dict[str, Path]) -> None:
    root = roots["chosen"]
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert command(root).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_what_cannot_be_planned_says_why(roots: dict[str, Path], tmp_path: Path) -> None:
    assert "is not a build folder" in command(tmp_path).output
    template = command(roots["chosen"], "--annotator", "template")
    assert template.exit_code == 1 and "asks no model" in template.output
    empty = Path(shutil.copytree(roots["catalog"], tmp_path / "empty"))
    for path in (empty / "catalog").iterdir():
        path.unlink()
    nothing = command(empty)
    assert nothing.exit_code == 1 and "is not complete" in nothing.output
