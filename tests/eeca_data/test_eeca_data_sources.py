"""LLaVA's files and MGLD's configs as samples: nothing is dropped unseen, nothing replaced."""

from __future__ import annotations

import json
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import chat_tokenizers
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from eeca_ref.data import json_array
from eeca_ref.data.entities import entity_token_ids, with_entities
from eeca_ref.data.json_array import iter_json_array
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.llava import LlavaSource
from eeca_ref.data.mgld import MgldSource
from eeca_ref.data.samples import Sample, Skipped

CC595K = [
    {
        "id": "GCC_train_000000001",
        "image": "GCC_train_000000001.jpg",
        "conversations": [
            {"from": "human", "value": "Give a brief description of the image.\n<image>"},
            {"from": "gpt", "value": "a lake near the mountain ."},
        ],
    }
]
MIX665K: list[Any] = [
    {
        "id": "000000033471",
        "image": "coco/train2017/000000033471.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat colour is the bus?\nReply with a word."},
            {"from": "gpt", "value": "Blue"},
            {"from": "human", "value": "And the sky?"},
            {"from": "gpt", "value": "Grey"},
        ],
    },
    {
        "id": 7,
        "model": "",
        "conversations": [
            {"from": "gpt", "value": "Hello!"},
            {"from": "human", "value": "Who built it?"},
            {"from": "gpt", "value": "Gustave Eiffel's company."},
        ],
    },
    {"id": "outside", "image": "../../secret.jpg", "conversations": []},
    {"id": "two", "image": ["a.jpg", "b.jpg"], "conversations": []},
    {"id": "nobody", "conversations": [{"from": "bing", "value": "x"}]},
    {"id": "silent", "conversations": []},
    {"id": "number", "conversations": [{"from": "human", "value": 3}]},
    "no object",
    {
        "id": "vg_1",
        "image": "vg/VG_100K/1.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhere is it?"},
            {"from": "gpt", "value": "In Paris."},
        ],
    },
]


def write(path: Path, rows: object) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def test_cc595k(tmp_path: Path) -> None:
    (tmp_path / "GCC_train_000000001.jpg").write_bytes(b"pixels")
    source = LlavaSource(write(tmp_path / "chat.json", CC595K), {"": tmp_path})
    (sample,) = source.rows()
    assert isinstance(sample, Sample)
    assert sample.image == "GCC_train_000000001.jpg"
    assert sample.turns[0].content == "<image>\nGive a brief description of the image."
    assert source.has_image(sample.image)
    assert source.read_image(sample.image) == b"pixels"


def test_the_mix_with_its_folders_and_bad_rows(tmp_path: Path) -> None:
    coco, rest = tmp_path / "disk1", tmp_path / "disk2"
    (coco / "train2017").mkdir(parents=True)
    (coco / "train2017/000000033471.jpg").write_bytes(b"coco")
    rest.mkdir()
    source = LlavaSource(write(tmp_path / "mix.json", MIX665K), {"coco": coco, "": rest})
    rows = list(source.rows())
    assert len(rows) == len(MIX665K)
    assert [row.status for row in rows if isinstance(row, Skipped)] == [
        "bad_path",
        "several_images",
        "bad_row",
        "no_answer",
        "bad_row",
        "bad_row",
    ]
    image, text, last = [row for row in rows if isinstance(row, Sample)]
    assert (image.id, image.image) == ("000000033471", "coco/train2017/000000033471.jpg")
    assert source.read_image("coco/train2017/000000033471.jpg") == b"coco"
    assert (text.id, text.image) == ("7", None)
    assert [turn.role for turn in text.turns] == ["user", "assistant"]
    # A missing image is no error of the text; it is asked for when training begins.
    assert last.image is not None
    assert not source.has_image(last.image)
    with pytest.raises(FileNotFoundError):
        source.read_image(last.image)
    assert list(source.rows(start=7)) == rows[7:]
    assert pickle.loads(pickle.dumps(source)).fingerprint() == source.fingerprint()


def test_the_fingerprint_is_of_the_rows(tmp_path: Path) -> None:
    one = LlavaSource(write(tmp_path / "a.json", CC595K), {"": tmp_path})
    same = LlavaSource(write(tmp_path / "b.json", CC595K), {"": tmp_path})
    other = LlavaSource(write(tmp_path / "c.json", MIX665K), {"": tmp_path})
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*chat\.json"):
        LlavaSource(tmp_path / "chat.json", {"": tmp_path})
    with pytest.raises(FileNotFoundError, match=r"no image folder .*coco"):
        LlavaSource(write(tmp_path / "chat.json", []), {"coco": tmp_path / "coco"})
    source = LlavaSource(write(tmp_path / "chat.json", MIX665K), {"coco": tmp_path})
    assert not source.has_image("vg/VG_100K/1.jpg")  # no folder is named for vg


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 20])
def test_arrays_at_every_chunk(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "CHUNK_CHARACTERS", chunk)
    for rows in ([], [1234, -5.5e3, None, True, "a]b,", {"x": [1, "ünï\n"]}, [[]]], MIX665K):
        path = tmp_path / "rows.json"
        path.write_text("\ufeff" + json.dumps(rows, indent=1), encoding="utf-8")
        assert list(iter_json_array(path)) == rows


@pytest.mark.parametrize("text", ["", "{}", "[1", "[1 2]", '[{"a": }]', "[1,]", "[" * 100_000])
def test_broken_arrays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows\.json"):
        list(iter_json_array(path))


@pytest.fixture
def dataset_folder(tmp_path: Path) -> Path:
    """A dataset folder with a config `hds3`, written by hand as an export writes it."""
    folder = tmp_path / "dataset"
    (folder / "hds3").mkdir(parents=True)
    buffer = BytesIO()
    Image.new("RGB", (4, 3), "red").save(buffer, "PNG")
    rows = [
        {
            "id": f"{number:016x}",
            "image": {"bytes": buffer.getvalue(), "path": f"{number:016x}.jpg"},
            "conversation": said,
            "entities": entities,
            "hierarchical_label": label,
        }
        for number, (said, entities, label) in enumerate(
            [
                (_said("What is it?", "A church."), ["blue walls", "lime roof"], "church"),
                (_said("Where?", "By a lake."), [], "lake"),
                (_said("Who?", "Nobody."), ["gold beacon"], None),
                ([], ["x"], "lake"),
            ]
        )
    ]
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            (
                "conversation",
                pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
            ),
            ("entities", pa.list_(pa.string())),
            ("hierarchical_label", pa.string()),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "hds3/train-0.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: hds3\n  data_files:\n  - split: train\n"
        "    path: hds3/train-*.parquet\n---\n"
    )
    return folder


def _said(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def test_mgld_records(dataset_folder: Path, tmp_path: Path) -> None:
    options = {"cache_dir": str(tmp_path / "cache")}
    source = MgldSource(str(dataset_folder), "hds3", **options)
    rows = list(source.rows())
    church, lake, nobody, empty = rows
    assert isinstance(church, Sample)
    assert church.turns[0].content == "<image>\nWhat is it?"
    assert church.entities == ("blue walls", "lime roof")
    assert church.label == "church"
    assert isinstance(lake, Sample)
    assert lake.entities == ()  # allowed
    assert isinstance(nobody, Sample)
    assert nobody.label is None
    assert isinstance(empty, Skipped)
    assert empty.status == "no_answer"
    assert nobody.image is not None
    assert source.read_image(nobody.image).startswith(b"\x89PNG")
    assert list(source.rows(start=2)) == rows[2:]
    again = pickle.loads(pickle.dumps(source))
    assert list(again.rows()) == rows

    prompted = MgldSource(
        str(dataset_folder), "hds3", entity_prompt="training_and_inference", **options
    )
    first, second, *_ = prompted.rows()
    assert isinstance(first, Sample)
    assert first.turns[0].content == with_entities(church.turns[0].content, church.entities)
    assert "blue walls, lime roof" in first.turns[0].content
    assert second == lake
    # Entities at inference only: training does not see them.
    inference = MgldSource(str(dataset_folder), "hds3", entity_prompt="inference", **options)
    assert list(inference.rows()) == rows
    assert source.fingerprint() == inference.fingerprint() != prompted.fingerprint()


@pytest.mark.parametrize("kind", chat_tokenizers.ALL)
def test_entities_are_tokenized_as_within_a_sentence(kind: str) -> None:
    tokenizer = chat_tokenizers.ALL[kind]()
    one, spaced, empty, special = entity_token_ids(
        ["Eiffel Tower", "  Eiffel \n Tower ", "", f"end {tokenizer.eos_token}"], tokenizer
    )
    assert one == spaced
    assert tokenizer.convert_ids_to_tokens(one) == ["ĠEiffel", "ĠTower"]
    sentence = tokenizer("the Eiffel Tower", add_special_tokens=False)["input_ids"]
    assert sentence[-len(one) :] == one
    assert empty == special == []
    assert entity_token_ids([], tokenizer) == []


def test_a_tokenizer_that_puts_the_space_itself_gets_none() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"▁lake": 0, "▁": 1, "?": 2}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert entity_token_ids(["lake"], tokenizer) == [[0]]


def test_label_vocabulary(tmp_path: Path) -> None:
    labels = LabelVocabulary.of(["lake", None, "église", "lake"])
    assert labels.labels == ("lake", "église")
    assert [labels.number(each) for each in ("église", None, "church")] == [1, -100, -100]
    labels.save(tmp_path)
    assert LabelVocabulary.load(tmp_path).labels == labels.labels
    with pytest.raises(ValueError, match="twice"):
        LabelVocabulary(["a", "a"])
    (tmp_path / "hierarchical_labels.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="no list of labels"):
        LabelVocabulary.load(tmp_path)
