"""The pages of the Activities section."""

from django.urls import path

from activities import attachment_views, calendar_views, list_views, views

app_name = "activities"

ACTIVITY = "activities/<int:activity_id>/"

urlpatterns = [
    path("activities/", views.section, name="section"),
    path("activities/new/", views.new, name="new"),
    path("activities/selected/tag/", list_views.add_tag, name="add-tag-to-selected"),
    path("activities/selected/status/", list_views.change_status, name="change-status-of-selected"),
    path("activities/selected/delete/", list_views.delete, name="delete-selected"),
    path("activities/selected/export/", list_views.export, name="export-selected"),
    path("activities/columns/", list_views.choose_columns, name="choose-columns"),
    path("activities/sort/", list_views.sort, name="sort"),
    path("activities/deleted/", views.deleted, name="deleted"),
    path("activities/calendar/entries/", calendar_views.entries, name="calendar-entries"),
    path("activities/calendar/time-scale/", calendar_views.set_time_scale, name="time-scale"),
    path("activities/calendar/new/", calendar_views.new_mini, name="new-mini"),
    path(ACTIVITY, views.detail, name="detail"),
    path(f"{ACTIVITY}move/", calendar_views.move, name="move"),
    path(f"{ACTIVITY}mini/", calendar_views.show_mini, name="mini"),
    path(f"{ACTIVITY}mini/edit/", calendar_views.edit_mini, name="edit-mini"),
    path(f"{ACTIVITY}status/", calendar_views.set_status, name="set-status"),
    path(f"{ACTIVITY}copy/", views.copy, name="copy"),
    path(f"{ACTIVITY}delete/", views.delete, name="delete"),
    path(f"{ACTIVITY}restore/", views.restore, name="restore"),
    path(f"{ACTIVITY}answer/", views.answer, name="answer"),
    path(f"{ACTIVITY}participants/add/", views.add_participant, name="add-participant"),
    path(f"{ACTIVITY}participants/<int:profile_id>/remove/", views.remove_participant, name="remove-participant"),
    path(f"{ACTIVITY}attachments/add/", attachment_views.add, name="add-attachments"),
    path(f"{ACTIVITY}attachments/<int:attachment_id>/", attachment_views.download, name="download-attachment"),
    path(f"{ACTIVITY}attachments/<int:attachment_id>/remove/", attachment_views.remove, name="remove-attachment"),
    path(f"{ACTIVITY}tags/add/", views.add_tag, name="add-tag"),
    path(f"{ACTIVITY}tags/<int:tag_id>/remove/", views.remove_tag, name="remove-tag"),
]
