"""The OpenAPI document of the REST interface, with every recognition parameter as the registry has it."""

from __future__ import annotations

import math
from typing import Any, Final

from asr_trio import __version__
from asr_trio.protocol.messages import ResultStatus
from asr_trio.protocol.parameters import RecognitionParameters
from asr_trio.protocol.registry import PARAMETERS, Kind, Parameter, Support

PREFIX: Final = "/asr-server/rest"

# Named by the URI, by HTTP itself or without meaning where nobody listens to what is said meanwhile.
_NO_HEADERS: Final = frozenset(
    ("Media-Type", "decoder.startInputTimers", "decoder.partialResultEnabled", "decoder.partialResultInterval")
)

_SCORE: Final = {"type": "integer", "minimum": 0, "maximum": 100}
_SECONDS: Final = {"type": "number", "minimum": 0, "description": "From the start of the audio"}

_SCHEMAS: Final[dict[str, Any]] = {
    "Word": {
        "type": "object",
        "required": ["text", "score", "start_time", "end_time"],
        "properties": {"text": {"type": "string"}, "score": _SCORE, "start_time": _SECONDS, "end_time": _SECONDS},
    },
    "Alternative": {
        "type": "object",
        "required": ["text", "score"],
        "properties": {
            "text": {"type": "string"},
            "score": _SCORE,
            "lm": {"type": "string", "description": "The language model that matched"},
            "words": {"type": "array", "items": {"$ref": "#/components/schemas/Word"}},
            "interpretations": {"type": "array", "items": {}},
            "interpretation_scores": {"type": "array", "items": _SCORE},
        },
    },
    "Result": {
        "type": "object",
        "required": ["alternatives", "segment_index", "last_segment", "final_result", "result_status"],
        "properties": {
            "alternatives": {
                "type": "array",
                "description": "Best first",
                "items": {"$ref": "#/components/schemas/Alternative"},
            },
            "segment_index": {"type": "integer", "minimum": 0},
            "last_segment": {"type": "boolean"},
            "final_result": {"const": True},
            "start_time": _SECONDS,
            "end_time": _SECONDS,
            "result_status": {"enum": [str(status) for status in ResultStatus]},
        },
    },
    "Wrapped": {
        "type": "object",
        "required": ["recognition_result"],
        "properties": {"recognition_result": {"$ref": "#/components/schemas/Result"}},
    },
    "Segments": {
        "type": "array",
        "description": "With decoder.continuousMode: one result for each segment",
        "minItems": 1,
        "items": {"$ref": "#/components/schemas/Result"},
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            }
        },
    },
}

_ERRORS: Final = {
    "400": "The request is wrong; the message says what",
    "401": "Credentials are needed",
    "403": "This origin is not allowed",
    "404": "There is no such language model",
    "413": "The body is too long",
    "422": "The language model cannot be used",
    "429": "Too many wrong passwords from this address",
    "500": "The recogniser failed",
    "503": "No capacity now; Retry-After says when to try again",
    "504": "It took too long",
}


def _error(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def _responses(*results: str, more: dict[str, str] | None = None) -> dict[str, Any]:
    references = [{"$ref": f"#/components/schemas/{name}"} for name in results]
    success = {
        "description": "What was recognised, NO_MATCH and NO_SPEECH included",
        "content": {
            "application/json": {"schema": references[0] if len(references) == 1 else {"oneOf": references}},
            "application/xml": {},
        },
    }
    return {"200": success, **{code: _error(words) for code, words in {**_ERRORS, **(more or {})}.items()}}


def _header(parameter: Parameter, defaults: RecognitionParameters) -> dict[str, Any]:
    types = {Kind.BOOL: "boolean", Kind.INT: "integer", Kind.FLOAT: "number"}
    schema: dict[str, Any] = {"type": types.get(parameter.kind, "string")}
    if parameter.kind in {Kind.INT, Kind.FLOAT}:
        schema["minimum"] = parameter.minimum
        if parameter.maximum < math.inf:
            schema["maximum"] = parameter.maximum
    if parameter.kind is Kind.HINTS:
        schema |= {"pattern": _HINTS, "maxLength": 4000}
    if parameter.kind is Kind.CHOICE:
        schema["enum"] = ["", *parameter.choices]
    schema["default"] = getattr(defaults, parameter.field)
    if parameter.name.partition(".")[0] in {"noInputTimeout", "recognitionTimeout"} and parameter.kind is Kind.BOOL:
        schema["default"] = False
    unit = f" ({parameter.unit})" if parameter.unit else ""
    return {"name": parameter.name, "in": "header", "description": f"{parameter.effect}{unit}", "schema": schema}


# What is sure to be understood; `asr_trio.protocol.hints` understands more.
_HINTS: Final = "^([A-Za-z]{1,30}(:[1-9][0-9]{0,2})?(, [A-Za-z]{1,30}(:[1-9][0-9]{0,2})?){0,20})?$"


def _lm(pattern: str, *examples: str, default: str = "") -> dict[str, Any]:
    without = f"; {default} where it does not come" if default else ""
    return {
        "name": "lm",
        "in": "query",
        "required": not default,
        "description": f"URI of a language model; may come several times{without}",
        "schema": {"type": "array", "items": {"type": "string", "pattern": pattern}, "minItems": 1, "maxItems": 64},
        "style": "form",
        "explode": True,
        "examples": {uri.rpartition("/")[2]: {"value": [uri]} for uri in examples},
    }


def openapi(defaults: RecognitionParameters, *, body_bytes: int, default_lm: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Args:
        defaults: the operator's values of the recognition parameters.
        body_bytes: the longest audio.
        default_lm: what a request that names no model is recognised with.
    """
    headers = [
        _header(parameter, defaults)
        for parameter in PARAMETERS
        if parameter.support is not Support.UNSUPPORTED and parameter.name not in _NO_HEADERS
    ]
    audio = {
        kind: {"schema": {"type": "string", "contentMediaType": kind, "maxLength": body_bytes}}
        for kind in ("audio/wav", "audio/raw", "application/octet-stream")
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "asr-trio",
            "version": __version__,
            "description": "Recognition of recordings; for live audio there is the WebSocket.",
        },
        "security": [{}, {"basic": []}],
        "paths": {
            f"{PREFIX}/recognize": {
                "post": {
                    "operationId": "recognize",
                    "summary": "Recognise a recording",
                    "parameters": [
                        _lm(
                            "^(builtin|file|https?):[!-~]{1,200}$",
                            *(default_lm, "builtin:grammar/digits"),
                            default=default_lm,
                        ),
                        *headers,
                    ],
                    "requestBody": {"required": True, "content": audio},
                    "responses": _responses(
                        "Wrapped", "Segments", more={"415": "Content-Type says that the body is no audio"}
                    ),
                }
            },
            f"{PREFIX}/interpret": {
                "post": {
                    "operationId": "interpret",
                    "summary": "Interpret a text as if it had been spoken",
                    "parameters": [_lm("^(builtin:grammar/|file:|https?:)[!-~]{1,200}$", "builtin:grammar/number")],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "text/plain": {"schema": {"type": "string", "pattern": "[0-9A-Za-z]", "maxLength": 4000}}
                        },
                    },
                    "responses": _responses("Wrapped"),
                }
            },
        },
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
    }
