"""`/openapi.json`, and `/docs`: the document as a page without scripts and without other hosts."""

from collections.abc import Callable
from html import escape
from typing import Any

from flask import Flask, Response

from chassis.web.authentication import public
from chassis.web.problem_types import PROBLEMS
from chassis.web.responses import json_response

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
code, .path { font-family: ui-monospace, monospace; font-size: .92em; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .6rem 0; padding: .5rem .9rem; }
summary { cursor: pointer; } summary .text { opacity: .75; margin-left: .5rem; }
.method { display: inline-block; min-width: 4.2rem; font-weight: 650; font-size: .85em; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
td, th { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
td, th { vertical-align: top; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_METHODS = ("get", "post", "put", "patch", "delete")


def install(app: Flask, document: Callable[[], dict[str, Any]]) -> None:
    """Serve the document and its page without authentication."""

    @app.get("/openapi.json")
    @public
    def openapi() -> Response:
        return json_response(document())

    @app.get("/docs")
    @public
    def documentation() -> Response:
        headers = {"Content-Security-Policy": _POLICY}
        return Response(page(document()), content_type="text/html; charset=utf-8", headers=headers)


def page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                shared = operations.get("parameters", [])
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_operation(path, method, operation, shared))
    routes = "".join(f"<h2>{escape(tag)}</h2>{''.join(items)}" for tag, items in groups.items())
    rows = "".join(
        f'<tr id="problem-{code}"><td><code>{code}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.advice)}</td></tr>"
        for code, kind in PROBLEMS.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>regcred API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        "<h1>regcred API</h1><p>JSON under <code>/v1</code>, bearer tokens, problem documents (RFC 9457). "
        'The same as a document: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{routes}<h2>Problems</h2><table><tr><th>code</th><th>status</th><th>what it means</th></tr>{rows}"
        "</table>"
        "</body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], shared: list[dict[str, Any]]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{escape(p.get('description') or p.get('schema', {}).get('description') or '')}</td></tr>"
        for p in [*shared, *operation.get("parameters", [])]
        if "name" in p
    )
    responses = ", ".join(sorted(str(status) for status in operation.get("responses", {})))
    body = _body(operation)
    return (
        f'<details><summary><span class="method">{method.upper()}</span>'
        f'<span class="path">{escape(path)}</span>'
        f'<span class="text">{escape(operation.get("summary", ""))}</span></summary>'
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (f"<table>{parameters}</table>" if parameters else "")
        + (f"<p>Body: <code>{escape(body)}</code></p>" if body else "")
        + f"<p>Responses: {escape(responses)}</p></details>"
    )


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    reference: str = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return reference.rsplit("/", 1)[-1]
