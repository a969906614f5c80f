"""What is supervised, token by token, and why; and the same as a picture in text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from eeca_ref.data.tokens import SUPERVISED, WHY, Role, Tokens


@dataclass(frozen=True)
class TokenView:
    """One token: its number in the sample, id, text, whether it is supervised, role, reason."""

    position: int
    id: int
    text: str
    supervised: bool
    role: str
    why: str


def token_views(tokens: Tokens, tokenizer: Any) -> list[TokenView]:
    """A view of every token of a sample, in order.

    `text` is the token decoded by itself; bytes that are no whole character show as U+FFFD.
    """
    return [
        TokenView(
            position,
            int(number),
            str(tokenizer.decode([int(number)], skip_special_tokens=False)),
            Role(role) in SUPERVISED,
            Role(role).name.lower(),
            WHY[Role(role)],
        )
        for position, (number, role) in enumerate(zip(tokens.ids, tokens.roles, strict=True))
    ]


def supervision_picture(tokens: Tokens, tokenizer: Any) -> str:
    """Lines of tokens of one role: `+` supervised, `-` not; tokens parted by `|`, newline as `\\n`.

    ```
    - template |<bos>|user:|
    + answer   |The| Eiffel| Tower|
    ```
    """
    views = token_views(tokens, tokenizer)
    lines = []
    for (supervised, role), run in groupby(views, lambda view: (view.supervised, view.role)):
        texts = "|".join(view.text.replace("\n", "\\n") for view in run)
        lines.append(f"{'+' if supervised else '-'} {role:8} |{texts}|\n")
    return "".join(lines)
