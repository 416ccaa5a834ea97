"""The bell and its page."""

from django.urls import path

from notices import views

app_name = "notices"

urlpatterns = [
    path("notices/", views.page, name="page"),
    path("notices/panel/", views.panel, name="panel"),
    path("notices/count/", views.count, name="count"),
    path("notices/dismiss/", views.dismiss_all, name="dismiss-all"),
    path("notices/<int:notice_id>/postpone/", views.postpone, name="postpone"),
    path("notices/<int:notice_id>/dismiss/", views.dismiss, name="dismiss"),
]
