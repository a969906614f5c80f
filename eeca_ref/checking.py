"""`eeca check`: what can be known of a training run before its first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from eeca_ref.libraries import missing_libraries
from eeca_ref.recipe import Recipe

if TYPE_CHECKING:
    from eeca_ref.checking_data import Survey
    from eeca_ref.config import EecaConfig
    from eeca_ref.data.labels import LabelVocabulary
    from eeca_ref.data.samples import Source

T = TypeVar("T")

TOKENIZED = 500
"""Samples that are tokenized; 200,000 would take minutes."""
DECODED = 16
"""Images that are decoded."""


@dataclass
class Checked:
    """What was found.

    Attributes:
        recipe: what was looked at.
        problems: why it cannot be trained, and what to do; empty: it can.
        notes: what will be left out, cut or without effect.
        counts: of rows, images, tokens and steps.
        settings: of the model, as it will be built; empty where that cannot be known.
    """

    recipe: Recipe
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing forbids training."""
        return not self.problems

    def text(self) -> str:
        """A short table: model, counts, then problems and notes."""
        recipe = self.recipe
        start = recipe.model.start or f"{recipe.model.vision} + {recipe.model.language_model}"
        lines = [
            ("recipe", f"{recipe.name}: {recipe.about}".removesuffix(": ")),
            ("begins with", start),
            ("trains", ", ".join(recipe.train)),
        ]
        if self.settings:
            said = ", ".join(f"{k} {v}" for k, v in self.settings.items())
            lines.append(("model", said))
        lines += [(name, f"{number:,}") for name, number in self.counts.items()]
        width = max(len(name) for name, _ in lines)
        shown = [f"{name:{width}}  {value}" for name, value in lines]
        shown += [f"problem: {each}" for each in self.problems]
        shown += [f"note: {each}" for each in self.notes]
        verdict = "ready to train" if self.ok else f"{_number(len(self.problems), 'problem')}"
        return "\n".join([*shown, verdict])


def check(
    recipe: Recipe,
    *,
    world_size: int | None = None,
    samples: int = TOKENIZED,
    images: int = DECODED,
) -> Checked:
    """Look at all that a recipe names: model, tokenizer, data, steps. Nothing is trained.

    world_size: processes that the run is to have; None: any that the batch divides among. samples:
    how many of the first ones are tokenized. images: how many are decoded, evenly among all.
    """
    return _Look(recipe, samples, images).at_all(world_size)


class _Look:
    """One check: what it has found so far is in `found`."""

    def __init__(self, recipe: Recipe, samples: int, images: int) -> None:
        self.recipe, self.samples, self.images = recipe, samples, images
        self.found = Checked(recipe)

    def at_all(self, world_size: int | None) -> Checked:
        from eeca_ref import assembling, checking_data

        recipe, problems = self.recipe, self.found.problems
        problems += missing_libraries(recipe)
        parts = [p for p in ("start", "vision", "language_model") if getattr(recipe.model, p)]
        parts_there = [self._part(part) for part in parts]  # all of them, to name all problems
        source = self._try(lambda: assembling.open_source(recipe), "data: ")
        rows = None
        if source is not None:
            rows = self._try(
                lambda: checking_data.survey(source, keep=self.samples, images=self.images),
                "data: ",
            )
        if rows is not None:
            self._rows(rows)
        self._steps(rows, world_size)
        if not all(parts_there):
            return self.found
        tokenizer = self._try(lambda: assembling.load_tokenizer(recipe))
        if tokenizer is None or (rows is None and recipe.data.source.kind == "mgld"):
            return self.found
        labels = self._try(lambda: assembling.label_vocabulary(recipe, rows.labels if rows else ()))
        if labels is None:
            return self.found
        config = self._try(lambda: assembling.model_config(recipe, tokenizer, labels))
        if config is None:
            return self.found
        self._model(config)
        if rows is not None and source is not None:
            self._losses(config, rows, labels)
            self._tokens(config, rows, tokenizer)
            self._pixels(config, rows, source)
        return self.found

    def _try(self, look: Callable[[], T], before: str = "") -> T | None:
        """What `look` returns; None with a problem where it raises what a user can mend."""
        try:
            return look()
        except (OSError, ValueError, ImportError) as error:
            self.found.problems.append(f"{before}{error}")
            return None

    def _part(self, part: str) -> bool:
        """Whether a checkpoint is there, with its weights."""
        from eeca_ref.assembling import part_folder
        from eeca_ref.checking_model import weights_problems

        folder = self._try(lambda: part_folder(self.recipe, part), f"model.{part}: ")
        if folder is None:
            return False
        if not (folder / "config.json").is_file():
            self.found.problems.append(f"model.{part}: {folder} has no config.json: no checkpoint")
            return False
        wrong = weights_problems(folder)
        self.found.problems += [f"model.{part}: {each}" for each in wrong]
        return not wrong

    def _rows(self, rows: Survey) -> None:
        """Rows that give no sample, and images that are not there."""
        found = self.found
        found.counts |= {
            "rows": rows.rows,
            "samples": rows.samples,
            "with an image": rows.with_image,
            "images missing": rows.missing,
        }
        for status, number in rows.skipped.most_common():
            found.notes.append(
                f"{_number(number, 'row')} skipped as {status} (such as {rows.why[status]})"
            )
        if rows.missing:
            where = (
                f"{_number(rows.missing, 'image')} of {rows.with_image:,} not there, such as "
                + (", ".join(rows.missing_images))
            )
            if rows.missing == rows.with_image:
                found.problems.append(f"{where}: does data.source name the right folders?")
            else:
                found.notes.append(f"{where}: their rows will be left out")

    def _steps(self, rows: Survey | None, world_size: int | None) -> None:
        """Steps of the run, and among how many processes its batch divides."""
        from eeca_ref.training.schedule import warmup_steps

        recipe, found = self.recipe, self.found
        optim, counts = recipe.optim, found.counts
        if world_size is not None:
            self._try(lambda: optim.accumulation(world_size))
        if rows is None:
            return
        train = rows.usable - recipe.data.validation
        per_epoch = train // optim.global_batch
        if per_epoch < 1:
            found.problems.append(
                f"{_number(max(train, 0), 'sample')} to train on"
                + (f" after {recipe.data.validation} held out" if recipe.data.validation else "")
                + f" do not fill one optim.global_batch of {optim.global_batch}"
            )
            return
        steps = optim.epochs * per_epoch
        if optim.max_steps is not None and optim.max_steps > steps:
            found.notes.append(f"optim.max_steps {optim.max_steps} is more than {steps} steps")
        steps = min(steps, optim.max_steps or steps)
        counts |= {
            "steps": steps,
            "of them warm-up": warmup_steps(steps, optim.warmup_ratio),
            "left out of an epoch": train % optim.global_batch,
        }

    def _model(self, config: EecaConfig) -> None:
        """The configuration, and what a warm start would refuse."""
        from eeca_ref.assembling import part_folder
        from eeca_ref.checking_model import warm_start_problems

        recipe = self.recipe
        names = ["hr", "lambda_g", "mu_e", "mu_h", "max_sequence_length", "visual_tokens"]
        if config.hr:
            names += ["hr_source", "resampler_queries", "resampler_depth", "theta"]
        self.found.settings = {name: getattr(config, name) for name in names}
        if recipe.model.start is not None:
            folder = part_folder(recipe, "start")
            wrong = self._try(lambda: warm_start_problems(recipe, folder, config))
            self.found.problems += [f"model.start: {each}" for each in wrong or []]

    def _losses(self, config: EecaConfig, rows: Survey, labels: LabelVocabulary) -> None:
        """Whether L_e has entities to tell apart, and L_h labels."""
        found, shown = self.found, rows.with_image
        if config.mu_e:
            none, one = rows.entities[0], rows.entities[1]
            found.counts |= {"without entities": none, "with one entity": one}
            least = 2 if config.negatives == "image" else 1
            if sum(rows.entities[number] for number in range(least)) == shown:
                found.problems.append(
                    f"mu_e is {config.mu_e}, but no image has {_number(least, 'entity')} or more: "
                    "L_e would be 0 throughout"
                )
            elif none or (one and least == 2):
                alone = f" and {one:,} that have one" if least == 2 else ""
                found.notes.append(f"L_e is 0 for {none:,} images without entities{alone}")
        if config.mu_h:
            unknown = sum(n for label, n in rows.labels.items() if labels.number(label) < 0)
            found.counts |= {"classes": len(labels), "without a known label": unknown}
            if unknown == shown or len(labels) < 2:
                found.problems.append(
                    f"mu_h is {config.mu_h}, but {_number(len(labels), 'class')} and "
                    f"{shown - unknown:,} images of one leave L_h nothing to tell apart"
                )
            elif unknown:
                found.notes.append(f"L_h leaves out {_number(unknown, 'image')} without a label")

    def _tokens(self, config: EecaConfig, rows: Survey, tokenizer: Any) -> None:
        """The first samples, tokenized as training does it."""
        from eeca_ref.assembling import token_settings
        from eeca_ref.checking_data import tokenized

        if not rows.first:
            return
        settings = token_settings(self.recipe, config)
        made = self._try(lambda: tokenized(rows.first, tokenizer, settings), "tokens: ")
        if made is None:
            return
        counts, skipped = made
        looked_at = len(rows.first)
        self.found.counts |= {
            "tokenized": looked_at,
            "longest, in positions": counts["longest"],
            "truncated": counts["truncated"],
        }
        first = f"of the first {looked_at:,} samples"
        if counts["truncated"]:
            self.found.notes.append(
                f"{counts['truncated']:,} {first} lose the end of their answer to "
                f"model.settings.max_sequence_length {config.max_sequence_length}"
            )
        lost = looked_at - counts["samples"]
        if lost:
            _, name, status, reason = skipped[0]
            self.found.notes.append(
                f"{lost:,} {first} skipped (such as {name}: {status}: {reason})"
            )

    def _pixels(self, config: EecaConfig, rows: Survey, source: Source) -> None:
        """Some images, decoded."""
        from eeca_ref.assembling import image_settings
        from eeca_ref.checking_data import unreadable_images

        settings = self._try(lambda: image_settings(self.recipe, config), "images: ")
        if settings is None or not rows.images:
            return
        wrong = unreadable_images(source, rows.images, settings)
        self.found.counts["images decoded"] = len(rows.images)
        if len(wrong) == len(rows.images):
            self.found.problems.append(f"none of {len(wrong)} images can be read: {wrong[0]}")
        elif wrong:
            self.found.notes.append(
                f"{len(wrong)} of {len(rows.images)} images cannot be read, such as {wrong[0]}: "
                "they are left out when their batch is made"
            )


def _number(count: int, noun: str) -> str:
    """ "1 row", "2 rows"."""
    plural = {"entity": "entities", "class": "classes"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else plural}"
