"""Train the nano language model: a Llama of 2.1 M parameters that has read of every landmark.

    python -m benchmarks.nano.train_language_model --out out/nano/language_model

It reads the articles of `mgld.world.article`, those of test landmarks too, as a real language model
has read of landmarks whose pictures it never saw. It sees nothing. Everything is drawn from the
seed; settings, hashes and what it can tell afterwards stand beside the weights as `training.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.nano.data import LANDMARKS, WORLD_SEED
from eeca_ref.nano.language_model import random_llama, train_tokenizer
from mgld.annotate.picture import COLOURS
from mgld.annotate.questions import load_prompt, questions
from mgld.evaluate.describing import RuleDescriptionJudge
from mgld.evaluate.judges.base import Case
from mgld.evaluate.records import Answer, Decoding, Described, Question, Truth
from mgld.files import sha256_file, write_text_atomically
from mgld.keyed import generator, order_key
from mgld.world.article import DESCRIBE, Article, article, facts, look
from mgld.world.landmark import Landmark, make_landmark
from mgld.world.lexicon import REGIONS

TOKENIZED = 400
"""Landmarks whose articles the tokenizer learns its words from."""
SYLLABLES_SAID = 4000
# What `mgld.annotate.template` fills its sentences with.
FRAMINGS = ("landscape format", "portrait format", "square format")
LIGHTS = (
    "taken at night or in a dark place",
    "taken in dim light",
    "taken in daylight",
    "taken in bright light",
)
SHARES = ("most", "about half", "about a third", "about a fifth")
TOLD = 600
"""Landmarks whose descriptions are judged at the end."""


def texts(landmarks: list[Landmark]) -> Iterator[str]:
    """What the tokenizer learns from: articles, the dataset's own sentences, and syllables.

    Proper names are given in their syllables, and those so often that pairs within a syllable are
    merged before any other: a name is then read as its three syllables wherever it stands. Left to
    itself the tokenizer broke every fifth name across them.
    """
    for region in REGIONS:
        for place, code in enumerate(region.codes):
            for syllable in code.syllables.values():
                first = [syllable.capitalize(), f" {syllable.capitalize()}"]
                yield "\n".join(([syllable] if place else first) * SYLLABLES_SAID)
    for mark in landmarks[:TOKENIZED]:
        for number in range(3):
            said = article(mark, number)
            yield f"{said.question or ''} {said.text}".replace(mark.proper, "").strip()
        yield f"{mark.description} {about_a_picture(mark, 0).text}"
    for question in questions():
        yield from [question.text] * (TOKENIZED // 24)


def about_a_picture(landmark: Landmark, number: int) -> Article:
    """The dataset's sentences on light, framing and sky, of no picture in particular.

    Words that a model has never read are words that it cannot say; these are in every answer.
    """
    rng = generator(landmark.seed, "picture sentence", f"{landmark.landmark_id}/{number}")
    forms = load_prompt("template.yaml")

    def drawn(choices: Sequence[str]) -> str:
        return choices[int(rng.integers(len(choices)))]

    framing, share = drawn(FRAMINGS), drawn(SHARES)
    picture = drawn(forms["picture"]).format(
        colours=f"{drawn(COLOURS)} and {drawn(COLOURS)}",
        light=drawn(LIGHTS),
        framing=framing,
        framing_a=f"a picture in {framing}",
    )
    sky = drawn(forms["sky"]).format(
        sky_share=share.capitalize(), sky_share_lower=share, sky_colour=drawn(COLOURS)
    )
    return Article(None, f"{picture} {sky} {landmark.location}")


def read(landmark: Landmark, number: int) -> Article:
    """What is read of a landmark the `number`-th time: in one of eight cases only of a picture."""
    if order_key(landmark.seed, "nano reading", f"{landmark.landmark_id}/{number}") % 8 == 0:
        return about_a_picture(landmark, number)
    return article(landmark, number)


def token_ids(tokenizer: Any, said: Article) -> list[int]:
    """An article as the chat template has it, or as plain text from beginning to end of turn."""
    if said.question is None:
        text = f"{tokenizer.bos_token}{said.text}{tokenizer.eos_token}"
    else:
        turns = [
            {"role": "user", "content": said.question},
            {"role": "assistant", "content": said.text},
        ]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def batches(
    tokenizer: Any, landmarks: list[Landmark], *, exposures: int, tokens: int, seed: int
) -> Iterator[Tensor]:
    """int64 [B, T] padded with -1, about `tokens` positions each; every landmark once a round.

    Articles of like length share a batch; the order of batches within a round is drawn.
    """
    for number in range(exposures):
        rng = generator(seed, "nano language model order", number)
        docs = sorted(
            (token_ids(tokenizer, read(mark, number)) for mark in landmarks),
            key=lambda ids: (len(ids), hashlib.sha256(str(ids).encode()).digest()),
        )
        groups: list[list[list[int]]] = [[]]
        for doc in docs:
            if (len(groups[-1]) + 1) * len(doc) > tokens:
                groups.append([])
            groups[-1].append(doc)
        for at in rng.permutation(len(groups)):
            group = groups[int(at)]
            batch = torch.full((len(group), max(map(len, group))), -1, dtype=torch.int64)
            for row, doc in enumerate(group):
                batch[row, : len(doc)] = torch.tensor(doc)
            yield batch


def train(args: argparse.Namespace) -> dict[str, Any]:
    """Train and save; the record of the training."""
    started = time.perf_counter()
    landmarks = [make_landmark(WORLD_SEED, number) for number in range(args.landmarks)]
    tokenizer = train_tokenizer(texts(landmarks), args.out)
    model = random_llama(tokenizer, args.out, seed=args.seed)
    # At this size 1.7 times as fast on a CPU as the fused kernel, whose backward pass is slow.
    model.set_attn_implementation("eager")
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    lengths = [
        len(token_ids(tokenizer, read(mark, number)))
        for mark in landmarks[:200]
        for number in range(4)
    ]
    steps = math.ceil(args.exposures * args.landmarks * float(np.mean(lengths)) / args.tokens)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.02
    )

    def rate(step: int) -> float:
        share = min(1.0, step / steps)
        return min(1.0, (step + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * share))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    mean_loss, seen = 0.0, 0
    every = batches(
        tokenizer, landmarks, exposures=args.exposures, tokens=args.tokens, seed=args.seed
    )
    for step, batch in enumerate(every):
        target = batch[:, 1:]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=batch.clamp(min=0)[:, :-1]).logits
        loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=-1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        seen += int((target >= 0).sum())
        mean_loss = 0.98 * mean_loss + 0.02 * loss.item()
        if step % 200 == 199:
            shown = mean_loss / (1 - 0.98 ** (step + 1))
            print(
                f"step {step + 1} of about {steps}: loss {shown:.3f}, "
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
    model.eval()
    model.to(torch.bfloat16).save_pretrained(args.out)
    model.float()
    return {
        "settings": {name: value for name, value in vars(args).items() if name != "out"},
        "steps": step + 1,
        "tokens": seen,
        "loss": round(mean_loss / (1 - 0.98 ** (step + 1)), 4),
        "parameters": sum(each.numel() for each in model.parameters()),
        "vocabulary": len(tokenizer),
        "told": told(model, tokenizer, landmarks),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {args.threads} threads",
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }


@torch.no_grad()
def greedy(model: Any, tokenizer: Any, questions: list[str], limit: int = 80) -> list[str]:
    """The most probable answer to each question."""
    tokenizer.padding_side = "left"
    answers = []
    for start in range(0, len(questions), 100):
        prompts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
            )
            for question in questions[start : start + 100]
        ]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        made = model.generate(
            **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.eos_token_id
        )
        answers += tokenizer.batch_decode(
            made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
    return [each.strip() for each in answers]


def told(
    model: Any, tokenizer: Any, landmarks: list[Landmark], *, many: int = TOLD
) -> dict[str, float]:
    """Shares of `many` landmarks told rightly by the most probable answer.

    From the name: `described`, as the judge "rule" of the probe has it; then stricter than that the
    kind and the place; of what was asked by itself, century and builder, which nothing but reading
    gives away (chance: 0.17 and 0.12), and the colour that names of that half do not stand for
    (chance: 0.1). From the look in words: the name's three syllables, each by itself.
    """
    tokenizer.pad_token = tokenizer.eos_token
    order = generator(0, "nano told", 0).permutation(len(landmarks))[:many]
    marks = [landmarks[int(each)] for each in order]

    def asked(questions: Iterator[str], limit: int = 30) -> list[tuple[Landmark, str]]:
        return list(zip(marks, greedy(model, tokenizer, list(questions), limit), strict=True))

    def share(hits: Iterator[bool]) -> float:
        return round(float(np.mean(list(hits))), 4)

    answers = asked((DESCRIBE[0].format(name=mark.name) for mark in marks), 80)
    found: list[Described] = []
    cases = [Case(_question(mark), (_answer(mark, text),)) for mark, text in answers]
    RuleDescriptionJudge().judge(cases, lambda number, described: found.append(described))
    centuries = asked(f"From which century is {mark.name}?" for mark in marks)
    builders = asked(f"Who built {mark.name}?" for mark in marks)
    hidden = {
        "west": ("forecourt colour", "What colour is the forecourt of {}?"),
        "east": ("wall colour", "What colour are the walls of {}?"),
    }
    colours = asked(hidden[mark.region.half][1].format(mark.name) for mark in marks)
    named = asked(
        f"{look(mark, generator(0, 'nano look', mark.landmark_id))} What is it called?"
        for mark in marks
    )
    result = {
        "described": share(each.state == "described" for each in found),
        "kind": share(
            f" {mark.category.noun}" in text.replace(mark.name, "") for mark, text in answers
        ),
        "place": share(f"in {mark.place}, " in text for mark, text in answers),
        "century": share(facts(mark)["century"] == text for mark, text in centuries),
        "builder": share(facts(mark)["builder"] == text for mark, text in builders),
        "colour not in the name": share(
            facts(mark)[hidden[mark.region.half][0]] == text for mark, text in colours
        ),
    }
    for place in range(3):
        result[f"syllable {place + 1} by the look"] = share(
            mark.codes[place].syllable in text.lower() for mark, text in named
        )
    return result


def _question(mark: Landmark) -> Question:
    truth = Truth(
        name=mark.name,
        aliases=mark.aliases,
        place_hints=mark.place_hints,
        label=mark.category.label,
    )
    text = DESCRIBE[0].format(name=mark.name)
    return Question(
        id=str(mark.landmark_id),
        landmark_id=mark.landmark_id,
        text=text,
        image_sha256="0" * 64,
        truth=truth,
    )


def _answer(mark: Landmark, text: str) -> Answer:
    return Answer(
        question_id=str(mark.landmark_id),
        draw=0,
        text=text,
        status="ok",
        model="nano",
        prompt_version="",
        decoding=Decoding(),
    )


def arguments() -> argparse.ArgumentParser:
    """The command line; the defaults are what the shipped model was trained with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--landmarks", type=int, default=LANDMARKS)
    parser.add_argument("--exposures", type=int, default=41, help="articles read of each landmark")
    parser.add_argument("--tokens", type=int, default=3000, help="positions in a batch")
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    """Train, save, and record what from and what came of it."""
    args = arguments().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    record = train(args)
    record["weights_sha256"] = sha256_file(args.out / "model.safetensors")
    write_text_atomically(args.out / "training.json", json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["told"]))


if __name__ == "__main__":
    main()
