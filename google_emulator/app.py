"""The WSGI application: Google's addresses through the door, people's pages and the controls through Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from google_emulator import consent, control, web
from google_emulator.door import Door

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator


def make_app(emulator: Emulator) -> Door:
    flask = Flask(__name__, template_folder="pages", static_folder="pages/static", static_url_path="/_static")
    flask.jinja_env.trim_blocks = flask.jinja_env.lstrip_blocks = True
    flask.register_blueprint(consent.blueprint(emulator))
    flask.register_blueprint(control.blueprint(emulator))
    flask.register_blueprint(web.blueprint(emulator))
    return Door(emulator, pages=flask)
