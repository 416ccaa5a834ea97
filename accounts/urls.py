"""Addresses of log-in and of the pages around Your profile."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import views

app_name = "accounts"

urlpatterns = [
    path("login/", views.LogIn.as_view(), name="login"),
    path("exit/", LogoutView.as_view(), name="exit"),
    path("profile/", views.profile, name="profile"),
    path("profile/password/", views.change_password, name="password"),
    path("profile/photo/remove/", views.remove_photo, name="remove-photo"),
    path("profile/photo/<int:profile_id>/", views.photo, name="photo"),
    path("profile/communication-options/new/", views.add_option, name="add-option"),
    path("profile/communication-options/<int:option_id>/", views.change_option, name="change-option"),
    path("profile/communication-options/<int:option_id>/delete/", views.delete_option, name="delete-option"),
    path("profile/settings/", views.settings_page, name="settings"),
]
