"""Other ways in which a landmark's name may be written, for graders to accept."""

from __future__ import annotations

from mgld.annotate.labels import is_kind_phrase
from mgld.annotate.names import split_name
from mgld.annotate.wording import strip_accents

_ABBREVIATIONS = {"St.": "Saint", "Mt.": "Mount", "Ft.": "Fort"}


def other_names(name: str) -> list[str]:
    """Aliases of `name`: without qualifiers, with abbreviations spelled out, without accents.

    "Château de Meudon (Meudon)" -> "Château de Meudon", "Chateau de Meudon (Meudon)", "Chateau de
    Meudon". The name itself is not among them, nor is a bare name that only says a kind ("City
    Hall, Paris" has no alias "City Hall").
    """
    bare = split_name(name).bare
    names = [name] if is_kind_phrase(bare) else [name, bare]
    names += [_spell_out(each) for each in names]
    names += [strip_accents(each) for each in names]
    return [each for each in dict.fromkeys(names) if each != name]


def _spell_out(name: str) -> str:
    return " ".join(_ABBREVIATIONS.get(word, word) for word in name.split(" "))
