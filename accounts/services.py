"""Everything that changes people. What fails raises UnableTo… with words for the user."""

from __future__ import annotations

import io
import uuid
from typing import IO

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from accounts.models import CommunicationOption, Profile, User
from accounts.signals import emails_changed

PHOTO_PIXELS = 256  # Stored square, large enough for every place that shows it on a dense screen.

EMAIL = CommunicationOption.Kind.EMAIL


class UnableToSaveOption(Exception):
    """The communication option stays as it was. The message is written for the user."""


def profile_of(user: User) -> Profile:
    """Return the user's profile, making one for a user who came in past the signals, by an import."""
    try:
        return user.profile
    except Profile.DoesNotExist:
        name = user.get_full_name() or user.get_username()
        profile, _made = Profile.objects.get_or_create(user=user, defaults={"full_name": name})
        user.profile = profile
        return profile


# --- Communication options -----------------------------------------------------------------------------------------


def add_option(*, profile: Profile, kind: str, value: str) -> CommunicationOption:
    """
    Put one way to reach them on somebody's Communication options.

    :raises UnableToSaveOption: if it is an e-mail address that somebody has already (R7).
    """
    option = CommunicationOption(profile=profile, kind=kind, value=value.strip())
    _save(option, left=set())
    return option


def change_option(*, option: CommunicationOption, value: str) -> None:
    """
    Change the number or address of a communication option.

    :raises UnableToSaveOption: if the address is somebody's already, or is the connected Google login (R7).
    """
    _refuse_connected_login(option)
    left = _addresses(option)
    option.value = value.strip()
    _save(option, left=left)


@transaction.atomic
def delete_option(*, option: CommunicationOption) -> None:
    """
    Take a way to reach them off somebody's Communication options.

    :raises UnableToSaveOption: if it is the login of the connected Google account (R7).
    """
    _refuse_connected_login(option)
    left = _addresses(option)
    option.delete()
    _announce(left)


@transaction.atomic
def give_email(*, profile: Profile, address: str, is_proven: bool = True) -> None:
    """
    Put the address of a Google account on its owner's Communication options (R7).

    An address Google vouches for is taken from whoever typed it: it cannot be theirs. One it does not vouch for is
    taken from nobody.
    """
    address = address.strip()
    held = CommunicationOption.objects.select_for_update().filter(kind=EMAIL, value__iexact=address).first()
    if held is not None and (held.profile_id == profile.pk or not is_proven):
        return
    if held is None:
        CommunicationOption.objects.create(profile=profile, kind=EMAIL, value=address)
    else:  # One update, so that nobody can take the address between a delete and an insert.
        held.profile, held.value = profile, address
        held.save(update_fields=["profile", "value"])
    _announce({address.lower()})


def connected_login(profile: Profile) -> str:
    """Return the login of the person's Google account in lower case, empty without one."""
    account = profile.google_account
    return account.login.lower() if account else ""


def _save(option: CommunicationOption, *, left: set[str]) -> None:
    """Save the option and announce the addresses that came and went."""
    _refuse_taken(option)
    try:
        with transaction.atomic():
            option.save()
            came = _addresses(option)
            if came != left:
                _announce(came | left)
    except IntegrityError as error:  # Somebody was faster.
        raise UnableToSaveOption(_("%(value)s belongs to somebody else already.") % {"value": option.value}) from error


def _refuse_taken(option: CommunicationOption) -> None:
    if option.kind != EMAIL:
        return
    others = CommunicationOption.objects.filter(kind=EMAIL, value__iexact=option.value).exclude(pk=option.pk)
    holder = others.select_related("profile").first()
    if holder is None:
        return
    if holder.profile_id == option.profile_id:
        raise UnableToSaveOption(_("You have %(value)s on your list already.") % {"value": option.value})
    raise UnableToSaveOption(
        _("%(value)s is on the Communication options of %(name)s already. An address belongs to one user only.")
        % {"value": option.value, "name": holder.profile.full_name}
    )


def _refuse_connected_login(option: CommunicationOption) -> None:
    if option.kind == EMAIL and option.value.lower() == connected_login(option.profile):
        raise UnableToSaveOption(
            _("%(value)s is the login of your connected Google account and stays as long as it is connected.")
            % {"value": option.value}
        )


def _addresses(option: CommunicationOption) -> set[str]:
    return {option.value.lower()} if option.kind == EMAIL else set()


def _announce(addresses: set[str]) -> None:
    if addresses:
        emails_changed.send(sender=CommunicationOption, addresses=addresses)


# --- Photo -----------------------------------------------------------------------------------------------------------


def set_photo(*, profile: Profile, file: IO[bytes]) -> None:
    """
    Store a photo as a small square JPEG of our own making.

    Drawing it anew leaves out what the file may carry besides the picture, such as the place it was taken at.
    The file was checked by the form.
    """
    with Image.open(file) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    canvas = Image.new("RGB", upright.size, "white")
    canvas.paste(upright, mask=upright.getchannel("A"))
    square = ImageOps.fit(canvas, (PHOTO_PIXELS, PHOTO_PIXELS))
    stored = io.BytesIO()
    square.save(stored, "JPEG", quality=88)
    _replace_photo(profile, ContentFile(stored.getvalue(), name=f"{uuid.uuid4().hex}.jpg"))


def set_time_scale(*, profile: Profile, minutes: int) -> None:
    """Set how many minutes a line of the person's calendar stands for: one of `Profile.TimeScale`."""
    profile.time_scale = minutes
    profile.save(update_fields=["time_scale"])


def remove_photo(*, profile: Profile) -> None:
    _replace_photo(profile, None)


def _replace_photo(profile: Profile, content: ContentFile | None) -> None:
    storage, old = profile.photo.storage, profile.photo.name
    profile.photo = content or ""
    profile.save(update_fields=["photo"])
    if old:
        transaction.on_commit(lambda: storage.delete(old))
