"""The OpenAPI document and its page, both without a file from anywhere else.

The framework's document is finished here: bodies are closed, operations carry the names and sentences of their
functions.
"""

from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from litestar import Litestar, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, Operation, Schema, SecurityScheme
from litestar.routes import HTTPRoute
from litestar.static_files import create_static_files_router
from pydantic import BaseModel

from api.bodies import In, StrictRequest

ASSETS = "/docs-assets"
BEARER = "api_key"

_DESCRIPTION = """Recurring billing.

Amounts are whole numbers of minor units with a currency. Instants are ISO 8601 in UTC. Every POST takes an
`Idempotency-Key`: sent again, it has no second effect and gets the same answer. What is wrong is told as
`application/problem+json` with a stable `code`."""


def openapi_config() -> OpenAPIConfig:
    """The document at /openapi.json and the page at /docs."""
    scheme = SecurityScheme(type="http", scheme="bearer", description="An API key: sk_test_... or sk_live_...")
    page = SwaggerRenderPlugin(
        path="/",
        js_url=f"{ASSETS}/swagger-ui-bundle.js",
        css_url=f"{ASSETS}/swagger-ui.css",
        standalone_preset_js_url=f"{ASSETS}/swagger-ui-standalone-preset.js",
        favicon='<link rel="icon" href="data:,">',
    )
    return OpenAPIConfig(
        title="Perennial",
        version=version("perennial"),
        description=_DESCRIPTION,
        components=Components(security_schemes={BEARER: scheme}),
        path="/docs",
        render_plugins=[page],
        operation_id_creator=lambda handler, _method, _path: _function(handler).__name__,
    )


def assets() -> Router:
    """The page's own script and style, from the installed package that carries them."""
    folder = str(files("litestar_offline_docs") / "static")
    return create_static_files_router(path=ASSETS, directories=[folder], include_in_schema=False)


@get("/openapi.json", include_in_schema=False, sync_to_thread=False, media_type="application/vnd.oai.openapi+json")
def openapi_document(request: StrictRequest) -> dict[str, Any]:
    schema: dict[str, Any] = request.app.openapi_schema.to_schema()
    return schema


def finish(app: Litestar) -> None:
    """Say in the document what the framework left out of it."""
    document = app.openapi_schema
    models = {model.__name__: model for model in _models(BaseModel)}
    for name, schema in (document.components.schemas or {}).items():
        if name in models:
            _complete(schema, models[name])
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format)
        if not isinstance(route, HTTPRoute) or item is None:
            continue
        for method, (handler, _) in route.route_handler_map.items():
            operation = getattr(item, method.lower(), None)
            if isinstance(operation, Operation):
                _describe(operation, handler)


def _models(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in root.__subclasses__():
        if model.__module__.startswith("api."):
            yield model
        yield from _models(model)


def _complete(schema: Schema, model: type[BaseModel]) -> None:
    schema.description = " ".join((model.__doc__ or "").split())
    extra = model.model_config.get("json_schema_extra")
    if issubclass(model, In):
        schema.additional_properties = False
        schema.examples = [extra["example"]] if isinstance(extra, dict) else None


def _describe(operation: Operation, handler: HTTPRouteHandler) -> None:
    summary, _, rest = (_function(handler).__doc__ or "").partition("\n")
    operation.summary = summary.strip().rstrip(".")
    operation.description = " ".join(rest.split()) or None


def _function(handler: HTTPRouteHandler) -> Any:
    # A function that runs in a thread is wrapped in a callable object which carries neither name nor sentence.
    return getattr(handler.fn, "func", handler.fn)
