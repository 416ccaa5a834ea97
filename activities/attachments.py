"""
Files on activities: which are taken, how large they may be, and who may add and remove them.

They stay in Creatio, so whose calendar an activity runs by decides nothing here (R10): whoever may open the activity
may add files, and who added a file, the Organizer and the Owner may remove it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import filetype
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities.models import Activity, Attachment, FieldChange

NAME_LENGTH = 200
HEAD = 8192  # Bytes that tell what a file is.
_ZIP = ("application/zip", "application/vnd.openxmlformats", "application/vnd.oasis", "application/epub+zip")
_OLD_OFFICE = ("application/x-ole-storage", "application/msword", "application/vnd.ms-")
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # Compound File Binary, which the library tells for some contents only.
TEXT = ""  # What has no signature, and no bytes that no text has.
# By the end of the name: how the kind of such files, told by their bytes, begins.
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("txt", "csv", "md", "log", "ics", "vcf", "eml"), (TEXT,)),
    "pdf": ("application/pdf",),
    "rtf": ("application/rtf", "text/rtf"),
    "png": ("image/png",),
    **dict.fromkeys(("jpg", "jpeg"), ("image/jpeg",)),
    "gif": ("image/gif",),
    "webp": ("image/webp",),
    "heic": ("image/heic", "image/heif"),
    **dict.fromkeys(("docx", "xlsx", "pptx", "odt", "ods", "odp", "zip"), _ZIP),
    **dict.fromkeys(("doc", "xls", "ppt", "msg"), _OLD_OFFICE),
}


class UnableToAttach(Exception):
    """A file was not added, or not removed. The message is written for the user."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of several files: the names of those added, and why each of the others was not."""

    added: list[str]
    refused: list[str]


class LimitedUpload(FileUploadHandler):
    """
    Reads no more of a file than it may have, wherever it would be kept meanwhile.

    The names of those that had more are in `too_large` of the request; the others arrive as usual.
    """

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._read = 0
        request.too_large = []  # type: ignore[attr-defined]

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._read = 0

    def receive_data_chunk(self, raw_data: bytes, _start: int) -> bytes:
        self._read += len(raw_data)
        if self._read > settings.ATTACHMENT_MAX_BYTES:
            assert self.request is not None
            self.request.too_large.append(self.file_name)  # type: ignore[attr-defined]
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Whoever comes next keeps the file."""


def add(
    *, activity: Activity, files: Iterable[UploadedFile], too_large: Iterable[str] = (), by: Profile, now: datetime
) -> Outcome:
    """Add those of the files that can be taken; of the others say why not."""
    added, refused = [], [_too_large(_clean(name)) for name in too_large]
    for file in files:
        try:
            added.append(_add(activity, file, by=by, now=now).name)
        except UnableToAttach as error:
            refused.append(str(error))
    return Outcome(added, refused)


@transaction.atomic
def _add(activity: Activity, file: UploadedFile, *, by: Profile, now: datetime) -> Attachment:
    """:raises UnableToAttach: with the reason."""
    name, size = _clean(file.name or ""), file.size or 0
    _refuse_if_unfit(name, file, size=size)
    Activity.every.locked().get(pk=activity.pk)  # Two uploads at once share what is left.
    used = activity.attachments.aggregate(total=Sum("size"))["total"] or 0
    if used + size > settings.ATTACHMENTS_MAX_BYTES:
        limit = filesizeformat(settings.ATTACHMENTS_MAX_BYTES)
        raise UnableToAttach(
            _("“%(name)s” was not added: all files of an activity may have %(limit)s together.")
            % {"name": name, "limit": limit}
        )
    made = Attachment.objects.create(activity=activity, file=file, name=name, size=size, added_by=by, added_at=now)
    FieldChange.objects.create(activity=activity, field="attachments", after=name, by=by, at=now)
    return made


@transaction.atomic
def remove(*, attachment: Attachment, by: Profile, now: datetime) -> None:
    """
    Remove a file for good.

    :raises UnableToAttach: if it is somebody else's to remove.
    """
    if not may_remove(attachment, profile=by):
        raise UnableToAttach(_("Only who added a file, the Organizer and the Owner can remove it."))
    FieldChange.objects.create(activity=attachment.activity, field="attachments", before=attachment.name, by=by, at=now)
    attachment.delete()  # What it holds on the disk goes with it, see `activities.receivers`.


def may_remove(attachment: Attachment, *, profile: Profile) -> bool:
    activity = attachment.activity
    return profile.pk in (attachment.added_by_id, activity.organizer_id, activity.owner_id)


def endings() -> str:
    """Return the ends of names that are taken, as a file input asks for them."""
    return ",".join(f".{ending}" for ending in KINDS)


def _clean(name: str) -> str:
    """Return a file's name without folders, and without characters that show nothing or change how it reads."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(one for one in unicodedata.normalize("NFC", last) if unicodedata.category(one)[0] != "C")
    shown = re.sub(r"\s+", " ", shown).strip(" .") or _("file")
    stem, dot, ending = shown.rpartition(".")
    return f"{stem[: NAME_LENGTH - len(ending) - 1]}.{ending}" if dot and len(ending) < 10 else shown[:NAME_LENGTH]


def _refuse_if_unfit(name: str, file: UploadedFile, *, size: int) -> None:
    """:raises UnableToAttach: if a file is empty, too large, or not what its name says, or that is none we take."""
    if not size:
        raise UnableToAttach(_("“%(name)s” was not added: it is empty.") % {"name": name})
    if size > settings.ATTACHMENT_MAX_BYTES:
        raise UnableToAttach(_too_large(name))
    ending = name.rpartition(".")[2].lower()
    if ending not in KINDS:
        taken = ", ".join(KINDS)
        raise UnableToAttach(
            _("“%(name)s” was not added: such files are not taken. Taken are %(taken)s. A .zip may hold others.")
            % {"name": name, "taken": taken}
        )
    head = file.read(HEAD)
    file.seek(0)
    if not _is_of_kind(head, KINDS[ending]):
        raise UnableToAttach(
            _("“%(name)s” was not added: what is in it is no .%(ending)s file.") % {"name": name, "ending": ending}
        )


def _is_of_kind(head: bytes, beginnings: tuple[str, ...]) -> bool:
    kind = _OLD_OFFICE[0] if head.startswith(_OLE) else filetype.guess_mime(head)
    if kind is None:
        return TEXT in beginnings and (b"\x00" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff")))  # UTF-16.
    return any(beginning and kind.startswith(beginning) for beginning in beginnings)


def _too_large(name: str) -> str:
    limit = filesizeformat(settings.ATTACHMENT_MAX_BYTES)
    return _("“%(name)s” was not added: a file may have %(limit)s at most.") % {"name": name, "limit": limit}
