"""`mgld answer --model eeca:DIR`: a trained model under test, through the group `mgld.models`.

It answers as any transformers model does there: this module makes EECA's classes known, and finds
the model in a run's folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgld.evaluate.models.hf import HfModel

if TYPE_CHECKING:
    from mgld.evaluate.models.base import ModelOptions

MODEL_FOLDER = "model"
"""Where a run's folder has its model when training is finished."""


def load(rest: str, options: ModelOptions) -> EecaModel:
    """The model of `eeca:REST`; its weights are read when it is first asked.

    rest: a folder of `save_pretrained`, a run's folder of `eeca train`, or a Hub repository in the
    local download cache. Raises as `model_folder`.
    """
    # These register EECA's classes with transformers.
    import eeca_ref.model
    import eeca_ref.processing  # noqa: F401

    if not rest.strip():
        raise ValueError("which model? write eeca:FOLDER or eeca:OWNER/NAME")
    return EecaModel(model_folder(rest), options, called=_called(rest))


class EecaModel(HfModel):
    """See `mgld.evaluate.models.base.Model`. `called`: its name in results, after `eeca:`."""

    def __init__(self, name: str, options: ModelOptions, *, called: str) -> None:
        super().__init__(name, options)
        self._called = called

    @property
    def id(self) -> str:
        """`eeca:` and the folder's last name (or that of the run it is in), or the repository."""
        return f"eeca:{self._called}"


def model_folder(rest: str) -> str:
    """The folder that holds the model: `rest`, or `rest`/model where that is a finished run.

    What is no folder is taken for a Hub repository and returned as it is.

    ValueError: adapters alone, an unfinished run, or another architecture. FileNotFoundError: a
    folder without a model.
    """
    folder = Path(rest)
    if not folder.is_dir():
        return rest
    found = folder / MODEL_FOLDER if (folder / MODEL_FOLDER / "config.json").is_file() else folder
    config = found / "config.json"
    if not config.is_file():
        if (folder / "recipe.yaml").is_file():
            raise ValueError(
                f"{folder} is a run that has no model yet: `eeca train` goes on with it; a "
                f"checkpoint's is in {folder}/checkpoints/step-.../model"
            )
        raise FileNotFoundError(f"{folder} holds no model: there is no {config.name}")
    kind = _model_type(config)
    if kind != "eeca":
        raise ValueError(f"{found} holds a model of type {kind!r}, not eeca; hf:{rest} loads it")
    if (
        not any(found.glob("*.safetensors.index.json"))
        and not (found / "model.safetensors").exists()
    ):
        alone = (found / "adapters.safetensors").is_file()
        what = "adapters alone, without the language model" if alone else "no weights"
        raise ValueError(
            f"{found} holds {what}: a folder of `eeca train` or save_pretrained is meant"
        )
    return str(found)


def _model_type(config: Path) -> Any:
    try:
        return json.loads(config.read_text(encoding="utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{config} is no configuration of a model: {error!r}") from error


def _called(rest: str) -> str:
    """A run's folder gives its name: every run's model is called "model"."""
    folder = Path(rest)
    if not folder.is_dir():
        return rest
    folder = folder.resolve()
    run = folder.parent
    # .../RUN/model, or .../RUN/checkpoints/step-00000500/model
    if folder.name == MODEL_FOLDER and (run / "recipe.yaml").is_file():
        return run.name
    if folder.name == MODEL_FOLDER and (run.parent.parent / "recipe.yaml").is_file():
        return f"{run.parent.parent.name}/{run.name}"
    return folder.name
