"""The `fields` parameter: cut an answer down to what it names."""

from __future__ import annotations

import re
from typing import Any

from google_emulator import errors

# Name -> what is wanted below it; an empty tree means all of it.
Tree = dict[str, "Tree"]
_TOKEN = re.compile(r"[A-Za-z0-9_*@-]+|[(),/]")


def cut(content: Any, selection: str) -> Any:
    """
    Return the part of an answer that a selection such as `items(id,start/date),nextPageToken` names.

    :raises ApiError: 400 for a selection that cannot be read.
    """
    return _cut(content, parse(selection))


def parse(selection: str) -> Tree:
    words = _TOKEN.findall(selection)
    if "".join(words) != selection.replace(" ", ""):
        raise _unreadable(selection)
    tree, rest = _parse_list(words, selection)
    if rest or not tree:
        raise _unreadable(selection)
    return tree


def _parse_list(words: list[str], selection: str) -> tuple[Tree, list[str]]:
    tree: Tree = {}
    while True:
        words = _parse_path(words, tree, selection)
        if not words or words[0] != ",":
            return tree, words
        words = words[1:]


def _parse_path(words: list[str], tree: Tree, selection: str) -> list[str]:
    if not words or words[0] in "(),/":
        raise _unreadable(selection)
    below = tree.setdefault(words[0], {})
    words = words[1:]
    if words and words[0] == "/":
        return _parse_path(words[1:], below, selection)
    if words and words[0] == "(":
        inner, words = _parse_list(words[1:], selection)
        if not words or words[0] != ")":
            raise _unreadable(selection)
        below.update(inner)
        return words[1:]
    return words


def _cut(content: Any, tree: Tree) -> Any:
    if not tree:
        return content
    if isinstance(content, list):
        return [_cut(each, tree) for each in content]
    if not isinstance(content, dict):
        return content
    everything = tree.get("*")
    if everything is not None:
        return {name: _cut(value, everything) for name, value in content.items()}
    return {name: _cut(value, tree[name]) for name, value in content.items() if name in tree}


def _unreadable(selection: str) -> errors.ApiError:
    return errors.ApiError("invalidParameter", f"Invalid field selection {selection}", location="fields")
