"""The functions that older servers lack: ours do what PostgreSQL's own do. The suite runs on both kinds."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from cli.local.programs import POSTGRES_MAJOR, postgres_major
from models.versions import SUPPORTED_POSTGRES
from tests import CHOSEN
from tests.databases import made_database, recourse_on, values
from tests.scenes import ask, rows

pytestmark = pytest.mark.usefixtures("database")

MANY = 5000
CLOCK = "floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


def parts(made: UUID) -> int:
    """Return the first 60 bits without the version: parts of 1/4096 millisecond since 1970."""
    return (made.int >> 80) << 12 | (made.int >> 64) & 0xFFF


def test_the_server_is_the_chosen_one() -> None:
    chosen = postgres_major(Path(*CHOSEN.values())) if CHOSEN else POSTGRES_MAJOR
    assert ask("SELECT current_setting('server_version_num')::int / 10000") == chosen


def test_a_uuidv7_has_its_version_and_variant_and_is_unique() -> None:
    made = [one for (one,) in rows(f"SELECT uuidv7() FROM generate_series(1, {MANY})")]
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid4().variant}
    assert len(set(made)) == MANY
    assert len({one.int & (1 << 62) - 1 for one in made}) == MANY, "the rest is random"
    assert {one.int >> 62 & 3 for one in made} == {2}


def test_a_uuidv7_holds_the_time_to_a_fraction_of_a_millisecond() -> None:
    [(before, made, after)] = rows(f"SELECT {CLOCK}, uuidv7(), {CLOCK}")
    assert before - 1 <= parts(made) * 1000 / 4096 <= after + 1  # microseconds
    assert ask("SELECT uuid_extract_timestamp(:made)", made=made).timestamp() == pytest.approx(before / 1e6, abs=0.002)


def test_uuidv7s_are_in_the_order_of_their_making() -> None:
    one_by_one = [ask("SELECT uuidv7()") for _ in range(200)]
    assert one_by_one == sorted(one_by_one)
    # Within one statement too, but for those of the same microsecond
    at_once = [parts(one) for (one,) in rows(f"SELECT uuidv7() FROM generate_series(1, {MANY})")]
    assert at_once == sorted(at_once)
    assert len({one & 0xFFF for one in at_once}) > 100


def test_a_uuidv7_can_be_of_another_time() -> None:
    ago = ask("SELECT now() - uuid_extract_timestamp(uuidv7(interval '-1 hour'))")
    assert timedelta(minutes=59) < ago < timedelta(minutes=61)


def test_the_time_in_a_known_uuid_is_read() -> None:
    # RFC 9562, appendix A.6
    query = "SELECT extract(epoch FROM uuid_extract_timestamp('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')) * 1000"
    assert ask(query) == 0x017F22E279B0
    assert ask("SELECT uuid_extract_timestamp(gen_random_uuid())") is None


def test_ours_are_made_only_where_the_server_has_none_and_go_with_the_tables(database: str) -> None:
    from alembic import command

    from tests.conftest import alembic_config

    ours = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'uuid%' ORDER BY 1"
    major = ask("SELECT current_setting('server_version_num')::int / 10000")
    wanted = [name for name, since in (("uuid_extract_timestamp", 17), ("uuidv7", 18)) if major < since]
    assert [name for (name,) in values(database, ours)] == wanted
    command.downgrade(alembic_config(), "base")
    assert values(database, ours) == []


def test_the_supported_versions_are_named(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import command

    from models.versions import DatabaseUnfitError
    from tests.conftest import alembic_config

    doctor = recourse_on(database, "doctor", "--part", "database")
    assert f"{SUPPORTED_POSTGRES} are supported" in doctor.stdout
    with made_database(database, "recourse_bare") as url:
        checked = recourse_on(url, "database", "check")
        assert f"{SUPPORTED_POSTGRES} are supported" in checked.stdout
    # On a server that is too old, nothing is created
    monkeypatch.setattr("models.versions.OLDEST_POSTGRES", 99)
    with pytest.raises(DatabaseUnfitError, match="needs version 99 or newer"):
        command.upgrade(alembic_config(), "head")
