"""Which files does a name stand for, and to which dataset does each of them go?

A name is a file, a folder of files, a folder that ``datasets`` has saved, or a pattern such as
``data/*.jsonl``. A file goes to the dataset of its own name; what a folder or a pattern stands for,
to that of the folder, which for a pattern is the one above its first wildcard. Whether a file can
be read is for ``read_rows`` to say.
"""

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import orjson

from grace_engine.errors import ReadError
from grace_engine.ingest.readers import can_read, readable_endings

_SPLITS, _STATE = "dataset_dict.json", "state.json"

# JSON files that say something of a dataset and hold none of its records.
_ABOUT = {_SPLITS, _STATE, "dataset_info.json", "dataset_infos.json"}

# How a part of a dataset is named: train-00000-of-00004, on the hub also with a digest behind.
_SHARD = re.compile(r"[-_.]?\d{5}-of-\d{5}(?:-[0-9a-f]{16})?$")


# What the files of a split are named by; "train_part2" belongs to one, "trainer" to none.
_SPLIT = re.compile(r"(?:train|test|validation|valid|val|dev|eval)(?![A-Za-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file that is to be read.

    Attributes:
        path: As the user named it, or below the folder that was named.
        dataset: Where its traces go.
    """

    path: Path
    dataset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A file or folder that stands among others and is not read.

    Attributes:
        path: Where it is.
        reason: Why it is not read.
        fault: A sentence where it looks like data and is refused all the same; else "".
    """

    path: Path
    reason: str
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a name stands for.

    Attributes:
        files: What is to be read, in order; at least one.
        passed_over: What is not.
    """

    files: tuple[FoundFile, ...]
    passed_over: tuple[PassedOver, ...] = ()


def discover(named: Path | str, dataset: str = "", *, follow: bool = False) -> Found:
    """The files that a name stands for.

    Args:
        named: A file, a folder or a pattern; a file that does not exist is found all the same.
        dataset: Where all of them go; "" for datasets named after the folder or the file.
        follow: Find links that lead out of a folder or pattern, too, for a caller who looks where
            they lead; else only one that is itself named is followed.

    Raises:
        ReadError: A folder or pattern without a file that can be read, a saved dataset of which
            something is missing.
    """
    path = Path(named)
    try:
        if path.is_dir():
            found = list(_in_folder(path))
        elif glob.has_magic(str(path)) and not path.exists():
            found = list(_of_pattern(str(path)))
        else:
            return Found(files=(FoundFile(path=path, dataset=dataset or dataset_of(path)),))
        if not follow:
            found = [_confined(each, _root(path)) for each in found]
    except OSError as fault:
        raise ReadError(f"{path} cannot be looked into: {fault}.") from fault
    files = [each for each in found if isinstance(each, FoundFile)]
    passed_over = [each for each in found if isinstance(each, PassedOver)]
    if not files:
        if refused := [each.fault for each in passed_over if each.fault]:
            raise ReadError(refused[0])
        raise ReadError(
            f"{path} has no file that can be read, only {_listed(passed_over)}: name files that "
            f"end with {readable_endings()}."
        )
    files = _by_split(files)
    return Found(
        files=tuple(FoundFile(path=f.path, dataset=dataset or f.dataset) for f in files),
        passed_over=tuple(passed_over),
    )


def _by_split(files: list[FoundFile]) -> list[FoundFile]:
    """Files that go together; where their names tell splits apart, each split a dataset.

    As on the hub: ``train-00000-of-00002.parquet`` beside ``test-00000-of-00001.parquet``.
    """
    splits = [_SPLIT.match(dataset_of(file.path)) for file in files]
    if len({split and split[0] for split in splits}) < 2 or None in splits:
        return files
    return [
        FoundFile(path=file.path, dataset=f"{file.dataset}-{split[0]}" if split else file.dataset)
        for file, split in zip(files, splits, strict=True)
    ]


def dataset_of(path: Path) -> str:
    """The dataset of a file that is named alone: its name up to the first dot.

    Parts of one dataset (``train-00000-of-00004.parquet``) share its name; the files of a saved
    dataset have the name of its folder.
    """
    if path.suffix.lower() == ".arrow" and (path.parent / _STATE).is_file():
        return _name_of_saved(path.parent)
    return _SHARD.sub("", path.name.split(".")[0]) or _name_of(path.parent)


def _of_pattern(pattern: str) -> Iterator[FoundFile | PassedOver]:
    # Path.glob takes no absolute patterns.
    matches = sorted(map(Path, glob.iglob(pattern, recursive=True)), key=_in_order)  # noqa: PTH207
    if not matches:
        raise ReadError(f"{pattern} matches no file: check the pattern, and the folder.")
    is_deep = "**" in pattern
    root = _root(Path(pattern))
    dataset = _name_of_saved(root) if _is_saved(root) else _name_of(root)
    for path in matches:
        if not path.is_dir():
            yield _judged(path, dataset)
        elif not is_deep:  # else what is in it matches by itself
            yield from _inner(path, dataset)


def _root(named: Path) -> Path:
    """The folder that was named, or in which a pattern begins to match."""
    if named.is_dir():
        return named
    return Path(*takewhile(lambda part: not glob.has_magic(part), named.parts))


def _confined(found: FoundFile | PassedOver, root: Path) -> FoundFile | PassedOver:
    """What was found, unless it is a link that leads out of ``root``.

    The hub's cache, whose ``snapshots`` are links into ``blobs`` beside it, is one folder.
    """
    if isinstance(found, PassedOver) or not found.path.is_symlink():
        return found
    try:
        real, home = found.path.resolve(), root.resolve()
    except RuntimeError:  # a loop of links, as its reader will say
        return found
    snapshots = (each for each in (home, *home.parents) if each.name == "snapshots")
    cache = next((each.parent for each in snapshots if (each.parent / "blobs").is_dir()), home)
    if real.is_relative_to(cache):
        return found
    return PassedOver(
        path=found.path,
        reason="a link that leads out of the folder",
        fault=f"{found.path} is a link that leads out of {root} to {real}, and was not followed: "
        "name the file itself to read it.",
    )


def _in_folder(folder: Path) -> Iterator[FoundFile | PassedOver]:
    """What a folder that was named holds, at any depth."""
    if (folder / _SPLITS).is_file():
        for split in _listed_in(folder / _SPLITS, "splits"):
            if not (folder / _plain(split, folder / _SPLITS)).is_dir():
                raise ReadError(f"{folder} lacks its split {split!r}: copy all of it again.")
            yield from _saved(folder / split)
    elif _is_saved(folder):
        yield from _saved(folder)
    elif not any(folder.iterdir()):
        raise ReadError(f"{folder} is an empty folder: there is nothing to read.")
    else:
        yield from _walked(folder, _name_of(folder))


def _walked(folder: Path, dataset: str) -> Iterator[FoundFile | PassedOver]:
    """The files of a folder, then those of the folders in it."""
    try:
        entries = sorted(folder.iterdir(), key=_in_order)
    except PermissionError:
        yield PassedOver(path=folder, reason="may not be read")
        return
    folders = [path for path in entries if path.is_dir()]
    for path in entries:
        if path not in folders:
            yield _judged(path, dataset)
    for path in folders:
        yield from _inner(path, dataset)


def _inner(folder: Path, dataset: str) -> Iterator[FoundFile | PassedOver]:
    """The files of a folder that was found, not named."""
    if folder.name.startswith("."):
        yield PassedOver(path=folder, reason="a hidden folder")
    elif folder.is_symlink():  # it may lead to a folder that is walked already
        yield PassedOver(path=folder, reason="a link to a folder")
    elif _is_saved(folder):
        for each in _saved(folder):
            yield FoundFile(path=each.path, dataset=dataset)
    else:
        yield from _walked(folder, dataset)


def _judged(path: Path, dataset: str) -> FoundFile | PassedOver:
    if path.name.startswith("."):
        return PassedOver(path=path, reason="a hidden file")
    if path.name in _ABOUT:
        return PassedOver(path=path, reason="describes the data")
    if not can_read(path.name):
        return PassedOver(path=path, reason="an ending that cannot be read")
    return FoundFile(path=path, dataset=dataset)


def _is_saved(folder: Path) -> bool:
    return (folder / _STATE).is_file() and (folder / "dataset_info.json").is_file()


def _saved(folder: Path) -> Iterator[FoundFile]:
    """The files that ``Dataset.save_to_disk`` wrote to a folder; not those of its cache."""
    state = _document(folder / _STATE)
    if state.get("_indices_data_files"):
        raise ReadError(
            f"{folder} was saved by an old version of datasets, with its rows chosen by a list of "
            "numbers: load it and save it again."
        )
    for each in _listed_in(folder / _STATE, "_data_files"):
        name = each.get("filename") if isinstance(each, dict) else None
        path = folder / _plain(name, folder / _STATE)
        yield FoundFile(path=path, dataset=_name_of_saved(folder))


def _plain(name: object, source: Path) -> str:
    """A name that ``source`` gives, unless it leads to another folder."""
    if isinstance(name, str) and Path(name).name == name != "..":
        return name
    raise ReadError(f"{source} names {name!r}, which is not in its folder: save the dataset again.")


def _name_of_saved(folder: Path) -> str:
    if (folder.parent / _SPLITS).is_file():
        return f"{_name_of(folder.parent)}-{folder.name}"
    return _name_of(folder)


def _listed_in(path: Path, key: str) -> list[Any]:
    """A list in a JSON file that ``datasets`` wrote."""
    value = _document(path).get(key)
    if not isinstance(value, list):
        raise ReadError(f"{path} has no list {key!r}: save the dataset again.")
    return value


def _document(path: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as fault:
        raise ReadError(f"{path} is not JSON ({fault}): save the dataset again.") from fault
    if not isinstance(document, dict):
        raise ReadError(f"{path} holds no object: save the dataset again.")
    return document


def _name_of(folder: Path) -> str:
    return folder.resolve().name or "dataset"


def _listed(passed_over: list[PassedOver]) -> str:
    names = [each.path.name for each in passed_over]
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _in_order(path: Path) -> tuple[str, ...]:
    return path.parts
