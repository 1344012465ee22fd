"""Addresses of this site."""


def local(where: str) -> str:
    """Return `where` if it is on this site, else `/`: a link to the sign-in page must not redirect to another site."""
    return where if where.startswith("/") and not where.startswith(("//", "/\\")) else "/"
