"""
All settings. They come from the environment (docs and .env.example list the names); the defaults run a fresh clone.

`python3 manage.py demo` writes what it made up to an environment file, which is read here, so that every other command
works on the same data. Variables of the real environment win over that file.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from creatio_sync import filebroker
from creatio_sync.environment import Environment, database_from_url, is_loopback, read_environment_file

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The environment ---------------------------------------------------------------------------------------------
# CREATIO_SYNC_ENV: the environment file to read; set but empty means none.
_file = os.environ.get("CREATIO_SYNC_ENV")
_default_file = BASE_DIR / ".demo" / "env"
if _file:
    env = Environment(fallback=read_environment_file(Path(_file)))
elif _file is None and _default_file.exists():
    env = Environment(fallback=read_environment_file(_default_file))
else:
    env = Environment()

DATA_DIR = Path(env.text("CREATIO_SYNC_DATA", default=str(BASE_DIR / ".demo")))

# --- Security ----------------------------------------------------------------------------------------------------
SECRET_KEY = env.required(
    "DJANGO_SECRET_KEY",
    hint="Set it, or DJANGO_SECRET_KEY_FILE, to a long random text: "
    'python3 -c "import secrets; print(secrets.token_urlsafe(50))". To try the product, run: python3 manage.py demo',
)
TOKEN_ENCRYPTION_KEYS = env.names("TOKEN_ENCRYPTION_KEYS")  # Newest first; older ones still decrypt.
if not TOKEN_ENCRYPTION_KEYS:
    raise ImproperlyConfigured(
        "TOKEN_ENCRYPTION_KEYS is not set. It encrypts the Google credentials at rest. Set it, or "
        "TOKEN_ENCRYPTION_KEYS_FILE, to one or more keys with commas between them, the newest first: "
        'python3 -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
    )
DEBUG = env.flag("DJANGO_DEBUG")
# The health check of a container asks for 127.0.0.1, whatever the public name.
ALLOWED_HOSTS = [*env.names("ALLOWED_HOSTS", default="localhost,[::1]"), "127.0.0.1"]
PUBLIC_BASE_URL = env.http_url("PUBLIC_BASE_URL", default="http://localhost:8000").rstrip("/")

_https = PUBLIC_BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if _https else 0
# A proxy that ends TLS talks http to us; forms sent from the public address are ours all the same.
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]
CSRF_FAILURE_VIEW = "accounts.views.csrf_failure"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"

# --- Google ------------------------------------------------------------------------------------------------------
GOOGLE_CLIENT_ID = env.text("GOOGLE_CLIENT_ID")
GOOGLE_CLIENT_SECRET = env.text("GOOGLE_CLIENT_SECRET")
GOOGLE_AUTH_URI = env.http_url("GOOGLE_AUTH_URI", default="https://accounts.google.com/o/oauth2/v2/auth")
GOOGLE_TOKEN_URI = env.http_url("GOOGLE_TOKEN_URI", default="https://oauth2.googleapis.com/token")
GOOGLE_REVOKE_URI = env.http_url("GOOGLE_REVOKE_URI", default="https://oauth2.googleapis.com/revoke")
GOOGLE_USERINFO_URI = env.http_url("GOOGLE_USERINFO_URI", default="https://openidconnect.googleapis.com/v1/userinfo")
# The address before calendar/v3/; batches go to batch/calendar/v3 on it.
GOOGLE_CALENDAR_API_ROOT = env.http_url("GOOGLE_CALENDAR_API_ROOT", default="https://www.googleapis.com/")

# The user may tick fewer scopes than were asked for; what was granted is compared by our own code.
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"  # noqa: S105 - no password
_google = [GOOGLE_AUTH_URI, GOOGLE_TOKEN_URI, GOOGLE_REVOKE_URI, GOOGLE_USERINFO_URI, GOOGLE_CALENDAR_API_ROOT]
if all(urlsplit(address).scheme == "http" and is_loopback(address) for address in _google):
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # The emulator on this very machine, and nothing else.

# --- Django ------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "creatio_sync",
    "accounts",
    "activities",
    "notices",
    "sync",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # What the browser asks for; whoever has chosen, says so below.
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.LanguageMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
    "accounts.middleware.ComeBackMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "creatio_sync.urls"
WSGI_APPLICATION = "creatio_sync.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "creatio_sync.templatetags.icons",
                "creatio_sync.templatetags.words",
            ],
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.WithProfile"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/activities/"
LOGOUT_REDIRECT_URL = "/login/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # A person's own zone is applied at the edge.

# --- Data --------------------------------------------------------------------------------------------------------
_database_url = env.text("DATABASE_URL")
if not _database_url:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)  # It will hold everything people entered.
    _database_url = f"sqlite:///{DATA_DIR / 'database.sqlite3'}"
DATABASES = {"default": database_from_url(_database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MEDIA_ROOT = DATA_DIR / "media"
MEDIA_URL = "/media/"
ATTACHMENT_MAX_BYTES = 10 * 2**20  # Of one file on an activity.
ATTACHMENTS_MAX_BYTES = 50 * 2**20  # Of all files of one activity.

# --- Static files ------------------------------------------------------------------------------------------------
# Without STATIC_ROOT WhiteNoise serves the files where they lie, so a fresh clone needs no collectstatic. With it
# (the image), `collectstatic` has put them there under names that hold their hash, and browsers keep them for ever.
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Nothing from elsewhere, nothing inline. Consent starts from a form that redirects to Google, hence form-action.
_consent = urlsplit(GOOGLE_AUTH_URI)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],  # The calendar's own style element; a page that has none sends no nonce.
        "img-src": [SELF, "data:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF, f"{_consent.scheme}://{_consent.netloc}"],
    },
}

# --- Celery ------------------------------------------------------------------------------------------------------
# Rows are the truth, messages only wake a worker up: a lost or a doubled message does no harm.
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20.0  # Seconds for running tasks to end.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

_broker = env.text("CELERY_BROKER_URL", default=f"file://{DATA_DIR / 'broker'}")
_scheme = urlsplit(_broker).scheme
if _scheme == "file":
    CELERY_BROKER_URL = "filesystem://localhost//"
    CELERY_BROKER_TRANSPORT = "creatio_sync.filebroker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = filebroker.options(Path(urlsplit(_broker).path))
    CELERY_WORKER_PREFETCH_MULTIPLIER = 4  # Reading is by polling; fewer at a time would only be slower.
elif _scheme in {"redis", "rediss", "redis+socket"}:
    CELERY_BROKER_URL = _broker
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # Seconds. A killed worker's messages come back after the first; kombu looks for them every second × third.
        # The first must be longer than the longest task.
        "visibility_timeout": 900,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
else:
    raise ImproperlyConfigured(
        f"CELERY_BROKER_URL has the form {_scheme or '(none)'}://…; expected redis://host:6379/0, "
        "redis+socket:///path/to/socket, or file:///path/to/folder for the broker that needs no server."
    )

_each_minute = 60.0  # Seconds.
CELERY_BEAT_SCHEDULE = {
    name: {
        "task": task,
        "schedule": _each_minute,
        "options": {"expires": _each_minute},  # While no worker ran, one wake-up is as good as a hundred.
    }
    for name, task in {"dispatch": "sync.tasks.dispatch", "ring": "notices.tasks.ring"}.items()
}

# --- Logging -----------------------------------------------------------------------------------------------------
# At lower levels these write addresses with tokens, and whole answers.
_talkative = ["googleapiclient", "google_auth_httplib2", "google.auth", "oauthlib", "requests_oauthlib", "urllib3"]
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", default="INFO").upper()},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        **{name: {"level": "WARNING"} for name in _talkative},
    },
}
