"""`mgld.load`: the dataset by name or folder, as `datasets` gives it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

DEFAULT_REPO: str | None = None
"""Hub id of the published dataset, where neither an argument nor MGLD_REPO names another.

None: none is published yet. An id that is not ours would let whoever registers it supply the data.
"""


def load(
    source: str | os.PathLike[str] | None = None,
    config: str = "full",
    *,
    split: str | None = None,
    revision: str | None = None,
    **kw: Any,
) -> Dataset | DatasetDict | IterableDataset | IterableDatasetDict:
    """Load one config of the dataset.

    Without `streaming`, `datasets` keeps a decompressed copy in its cache, keyed by the folder's
    last name and its card, which states a hash of each config's files: a folder that was written
    anew is read anew.

    Args:
        source: a dataset folder, a build folder (its `dataset/` is used), or a Hub id. None: the
            Hub id in the environment's MGLD_REPO; there is no default to fall back to yet.
        config: `full` (splits train, test), `eval` (test, test_paper), `names`, or a subset such
            as `hds25k` (`hds25000` is the same).
        split: one split; None gives all.
        revision: a tag or commit of a Hub id.
        **kw: passed to `datasets.load_dataset`: `streaming=True`, `columns=[...]`,
            `cache_dir=...`.

    Returns:
        A `Dataset`, or a `DatasetDict` by split where `split` is None; with `streaming=True` their
        iterable kinds. The columns are those of docs/definitions.md, "Records".

    Raises:
        FileNotFoundError: no such folder or repository, or a build without a dataset.
        ValueError: no such config, split or column (the message lists what is there), a revision
            of a folder, or neither `source` nor MGLD_REPO.
        ConnectionError: the Hub cannot be reached.
    """
    if source is None:
        source = os.environ.get("MGLD_REPO") or DEFAULT_REPO
    if source is None:
        raise ValueError(
            "which dataset? none is published as a default yet: give a build or dataset folder or "
            "a Hub id, or set MGLD_REPO to a Hub id"
        )
    folder = Path(source).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ValueError(f"{folder} is a folder and has no revision {revision!r}")
        return _load_folder(dataset_folder(folder), config, split, kw)
    _require_hub_id(source)
    return _load_repo(str(source), _canonical(config), split, revision, kw)


def config_names(folder: str | os.PathLike[str]) -> list[str]:
    """The configs that the card of a dataset folder lists, in its order."""
    return [str(config["config_name"]) for config in _card(folder)["configs"]]


def folder_content(source: str | os.PathLike[str], config: str) -> str | None:
    """The content hash that the card of a build or dataset folder states for one config.

    None where `source` is no folder, or its card (of an old dataset) states none.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return None
    for each in _card(dataset_folder(folder))["configs"]:
        if _canonical(str(each["config_name"])) == _canonical(config):
            stated = re.search(r"sha256:[0-9a-f]{64}", str(each.get("description", "")))
            return stated[0] if stated else None
    return None


def pinned(source: str | os.PathLike[str], config: str) -> tuple[str, str | None]:
    """What stands for every byte of a config, and the `revision` to `load` that very state.

    A folder: the hash that its card states, and None; a Hub id: the commit that it is at, twice.
    FileNotFoundError as `load`; ValueError where the card of a folder states no hash;
    ConnectionError where the Hub does not tell the commit.
    """
    if Path(source).expanduser().is_dir():
        content = folder_content(source, config)
        if content is None:
            raise ValueError(
                f"the card of {source} states no content hash of {config!r}, so that its images "
                "cannot be told from others of the same ids; write the dataset anew with "
                "`mgld build`"
            )
        return content, None
    _require_hub_id(source)
    commit = _commit(str(source))
    return commit, commit


def _commit(repo: str) -> str:
    """The commit that a Hub id is at."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        return str(HfApi().dataset_info(repo).sha)
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"there is no local folder {repo}, and no dataset {repo!r} on the Hub ({error})"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise ConnectionError(
            f"the Hub does not tell which commit {repo!r} is at ({error}); try again, or give a "
            "dataset folder"
        ) from error


def dataset_folder(folder: Path) -> Path:
    """The dataset in a build or dataset folder, resolved. FileNotFoundError: there is none."""
    if (folder / "manifest.json").is_file():  # a build
        folder = folder / "dataset"
        if not (folder / "README.md").is_file():
            raise FileNotFoundError(
                f"{folder.parent} is a build whose dataset is not finished: "
                f"run `mgld build --out {folder.parent}` again"
            )
    elif not (folder / "README.md").is_file():
        raise FileNotFoundError(
            f"{folder} holds no dataset: there is no README.md that lists configs"
        )
    return folder.resolve()


def _card(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The metadata of a dataset folder's card, which lists at least one config."""
    import yaml

    card = (Path(folder) / "README.md").read_text(encoding="utf-8")
    _, _, rest = card.partition("---\n")
    header, _, _ = rest.partition("\n---\n")
    metadata = yaml.safe_load(header)
    if not isinstance(metadata, dict) or not metadata.get("configs"):
        raise ValueError(f"{folder}/README.md lists no configs: not an MGLD dataset")
    return metadata


def _load_folder(folder: Path, config: str, split: str | None, kw: dict[str, Any]) -> Any:
    from datasets import load_dataset

    there = config_names(folder)
    by_canonical = {_canonical(name): name for name in there}
    name = by_canonical.get(_canonical(config))
    if name is None:
        raise ValueError(f"no config {config!r} in {folder}; there are: {', '.join(there)}")
    infos = {info["config_name"]: info for info in _card(folder).get("dataset_info", [])}
    if name in infos:
        _check_split(name, split, [each["name"] for each in infos[name]["splits"]])
        _check_columns(name, kw.get("columns"), [each["name"] for each in infos[name]["features"]])
    return load_dataset(str(folder), name, split=split, **kw)


def _check_split(config: str, split: str | None, there: list[str]) -> None:
    """Refuse a split that the card does not list; `train[:10%]` and sums are left to `datasets`."""
    if split is None or not re.fullmatch(r"\w+", split) or split in (*there, "all"):
        return
    hint = ""
    if _is_subset(config):
        hint = "; subsets are cut from the training records: test records are in full and eval"
    raise ValueError(f"config {config!r} has no split {split!r}, only {', '.join(there)}{hint}")


def _check_columns(config: str, columns: list[str] | None, there: list[str]) -> None:
    """Refuse columns that the card does not list."""
    unknown = [column for column in columns or [] if column not in there]
    if unknown:
        raise ValueError(
            f"config {config!r} has no column {', '.join(map(repr, unknown))}; there are: "
            f"{', '.join(there)}"
        )


def _load_repo(
    repo: str, config: str, split: str | None, revision: str | None, kw: dict[str, Any]
) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    hint = "give a dataset folder or another Hub id, or name one in MGLD_REPO"
    no_folder = f"there is no local folder {repo}"
    try:
        return load_dataset(repo, config, split=split, revision=revision, **kw)
    except DatasetNotFoundError as error:
        raise FileNotFoundError(
            f"{no_folder}, and no dataset {repo!r} on the Hub ({error}); {hint}"
        ) from error
    except ConnectionError as error:
        raise ConnectionError(
            f"{no_folder}, and the Hub cannot be reached for a dataset {repo!r} ({error}); {hint}"
        ) from error


def _is_subset(config: str) -> bool:
    """Whether a config's name is that of a subset, such as hds25k."""
    from mgld.scoring.sizes import parse_config_name

    try:
        parse_config_name(config)
    except ValueError:  # full, eval, names
        return False
    return True


def _canonical(config: str) -> str:
    """One name for one subset: hds1000 and hds1k are the same."""
    from mgld.scoring.sizes import config_name, parse_config_name

    return config_name(*parse_config_name(config)) if _is_subset(config) else config


def _require_hub_id(source: str | os.PathLike[str]) -> None:
    """FileNotFoundError where a source that is no folder was meant as one."""
    if isinstance(source, os.PathLike) or looks_like_path(source):
        raise FileNotFoundError(
            f"there is no folder {source}; `mgld build --source DIR --out {source}` makes one "
            "(a Hub id is OWNER/NAME, where no folder OWNER is here)"
        )


def looks_like_path(source: str) -> bool:
    """Whether a name that is no folder was meant as one; a Hub id is `name` or `owner/name`.

    `out/demo` could be an owner's dataset; where there is a folder `out` it is a typing error.
    """
    if source.startswith((".", "/", "~")) or "\\" in source or source.count("/") != 1:
        # A Hub id without an owner is one of the Hub's own few old datasets, never an MGLD.
        return True
    return Path(source).parent.is_dir()
