"""What Flower is told: `celery -A worker flower --conf=config/flower.py`.

Flower runs this file and takes the names below that are options of its own. It is for operators: put it behind a proxy
or bind it to a private address, since its `/metrics` and `/healthcheck` answer without sign-in.
"""

from config.settings import required, settings

address = settings().flower_address
port = settings().flower_port
basic_auth = [f"{settings().flower_user}:{required('flower_password')}"]
cookie_secret = required("secret_key")  # or every restart signs everybody out
read_only = True  # what is to be stopped is stopped in the database; a task that Flower revokes just comes again

persistent = True  # a job is found again after a restart
db = str(settings().home.absolute() / "flower")
state_save_interval = 10_000  # milliseconds; without it the state is saved only by an orderly end
max_tasks = settings().flower_max_tasks
max_workers = 500  # each `recourse` command's own worker is one
purge_offline_workers = 24 * 3600  # seconds
inspect_timeout = 3000.0  # milliseconds; a worker in the middle of a ledger takes its time to answer

# One line tells what, for which course or learners, how far and since when; the name alone is the same on every line.
tasks_columns = "name,kwargs,state,result,started,runtime,worker"
