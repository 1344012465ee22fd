"""How long rows are kept: the period of each table in `periods`, and how old rows are deleted."""
