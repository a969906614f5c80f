"""What models cost: a dated table in a file, and a file of one's own before it.

Prices change, and the built-in ones are copies of a day: `mgld/llm/prices.yaml` says of which.
"""

from __future__ import annotations

import datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from mgld.llm.model_ids import undated
from mgld.llm.settings import LlmSettings
from mgld.schema import Record


class Price(Record):
    """US dollars per million tokens of one model, at the endpoint's standard tier.

    cached_input: input that the endpoint had seen just before; where a file does not say, `input`.
    cache_write: input that the endpoint puts into its cache, where it charges that apart.
    batch_factor: what the Batch API costs of all this. shutdown_date: the model answers no more
    from this day on.
    """

    input: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    batch_factor: float = Field(default=0.5, gt=0, le=1)
    dated: datetime.date | None = None
    shutdown_date: datetime.date | None = None
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _cached_costs_like_fresh(cls, values: Any) -> Any:
        if isinstance(values, dict) and "cached_input" not in values and "input" in values:
            return {**values, "cached_input": values["input"]}
        return values


def find_price(model: str, settings: LlmSettings) -> Price | None:
    """The price of a model, or None where no table has it.

    The file of `settings.prices` goes before the built-in table. In each, the id itself is looked
    up, then its family without the date of a snapshot; never a mere beginning of the id. A
    fine-tune (`ft:...`) has a price of its own and is only found by its whole id.

    ValueError, OSError: the file of `settings.prices` cannot be read.
    """
    for table in _tables(settings):
        price = table.get(model) or table.get(undated(model))
        if price is not None:
            return price
    return None


def find_shutdown(model: str, settings: LlmSettings) -> datetime.date | None:
    """The day from which a model answers no more, as far as a table knows.

    A file of one's own that gives a price but no such date leaves the built-in date standing.
    Fine-tunes end with their base model. Raises like `find_price`.
    """
    if model.startswith("ft:"):
        model = model.split(":")[1]
    for table in _tables(settings):
        for name in (model, undated(model)):
            if name in table and table[name].shutdown_date is not None:
                return table[name].shutdown_date
    return None


def cost_usd(
    price: Price, input_tokens: int, cached_tokens: int, output_tokens: int, *, batch: bool
) -> float:
    """Dollars of a reply by its usage. `input_tokens` include `cached_tokens`.

    Which of the other input tokens were written to the endpoint's cache is not asked: where that
    has a higher price, all of them are charged at it.
    """
    cached = min(max(cached_tokens, 0), input_tokens)
    fresh = max(price.input, price.cache_write or 0.0)
    dollars = (
        (input_tokens - cached) * fresh + cached * price.cached_input + output_tokens * price.output
    ) / 1e6
    return dollars * price.batch_factor if batch else dollars


def read_prices(path: Path) -> dict[str, Price]:
    """The table of a file like `mgld/llm/prices.yaml`: model id -> price.

    ValueError naming the file, and the model and field that are wrong; OSError where it cannot be
    read.
    """
    return _parse(path.read_bytes(), str(path))


def _tables(settings: LlmSettings) -> list[dict[str, Price]]:
    if settings.prices is None:
        return [_built_in()]
    path = Path(settings.prices).expanduser()
    return [_own(path, path.stat().st_mtime_ns), _built_in()]


@lru_cache(maxsize=4)
def _own(path: Path, changed: int) -> dict[str, Price]:
    return read_prices(path)


@lru_cache(maxsize=1)
def _built_in() -> dict[str, Price]:
    return _parse(files("mgld.llm").joinpath("prices.yaml").read_bytes(), "mgld/llm/prices.yaml")


def _parse(content: bytes, name: str) -> dict[str, Price]:
    try:
        read = yaml.safe_load(content.decode())
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"prices {name}: not YAML: {error}") from error
    models = read.get("models") if isinstance(read, dict) else None
    if not isinstance(models, dict) or not models or set(read) != {"models"}:
        raise ValueError(
            f"prices {name}: must hold one mapping `models`, of model ids to their prices, e.g. "
            "`models: {my-model: {input: 0.4, output: 1.6}}` in US dollars per million tokens"
        )
    table = {}
    for model, values in models.items():
        if not isinstance(model, str):
            raise ValueError(f"prices {name}: the model id {model!r} must be text; quote it")
        try:
            table[model] = Price.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise ValueError(f"prices {name}: model {model}: {where}: {problem['msg']}") from error
    return table
