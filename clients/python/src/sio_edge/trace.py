"""The trace that a handler is part of, if one follows its event."""

from __future__ import annotations

from contextvars import ContextVar

trace_parent: ContextVar[str] = ContextVar("trace_parent", default="")
"""The W3C traceparent of what the handler is called for, empty if nobody follows it.

What is sent from an async handler and the tasks that it starts carries it on, so that a trace shows
what came of an event. To put a span of one's own in between, with OpenTelemetry::

    parent = propagate.extract({"traceparent": sio_edge.trace_parent.get()})
    with tracer.start_as_current_span("look up", context=parent):
        carrier = {}
        propagate.inject(carrier)
        sio_edge.trace_parent.set(carrier["traceparent"])
        await sio.emit("said", text)
"""
