"""Addresses of Accounts in external resources. The callback's is entered at Google, so it never changes."""

from django.urls import path

from sync import account_views as views

app_name = "external-accounts"

urlpatterns = [
    path("profile/external-accounts/", views.accounts, name="list"),
    path("profile/external-accounts/<int:account_id>/delete/", views.delete, name="delete"),
    path("profile/external-accounts/google/new/", views.new, name="google-new"),
    path("profile/external-accounts/google/callback/", views.callback, name="google-callback"),
    path("profile/external-accounts/google/old-links/", views.old_links, name="google-old-links"),
    path("profile/external-accounts/google/registration/", views.registration, name="google-registration"),
    path("profile/external-accounts/google/connected/", views.connected, name="google-connected"),
]
