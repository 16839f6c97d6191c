"""Sections of settings: every limit with its unit and its reason.

Each belongs to the part of the program that it configures. Where their values come from is the matter of `config`; who
only needs the types imports them from here, which takes half the time.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PositiveFloat = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: a misspelt key is an error, values are never changed after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ServerSettings(Section):
    """Sockets and times of the server process."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8025
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8026
    http_enabled: bool = True
    paths: tuple[str, ...] = ("/asr-server/asr",)
    """Paths that serve the protocol; a trailing or doubled slash is forgiven. Empty: every path."""
    origins: tuple[str, ...] = ()
    """Origins of web pages that may connect besides those of the same host: ``https://app.example``, ``*`` for any."""
    drain_timeout_s: PositiveFloat = 30.0
    """After SIGTERM running recognitions may take this long; then they are cut."""
    handshake_timeout_s: PositiveFloat = 5.0
    """A peer that has not finished its upgrade request by then is dropped: slow-loris costs 5 s, no more."""
    close_timeout_s: PositiveFloat = 2.0
    ping_interval_s: PositiveFloat = 30.0
    """Only a peer that sent nothing for so long is pinged."""
    ping_timeout_s: PositiveFloat = 60.0
    """Longer than any queue delay under load: a healthy session must not be lost to a slow pong."""
    send_timeout_s: PositiveFloat = 10.0
    """A peer that reads nothing for so long while we have something to say is dropped."""


class LimitSettings(Section):
    """Bounds that protect the server and its other users."""

    connections: PositiveInt = 4096
    connections_per_address: PositiveInt = 1024
    http_connections: PositiveInt = 512
    """At the HTTP port: a browser holds six, Prometheus and each health check one, REST one for each request."""
    http_connections_per_address: PositiveInt = 128
    """Of these, from one address. Where all come through one proxy, raise it to the former."""
    sessions: PositiveInt = 2048
    """Licences: CREATE_SESSION past it answers ERR_MAX_LICENSES."""
    sessions_per_user: PositiveInt = 1024
    """Of these, what one authenticated user may take."""
    message_bytes: PositiveInt = 2 * 1024 * 1024
    """The protocol's own limit on one message."""
    session_expiry_s: PositiveFloat = 60.0
    """A session without any message for so long ends; told to clients as ``Expires``."""
    create_session_timeout_s: PositiveFloat = 60.0
    """A connection that never creates a session ends after this."""
    audio_buffer_s: PositiveFloat = 120.0
    """Audio waiting to be decoded in one recognition; past it the socket is not read until there is room."""
    audio_total_s: PositiveFloat = 4 * 3600.0
    """Audio of one recognition in all."""
    speech_segment_s: PositiveFloat = 120.0
    """One segment; a decoder grows 0.5 MiB a second. Longer speech is MAX_SPEECH, or cut before in continuous mode."""
    grammar_bytes: PositiveInt = 1024 * 1024
    grammars_per_session: PositiveInt = 64
    prepared_bytes_per_session: PositiveInt = 64 * 1024 * 1024
    """All grammars of a session once they are compiled: a text of a megabyte may become ten of them."""
    command_timeout_s: PositiveFloat = 9.0
    """DEFINE_GRAMMAR and START_RECOGNITION must answer within 10 s: the Java client waits no longer."""
    result_timeout_s: PositiveFloat = 20.0
    """From the end of a segment to its hypotheses; a worker that takes longer is killed."""


class ModelSettings(Section):
    """One model: acoustic model, dictionary and, for free speech, the language model.

    ``default`` paths come from the pocketsphinx package. `languages` are tags that grammars may name.
    """

    engine: str = "pocketsphinx"
    languages: tuple[str, ...] = ("en-US",)
    acoustic: Path | None = None
    dictionary: Path | None = None
    lm: Path | None = None
    sample_rate_hz: Literal[8000, 16000] = 8000
    """Rate of audio that does not say its own, where this is the default model: every SDK takes 8 kHz for granted."""
    cmn_init: str | None = None
    mllr: Path | None = None
    preload: bool = True
    """Load it at the start. Else the first recognition loads it, into a process of its own, until it is not used."""
    profile: Literal["fast", "balanced", "accurate"] = "balanced"
    """Speed against accuracy of free speech; docs/recognition.md has the measurements."""
    cost_units: PositiveFloat | None = None
    """Hundredths of a core that a live stream needs, for admission; measured defaults of the engine where unset."""
    aliases: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class RecognizerSettings(Section):
    """Worker processes and models."""

    models: dict[str, ModelSettings] = {"general": ModelSettings(aliases=("general-small", "callcenter-small"))}
    """``builtin:slm/<name>``; ``general`` is the embedded default of grammars too."""
    default_model: str = "general"
    unknown_words: Literal["generate", "reject", "ignore"] = "generate"
    """Words of a grammar without a pronunciation: said by their spelling, refused (all at once), or left out."""
    workers_idle: PositiveInt = 4
    """Warm processes kept ready; a fork takes about 20 ms."""
    workers: PositiveInt = 256
    """Processes in all: a bound on memory (about 20 MB each)."""
    cost_units: PositiveFloat = Field(default_factory=lambda: 80.0 * (os.cpu_count() or 2))
    """Admission: hundredths of a core that all running recognitions may need together."""
    cost_units_per_party: PositiveFloat | None = None
    """Of these, what one user may have, or one address where there are no users. All, where unset: the calls of a
    telephone system all come from one address, or as one user."""
    recycle_recognitions: PositiveInt = 1000
    recycle_rss_bytes: PositiveInt = 256 * 1024 * 1024
    model_idle_s: PositiveFloat = 600.0
    """A model that is not preloaded ends, with the processes that are kept for it, when it is not used for so long."""
    hang_timeout_s: PositiveFloat = 5.0
    """A worker that owes an answer and shows no sign of life for so long is killed."""


class LanguageModelSettings(Section):
    """Where language models may come from."""

    file_roots: tuple[Path, ...] = ()
    http_hosts: tuple[str, ...] = ()
    http_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public in which names of `http_hosts` may be found (``10.0.0.0/8``). Elsewhere a name that
    leads to such an address is refused: who answers for the name must not choose a target inside this network."""
    http_timeout_s: PositiveFloat = 5.0
    default_language: str = "en-US"


class QuotaSettings(Section):
    """Session licences shared with other nodes through Redis; each node alone where no URL is given."""

    redis_url: str = ""
    key: str = "asr-trio:sessions"
    sessions: PositiveInt = 2048
    """Sessions on all nodes together."""
    lease_s: PositiveFloat = 10.0
    """What a dead node held comes free after this."""
    renew_s: PositiveFloat = 3.0
    """Three renewals fit into a lease: two may be lost."""
    answer_timeout_s: PositiveFloat = 1.0
    """Redis answers in a millisecond; a client that opens a session should not wait longer than this for it."""
    when_down: Literal["open", "closed"] = "open"
    """Where Redis does not answer: let sessions in on the node's own limit, or refuse them."""


class AuthSettings(Section):
    """HTTP Basic on the upgrade request; open where no file is given."""

    htpasswd_file: Path | None = None
    realm: str = "asr-trio"


class ConsoleSettings(Section):
    """The page at the HTTP port."""

    enabled: bool | None = None
    """None: on where the server is open to everybody, off where users are asked for a password."""
    websocket_url: str | None = None
    """Where browsers find the protocol if it is not this host at `server.port` (a proxy stands in between)."""


class RestSettings(Section):
    """The REST interface at the HTTP port; it asks for the same password as the WebSocket."""

    enabled: bool = True
    body_bytes: PositiveInt = 64 * 1024 * 1024
    """Audio of one request. It is passed on as it comes and never held whole."""
    concurrency: PositiveInt = 64
    """Requests in work at once; past it the answer is 503."""
    concurrency_per_party: PositiveInt | None = None
    """Of these, what one user may have, or one address where there are no users. All, where unset."""
    timeout_s: PositiveFloat = 600.0
    """One request, from its head to its answer."""


class TlsSettings(Section):
    """TLS by the server itself; off where no certificate is given."""

    certificate: Path | None = None
    key: Path | None = None
    http: bool = False
    """The HTTP port by TLS too: browsers give their microphone to other machines' pages only over https. Health checks
    and metrics must then be asked for by https as well."""


class RecordSettings(Section):
    """Recording of whole sessions for bug reports (``asr-trio replay``), speech included. Off without folder."""

    folder: Path | None = None
    session_bytes: PositiveInt = 64 * 1024 * 1024
    """A longer recording is cut; half an hour of 16 kHz audio fits."""
    total_bytes: PositiveInt = 1024 * 1024 * 1024
    """All recordings of one run of the server; then no more are made."""


class LogSettings(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    recognized_text: bool = False
    """Write what people said into the log: a line ``heard`` for each segment."""


class TracingSettings(Section):
    """OpenTelemetry traces of sessions, recognitions and grammars; needs the extra ``otel``."""

    endpoint: str = ""
    """A collector by OTLP over HTTP: ``http://127.0.0.1:4318/v1/traces``. Empty: no traces."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of all sessions, those that are traced."""
