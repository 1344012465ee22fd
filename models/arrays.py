"""A query's values as one array: rows that are looked up by an array are found by index, however many there are."""

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, func


def array_of(query: Select[Any]) -> ColumnElement[Any]:
    """Returns the values of a query for one column, as an array."""
    (value,) = query.selected_columns
    return func.array(query.scalar_subquery(), type_=ARRAY(value.type))
