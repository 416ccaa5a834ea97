"""Notes may come from Google as HTML: what is shown of them, and what is offered for editing."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import nh3
from django.utils.html import linebreaks, urlize
from django.utils.safestring import SafeString, mark_safe

# No pictures, styles or frames: nothing in notes may load anything from elsewhere.
_TAGS = {
    "a", "b", "strong", "i", "em", "u", "s", "br", "p", "div", "span", "ul", "ol", "li", "blockquote", "pre", "code",
    "h1", "h2", "h3", "h4", "h5", "h6", "hr", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto", "tel"}
# A tag of these names whose attributes all have values, or an entity: “if a <b and c> d” is no HTML.
_NAMES = "|".join(sorted(_TAGS | {"img", "font", "script", "style"}))
_ATTRIBUTES = r"""(\s+[\w-]+\s*=\s*("[^"]*"|'[^']*'|[^\s<>"']+))*"""
_LOOKS_LIKE_HTML = re.compile(
    rf"</?({_NAMES}){_ATTRIBUTES}\s*/?>|&(#\d+|#x[0-9a-f]+|amp|lt|gt|quot|apos|nbsp);", re.IGNORECASE
)
_BREAKS = re.compile(r"<br\s*/?>|</(p|div|li|h[1-6]|tr|blockquote|pre)>", re.IGNORECASE)
_LINKS = re.compile(
    r"""<a\b[^>]*?\bhref\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s>]+))[^>]*>(?P<words>.*?)</a>""",
    re.IGNORECASE | re.DOTALL,
)
_ITEMS = re.compile(r"<li[^>]*>", re.IGNORECASE)


def is_html(notes: str) -> bool:
    return bool(_LOOKS_LIKE_HTML.search(notes))


def to_show(notes: str) -> SafeString:
    """Return notes as HTML that is safe to show: formatting and links stay, everything else goes."""
    if not is_html(notes):
        return mark_safe(linebreaks(urlize(notes, nofollow=True, autoescape=True)))  # noqa: S308 - escaped by urlize
    clean = nh3.clean(
        notes, tags=_TAGS, attributes={"a": {"href"}}, url_schemes=_SCHEMES, link_rel="noopener noreferrer nofollow"
    )
    return mark_safe(clean)  # noqa: S308 - nh3 has just made it safe


def to_edit(notes: str) -> str:
    """Return notes as plain text, so that nobody has to edit HTML. Where a link leads stands behind its words."""
    if not is_html(notes):
        return notes
    notes = _LINKS.sub(_with_address, notes)
    source = re.sub(r"\s*\n\s*", " ", notes) if _BREAKS.search(notes) else notes
    lined = _ITEMS.sub("• ", _BREAKS.sub("\n", source))
    text = html.unescape(nh3.clean(lined, tags=set(), clean_content_tags={"script", "style"}))
    return re.sub(r"\n{3,}", "\n\n", text.replace("\xa0", " ")).strip()


def _with_address(link: re.Match[str]) -> str:
    address = link["double"] or link["single"] or link["bare"] or ""
    words = link["words"]
    is_told = not address or html.unescape(address).removeprefix("mailto:").rstrip("/") in html.unescape(words)
    return words if is_told or not safe_link(html.unescape(address)) else f"{words} ({address})"


def safe_link(address: str) -> str:
    """Return the address if it leads to a web page, and nothing else if a browser would run it."""
    return address if urlsplit(address).scheme in {"http", "https"} else ""
