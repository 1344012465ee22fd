"""A PostgreSQL that crashes and restarts by itself, and a Redis that crashes and is restarted empty."""

import os
import signal

import psycopg
import redis

from cli.local import LocalServers
from models.session import forget_engine
from tests.workers import until


def crash(database: str) -> None:
    """Kill a process of the server: it restarts all of them, without what was only in memory."""
    with psycopg.connect(database, autocommit=True) as connection:
        [(victim,)] = connection.execute(
            b"SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'"
        ).fetchall()
    os.kill(victim, signal.SIGKILL)
    forget_engine(close=False)
    until(lambda: is_up(database), 60)


def is_up(database: str) -> bool:
    try:
        with psycopg.connect(database, connect_timeout=2) as connection:
            connection.execute(b"SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def kill_redis(server: redis.Redis) -> None:
    """Kill Redis, which keeps nothing on disk."""
    os.kill(server.info("server")["process_id"], signal.SIGKILL)


def restart_empty(server: redis.Redis, servers: LocalServers) -> None:
    """Kill Redis, and start it again."""
    kill_redis(server)
    servers.start()
