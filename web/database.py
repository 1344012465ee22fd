"""The transaction of a request."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends

from models.session import Session, transaction


def _transaction() -> Iterator[Session]:
    with transaction() as session:
        yield session


# Ends with the endpoint's function and not after the answer: what is said to be done is committed, and what was refused
# is rolled back.
Database = Annotated[Session, Depends(_transaction, scope="function")]
