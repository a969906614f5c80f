"""The task `mgld/mgld`."""

from __future__ import annotations

import os

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig

import mgld
from mgld.evaluate.answer_prompts import answer_prompt, render
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import DRAWS, Decoding
from mgld.integrations.inspect.samples import CONFIG, PROMPT, QUESTION
from mgld.integrations.inspect.scorer import knowledge_level, require_judge
from mgld.integrations.inspect.solver import five_answers, show_image


@task(name="mgld")
def mgld_task(
    data: str | None = None,
    split: str = "test",
    revision: str | None = None,
    judge: str = "rule",
    seed: int | None = None,
) -> Task:
    """Each question about a landmark's photograph answered five times and judged into one level.

    data: a build or dataset folder, or a Hub id (a revision is for these); without it MGLD_REPO in
    the environment. split: test, or test_paper, its first half. judge: `rule` (offline), or `paper`
    or `strict`, which ask the model in the role `grader` by our prompts. seed: of the sampling;
    each draw sends a seed of its own. Without it none is sent.

    ValueError: no such config, split or judge; FileNotFoundError: no such folder.
    """
    data = data or os.environ.get("MGLD_REPO")
    if not data:
        raise ValueError("which dataset? say -T data=FOLDER, or OWNER/NAME of one on the Hub")
    require_judge(judge)
    found = open_questions(data, config=CONFIG, split=split, revision=revision)
    decoding = Decoding()
    return Task(
        dataset=MemoryDataset(
            samples=[
                Sample(
                    id=question.id,
                    input=render(PROMPT, question).text,
                    target=question.truth.name,
                    metadata={QUESTION: question.model_dump(mode="json")},
                )
                for question in found.questions
            ],
            name=f"{data}:{split}",
        ),
        setup=show_image(data, split=split, revision=revision, judge=judge),
        solver=five_answers(seed=seed),
        scorer=knowledge_level(judge=judge),
        config=GenerateConfig(
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            max_tokens=decoding.max_new_tokens,
        ),
        metadata={
            "dataset": found.identity.model_dump(mode="json"),
            "prompt_version": answer_prompt(PROMPT).version,
            "draws": DRAWS,
            "mgld": mgld.__version__,
        },
    )
