"""Your profile: Basic settings, photo, password."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.models import Profile, User
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db

BASICS = {"full_name": "Anna Berg", "job_title": "Engineer", "email": "anna.berg@northfold.example"} | {
    "time_zone": "Europe/Stockholm"
}  # fmt: skip


@pytest.fixture
def anna(settings, tmp_path) -> User:
    settings.MEDIA_ROOT = tmp_path
    return make_user("anna")


@pytest.fixture
def browser(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


def a_picture(*, kind: str = "PNG", size: tuple[int, int] = (640, 480), name: str = "me.png") -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return SimpleUploadedFile(name, file.getvalue(), content_type=f"image/{kind.lower()}")


def test_basic_settings_are_saved(browser, anna):
    assert browser.post("/profile/", BASICS).url == "/profile/"

    profile = Profile.objects.select_related("user").get(user=anna)
    assert (profile.full_name, profile.job_title, profile.time_zone) == ("Anna Berg", "Engineer", "Europe/Stockholm")
    assert profile.user.email == "anna.berg@northfold.example"


@pytest.mark.parametrize(
    ("field", "value"), [("full_name", ""), ("time_zone", "Mars/Olympus"), ("time_zone", ""), ("email", "no address")]
)
def test_what_cannot_be_is_refused_beside_its_field(browser, anna, field, value):
    page = browser.post("/profile/", BASICS | {field: value})

    assert page.status_code == 422
    assert f'id="id_{field}_error"' in page.content.decode()
    assert Profile.objects.get(user=anna).full_name == "Anna"


def test_an_old_name_of_a_time_zone_stays_choosable(browser, anna):
    Profile.objects.filter(user=anna).update(time_zone="Japan")

    assert '<option value="Japan" selected>' in browser.get("/profile/").content.decode()


def test_a_photo_is_stored_as_a_small_picture_of_our_own_making(browser, anna):
    browser.post("/profile/", BASICS | {"photo": a_picture(kind="JPEG", name="../me.jpg")})

    profile = Profile.objects.get(user=anna)
    with Image.open(profile.photo.path) as stored:
        assert (stored.format, stored.size) == ("JPEG", (256, 256))
    assert "me" not in Path(profile.photo.name).name

    answer = browser.get(f"/profile/photo/{profile.pk}/")
    assert answer["Content-Type"] == "image/jpeg"
    assert b"".join(answer.streaming_content)[:2] == b"\xff\xd8"


def test_a_photo_tells_nothing_but_the_picture(browser, anna):
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    file = io.BytesIO()
    Image.new("RGB", (300, 300), "teal").save(file, "JPEG", exif=exif)
    assert b"taken at home" in file.getvalue()

    browser.post("/profile/", BASICS | {"photo": SimpleUploadedFile("me.jpg", file.getvalue())})

    assert b"taken at home" not in Path(Profile.objects.get(user=anna).photo.path).read_bytes()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        pytest.param(a_picture(kind="GIF", name="me.gif"), "neither a PNG nor a JPEG", id="another-kind"),
        pytest.param(SimpleUploadedFile("me.png", b"<script>"), "valid image", id="no-picture"),
        pytest.param(SimpleUploadedFile("me.svg", b"<svg/>"), "valid image", id="a-picture-that-can-run-scripts"),
        pytest.param(a_picture(size=(6001, 1)), "6000 pixels", id="too-many-pixels"),
        pytest.param(
            SimpleUploadedFile("me.png", a_picture().read() + bytes(2 * 1024 * 1024)), "2 MB", id="too-many-bytes"
        ),
    ],
)
def test_other_files_are_refused(browser, anna, file, words):
    file.seek(0)
    page = browser.post("/profile/", BASICS | {"photo": file})

    assert page.status_code == 422
    assert words in page.content.decode()
    assert not Profile.objects.get(user=anna).photo


def test_a_new_photo_replaces_the_old_file(browser, anna, settings, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        browser.post("/profile/", BASICS | {"photo": a_picture()})
        browser.post("/profile/", BASICS | {"photo": a_picture()})
    assert len(list(Path(settings.MEDIA_ROOT).rglob("*.jpg"))) == 1

    with django_capture_on_commit_callbacks(execute=True):
        browser.post("/profile/photo/remove/")
    assert list(Path(settings.MEDIA_ROOT).rglob("*.jpg")) == []
    assert browser.get(f"/profile/photo/{anna.profile.pk}/").status_code == 404


def test_photos_are_shown_to_people_who_are_signed_in(client, anna):
    assert client.get(f"/profile/photo/{anna.profile.pk}/").url.startswith("/login/")


def test_the_address_of_the_password_form_leads_to_the_profile(browser):
    response = browser.get("/profile/password/")
    assert (response.status_code, response.url) == (302, "/profile/")


def test_changing_the_password_keeps_one_signed_in_here_and_ends_the_other_sessions(browser, anna):
    elsewhere = Client()
    elsewhere.force_login(anna)
    new = {"new_password1": "a-better-one-4", "new_password2": "a-better-one-4"}

    assert browser.post("/profile/password/", {"old_password": PASSWORD, **new}).url == "/profile/"

    assert browser.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302
    assert User.objects.get(pk=anna.pk).check_password("a-better-one-4")


def test_a_password_changes_only_with_the_current_one_and_to_a_good_one(browser, anna):
    for old, new in [("guess", "a-better-one-4"), (PASSWORD, "12345678")]:
        page = browser.post("/profile/password/", {"old_password": old, "new_password1": new, "new_password2": new})
        assert page.status_code == 422

    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)
