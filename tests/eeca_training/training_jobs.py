"""What tests run in processes of their own: `python training_jobs.py FOLDER`.

Jobs share a start, which costs more than they do.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import training_tiny


def killed(out: str, recipe: dict[str, Any], kill_at: int, port: int) -> str:
    """How a child ended, and what it left, that runs a recipe and kills itself at that step.

    To be done before processes are joined: a child is a process like any other only until then.
    """
    from eeca_ref.recipe import Recipe
    from eeca_ref.training import run
    from eeca_ref.training.log import RunLog

    class MortalLog(RunLog):
        def step(self, record: Any) -> None:
            super().step(record)
            if record.step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        if "RANK" in os.environ:  # meet elsewhere than the parents will
            os.environ |= {"MASTER_PORT": str(port)}
        run.RunLog = MortalLog  # type: ignore[misc]
        try:
            run.train(Recipe.model_validate(recipe), Path(out))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    left = sorted(path.name for path in (Path(out) / "checkpoints").glob("*"))
    return f"signal {os.WTERMSIG(status)}, {', '.join(left)}"


def train(out: str, recipe: dict[str, Any], resume: bool = True) -> dict[str, Any]:
    """Of a run: its log, the hash of its weights and what has changed since the beginning.

    Of one that stopped: the error.
    """
    from eeca_ref.recipe import Recipe
    from eeca_ref.training import run
    from eeca_ref.training.log import read_log

    made = Recipe.model_validate(recipe)
    try:
        result = run.train(made, Path(out), resume=resume)
    except (ValueError, ArithmeticError, OSError) as error:
        log = read_log(Path(out) / "log.jsonl") if (Path(out) / "log.jsonl").exists() else []
        return {"error": f"{type(error).__name__}: {error}", "log": log}
    log = read_log(Path(out) / "log.jsonl", times=False)
    return {
        "done_before": result.done_before,
        "steps_done": result.steps,
        "log": log,
        "steps": [line for line in log if line["kind"] == "step"],
        "losses": [line["loss"] for line in log if line["kind"] == "step"],
        "validation": result.validation,
        "weights": training_tiny.weights_hash(Path(out) / "model"),
        "kept": sorted(path.name for path in (Path(out) / "checkpoints").glob("*")),
        "manifest": json.loads((Path(out) / "manifest.json").read_text()),
        "changed": _changed(made, Path(out)),
    }


def tampered(out: str, recipe: dict[str, Any], killed: str, file: str) -> list[Any]:
    """By rank: why a run does not go on where `killed` was, if one of its files is another's.

    Each with whether what that file holds was run.
    """
    import torch

    from eeca_ref.training import distributed

    world, folder, flag = distributed.start(), Path(out), Path(out) / "was_run"

    def tamper() -> None:
        shutil.copytree(killed, folder)
        (at,) = folder.glob(f"checkpoints/*/resume/**/{file}") if "*" in file else [folder / file]
        if at.suffix == ".json":
            at.write_text("{}")
        else:
            torch.save(Evil(str(flag)), at)

    world.once(tamper)
    said = train(out, recipe)
    return world.gathered([said.get("error", "it went on"), flag.exists()])


def full_disk(out: str, recipe: dict[str, Any], limits: list[int]) -> dict[str, Any]:
    """What is said where files cannot grow beyond some bytes, then the run once they can."""
    before, said = resource.getrlimit(resource.RLIMIT_FSIZE), []
    for limit in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            stopped = train(out, recipe)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        left = sorted(path.name for path in (Path(out) / "checkpoints").glob("*"))
        said.append([stopped.get("error", "it went on"), left])
    return train(out, recipe) | {"said": said}


class Evil:
    """Makes a file as it is loaded."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path(self.file),)  # type: ignore[return-value]


def _changed(recipe: Any, out: Path) -> list[str]:
    """Parts whose weights are no longer those that the run began with."""
    import torch

    from eeca_ref.assembling import build_model, load_tokenizer
    from eeca_ref.data.labels import LabelVocabulary
    from eeca_ref.model import EecaForConditionalGeneration

    after = EecaForConditionalGeneration.from_pretrained(out / "model", dtype="auto")
    labels = LabelVocabulary(after.config.hierarchical_labels)
    before = build_model(recipe, load_tokenizer(recipe), labels).state_dict()
    return sorted(
        {
            name.split(".")[0]
            for name, value in after.state_dict().items()
            if not torch.equal(value, before[name])
        }
    )


def _begun(recipe: dict[str, Any], out: str) -> tuple[Any, Any, Any, Any]:
    """(world, recipe, data, engine) as `train` has them before the first step."""
    from eeca_ref.assembling import build_model
    from eeca_ref.recipe import Recipe
    from eeca_ref.training import distributed
    from eeca_ref.training.data import open_data
    from eeca_ref.training.engine import start_engine

    world, made = distributed.start(), Recipe.model_validate(recipe)
    data = open_data(made, Path(out), world)
    model = build_model(made, data.tokenizer, data.labels)
    engine = start_engine(model, made, world, accumulation=data.loader.accumulation)
    return world, made, data, engine


def untouched(
    out: str, recipe: dict[str, Any], batches: list[list[str]]
) -> list[list[list[str] | int]]:
    """By rank and batch: parameters without a gradient, and rows that could not be read.

    `batches`: for each rank what its micro-batch holds: `image` rows, `text`, or `nothing` that
    could be read.
    """
    from eeca_ref.data.collate import collate
    from eeca_ref.data.samples import Skipped
    from eeca_ref.training.step import train_step

    world, _, data, engine = _begun(recipe, out)
    examples = data.loader.examples
    read = [examples[int(row)] for row in data.sampler.rows]
    kinds = {
        "image": [each for each in read if getattr(each, "pixels_CHW", None) is not None][:2],
        "text": [each for each in read if getattr(each, "pixels_CHW", 0) is None][:2],
        "nothing": [Skipped("lost", "unreadable_image", "no image")] * 2,
    }
    trained = {n: p for n, p in engine.module.named_parameters() if p.requires_grad}
    seen: list[list[list[str] | int]] = []
    for kind_by_rank in batches:
        touched: set[str] = set()
        hooks = [
            p.register_hook(lambda _, name=n, touched=touched: touched.add(name))
            for n, p in trained.items()
        ]
        batch = collate(kinds[kind_by_rank[world.rank]], size=data.settings.size)
        totals = train_step(engine, [batch], world)
        for hook in hooks:
            hook.remove()
        seen.append([sorted(trained.keys() - touched), totals.counts.skipped_rows])
    return world.gathered(seen)


def bad_gradient(out: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """A step whose loss is finite and one of whose gradients is not."""
    import torch

    from eeca_ref.training.checkpoints import whole_weights
    from eeca_ref.training.step import NonFiniteError, train_step

    world, _, data, engine = _begun(recipe, out)
    step = next(data.loader.steps_from())
    before = whole_weights(engine, keep=True)
    poisoned = world.rank == world.size - 1  # the others must stop, too
    hook = engine.module.lr_adapter[0].bias.register_hook(
        lambda grad: grad * (torch.nan if poisoned else 1.0)
    )
    try:
        train_step(engine, step.micro_batches, world)
        said = "it went on"
    except NonFiniteError as error:
        said = str(error)
    hook.remove()
    after = whole_weights(engine, keep=True)
    same = all(torch.equal(before[name], after[name]) for name in before)
    return {"said": said, "same": same}


def saved(out: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """The largest difference of logits between the model in the engine and the one it wrote."""
    import torch

    import eeca_ref.model  # noqa: F401
    from eeca_ref.processing import EecaProcessor
    from eeca_ref.training.checkpoints import whole_weights, write_final_model
    from eeca_ref.training.engine import set_lr
    from eeca_ref.training.step import train_step

    world, made, data, engine = _begun(recipe, out)
    steps = data.loader.steps_from()
    for _ in range(2):
        set_lr(engine, made.optim, 1.0)
        train_step(engine, next(steps).micro_batches, world)
    processor = EecaProcessor.of(engine.module.config, data.tokenizer)
    folder = write_final_model(engine, Path(out), world, processor=processor)
    weights = whole_weights(engine, keep=True)
    inputs = next(steps).micro_batches[0].inputs
    with torch.no_grad():
        own = engine.module(**inputs, all_logits=True)
    from transformers import AutoModelForImageTextToText, AutoProcessor

    loaded = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto")
    with torch.no_grad():
        read = loaded(**inputs, all_logits=True)
    tied = loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    return {
        "difference": float((own.logits - read.logits).abs().max()),
        "entity_difference": float((own.entity_loss - read.entity_loss).abs()),
        "other_weights": [
            name
            for name, value in loaded.state_dict().items()
            if not torch.equal(value, weights[name])
        ],
        "size": float(own.logits.abs().max()),
        "tied": tied,
        "dtypes": {n: str(p.dtype) for n, p in loaded.named_parameters()},
        "log_tau": None if loaded.log_tau is None else loaded.log_tau.item(),
        "image_size": AutoProcessor.from_pretrained(folder).image_size,
        "left": sorted(path.name for path in Path(out).iterdir() if path.name != "store"),
    }


JOBS = {
    "killed": killed,
    "train": train,
    "tampered": tampered,
    "full_disk": full_disk,
    "untouched": untouched,
    "bad_gradient": bad_gradient,
    "saved": saved,
}


def main(folder: Path) -> None:
    """The jobs of `jobs.json`: those of one process, and beside them those of two.

    The two are children that are told who they are as a launcher tells them; what all of them
    import is imported once.
    """
    groups = json.loads((folder / "jobs.json").read_text())
    if "prepare" in groups:
        training_tiny.prepare(Path(groups.pop("prepare")))
    if "RANK" in os.environ:
        run_jobs(groups["pair"], folder / "pair.json")
        return
    import datasets  # noqa: F401
    import deepspeed  # noqa: F401

    import eeca_ref.training.run  # noqa: F401

    children = []
    port = str(training_tiny.free_port())
    for rank in range(2) if "pair" in groups else ():
        child = os.fork()
        if not child:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            try:
                run_jobs(groups["pair"], folder / "pair.json")
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)
        children.append(child)
    run_jobs(groups["alone"], folder / "alone.json")
    for child in children:
        os.waitpid(child, 0)


def run_jobs(jobs: dict[str, Any], path: Path) -> None:
    """Run jobs, name to (job, keywords); the main process writes what they give."""
    results = {}
    for name, (job, keywords) in jobs.items():
        results[name] = JOBS[job](**keywords)  # type: ignore[operator]
    if os.environ.get("RANK", "0") == "0":
        path.write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
