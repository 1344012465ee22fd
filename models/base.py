"""The base class and column types of all tables."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Enum, Index, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import UserDefinedType


class _Postgres(UserDefinedType[str]):
    """A PostgreSQL type that SQLAlchemy does not know; in Python, its values are strings."""

    render_bind_cast = True
    name: ClassVar[str]

    def get_col_spec(self, **_: Any) -> str:
        return self.name

    def literal_processor(self, dialect: Any) -> Any:  # noqa: ARG002 - SQLAlchemy passes it by name
        return lambda value: f"'{value}'::{self.name}"


class Xid8(_Postgres):
    """The id of a transaction. Unlike a row's `xmin`, it never wraps around."""

    cache_ok = True
    name = "XID8"


class PgSnapshot(_Postgres):
    """The transactions that a statement could see: `xmin:xmax:xip_list`."""

    cache_ok = True
    name = "PG_SNAPSHOT"


ischema_names |= {"xid8": Xid8, "pg_snapshot": PgSnapshot}  # for Alembic, which reads them back


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can change it and errors identify it."""

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
    """Returns the type of a text column with the values of `states`, enforced by a CHECK called `name`.

    It is not a PostgreSQL enum, so that migrations can change the values in a transaction.
    """
    return Enum(
        states,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda enum: [member.value for member in enum],
    )


def external_id_index(table: str) -> Index:
    """Returns the index by which the rows of an organization are found by the platform's own id, which is unique."""
    return Index(
        f"uq_{table}_external_id",
        "organization_id",
        "external_id",
        unique=True,
        postgresql_where=text("external_id IS NOT NULL"),
    )
