"""The pictures of the docs: which there are, and that each is of a page."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

from django.urls import resolve

from tests.screenshots import PICTURES


def test_each_picture_is_of_a_page_and_has_a_name_of_its_own():
    assert max(Counter(picture.name for picture in PICTURES).values()) == 1
    for picture in PICTURES:
        assert resolve(urlsplit(picture.path).path)
