"""Requests as the views see them behind `login_required`."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class UserRequest(HttpRequest):
    """A request of somebody who is signed in. For annotations only: `login_required` is what makes it true."""

    user: User
    htmx: HtmxDetails
