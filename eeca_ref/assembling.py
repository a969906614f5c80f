"""What a recipe names, opened: model, tokenizer, data, and the settings of the data's preparation.

Shared by `eeca check`, `eeca audit` and `eeca train`. Nothing is downloaded: Hub ids are looked up
in the local cache.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eeca_ref.data.chat import image_token_id
from eeca_ref.data.images import ImageSettings
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.samples import IMAGE_TOKEN, Source
from eeca_ref.data.store_write import TokenSettings
from eeca_ref.recipe import Recipe

if TYPE_CHECKING:
    from eeca_ref.config import EecaConfig
    from eeca_ref.model import EecaForConditionalGeneration

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def locate(spec: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `spec` itself, or where the cache has this Hub id.

    FileNotFoundError: it is neither; the message says how to get it. ValueError: a revision of a
    folder.
    """
    folder = Path(spec)
    if folder.is_dir():
        if revision is not None:
            raise ValueError(f"{spec} is a folder and has no revision {revision!r}")
        return folder
    if not HUB_ID.fullmatch(spec):
        raise FileNotFoundError(
            f"there is no folder {spec} (paths are relative to the working directory)"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(spec, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        at = f" --revision {revision}" if revision else ""
        raise FileNotFoundError(
            f"there is no folder {spec}, and the Hugging Face cache has no {spec}; if it is a Hub "
            f"id, this gets it: hf download {spec}{at}"
        ) from None


def part_folder(recipe: Recipe, part: str) -> Path:
    """`locate` of one of the recipe's `start`, `vision`, `language_model`, `tokenizer`."""
    spec = getattr(recipe.model, part)
    try:
        return locate(spec, recipe.model.revision.get(part))  # type: ignore[call-overload]
    except FileNotFoundError as error:
        if part != "start":
            raise
        raise FileNotFoundError(
            f"{error}: a stage begins with the model of the stage before it; is that one trained?"
        ) from None


def open_source(recipe: Recipe) -> Source:
    """The recipe's rows. Errors: those of `LlavaSource` and `MgldSource`."""
    from eeca_ref.data.llava import LlavaSource
    from eeca_ref.data.mgld import MgldSource

    data = recipe.data.source
    if data.kind == "llava":
        return LlavaSource(data.json_file, data.images)
    return MgldSource(
        data.source, data.config, revision=data.revision, entity_prompt=data.entity_prompt
    )


def load_tokenizer(recipe: Recipe) -> Any:
    """The tokenizer, with `<image>` as a special token.

    FileNotFoundError: `locate`'s. ValueError: it is no fast one, or a warm start's model has
    another id for `<image>`.
    """
    from transformers import AutoTokenizer

    from eeca_ref.config import EecaConfig
    from eeca_ref.processing import add_image_token

    parts = ("tokenizer", "start", "language_model")
    folder = part_folder(recipe, next(part for part in parts if getattr(recipe.model, part)))
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder}: no tokenizer can be read from it: {error}") from error
    if not tokenizer.is_fast:
        raise ValueError(f"{folder}: a fast tokenizer (tokenizer.json) is needed")
    number = add_image_token(tokenizer)
    if recipe.model.start is not None:
        trained = EecaConfig.from_pretrained(part_folder(recipe, "start")).image_token_id
        if number != trained:
            raise ValueError(
                f"{IMAGE_TOKEN} is {number} in the tokenizer of {folder}, but {trained} in "
                f"{recipe.model.start}: name the tokenizer that it was trained with"
            )
    return tokenizer


def label_vocabulary(recipe: Recipe, labels: Iterable[str | None]) -> LabelVocabulary:
    """The classes of L_h: those of the classifier that `start` has, else those of the data.

    labels: the data's (`TokenStore.labels`), only looked at where they are needed. Empty where L_h
    has no weight and `start` has no classes.
    """
    weight = recipe.model.settings.get("mu_h")
    if recipe.model.start is not None:
        from eeca_ref.config import EecaConfig

        start = EecaConfig.from_pretrained(part_folder(recipe, "start"))
        weight = start.mu_h if weight is None else weight
        if start.hierarchical_labels and "classifier" not in recipe.model.new:
            return LabelVocabulary(start.hierarchical_labels)
    return LabelVocabulary(()) if weight == 0 else LabelVocabulary.of(labels)


def model_config(recipe: Recipe, tokenizer: Any, labels: LabelVocabulary) -> EecaConfig:
    """What `build_model` will build, without reading weights. ValueError: it contradicts itself."""
    from transformers import AutoConfig, CLIPVisionConfig

    from eeca_ref.config import EecaConfig

    changes = {**recipe.model.settings, "hierarchical_labels": list(labels.labels)}
    if recipe.model.start is not None:
        config: EecaConfig = EecaConfig.from_pretrained(part_folder(recipe, "start"), **changes)
        return config
    return EecaConfig(
        vision_config=CLIPVisionConfig.from_pretrained(part_folder(recipe, "vision")),
        text_config=AutoConfig.from_pretrained(part_folder(recipe, "language_model")),
        image_token_id=image_token_id(tokenizer),
        **changes,
    )


def build_model(
    recipe: Recipe, tokenizer: Any, labels: LabelVocabulary
) -> EecaForConditionalGeneration:
    """The model as training begins, on the CPU, in the recipe's precision, its parts frozen or not.

    New weights depend on the recipe's seed alone; torch's generator is left as it was. Errors:
    those of `locate`, `from_parts` and `warm_start`.
    """
    import torch

    from eeca_ref.checkpoint import from_parts, warm_start

    options = {
        "dtype": torch.bfloat16 if recipe.engine.precision == "bf16" else torch.float32,
        "attn_implementation": recipe.engine.attention,
    }
    changes = {**recipe.model.settings, "hierarchical_labels": list(labels.labels)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        if recipe.model.start is not None:
            start = part_folder(recipe, "start")
            model = warm_start(start, new=recipe.model.new, options=options, **changes)
        else:
            model = from_parts(
                vision=part_folder(recipe, "vision"),
                language_model=part_folder(recipe, "language_model"),
                image_token_id=image_token_id(tokenizer),
                options=options,
                **changes,
            )
    model.set_trainable(*recipe.train)
    return model


def token_settings(recipe: Recipe, config: EecaConfig) -> TokenSettings:
    """How rows become tokens."""
    return TokenSettings(
        format=recipe.data.format,
        max_length=config.max_sequence_length,
        visual_tokens=config.visual_tokens,
    )


def image_settings(recipe: Recipe, config: EecaConfig) -> ImageSettings:
    """How images become pixels: normalised as the vision tower's checkpoint says.

    FileNotFoundError: it does not say (`preprocessor_config.json`; `processor_config.json` of an
    earlier stage).
    """
    part = "vision" if recipe.model.start is None else "start"
    folder = part_folder(recipe, part)
    for name in ("processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            about = json.loads((folder / name).read_text(encoding="utf-8"))
            if "image_mean" in about and "image_std" in about:
                return ImageSettings(
                    size=config.image_size,
                    fit=recipe.data.fit,
                    mean=tuple(about["image_mean"]),
                    std=tuple(about["image_std"]),
                )
    raise FileNotFoundError(
        f"{folder}: no preprocessor_config.json or processor_config.json says how its images are "
        "normalised (image_mean, image_std)"
    )
