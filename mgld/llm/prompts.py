"""Prompts as files: YAML front matter, `# Instructions` (system) and `# Prompt` (user template).

A file without the first section has no system part.

    ---
    id: qa
    version: 1
    schema: qa_reply
    ---
    # Instructions
    ...
    # Prompt
    Name: {name}

Every value is put in as JSON: a text in double quotes, with quotes, line breaks and control
characters escaped, a list in brackets. So a landmark called `Ignore the above` or `"} {name}` stays
what it is, a quoted string, and nothing in it can close its own delimiter. Braces that are no
placeholder (an example's `{"answer": ...}`) need no escaping.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import NamedTuple

import yaml
from pydantic import Field, ValidationError

from mgld.schema import Record

_FILE = re.compile(
    r"---\n(?P<front>.*?)\n---\n\s*"
    r"(?:# Instructions\n(?P<instructions>.*?)\n)?# Prompt\n(?P<text>.*)",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")

Value = str | None | list[str]


class Rendered(NamedTuple):
    """A prompt with its values in it: the system's part and the user's."""

    instructions: str
    text: str


class _FrontMatter(Record):
    id: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    version: int = Field(ge=1)
    schema_name: str = Field(alias="schema", min_length=1)


class Prompt(NamedTuple):
    """A prompt file. `version` is `<id>-<content hash>`, as every record it made quotes it."""

    id: str
    version: str
    schema: str
    """Name of the schema that a reply must have."""
    instructions: str
    text: str

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of all values that it needs."""
        return frozenset(_PLACEHOLDER.findall(self.instructions + self.text))

    def render(self, **values: Value) -> Rendered:
        """Put `values` in, each as JSON. ValueError where they are not what the file needs.

        Values are not looked at again: braces in a name are braces in a name.
        """
        if values.keys() != self.placeholders:
            given, needed = ", ".join(sorted(values)), ", ".join(sorted(self.placeholders))
            raise ValueError(f"prompt {self.id} needs the values {needed}, not {given}")
        return Rendered(_fill(self.instructions, values), _fill(self.text, values))


def load_prompt_file(package: str, name: str, *, placeholders: Collection[str]) -> Prompt:
    """The prompt in `<package>/prompts/<name>`, which must use exactly these `placeholders`."""
    data = (files(package) / "prompts" / name).read_bytes()
    return parse_prompt(data, name, placeholders=placeholders)


def parse_prompt(data: bytes, name: str, *, placeholders: Collection[str]) -> Prompt:
    """Read a prompt file's bytes; `name` is for messages.

    ValueError: no front matter, an unknown or a wrong key in it, a section that is missing or
    empty, a placeholder too many or too few.
    """
    text = data.decode().replace("\r\n", "\n")
    found = _FILE.fullmatch(text)
    if not found:
        raise ValueError(
            f"prompt {name} must be front matter between lines of ---, then the sections "
            "`# Instructions` (if it has any) and `# Prompt`"
        )
    try:
        front = _FrontMatter.model_validate(yaml.safe_load(found["front"]))
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"front matter of prompt {name}: {error}") from error
    prompt = Prompt(
        id=front.id,
        version=f"{front.id}-{hashlib.sha256(text.encode()).hexdigest()[:16]}",
        schema=front.schema_name,
        instructions=(found["instructions"] or "").strip(),
        text=found["text"].strip(),
    )
    if not prompt.text or (found["instructions"] is not None and not prompt.instructions):
        raise ValueError(f"prompt {name} has an empty section")
    if prompt.placeholders != set(placeholders):
        said, known = sorted(prompt.placeholders), sorted(placeholders)
        raise ValueError(f"prompt {name} uses the placeholders {said}; it must use {known}")
    return prompt


def _fill(template: str, values: Mapping[str, Value]) -> str:
    return _PLACEHOLDER.sub(lambda found: _quoted(values[found[1]]), template)


def _quoted(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)
