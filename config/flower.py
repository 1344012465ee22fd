"""Flower's configuration: `celery -A worker flower --conf=config/flower.py`.

Flower runs this file and reads the names below as its options. Put Flower behind a proxy or bind it to a private
address: its `/metrics` and `/healthcheck` need no sign-in.
"""

from config.settings import required, settings

address = settings().flower_address
port = settings().flower_port
basic_auth = [f"{settings().flower_user}:{required('flower_password')}"]
cookie_secret = required("secret_key")  # otherwise, every restart signs everyone out
# Of RabbitMQ only. Without it, Flower asks the broker's host at the usual port.
_api = settings().flower_broker_api
broker_api = _api.get_secret_value() if _api else None
read_only = True  # cancel resets in the web app: `recover` would send a task that Flower revokes again

persistent = True  # keeps tasks across restarts
db = str(settings().home.absolute() / "flower")
state_save_interval = 10_000  # milliseconds; without it, only an orderly shutdown saves the state
max_tasks = settings().flower_max_tasks
max_workers = 500  # a `recourse` command may start its own worker
purge_offline_workers = 24 * 3600  # seconds
inspect_timeout = 3000.0  # milliseconds; a worker that is writing a ledger answers slowly

# Arguments and results tell the lines apart: all slices have the same name.
tasks_columns = "name,kwargs,state,result,started,runtime,worker"
