"""Start and supervise the whole product on one machine."""


def google_addresses(root: str) -> dict[str, str]:
    """Return the GOOGLE_* variables that take an emulator at this address for Google."""
    return {
        "GOOGLE_AUTH_URI": f"{root}/o/oauth2/v2/auth",
        "GOOGLE_TOKEN_URI": f"{root}/token",
        "GOOGLE_REVOKE_URI": f"{root}/revoke",
        "GOOGLE_USERINFO_URI": f"{root}/v1/userinfo",
        "GOOGLE_CALENDAR_API_ROOT": f"{root}/",
    }
