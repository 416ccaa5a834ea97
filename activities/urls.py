"""The pages of the Activities section."""

from django.urls import path

from activities import views

app_name = "activities"

ACTIVITY = "activities/<int:activity_id>/"

urlpatterns = [
    path("activities/", views.section, name="section"),
    path("activities/new/", views.new, name="new"),
    path("activities/deleted/", views.deleted, name="deleted"),
    path(ACTIVITY, views.detail, name="detail"),
    path(f"{ACTIVITY}copy/", views.copy, name="copy"),
    path(f"{ACTIVITY}delete/", views.delete, name="delete"),
    path(f"{ACTIVITY}restore/", views.restore, name="restore"),
    path(f"{ACTIVITY}answer/", views.answer, name="answer"),
    path(f"{ACTIVITY}participants/add/", views.add_participant, name="add-participant"),
    path(f"{ACTIVITY}participants/<int:profile_id>/remove/", views.remove_participant, name="remove-participant"),
    path(f"{ACTIVITY}tags/add/", views.add_tag, name="add-tag"),
    path(f"{ACTIVITY}tags/<int:tag_id>/remove/", views.remove_tag, name="remove-tag"),
]
