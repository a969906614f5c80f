"""A recipe: everything that a training run is made of, in one YAML file.

What contradicts itself is refused when the recipe is built, before anything is loaded
(`eeca_ref.contradictions`). What depends on files (data, checkpoints, tokenizers) is looked at by
`eeca check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from eeca_ref.data.entities import EntityPrompt
from mgld.schema import Record

Part = Literal["lr_adapter", "resampler", "language_model", "classifier", "log_tau"]
Adapter = Literal["lr_adapter", "resampler", "classifier", "log_tau"]


def _once_each(parts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(parts)) != len(parts):
        raise ValueError(f"a part is named twice: {', '.join(parts)}")
    return parts


Finite = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class ModelRecipe(Record):
    """Where the model comes from.

    Attributes:
        start: folder or Hub id of an earlier stage's model (a warm start); None: a model put
            together from `vision` and `language_model`.
        vision: folder or Hub id of a CLIP checkpoint of transformers.
        language_model: folder or Hub id of a causal language model.
        tokenizer: folder or Hub id; None: the language model's.
        revision: of `start`, or of the parts, on the Hub, by the field's name.
        new: parts that begin anew after a warm start.
        settings: of `EecaConfig` that differ from its defaults, or from those of `start`. The label
            vocabulary is none of them: it is the data's, or that of `start`.
    """

    start: str | None = None
    vision: str | None = None
    language_model: str | None = None
    tokenizer: str | None = None
    revision: dict[Literal["start", "vision", "language_model", "tokenizer"], str] = Field(
        default_factory=dict
    )
    new: Annotated[tuple[Adapter, ...], AfterValidator(_once_each)] = ()
    settings: dict[str, Any] = Field(default_factory=dict)


class LlavaData(Record):
    """LLaVA's JSON and images (stages 1 and 2).

    Attributes:
        json_file: a JSON array of conversations.
        images: a folder by the front part of the images' paths; "" for all others.
        entity_prompt: `inference`: the test's questions are to name the entities (Table 2). It
            changes nothing in training.
    """

    kind: Literal["llava"]
    json_file: str
    images: dict[str, str] = Field(min_length=1)
    entity_prompt: Literal["none", "inference"] = "none"


class MgldData(Record):
    """A config of an MGLD build, dataset folder or Hub repository (stage 3).

    Attributes:
        source, config, revision: as `mgld.load` takes them.
        entity_prompt: which questions name the entities (Table 2): none, the test's, or those of
            training too.
    """

    kind: Literal["mgld"]
    source: str
    config: str
    revision: str | None = None
    entity_prompt: EntityPrompt = "none"


class DataRecipe(Record):
    """What is trained on, and how it becomes tokens and pixels.

    Attributes:
        source: which rows.
        format: the tokenizer's chat template, or LLaVA's plain format of stage 1.
        fit: of an image into the square: `pad` (stages 2 and 3), or `crop` (stage 1).
        validation: rows held out (by a keyed hash), whose loss chooses the best checkpoint.
        order: `grouped` by length and modality, or `shuffled`.
        workers: processes per training process that decode images.
    """

    source: LlavaData | MgldData = Field(discriminator="kind")
    format: Literal["chat", "plain"] = "chat"
    fit: Literal["pad", "crop"] = "pad"
    validation: int = Field(0, ge=0)
    order: Literal["grouped", "shuffled"] = "grouped"
    workers: int = Field(4, ge=0)


class OptimRecipe(Record):
    """AdamW and its schedule: linear warm-up, then cosine to 0.

    Attributes:
        lr: of all that is trained but the parts in `part_lr`.
        part_lr: learning rates of parts that have their own.
        warmup_ratio: share of all steps, rounded up.
        clip: largest norm of the gradient; None: not clipped.
        epochs: passes over the data.
        global_batch: samples of one optimizer step, over all processes.
        micro_batch: samples that one process takes at once.
        max_steps: stop earlier; the schedule is that of the shorter run.
    """

    lr: Rate
    part_lr: dict[Part, Rate] = Field(default_factory=dict)
    weight_decay: Finite = Field(0.0, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: Rate = 1e-8
    warmup_ratio: float = Field(0.03, ge=0, lt=1)
    clip: Rate | None = None
    epochs: int = Field(1, ge=1)
    global_batch: int = Field(ge=1)
    micro_batch: int = Field(ge=1)
    max_steps: int | None = Field(None, ge=1)

    def accumulation(self, world_size: int) -> int:
        """Micro-batches of one process in one step. ValueError: the batch does not divide."""
        at_once = world_size * self.micro_batch
        if world_size < 1 or self.global_batch % at_once:
            fits = [n for n in range(1, 129) if self.global_batch % (n * self.micro_batch) == 0]
            raise ValueError(
                f"optim.global_batch {self.global_batch} does not divide among {world_size} "
                f"processes with {self.micro_batch} samples at once: change "
                "optim.micro_batch, or the number of processes to "
                + (" or ".join(map(str, fits)) or "another one")
            )
        return self.global_batch // at_once


class EngineRecipe(Record):
    """How DeepSpeed runs it. Nothing here changes what is computed but for rounding.

    Attributes:
        precision: `bf16` (with float32 master weights), or `fp32`.
        zero_stage: what is sharded over processes: 1 optimizer states, 2 gradients too, 3
            parameters too; 0 nothing.
        offload: optimizer states in the memory of the CPU.
        checkpointing: recompute the language model's activations in the backward pass.
        compile: `torch.compile` of the language model's layers.
        attention: of the language model, as transformers names it.
    """

    precision: Literal["bf16", "fp32"] = "bf16"
    zero_stage: Literal[0, 1, 2, 3] = 2
    offload: bool = False
    checkpointing: bool = True
    compile: bool = False
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"


class KeepRecipe(Record):
    """Checkpoints. `every`: steps; `last`: how many are kept besides the best (by validation)."""

    every: int = Field(500, ge=1)
    last: int = Field(2, ge=1)


class LogRecipe(Record):
    """The JSONL log is always written.

    Attributes:
        every: steps between lines.
        gradient_norms_every: steps between measurements of each loss's gradient at the visual
            tokens (each costs three backward passes); None: never.
        tensorboard: event files in the run's folder.
        wandb: project to log to.
    """

    every: int = Field(1, ge=1)
    gradient_norms_every: int | None = Field(100, ge=1)
    tensorboard: bool = False
    wandb: str | None = None


class Recipe(Record):
    """One training run. ValueError naming every contradiction at once.

    Attributes:
        name: as it is called in tables, e.g. "paper/table3_hr_branch". Built-in recipes that begin
            with an earlier stage's model look for it in `out/NAME/model`.
        about: one line: what it is and where it stands in the paper.
        train: parts that are trained; the vision tower never is.
        seed: of new weights and of the order of the data.
    """

    name: str = Field(pattern=r"^[\w+-][\w.+-]*(/[\w+-][\w.+-]*)*$")
    about: str = ""
    model: ModelRecipe
    data: DataRecipe
    train: Annotated[tuple[Part, ...], Field(min_length=1), AfterValidator(_once_each)]
    optim: OptimRecipe
    engine: EngineRecipe = EngineRecipe()
    keep: KeepRecipe = KeepRecipe(every=500, last=2)
    log: LogRecipe = LogRecipe(every=1, gradient_norms_every=100)
    seed: int = 0

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        from eeca_ref.contradictions import contradictions

        problems = contradictions(self)
        if problems:
            raise PydanticCustomError(
                "contradictions", "{text}", {"text": "; ".join(problems), "problems": problems}
            )
        return self
