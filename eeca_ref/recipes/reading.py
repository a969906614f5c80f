"""YAML to settings and settings to a recipe, with errors that name the file and the key."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Hashable, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from eeca_ref.recipe import Recipe


class _Loader(yaml.SafeLoader):
    """YAML where 1e-4 is a number (in YAML 1.1 it is a text), and a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {min(map(str, twice))} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """A YAML mapping. ValueError naming `where` and the line."""
    settings = _value(text, where)
    if not isinstance(settings, dict):
        raise ValueError(f"{where}: a mapping of settings is needed, as in `optim: {{lr: 1e-4}}`")
    return settings


def apply_sets(settings: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """`settings` with "optim.lr=1e-4" and the like. ValueError naming every one that is none."""
    result = copy.deepcopy(settings)
    problems = []
    for each in sets:
        dotted, equals, text = each.partition("=")
        keys = dotted.strip().split(".")
        if not equals or not all(keys):
            problems.append(f"--set {each}: KEY=VALUE is needed, such as optim.lr=1e-4")
            continue
        try:
            value = _value(text, f"--set {each}")
            _set(result, keys, value)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return result


def build_recipe(settings: dict[str, Any], where: str) -> Recipe:
    """The recipe of some settings. ValueError naming every problem, its key and `where`.

    What has a wrong type or an unknown key would hide contradictions elsewhere; so it is taken out
    and the rest is looked at too.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        problems = _problems(error)
        rest = _without(settings, error)
    try:
        if rest is not None:
            Recipe.model_validate(rest)
    except ValidationError as error:
        more = [each for each in error.errors() if each["type"] == "contradictions"]
        for each in more:
            problems += [one for one in each["ctx"]["problems"] if one not in problems]
    if len(problems) == 1:
        raise ValueError(f"{where}: {problems[0]}")
    listed = "".join(f"\n  {each}" for each in problems)
    raise ValueError(f"{where}: {len(problems)} problems:{listed}")


def _value(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{where}{line}: {getattr(error, 'problem', None) or error}") from error


def _set(settings: dict[str, Any], keys: list[str], value: Any) -> None:
    *folders, last = keys
    at = settings
    for depth, key in enumerate(folders):
        inner = at.get(key)
        if inner is None:
            inner = at[key] = {}
        if not isinstance(inner, dict):
            before = ".".join(keys[: depth + 1])
            raise ValueError(f"--set {'.'.join(keys)}: {before} is {inner!r}, it has no keys")
        at = inner
    at[last] = value


def _problems(error: ValidationError) -> list[str]:
    problems: list[str] = []
    for each in error.errors():
        # a union's location names the kind that was chosen, which is no key
        key = ".".join(str(part) for part in each["loc"] if part not in ("llava", "mgld"))
        if each["type"] == "contradictions":
            problems += each["ctx"]["problems"]
        elif each["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(each["loc"][-1]), _field_names(), n=1)
            hint = f"; is {near[0]} meant?" if near else ""
            problems.append(f"{key}: unknown key{hint}")
        elif each["type"] == "missing":
            problems.append(f"{key}: is missing")
        else:
            said = each["msg"].removeprefix("Value error, ")
            problems.append(f"{key}: {said}, not {each['input']!r}")
    return problems


def _field_names() -> list[str]:
    schema = Recipe.model_json_schema()
    records = [schema, *schema["$defs"].values()]
    return sorted({name for record in records for name in record.get("properties", {})})


def _without(settings: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """`settings` less the values that are wrong by themselves; None where nothing was taken out."""
    rest = copy.deepcopy(settings)
    taken = False
    for each in error.errors():
        at: Any = rest
        keys = [part for part in each["loc"] if part not in ("llava", "mgld")]
        for key in keys[:-1]:
            at = at.get(key) if isinstance(at, dict) else None
        if isinstance(at, dict) and keys and keys[-1] in at:
            del at[keys[-1]]
            taken = True
    return rest if taken else None
