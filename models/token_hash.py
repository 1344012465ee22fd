"""How random tokens are stored: as a hash."""

import hashlib


def hash_of(token: str) -> bytes:
    """Returns the SHA-256 digest that is stored of a token. Tokens have 256 random bits: a slow hash adds nothing."""
    return hashlib.sha256(token.encode()).digest()
