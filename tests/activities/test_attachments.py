"""Files on activities: what is taken, who may read and remove them, and that the disk is cleared."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from activities import attachments, series
from activities.models import Activity, Attachment, FieldChange, Participant
from sync import retention
from tests.factories import MONDAY_NINE, make_activity

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n1 0 obj\n"


@pytest.fixture(autouse=True)
def _a_disk_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (2, 2)).save(made, "PNG")
    return made.getvalue()


def workbook() -> bytes:
    made = io.BytesIO()
    openpyxl.Workbook().save(made)
    return made.getvalue()


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("inside.txt", "text")
    return made.getvalue()


def send(client: Client, activity: Activity, **files: bytes) -> str:
    """Add files, named with two underscores for a dot. Returns what the page says then."""
    sent = [SimpleUploadedFile(name.replace("__", "."), content) for name, content in files.items()]
    address = f"/activities/{activity.pk}/attachments/add/"
    return client.post(address, {"files": sent}, follow=True).content.decode()


def names() -> list[str]:
    return list(Attachment.objects.values_list("name", flat=True))


def test_several_files_are_added_at_once_and_come_back_as_they_were(anna, client_of_anna):
    activity = make_activity(by=anna)
    html = send(client_of_anna, activity, offer__pdf=PDF, numbers__xlsx=workbook(), photo__png=picture())

    assert "3 files added." in html
    assert 'Attachments and notes<span class="count">3</span>' in html
    assert names() == ["offer.pdf", "numbers.xlsx", "photo.png"]
    offer = Attachment.objects.get(name="offer.pdf")
    answer = client_of_anna.get(f"/activities/{activity.pk}/attachments/{offer.pk}/")
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Disposition"] == 'attachment; filename="offer.pdf"'
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("application/octet-stream", "nosniff")
    assert Path(offer.file.path).name != "offer.pdf"
    assert "added the file “offer.pdf”" in html


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("run__exe", b"MZ\x90", "such files are not taken"),
        ("page__html", b"<script>alert(1)</script>", "such files are not taken"),
        ("noending", b"text", "such files are not taken"),
        ("offer__pdf", b"MZ\x90\x00" + b"\0" * 300, "is no .pdf file"),
        ("photo__png", PDF, "is no .png file"),
        ("notes__txt", b"\x7fELF\x02\x01\x01" + b"\0" * 50, "is no .txt file"),
        ("letter__docx", b"just text", "is no .docx file"),
        ("empty__txt", b"", "it is empty"),
        ("big__txt", b"x" * 2_001, "a file may have 2.0\xa0KB at most"),
    ],
)
def test_what_is_not_taken_is_named_with_the_reason_while_the_others_are_kept(
    anna, client_of_anna, settings, name, content, why
):
    settings.ATTACHMENT_MAX_BYTES = 2_000
    html = send(client_of_anna, make_activity(by=anna), good__txt=b"text", **{name: content})
    assert why in html
    assert "1 file added." in html
    assert names() == ["good.txt"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("minutes.txt", "Grüße".encode()),
        ("list.csv", "a;b".encode("utf-16")),
        ("PHOTO.PNG", None),
        ("all.zip", archive()),
        ("book.xlsx", workbook()),
        ("old.doc", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600),
    ],
)
def test_usual_files_are_taken(anna, name, content):
    file = SimpleUploadedFile(name, picture() if content is None else content, content_type="application/x-nonsense")
    outcome = attachments.add(activity=make_activity(by=anna), files=[file], by=anna, now=MONDAY_NINE)
    assert (outcome.added, outcome.refused) == ([name], [])


def test_all_files_of_an_activity_together_have_a_limit(anna, client_of_anna, settings):
    settings.ATTACHMENTS_MAX_BYTES = 10
    activity = make_activity(by=anna)
    html = send(client_of_anna, activity, one__txt=b"123456", two__txt=b"123456", three__txt=b"1234")
    assert names() == ["one.txt", "three.txt"]
    assert "“two.txt” was not added: all files of an activity may have 10\xa0bytes together." in html
    send(client_of_anna, make_activity(by=anna), four__txt=b"123456")
    assert "four.txt" in names()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\anna\\offer.pdf.txt", "offer.pdf.txt"),
        ("in\u202evoice\r\n.txt", "invoice.txt"),
        (f"{'long' * 100}.txt", f"{('long' * 100)[:196]}.txt"),
    ],
)
def test_names_are_names_and_nothing_else(anna, sent, kept):
    file = SimpleUploadedFile("x.txt", b"text")
    file._name = sent
    attachments.add(activity=make_activity(by=anna), files=[file], by=anna, now=MONDAY_NINE)
    assert names() == [kept]


def test_nothing_chosen_is_said(anna, client_of_anna):
    assert "Choose one or several files first." in send(client_of_anna, make_activity(by=anna))


def test_two_of_the_same_name_are_both_kept(anna, client_of_anna):
    activity = make_activity(by=anna)
    for content in (b"first", b"second"):
        send(client_of_anna, activity, minutes__txt=content)
    assert [Path(one.file.path).read_bytes() for one in Attachment.objects.all()] == [b"first", b"second"]


@pytest.mark.rule("R8")
@pytest.mark.parametrize("takes_part", ["not at all", "not displayed"])
def test_who_may_not_open_the_activity_gets_none_of_its_files(anna, boris, client_of_anna, takes_part):
    activity = make_activity(by=boris, is_private=True, made_in_google=True)
    if takes_part == "not displayed":
        Participant.objects.create(activity=activity, profile=anna, displayed=False)
    attachments.add(activity=activity, files=[SimpleUploadedFile("a.txt", b"text")], by=boris, now=MONDAY_NINE)
    address = f"/activities/{activity.pk}/attachments/"
    file = Attachment.objects.get().pk

    answers = [
        client_of_anna.get(f"{address}{file}/"),
        client_of_anna.post(f"{address}{file}/remove/"),
        client_of_anna.post(f"{address}add/", {"files": SimpleUploadedFile("b.txt", b"text")}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert names() == ["a.txt"]


def test_a_file_belongs_to_its_activity_alone(anna, boris, client_of_anna):
    hidden = make_activity(by=boris, is_private=True)
    attachments.add(activity=hidden, files=[SimpleUploadedFile("a.txt", b"text")], by=boris, now=MONDAY_NINE)
    open_one = make_activity(by=anna)
    assert (
        client_of_anna.get(f"/activities/{open_one.pk}/attachments/{Attachment.objects.get().pk}/").status_code == 404
    )


def test_who_added_it_the_organizer_and_the_owner_remove_a_file(
    anna, boris, client_of_anna, django_capture_on_commit_callbacks
):
    activity = make_activity(by=boris, participants=[anna])
    for by, name in ((boris, "his.txt"), (anna, "hers.txt")):
        attachments.add(activity=activity, files=[SimpleUploadedFile(name, b"text")], by=by, now=MONDAY_NINE)
    paths = {one.name: Path(one.file.path) for one in Attachment.objects.all()}

    with django_capture_on_commit_callbacks(execute=True):
        said = [
            client_of_anna.post(f"/activities/{activity.pk}/attachments/{one.pk}/remove/", follow=True).content.decode()
            for one in Attachment.objects.all()
        ]

    assert "Only who added a file, the Organizer and the Owner can remove it." in said[0]
    assert "“hers.txt” was removed." in said[1]
    assert names() == ["his.txt"]
    assert [name for name, path in paths.items() if path.exists()] == ["his.txt"]
    assert "removed the file “hers.txt”" in said[1]


@pytest.mark.rule("R14")
def test_files_go_with_an_activity_that_is_erased_for_good(anna, django_capture_on_commit_callbacks):
    activity = make_activity(by=anna)
    attachments.add(activity=activity, files=[SimpleUploadedFile("a.txt", b"text")], by=anna, now=MONDAY_NINE)
    path = Path(Attachment.objects.get().file.path)
    Activity.objects.filter(pk=activity.pk).update(deleted_at=timezone.now() - timedelta(days=29))
    with django_capture_on_commit_callbacks(execute=True):
        retention.erase_deleted(now=timezone.now())
    assert path.exists()

    with django_capture_on_commit_callbacks(execute=True):
        retention.erase_deleted(now=timezone.now() + timedelta(days=2))
    assert not path.exists()


@pytest.mark.rule("R15")
def test_an_occurrence_with_a_file_stays_when_its_series_drops_it(anna):
    head = series.create(
        by=anna, subject="Stand-up", start=MONDAY_NINE, due=MONDAY_NINE + timedelta(hours=1),
        lines=["RRULE:FREQ=DAILY;COUNT=5"], now=MONDAY_NINE,
    )  # fmt: skip
    first, *_others, last = Activity.objects.filter(series=head.series).order_by("original_start")
    attachments.add(activity=last, files=[SimpleUploadedFile("a.txt", b"text")], by=anna, now=MONDAY_NINE)
    series.edit(activity=first, scope=series.ALL, by=anna, now=MONDAY_NINE, lines=["RRULE:FREQ=DAILY;COUNT=2"])
    assert Attachment.objects.get().activity.pk == last.pk
    assert Activity.objects.get(pk=last.pk).series is None


@pytest.mark.rule("R15")
def test_the_file_of_what_begins_to_repeat_stays_work_on_that_occurrence(anna):
    activity = make_activity(by=anna)
    attachments.add(activity=activity, files=[SimpleUploadedFile("a.txt", b"text")], by=anna, now=MONDAY_NINE)
    series.repeat(activity=activity, lines=["RRULE:FREQ=DAILY;COUNT=3"], by=anna, now=MONDAY_NINE)
    assert FieldChange.objects.get(field="attachments").activity == activity
    assert Attachment.objects.get().activity == activity


def test_a_copy_has_no_files(anna, client_of_anna):
    activity = make_activity(by=anna)
    attachments.add(activity=activity, files=[SimpleUploadedFile("a.txt", b"text")], by=anna, now=MONDAY_NINE)
    client_of_anna.post(f"/activities/{activity.pk}/copy/")
    assert Activity.objects.count() == 2
    assert Attachment.objects.count() == 1


def test_no_file_is_read_beyond_its_limit(anna, client_of_anna, settings):
    """Whatever the browser says about its size; what came before and after arrives."""
    settings.ATTACHMENT_MAX_BYTES = 100_000
    html = send(client_of_anna, make_activity(by=anna), a__txt=b"a", big__txt=b"x" * 3_000_000, z__txt=b"z")
    assert "“big.txt” was not added: a file may have 97.7\xa0KB at most." in html
    assert names() == ["a.txt", "z.txt"]


def test_a_form_from_elsewhere_is_refused(anna):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(anna.user)
    activity = make_activity(by=anna)
    answer = browser.post(
        f"/activities/{activity.pk}/attachments/add/", {"files": SimpleUploadedFile("a.txt", b"text")}
    )
    assert answer.status_code == 403
    assert not Attachment.objects.exists()
    assert not FieldChange.objects.filter(field="attachments").exists()
