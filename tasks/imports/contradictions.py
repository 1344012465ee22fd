"""Queries for the lines of a file that contradict other lines of it."""

_ANOTHER_VALUE = """
SELECT DISTINCT l.line, '{column}: line ' || first.line || ' has another value for {of} ' || code AS wrong
FROM import_line l
JOIN (SELECT DISTINCT ON (code) code, line, {column} FROM import_line
      WHERE {column} IS NOT NULL ORDER BY code, line) first USING (code)
WHERE l.{column} <> first.{column}
"""
_AGAIN = """
SELECT line, '{column}: line ' || first || ' has the same {says}' AS wrong
FROM (SELECT line, min(line) OVER (PARTITION BY {value}) AS first FROM {table} WHERE {value} IS NOT NULL) same
WHERE line > first
"""


def another_value(column: str, of: str) -> str:
    """Returns the query for lines that have another value in the column than an earlier line with the same code."""
    return _ANOTHER_VALUE.format(column=column, of=of)


def again(column: str, says: str, table: str, value: str) -> str:
    """Returns the query for lines whose value was in an earlier line. `column` is what the user has to mend."""
    return _AGAIN.format(column=column, says=says, table=table, value=value)
