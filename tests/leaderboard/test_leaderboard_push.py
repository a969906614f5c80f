"""`mgld submit push` against a Hub on loopback, with the real huggingface_hub."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundle_data import ABOUT, bundle, edit_rows, forged
from hub_server import TOKEN, HubServer
from huggingface_hub import HfApi, parse_eval_result_entries

from mgld.hub import remote
from mgld.leaderboard.container import LIMITS, write_bundle
from mgld.leaderboard.push import RESULTS, push_bundle

Files = dict[str, bytes]
REPO, MODEL, DATASET = "org/submissions", "me/model", "org/mgld"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(remote, "WAITS", (0.01, 0.01))
    with HubServer() as server:
        server.create(REPO, "dataset")
        server.create(MODEL, "model")
        yield server


@pytest.fixture(scope="session")
def with_model(tmp_path_factory: pytest.TempPathFactory) -> Files:
    about = ABOUT.model_copy(update={"model_repo": MODEL})
    return bundle(tmp_path_factory.mktemp("with_model"), about=about)


def push(hub: HubServer, files: Files, folder: Path, **options: Any) -> Any:
    if not (folder / "b").exists():
        write_bundle(files, folder / "b")
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    return push_bundle(folder / "b", REPO, api=api, **{"dataset": DATASET, **options})


def pulled(hub: HubServer, repo: str, kind: str, number: int = 1) -> Files:
    return hub.repo(repo, kind).files(f"refs/pr/{number}")


def test_a_bundle_is_handed_in(hub: HubServer, with_model: Files, tmp_path: Path) -> None:
    pushed = push(hub, with_model, tmp_path)
    there = pulled(hub, REPO, "dataset")
    ours = {path.split("/")[-1]: data for path, data in there.items() if "submissions/" in path}
    assert ours == with_model
    (folder,) = {path.rsplit("/", 1)[0] for path in there if "submissions/" in path}
    assert folder.startswith("submissions/plain-a-")
    assert pushed.submission.endswith(f"/datasets/{REPO}/discussions/1")
    (accuracy, strongly) = parse_eval_result_entries(
        yaml.safe_load(pulled(hub, MODEL, "model")[RESULTS])
    )
    assert (accuracy.dataset_id, accuracy.task_id, accuracy.value) == (DATASET, "accuracy", 0.5)
    assert (strongly.task_id, strongly.value) == ("strongly_known", 0.25)
    assert accuracy.source_url == pushed.submission
    assert "judged by rule, prompt" in str(accuracy.notes)
    # Nobody's main branch was touched.
    assert not any("submissions/" in path for path in hub.repo(REPO).files())
    assert RESULTS not in hub.repo(MODEL, "model").files()


def test_a_second_call_finds_what_is_there(
    hub: HubServer, with_model: Files, tmp_path: Path
) -> None:
    first, notes = push(hub, with_model, tmp_path), list[str]()
    assert push(hub, with_model, tmp_path, note=notes.append) == first
    assert notes == [f"{REPO}: pull request 1 has it already",
                     f"{MODEL}: pull request 1 has it already"]  # fmt: skip
    assert len(hub.repo(REPO).pulls) == len(hub.repo(MODEL, "model").pulls) == 1


def test_anothers_pull_request_of_that_name_is_not_ours(
    hub: HubServer, with_model: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(hub, with_model, tmp_path)
    monkeypatch.setattr(HfApi, "whoami", lambda self: {"name": "somebody"})
    push(hub, with_model, tmp_path)
    assert len(hub.repo(REPO).pulls) == 2


@pytest.mark.parametrize("kind", ["drop", "lose", "500", "429"])
def test_an_unwell_hub_gets_one_pull_request(
    hub: HubServer, with_model: Files, tmp_path: Path, kind: Any
) -> None:
    hub.fault("POST .*/commit/", kind)
    push(hub, with_model, tmp_path)
    assert pulled(hub, MODEL, "model")[RESULTS]
    assert [pull.status for pull in hub.repo(REPO).pulls.values()].count("open") == 1


def test_a_models_other_results_stay(hub: HubServer, with_model: Files, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    before = [
        {"dataset": {"id": "other/bench", "task_id": "accuracy"}, "value": 7},
        {"dataset": {"id": DATASET, "task_id": "accuracy"}, "value": 0.1},
    ]
    api.upload_file(
        path_or_fileobj=yaml.safe_dump(before).encode(), path_in_repo=RESULTS, repo_id=MODEL
    )
    push(hub, with_model, tmp_path)
    after = yaml.safe_load(pulled(hub, MODEL, "model")[RESULTS])
    assert [(each["dataset"]["id"], each["value"]) for each in after] == [
        ("other/bench", 7), (DATASET, 0.5), (DATASET, 0.25),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{", "just words"])
def test_results_that_cannot_be_read_are_not_written_over(
    hub: HubServer, with_model: Files, tmp_path: Path, text: str
) -> None:
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    api.upload_file(path_or_fileobj=text.encode(), path_in_repo=RESULTS, repo_id=MODEL)
    with pytest.raises(ValueError, match="mend it there"):
        push(hub, with_model, tmp_path)
    assert hub.repo(MODEL, "model").pulls == {}


def test_without_a_models_repository(hub: HubServer, good: Files, tmp_path: Path) -> None:
    pushed = push(hub, good, tmp_path, dataset=None)
    assert (pushed.result, pushed.why_not) == (None, "no --model-repo was stated")


def test_results_are_of_the_whole_test_split(
    hub: HubServer, with_model: Files, tmp_path: Path
) -> None:
    text = with_model["submission.yaml"].replace(b"split: test\n", b"split: test_paper\n")
    pushed = push(hub, {**with_model, "submission.yaml": text}, tmp_path)
    assert (pushed.result, "split test only" in pushed.why_not) == (None, True)
    assert hub.repo(MODEL, "model").pulls == {}


def test_what_is_refused_is_not_sent(hub: HubServer, with_model: Files, tmp_path: Path) -> None:
    bad = edit_rows(with_model, "answers.jsonl", lambda rows: rows[1:])
    with pytest.raises(ValueError, match="mgld submit validate"):
        push(hub, bad, tmp_path)
    (tmp_path / "2").mkdir()
    with pytest.raises(ValueError, match="--dataset OWNER/NAME"):
        push(hub, with_model, tmp_path / "2", dataset=None)
    (tmp_path / "3").mkdir()
    gone = forged(with_model, model_repo="me/gone")
    with pytest.raises(FileNotFoundError, match="no model repository me/gone"):
        push(hub, gone, tmp_path / "3")
    assert list(LIMITS) == list(with_model)


def test_the_command(hub: HubServer, with_model: Files, tmp_path: Path) -> None:
    write_bundle(with_model, tmp_path / "b.zip")
    done = subprocess.run(
        [sys.executable, "-c", "from mgld.cli import main; main()", "submit", "push",
         str(tmp_path / "b.zip"), "--to", REPO, "--dataset", DATASET],
        env=hub.env(tmp_path / "hf"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"submission: {hub.endpoint}/datasets/{REPO}/discussions/1" in done.stdout
    assert f"result: {hub.endpoint}/{MODEL}/discussions/1" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    nobody = hub.env(tmp_path / "nobody", token=None)
    done = subprocess.run(
        [sys.executable, "-c", "from mgld.cli import main; main()", "submit", "push",
         str(tmp_path / "b.zip"), "--to", REPO, "--dataset", DATASET],
        env=nobody, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "hf auth login" in done.stderr
    assert "Traceback" not in done.stderr
