"""Tracing: one trace per reset, from the request through every slice to its last alert.

It is off unless `otlp_endpoint` is set; until then, OpenTelemetry is not even imported. Message headers carry the
context, and the reset's row keeps it for messages that are sent later, by `recover` or by a retry.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from config.log import logger
from config.settings import settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logger(__name__)


class _Tracing:
    """The tracing of this process."""

    provider: "TracerProvider | None" = None


def start_tracing(service: str) -> None:
    """Send this process's spans to the collector under the name `service`, if `otlp_endpoint` is set.

    A missing collector or a missing extra is logged, and never stops a reset.
    """
    endpoint = settings().otlp_endpoint
    if endpoint is None or _Tracing.provider is not None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.celery import CeleryInstrumentor
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.error("tracing_unavailable", remedy="install the extra `tracing`, or unset RECOURSE_OTLP_ENDPOINT")  # noqa: TRY400
        return
    from tasks.app import app  # loads Celery, which a command without tracing may do without

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), sampler=_sampler())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=5)))
    app.loader.import_default_modules()  # the instrumentation never ends the span of a task that it does not know
    CeleryInstrumentor().instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    _Tracing.provider = provider


def stop_tracing() -> None:
    """Flush the remaining spans. For processes that end without a regular shutdown of Python."""
    if _Tracing.provider is not None:
        _Tracing.provider.shutdown()
        _Tracing.provider = None


@contextmanager
def span(name: str, *, caller: str | None = None, **attributes: str) -> Iterator[Any]:
    """Trace the scope as a span; `caller` is the traceparent of the calling request. Yields the span, `None` if off.

    Attributes hold ids only, no personal data.
    """
    if _Tracing.provider is None:
        yield None
        return
    with (
        within(caller),
        _Tracing.provider.get_tracer("recourse").start_as_current_span(name, attributes=attributes) as it,
    ):
        yield it


@contextmanager
def within(traceparent: str | None) -> Iterator[None]:
    """Make spans and messages in the scope belong to the trace."""
    if _Tracing.provider is None or traceparent is None:
        yield
        return
    from opentelemetry.context import attach, detach
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    token = attach(TraceContextTextMapPropagator().extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        detach(token)


def current_traceparent() -> str | None:
    """Returns the current span as a W3C traceparent, `None` if tracing is off."""
    if _Tracing.provider is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _sampler() -> Any:
    """Returns a sampler for everything except ticks, which beat sends every few seconds and which mostly do nothing."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

    from tasks.app import app

    ticks = {f"run/{entry['task']}" for entry in app.conf.beat_schedule.values()}

    class NoTicks(Sampler):
        def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **more: Any) -> Any:
            chosen = ALWAYS_OFF if name in ticks else ALWAYS_ON
            return chosen.should_sample(parent_context, trace_id, name, *args, **more)

        def get_description(self) -> str:
            return "NoTicks"

    return ParentBased(NoTicks())
