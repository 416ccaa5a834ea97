"""What tests change, and nothing else. The database and the broker are chosen by tests/servers.py."""

import os

os.environ["CREATIO_SYNC_ENV"] = ""  # A demo's file on this machine is none of the tests' business.
os.environ.setdefault("DJANGO_SECRET_KEY", "only-for-tests")
os.environ.setdefault("TOKEN_ENCRYPTION_KEYS", "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=")

from creatio_sync.settings import *  # noqa: F403
from creatio_sync.settings import DATABASES, LOGGING

_database = DATABASES["default"]
_database["CONN_MAX_AGE"] = 0  # A connection left open would keep the test database from being dropped.
if _database["ENGINE"].endswith("sqlite3"):
    # A file, not memory: a real worker and the live server share it.
    _database["TEST"] = {"NAME": f"{_database['NAME']}.test"}
if _name := os.environ.get("TEST_DATABASE_NAME"):
    _database["NAME"] = _name  # Set for subprocesses of a test: they work on the database the test made.

# Hashing slowly on purpose is only slow here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

LOGGING["root"]["level"] = os.environ.get("LOG_LEVEL", "WARNING")
