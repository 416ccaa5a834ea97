"""The pages of the synchronization. Their paths begin with the section's, so these routes come before its own."""

from django.urls import path

from sync import views

app_name = "sync"

SESSION = "activities/synchronization/sessions/<int:session_id>/"
CONFLICT = "activities/synchronization/conflicts/<int:outcome_id>/"

urlpatterns = [
    path("activities/synchronization/", views.set_up, name="set-up"),
    path("activities/synchronization/calendars/", views.calendars, name="calendars"),
    path("activities/synchronization/preview/", views.preview, name="preview"),
    path("activities/synchronize-now/", views.synchronize_now, name="synchronize-now"),
    path("activities/synchronization/sessions/", views.sessions, name="sessions"),
    path(SESSION, views.session, name="session"),
    path(f"{SESSION}progress/", views.progress, name="progress"),
    path(f"{SESSION}remove/", views.remove, name="remove"),
    path(f"{SESSION}keep/", views.keep, name="keep"),
    path(f"{CONFLICT}use-other/", views.use_other_value, name="use-other-value"),
    path(f"{CONFLICT}dismiss/", views.dismiss, name="dismiss"),
    path("activities/<int:activity_id>/remove-from-google/", views.remove_from_google, name="remove-from-google"),
    path("activities/<int:activity_id>/retry/", views.retry_activity, name="retry-activity"),
    path("activities/synchronization/problems/<int:outcome_id>/retry/", views.retry, name="retry"),
]
