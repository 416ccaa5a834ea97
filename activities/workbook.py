"""Activities as an Excel workbook: one row each, with real dates, and texts that stay texts."""

from __future__ import annotations

import io
import zoneinfo
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from activities import text
from activities.models import Activity

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

MOST_ROWS = 20_000
FORMATS = {datetime: "yyyy-mm-dd hh:mm", date: "yyyy-mm-dd"}
FIRST_YEAR = 1900  # Of Excel's calendar. What is earlier is written as a text.
LONGEST_TEXT = 32_767  # Of a cell.


def of_activities(activities: Iterable[Activity], *, zone: zoneinfo.ZoneInfo) -> bytes:
    """
    Return the workbook. Times are those of `zone`, because Excel knows none; all-day activities have dates (R16).

    The activities carry what a page shows (`selectors.with_what_a_page_shows`): tags are those the reader may see.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_("Activities"))
    sheet.freeze_panes = "A2"
    columns = [
        (_("Subject"), 40), (_("Type"), 10), (_("Category"), 12), (_("Status"), 14), (_("Priority"), 10),
        (_("Start (%(zone)s)") % {"zone": zone.key}, 24), (_("Due (%(zone)s)") % {"zone": zone.key}, 24),
        (_("All day"), 9), (_("Owner"), 22), (_("Location"), 28), (_("Participants"), 34), (_("Tags"), 28),
        (_("Result"), 24), (_("Result details"), 34), (_("Notes"), 40),
    ]  # fmt: skip
    for number, (_label, width) in enumerate(columns):
        sheet.column_dimensions[chr(ord("A") + number)].width = width
    sheet.append([_cell(sheet, label, font=Font(bold=True)) for label, _width in columns])
    for activity in activities:
        sheet.append([_cell(sheet, value) for value in _values(activity, zone=zone)])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _values(activity: Activity, *, zone: zoneinfo.ZoneInfo) -> list[Any]:
    when: tuple[Any, Any] = (_on_the_wall(activity.start, zone), _on_the_wall(activity.due, zone))
    if activity.all_day:
        when = (activity.start_date, activity.due_date)
    people = [participant.profile.full_name for participant in activity.participants.all()]
    tags = [tag.name for tag in activity.visible_tags]  # type: ignore[attr-defined] # Put there by the selector.
    return [
        activity.subject,
        activity.get_kind_display(),
        activity.get_category_display(),
        activity.get_status_display(),
        activity.get_priority_display(),
        *when,
        _("Yes") if activity.all_day else _("No"),
        activity.owner.full_name if activity.owner else "",
        activity.location,
        ", ".join(people),
        ", ".join(tags),
        activity.result,
        activity.result_details,
        text.to_edit(activity.notes),
    ]


def _on_the_wall(moment: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)


def _cell(sheet: WriteOnlyWorksheet, value: Any, *, font: Font | None = None) -> Any:
    if isinstance(value, date) and value.year < FIRST_YEAR:
        value = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, date):
        cell = WriteOnlyCell(sheet)
        cell.value = value
        cell.number_format = FORMATS[type(value)]
        return cell
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", str(value))[:LONGEST_TEXT])
    cell.data_type = "s"  # Never a formula or an error, whatever the text begins with …
    cell.quotePrefix = True  # … nor when somebody edits the cell in Excel.
    if font:
        cell.font = font
    return cell
