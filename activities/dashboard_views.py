"""The dashboards view of the section."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from accounts.http import UserRequest
from activities import selectors
from activities.dashboards import dashboards_of


def dashboards(
    request: UserRequest, *, filters: selectors.Filters, now: datetime, context: dict[str, Any]
) -> HttpResponse:
    """Show the charts of what the filters let through; `context` has what the section's head and filters need."""
    charts = dashboards_of(filters=filters, profile=request.user.profile, now=now)
    is_empty = not charts.total and selectors.is_section_empty(request.user.profile)
    return render(request, "activities/dashboards.html", context | {"charts": charts, "is_section_empty": is_empty})
