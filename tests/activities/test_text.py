"""Notes from Google: what is shown of their HTML, and what is edited."""

from __future__ import annotations

import pytest

from activities import text


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ("Plain", False),
        ("a < b and c > d", False),
        ("see <b and c>", False),
        ("AT&T; 5 & 6", False),
        ("<b>bold</b>", True),
        ("one<br>two", True),
        ("one<br/>two", True),
        ('<a href="https://x.example/?a=1&amp;b=2">x</a>', True),
        ("fish &amp; chips", True),
        ("<IMG SRC=x onerror=alert(1)>", True),
    ],
)
def test_html_is_recognized(notes, expected):
    assert text.is_html(notes) is expected


@pytest.mark.parametrize(
    ("notes", "absent"),
    [
        ("<script>alert(1)</script><b>x</b>", "script"),
        ('<b onclick="alert(1)">x</b>', "onclick"),
        ('<img src="https://x.example/pixel.png">', "img"),
        ('<a href="javascript:alert(1)">x</a>', "javascript"),
        ('<p style="position:fixed">x</p>', "style"),
        ('<iframe src="https://x.example"></iframe><br>', "iframe"),
        ("see <script>alert(1)</script>", "<script"),
        ("<svg/onload=alert(1)>", "<svg"),
    ],
)
def test_nothing_dangerous_is_shown(notes, absent):
    assert absent not in text.to_show(notes)


def test_formatting_and_links_stay():
    shown = text.to_show('<b>Agenda</b>: <a href="https://x.example/">here</a>')
    assert "<b>Agenda</b>" in shown
    assert 'href="https://x.example/"' in shown
    assert 'rel="noopener noreferrer nofollow"' in shown


def test_plain_notes_keep_their_lines_and_links():
    shown = text.to_show("One & two\nhttps://x.example/")
    assert "One &amp; two<br>" in shown
    assert '<a href="https://x.example/"' in shown


def test_html_becomes_text_for_editing():
    notes = "<p>Agenda:</p><ul><li>One</li><li>Two &amp; three</li></ul><br><script>alert(1)</script>See you"
    assert text.to_edit(notes) == "Agenda:\n• One\n• Two & three\n\nSee you"
    assert text.to_edit("Plain <3") == "Plain <3"


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (
            'Join: <a href="https://meet.example/a?x=1&amp;y=2">the room</a>!',
            "Join: the room (https://meet.example/a?x=1&y=2)!",
        ),
        ("<b>See</b> <a target=_blank href='https://x.example/'>https://x.example</a>", "See https://x.example"),
        ('<a href="javascript:alert(1)">click</a><br>', "click"),
        ('<a href="mailto:a@x.example">a@x.example</a><br>', "a@x.example"),
        ('<p><a name="top">Top</a> <a href=https://y.example><b>bold</b></a></p>', "Top bold (https://y.example)"),
    ],
)
def test_where_a_link_leads_stays_when_html_becomes_text(notes, expected):
    assert text.to_edit(notes) == expected


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [("https://meet.example/x", True), ("http://a.example", True), ("javascript:alert(1)", False), ("", False)],
)
def test_only_web_addresses_become_links(address, is_safe):
    assert text.safe_link(address) == (address if is_safe else "")
