"""`mgld submit push`: a bundle as a pull request, and its numbers as one on the model's own page.

Each step looks for its open pull request before it opens one, so that a call that was killed, or
whose answer was lost, can simply be made again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from mgld.hub.remote import LOG_IN, patiently
from mgld.leaderboard.container import read_bundle
from mgld.leaderboard.contents import Contents
from mgld.leaderboard.entry import entry_slug
from mgld.leaderboard.findings import printable
from mgld.leaderboard.validate import recomputed, validate_bundle
from mgld.schema import Record

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, EvalResultEntry, HfApi

RESULTS: Final = ".eval_results/mgld.yaml"
"""Where the Hub looks in a model's repository for its results."""
FOLDER: Final = "submissions"


class Pushed(Record):
    """The pull requests. result: on the model's repository, None where there is none; why_not."""

    submission: str
    result: str | None
    why_not: str = ""


def push_bundle(
    path: Path,
    repo: str,
    *,
    dataset: str | None = None,
    api: HfApi | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Pushed:
    """Hand a bundle in: a pull request on the dataset repository `repo`, which holds submissions.

    Where the submission states a model's repository, a second one there writes its results.

    Args:
        path: the folder or the zip.
        repo: the dataset repository, OWNER/NAME.
        dataset: the Hub id that the results are about; None: the one the run was made with.
        api: who asks the Hub; None: whoever HF_TOKEN or `hf auth login` says.
        note: told in a line where the Hub is asked again.

    Returns:
        The addresses of the pull requests.

    Raises:
        ValueError: the bundle is refused, or no Hub id is known.
        FileNotFoundError: there is no such repository.
        PermissionError: the Hub does not let us.
        ConnectionError: the Hub does not answer; the same call goes on.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    validated = validate_bundle(path)
    contents = validated.contents
    if contents is None or validated.findings.failed:
        raise ValueError(f"{path} is refused; `mgld submit validate {path}` says why")
    submission = contents.submission
    dataset = dataset or (submission.dataset.source if "/" in submission.dataset.source else None)
    if submission.model_repo and dataset is None:
        raise ValueError(
            "which dataset is the result about? the run was made from a folder: give --dataset "
            "OWNER/NAME"
        )
    api = api or HfApi()
    slug = entry_slug(submission.name, validated.id)
    files = [
        CommitOperationAdd(f"{FOLDER}/{slug}/{name}", data)
        for name, data in read_bundle(path).items()
    ]
    warnings = [each.message for each in validated.findings.all]
    url = _pull_request(
        api,
        repo,
        "dataset",
        f"Submission {slug}",
        "\n\n".join(
            [
                f"{submission.name}, by {submission.submitter}, judged by {submission.judge}",
                validated.checked().headline,
                *(f"warning: {printable(each)}" for each in warnings),
                f"bundle {validated.id}",
            ]
        ),
        lambda: files,
        note,
    )
    if not submission.model_repo or dataset is None:
        return Pushed(submission=url, result=None, why_not="no --model-repo was stated")
    if submission.dataset.split != "test":
        return Pushed(submission=url, result=None, why_not="results are shown for split test only")
    entries = result_entries(contents, dataset, url)
    result = _pull_request(
        api,
        submission.model_repo,
        "model",
        f"MGLD results of {slug}",
        f"Written by `mgld submit push`; the submission: {url}",
        lambda: [CommitOperationAdd(RESULTS, _merged(api, submission.model_repo, entries))],
        note,
    )
    return Pushed(submission=url, result=result)


def result_entries(contents: Contents, dataset: str, source: str) -> list[EvalResultEntry]:
    """The two numbers of the benchmark's boards, as shares, with who judged; source: an address."""
    from huggingface_hub import EvalResultEntry

    metrics, submission = recomputed(contents), contents.submission
    judged = f"judged by {submission.judge}, prompt {submission.judge_prompt_hash[:12]}"
    return [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=task,
            value=value,
            dataset_revision=submission.dataset.revision,
            date=contents.metrics.graded,
            source_url=source,
            source_name="MGLD submission",
            notes=f"{judged}; {metrics.levels.scored} of {metrics.levels.total} questions scored",
        )
        for task, value in (
            ("accuracy", metrics.levels.accuracy),
            ("strongly_known", metrics.levels.shares["strongly_known"]),
        )
    ]


def _merged(api: HfApi, repo: str, entries: list[EvalResultEntry]) -> bytes:
    """The model's results with these in place of those of the same boards; the others stay."""
    from huggingface_hub import eval_result_entries_to_yaml

    new = eval_result_entries_to_yaml(entries)
    boards = {_board(each) for each in new}
    kept = [each for each in _results_there(api, repo) if _board(each) not in boards]
    return yaml.safe_dump([*kept, *new], sort_keys=False, allow_unicode=True).encode()


def _results_there(api: HfApi, repo: str) -> list[Any]:
    from huggingface_hub.errors import EntryNotFoundError

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = Path(api.hf_hub_download(repo, RESULTS, local_dir=folder))
            there = yaml.safe_load(path.read_text(encoding="utf-8"))
        except EntryNotFoundError:
            return []
        except yaml.YAMLError as error:
            raise ValueError(f"{repo} has a {RESULTS} that is no YAML: mend it there") from error
    if not isinstance(there, list):
        raise ValueError(f"{repo} has a {RESULTS} that is no list of results: mend it there")
    return there


def _board(entry: Any) -> tuple[object, object]:
    dataset = entry.get("dataset") if isinstance(entry, dict) else None
    return (
        (dataset.get("id"), dataset.get("task_id")) if isinstance(dataset, dict) else (None, None)
    )


def _pull_request(
    api: HfApi,
    repo: str,
    kind: str,
    title: str,
    description: str,
    operations: Callable[[], list[CommitOperationAdd]],
    note: Callable[[str], None],
) -> str:
    """The address of our open pull request with this title, opened where there is none."""
    page = f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}/discussions"

    def step() -> str:
        author = api.whoami()["name"]  # others may call theirs the same
        for each in api.get_repo_discussions(
            repo, repo_type=kind, discussion_type="pull_request", discussion_status="open"
        ):
            if each.title == title and each.author == author:
                note(f"{repo}: pull request {each.num} has it already")
                return f"{page}/{each.num}"
        made = api.create_commit(
            repo,
            operations(),
            commit_message=title,
            commit_description=description,
            repo_type=kind,
            create_pr=True,
        )
        return f"{page}/{made.pr_num}"

    try:
        return patiently(step, note)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no {kind} repository {repo} on the Hub, or it is private and you are not its reader: "
            f"{LOG_IN}"
        ) from error
