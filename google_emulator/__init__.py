"""A stand-in for Google's OAuth 2.0 and Calendar v3 on this machine. It knows nothing of the programs that use it."""

from google_emulator.emulator import Emulator
from google_emulator.errors import ApiError

__all__ = ["ApiError", "Emulator"]
