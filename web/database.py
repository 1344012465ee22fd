"""The transaction of a request."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends

from models.session import Session, transaction


def _transaction() -> Iterator[Session]:
    with transaction() as session:
        yield session


# It ends with the endpoint's function, before the response is sent: a success is committed, and a refusal rolled back.
Database = Annotated[Session, Depends(_transaction, scope="function")]
