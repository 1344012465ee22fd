"""Numbers in addresses."""

from typing import Annotated

from fastapi import Path

BIGGEST = 2**63 - 1  # what PostgreSQL's bigint holds: a larger id is nobody's

Number = Annotated[int, Path(ge=0, le=BIGGEST)]
