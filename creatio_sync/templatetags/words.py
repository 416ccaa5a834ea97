"""Sentences that the synchronization has stored, in the language of whoever reads them."""

from __future__ import annotations

import functools
import re

from django import template
from django.utils.translation import get_language, gettext
from django.utils.translation.trans_real import translation

register = template.Library()

_VALUE = re.compile(r"%\((\w+)\)[sd]")
_SENTENCE = re.compile(r"(?:[A-Z].{20,}|%\(\w+\)s .+\.)")  # Begins as one, or ends as one.
_SENTENCES = ("step", "reason")  # Values that are sentences of ours themselves.


@register.filter
def said(sentence: object) -> str:
    """
    Return a sentence of the engine in the reader's language. It is stored in English, with what it names filled in.

    What has no translation, such as Google's own words, stays as it is.
    """
    text = str(sentence or "")
    found = gettext(text) if text else ""
    if found != text or get_language() in (None, "en"):
        return found
    for pattern, msgid in _patterns(get_language() or ""):
        if match := pattern.fullmatch(text):
            return gettext(msgid) % {name: _value(name, value) for name, value in match.groupdict().items()}
    return text


def _value(name: str, value: str) -> str:
    """Return what a sentence names: labels and sentences of ours in the reader's language, all else as it is."""
    if name == "fields":
        return ", ".join(gettext(label) for label in value.split(", "))
    return said(value) if name in _SENTENCES else value


@functools.lru_cache(maxsize=10)
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Return how sentences look in English once their values are filled in, the most particular first."""
    catalog = translation(language)._catalog  # type: ignore[attr-defined] # There is no public way to list it.
    msgids = [msgid for msgid in catalog.keys() if isinstance(msgid, str)]  # noqa: SIM118 - it is no dict
    sentences = [msgid for msgid in msgids if _VALUE.search(msgid) and _SENTENCE.fullmatch(msgid)]
    sentences.sort(key=lambda msgid: len(_VALUE.sub("", msgid)), reverse=True)
    return [(re.compile(_pattern_of(msgid), re.DOTALL), msgid) for msgid in sentences]


def _pattern_of(msgid: str) -> str:
    seen, parts, end = set[str](), [], 0
    for match in _VALUE.finditer(msgid):
        name = match[1]
        value = f"(?P={name})" if name in seen else f"(?P<{name}>.+)"
        parts += [re.escape(msgid[end : match.start()]), value]
        seen.add(name)
        end = match.end()
    return "".join([*parts, re.escape(msgid[end:])])
