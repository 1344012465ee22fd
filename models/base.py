"""What all tables have in common."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Enum, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import UserDefinedType


class _Postgres(UserDefinedType[str]):
    """A type of PostgreSQL's that SQLAlchemy does not know; its values are text here."""

    render_bind_cast = True
    name: ClassVar[str]

    def get_col_spec(self, **_: Any) -> str:
        return self.name

    def literal_processor(self, dialect: Any) -> Any:  # noqa: ARG002 - its name is SQLAlchemy's
        return lambda value: f"'{value}'::{self.name}"


class Xid8(_Postgres):
    """The number of a transaction. Unlike a row's `xmin` it never wraps around."""

    cache_ok = True
    name = "XID8"


class PgSnapshot(_Postgres):
    """Which transactions a statement could see: `xmin:xmax:those under way`."""

    cache_ok = True
    name = "PG_SNAPSHOT"


ischema_names |= {"xid8": Xid8, "pg_snapshot": PgSnapshot}  # as Alembic reads them back


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can change it and an error can be told by it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        dict[str, int]: JSONB,
    }


def one_of(states: type[StrEnum], name: str) -> Enum:
    """A text column that holds a value of `states`, held to it by a CHECK called `name`.

    Text rather than a PostgreSQL enum: a migration can then change the values inside its transaction.
    """
    return Enum(
        states,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda enum: [member.value for member in enum],
    )
