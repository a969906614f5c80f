"""Ids and labels against the chat template, and the stored pictures of what is supervised."""

from __future__ import annotations

import json
import os
from pathlib import Path

import chat_tokenizers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from eeca_ref.data.audit import supervision_picture, token_views
from eeca_ref.data.chat import ChatFormat
from eeca_ref.data.plain import PlainFormat
from eeca_ref.data.samples import SampleError, Turn, place_image
from eeca_ref.data.tokens import Role, Tokens, truncate

GOLDEN = Path(__file__).parent / "golden"

CONVERSATION = (
    Turn("user", "What is shown here?\n<image>"),
    Turn("assistant", " This is the Eiffel Tower. "),
    Turn("user", "Who built it?"),
    Turn("assistant", "Gustave Eiffel's company, in 1889.\n\nIt is 330 m high."),
)
SYSTEM = (Turn("system", "Please describe."), *CONVERSATION)


def check_picture(name: str, tokens: Tokens, tokenizer: object) -> None:
    """Compare with the stored picture; WRITE_GOLDEN=1 writes it."""
    picture = supervision_picture(tokens, tokenizer)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(picture, encoding="utf-8")
    assert picture == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", chat_tokenizers.ALL)
@pytest.mark.parametrize("system", [False, True])
def test_ids_are_the_templates_and_the_picture_is_the_stored_one(kind: str, system: bool) -> None:
    tokenizer = chat_tokenizers.ALL[kind]()
    chat = ChatFormat(tokenizer)
    turns = place_image(SYSTEM if system else CONVERSATION, has_image=True)
    tokens = chat.encode(turns)
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    if system and kind == "brackets":
        assert not chat.takes_system
        messages = messages[1:]
        messages[0]["content"] = "<image>\nPlease describe.\n\nWhat is shown here?"
    expected = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert tokens.ids.tolist() == expected
    check_picture(f"{kind}_system" if system else kind, tokens, tokenizer)


@pytest.mark.parametrize("kind", chat_tokenizers.ALL)
def test_what_is_supervised_begins_where_generation_begins(kind: str) -> None:
    tokenizer = chat_tokenizers.ALL[kind]()
    chat = ChatFormat(tokenizer)
    turns = place_image(CONVERSATION[:2], has_image=True)
    tokens = chat.encode(turns)
    prompt = tokenizer(chat.prompt(turns[:1]), add_special_tokens=False)["input_ids"]
    assert tokens.ids[: len(prompt)].tolist() == prompt
    assert int(np.argmax(tokens.supervised)) == len(prompt)
    # Where it ends, too: the end token is supervised, also where it is the pad token.
    last = np.flatnonzero(tokens.supervised)[-1]
    assert tokens.ids[last] == tokenizer.eos_token_id == tokens.labels[last]


def test_labels_are_ids_or_ignored() -> None:
    tokens = ChatFormat(chat_tokenizers.llama3()).encode(place_image(CONVERSATION, has_image=True))
    labels = tokens.labels
    assert labels.dtype == np.int64
    assert labels[tokens.supervised].tolist() == tokens.ids[tokens.supervised].tolist()
    assert set(labels[~tokens.supervised].tolist()) == {-100}
    assert labels[tokens.roles == Role.IMAGE].tolist() == [-100]


def test_one_bos_though_the_tokenizer_adds_its_own() -> None:
    tokenizer = chat_tokenizers.llama3()
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id  # it would
    for tokens in (
        ChatFormat(tokenizer).encode(place_image(CONVERSATION, has_image=True)),
        PlainFormat(tokenizer).encode((Turn("user", "<image>"), Turn("assistant", "A lake"))),
    ):
        assert tokens.ids.tolist().count(tokenizer.bos_token_id) == 1
        assert tokens.ids[0] == tokenizer.bos_token_id


def test_text_only_rows_and_two_questions_in_a_row() -> None:
    chat = ChatFormat(chat_tokenizers.llama3())
    turns = (Turn("user", "When?"), Turn("user", "Who?"), Turn("assistant", "In May."))
    tokens = chat.encode(place_image(turns, has_image=False))
    assert not tokens.has_image
    assert supervision_picture(tokens, chat.tokenizer).count("- question") == 2


def test_many_equals_one_by_one_and_a_bad_one_harms_no_other() -> None:
    chat = ChatFormat(chat_tokenizers.chatml())
    good = place_image(CONVERSATION, has_image=True)
    special = (Turn("user", "What is <|im_end|>?"), Turn("assistant", "A token."))
    results = chat.encode_many([good, special, good[:2]])
    assert isinstance(results[1], SampleError)
    assert results[1].status == "special_token"
    for result, turns in ((results[0], good), (results[2], good[:2])):
        assert isinstance(result, Tokens)
        assert result.ids.tolist() == chat.encode(turns).ids.tolist()


@pytest.mark.parametrize("where", ["user", "assistant"])
def test_an_image_written_out_is_no_image(where: str) -> None:
    turns = [Turn("user", "What?"), Turn("assistant", "That.")]
    at = 0 if where == "user" else 1
    turns[at] = Turn(turns[at].role, f"{turns[at].content} <image> <image>")
    with pytest.raises(SampleError, match="special_token"):
        ChatFormat(chat_tokenizers.llama3()).encode(turns)


def test_a_template_that_changes_a_content_is_caught() -> None:
    tokenizer = chat_tokenizers.chatml()
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "message['content']", "message['content'].replace('Paris', 'Lutetia')"
    )
    turns = (Turn("user", "Where?"), Turn("assistant", "In Paris."))
    with pytest.raises(SampleError, match="the template changes a content"):
        ChatFormat(tokenizer).encode(turns)


def test_segments_that_do_not_tokenize_alike_are_caught() -> None:
    # Content directly after a letter of the template: the BPE joins them.
    tokenizer = chat_tokenizers.chatml()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ 'lo' if m['role'] == 'user' else '<|im_start|>' }}"
        "{{ m['content'] + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>' }}{% endif %}"
    )
    chat = ChatFormat(tokenizer)
    with pytest.raises(SampleError, match="segment by segment"):
        chat.encode((Turn("user", "cation shown"), Turn("assistant", "Yes")))


def test_newlines_that_a_tokenizer_parts_otherwise_before_a_word_are_refused() -> None:
    # GPT-2's way of parting, and a merge of two newlines: alone they are one token, before a word
    # two. A prompt ends with them, so a model would be asked with a token it never saw there.
    tokenizer = chat_tokenizers.brackets()
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["model"]["merges"].append(["Ċ", "Ċ"])
    state["model"]["vocab"]["ĊĊ"] = len(state["model"]["vocab"])
    gpt2 = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)), bos_token="<s>", eos_token="</s>"
    )
    gpt2.chat_template = (
        "{% for m in messages %}{{ m['role'] + ':\n\n' + m['content'] + eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:\n\n' }}{% endif %}"
    )
    with pytest.raises(ValueError, match=r"'ĊĊ'.* segment by segment and .*'Ċ'"):
        ChatFormat(gpt2)


LLAMA3 = chat_tokenizers.llama3()
LLAMA3_CHAT = ChatFormat(LLAMA3)
CONTENT = st.text(st.sampled_from("aE 7.,'s\n\r\t<|>[\u3000\u200bé塔🗼"), max_size=20)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=3), st.booleans())
def test_whatever_is_said_llama_3_s_ids_are_the_templates(
    rounds: list[tuple[str, str]], image: bool
) -> None:
    said = [
        turn
        for question, answer in rounds
        for turn in (Turn("user", question), Turn("assistant", answer))
    ]
    try:
        turns = place_image(said, has_image=image)
    except SampleError as error:
        assert error.status in ("empty_turn", "no_answer")
        return
    tokens = LLAMA3_CHAT.encode(turns)
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    whole = LLAMA3.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert tokens.ids.tolist() == whole
    # What is supervised reads as the answers, each with its end.
    answers = "".join(f"{turn.content}<|eot_id|>" for turn in turns if turn.role == "assistant")
    assert LLAMA3.decode(tokens.ids[tokens.supervised].tolist()) == answers


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "no chat template"),
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}", "no special token"),
        (
            chat_tokenizers.CHATML_TEMPLATE.replace("'<|im_start|>assistant\n'", "'Reply:'"),
            "otherwise than its generation prompt",
        ),
        (
            "{% for m in messages %}{{ '<|im_start|>' + m['role'] }}{% endfor %}",
            "drops what the user says",
        ),
    ],
)
def test_templates_that_cannot_be_trained_on_are_refused(template: str | None, said: str) -> None:
    tokenizer = chat_tokenizers.chatml()
    tokenizer.chat_template = template
    with pytest.raises(ValueError, match=said):
        ChatFormat(tokenizer)


def test_a_tokenizer_without_the_image_token_is_refused() -> None:
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(ValueError, match="<image> is no special token"):
        PlainFormat(plain)


def test_plain_format_supervises_the_caption_only() -> None:
    tokenizer = chat_tokenizers.llama3()
    turns = place_image(
        (Turn("user", "Please describe.\n<image>"), Turn("assistant", "A lake near the mountain")),
        has_image=True,
    )
    tokens = PlainFormat(tokenizer).encode(turns)
    check_picture("plain", tokens, tokenizer)
    with pytest.raises(SampleError, match="not_a_caption"):
        PlainFormat(tokenizer).encode(place_image(CONVERSATION, has_image=True))


@pytest.mark.parametrize(
    ("turns", "has_image", "status"),
    [
        ((Turn("user", "<image> <image>"), Turn("assistant", "x")), True, "several_images"),
        ((Turn("user", "<image>"), Turn("assistant", "x")), False, "placeholder_without_image"),
        ((Turn("user", "x"), Turn("assistant", "<image>")), True, "image_in_answer"),
        ((Turn("user", "x"),), False, "no_answer"),
        ((Turn("assistant", "x"),), False, "no_answer"),
        ((), False, "no_answer"),
        ((Turn("user", "x"), Turn("assistant", " \n")), False, "empty_turn"),
    ],
)
def test_rows_that_are_no_conversation(
    turns: tuple[Turn, ...], has_image: bool, status: str
) -> None:
    with pytest.raises(SampleError) as caught:
        place_image(turns, has_image=has_image)
    assert caught.value.status == status


def test_the_image_goes_to_the_front_of_its_turn() -> None:
    rest = (Turn("assistant", "y"),)
    for said, placed in {
        "<image>\nx": "<image>\nx",
        "x\n<image>": "<image>\nx",
        "x": "<image>\nx",  # not mentioned: the first question
        "<image>": "<image>",
    }.items():
        assert place_image((Turn("user", said), *rest), has_image=True)[0].content == placed
    second = (Turn("user", "x"), *rest, Turn("user", "z <image>"), *rest)
    assert place_image(second, has_image=True)[2].content == "<image>\nz"
    # A row may begin with an answer and end with a question: both are left out.
    cut = place_image((*rest, *second[:2], Turn("user", "z")), has_image=False)
    assert [turn.content for turn in cut] == ["x", "y"]


def test_truncation_counts_the_visual_tokens_and_keeps_them() -> None:
    tokenizer = chat_tokenizers.llama3()
    tokens = ChatFormat(tokenizer).encode(place_image(CONVERSATION, has_image=True))
    visual = 704
    whole = tokens.spliced_length(visual)
    assert whole == len(tokens) + 703
    assert truncate(tokens, max_length=whole, visual_tokens=visual) is tokens
    cut = truncate(tokens, max_length=whole - 3, visual_tokens=visual)
    assert cut.spliced_length(visual) == whole - 3
    assert cut.ids.tolist() == tokens.ids[:-3].tolist()
    assert cut.has_image
    with pytest.raises(SampleError, match="image_beyond_context"):
        truncate(tokens, max_length=visual, visual_tokens=visual)
    with pytest.raises(SampleError, match="answer_beyond_context"):
        truncate(tokens, max_length=visual + 8, visual_tokens=visual)
    text = ChatFormat(tokenizer).encode((Turn("user", "Who?"), Turn("assistant", "In May.")))
    assert len(truncate(text, max_length=len(text) - 1, visual_tokens=visual)) == len(text) - 1


def test_views_say_why() -> None:
    tokenizer = chat_tokenizers.llama3()
    tokens = ChatFormat(tokenizer).encode(place_image(CONVERSATION, has_image=True))
    views = token_views(tokens, tokenizer)
    assert [view.id for view in views] == tokens.ids.tolist()
    assert [view.supervised for view in views] == tokens.supervised.tolist()
    assert {view.role: view.why for view in views}["end"].startswith("ends the answer")
    assert next(view for view in views if view.role == "image").text == "<image>"
