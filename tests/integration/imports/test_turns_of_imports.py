"""Whose import runs next: organizations take turns by weight. The files are sent over HTTP."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg

from tests.scenes import Scene, make_scene, rows, run
from tests.web import client_of, token_for
from tests.workers import until

LOCK = "hashtextextended('recourse import ' || {}, 0)"  # an import waits for others of its organization


def begun() -> Counter[str]:
    """How many imports of each organization have begun, and wait for a lock of this test."""
    number = "(classid::bigint << 32) | objid::bigint"
    lock = LOCK.format("o.id")
    return Counter(
        dict(
            rows(
                f"""SELECT slug, count(*) FROM organization o JOIN pg_locks ON {number} = {lock}
                    WHERE locktype = 'advisory' AND NOT granted GROUP BY 1"""
            )
        )
    )


def send(base: str, scene: Scene) -> httpx.Response:
    with client_of(base, token_for(scene.admin.user_id or 0)) as api:
        lines = f"email,name\nkim@{scene.organization.slug}.example,Kim\n"
        return api.post("/v1/imports/users", content=lines, headers={"Content-Type": "text/csv"})


def test_the_second_import_of_a_weightier_organization_comes_before_anothers(database: str, served: str) -> None:
    from web.api import import_files  # imports tasks, which no test module may

    # Given as many imports as may run at once, each of another organization, and four that wait
    first = [make_scene(f"first-{number}", learners=1) for number in range(import_files.RUN_AT_ONCE)]
    light, heavy = (make_scene(name, learners=1) for name in ("light", "heavy"))
    run("UPDATE organization SET weight = 3 WHERE slug = 'heavy'")
    with psycopg.connect(database, autocommit=True) as holder, ThreadPoolExecutor(8) as threads:

        def lock(how: str, scene: Scene) -> None:
            holder.execute(f"SELECT {how}({LOCK.format('%s')})".encode(), [str(scene.organization.id)])

        try:
            for scene in (*first, light, heavy):
                lock("pg_advisory_lock", scene)
            sent = [threads.submit(send, served, scene) for scene in first]
            until(lambda: begun() == {scene.organization.slug: 1 for scene in first})
            for place, scene in enumerate((light, heavy, light, heavy), 1):
                sent.append(threads.submit(send, served, scene))
                until(lambda: len(import_files._turns._line) == place)  # noqa: B023 - called at once
            # When the first ones end one after the other
            seen: list[tuple[int, int]] = []
            for number, scene in enumerate(first, 1):
                lock("pg_advisory_unlock", scene)
                until(lambda: sum(mine(begun())) == number)  # noqa: B023 - called at once
                seen.append(mine(begun()))
        finally:
            holder.execute(b"SELECT pg_advisory_unlock_all()")
        answers = [one.result() for one in sent]
    # Then whoever came first begins, and the heavy one's second before the light one's, which came before it
    assert seen == [(1, 0), (1, 1), (1, 2), (2, 2)]
    assert [answer.status_code for answer in answers] == [200] * 8


def mine(found: Counter[str]) -> tuple[int, int]:
    return found["light"], found["heavy"]
