"""All routes. The sections name complete paths themselves, so a path can be found by searching for it."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("", RedirectView.as_view(url="/activities/"), name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("", include("accounts.urls")),
    path("", include("sync.account_urls")),
    path("", include("sync.urls")),
    path("", include("activities.urls")),
    path("", include("notices.urls")),
]
