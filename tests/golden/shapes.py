"""The header shapes of the SDKs: line ends, blank lines, lengths and labels as each of them writes them.

`SHAPES` maps a name to the bytes of one WebSocket message and the message that they mean.
"""

from __future__ import annotations

from asr_trio.protocol.messages import (
    CancelRecognition,
    ClientMessage,
    CreateSession,
    DefineGrammar,
    GetParameters,
    ReleaseSession,
    SendAudio,
    SetParameters,
    StartInputTimers,
    StartRecognition,
)

GRAMMAR = "#ABNF 1.0 UTF-8;\nlanguage pt-BR;\nroot $answer;\n$answer = sim | não;".encode()
FREE = b"builtin:slm/general"
PCM = bytes(range(256)) * 4
JSON = "application/json"
URIS = "text/uri-list"
OCTETS = "application/octet-stream"

_PYTHON: dict[str, tuple[bytes, ClientMessage]] = {
    "create": (b"ASR 2.4 CREATE_SESSION\n", CreateSession()),
    "create with channel": (
        b"ASR 2.4 CREATE_SESSION\nChannel-Identifier: c1\n",
        CreateSession(channel_identifier="c1"),
    ),
    "set": (
        b"ASR 2.4 SET_PARAMETERS\ndecoder.maxSentences: 3\nnoInputTimeout.enabled: True\nhints.words: None\n",
        SetParameters(
            parameters={"decoder.maxSentences": "3", "noInputTimeout.enabled": "True", "hints.words": "None"}
        ),
    ),
    "define counts characters, not bytes": (
        b"ASR 2.4 DEFINE_GRAMMAR\nContent-Type: application/srgs\nContent-ID: g\nContent-Length: %d\n\n%b"
        % (len(GRAMMAR.decode()), GRAMMAR),
        DefineGrammar(content_id="g", content_type="application/srgs", body=GRAMMAR),
    ),
    "start": (
        b"ASR 2.4 START_RECOGNITION\nAccept: application/json\nContent-Type: text/uri-list\nContent-Length: 19\n\n"
        + FREE,
        StartRecognition(accept=JSON, content_type=URIS, body=FREE),
    ),
    "timers": (b"ASR 2.4 START_INPUT_TIMERS\n", StartInputTimers()),
    "audio": (
        b"ASR 2.4 SEND_AUDIO\nLastPacket: false\nContent-Length: 1024\nContent-Type: audio/raw\n\n" + PCM,
        SendAudio(audio=PCM, content_type="audio/raw"),
    ),
    "last audio is labelled wav": (
        b"ASR 2.4 SEND_AUDIO\nLastPacket: true\nContent-Length: 1024\nContent-Type: audio/wav\n\n" + PCM,
        SendAudio(audio=PCM, content_type="audio/wav", last_packet=True),
    ),
    "empty source": (
        b"ASR 2.4 SEND_AUDIO\nLastPacket: true\nContent-Length: 0\nContent-Type: audio/wav\n\n",
        SendAudio(content_type="audio/wav", last_packet=True),
    ),
    "cancel without any newline": (b"ASR 2.4 CANCEL_RECOGNITION", CancelRecognition()),
    "release without any newline": (b"ASR 2.4 RELEASE_SESSION", ReleaseSession()),
}

_JAVA: dict[str, tuple[bytes, ClientMessage]] = {
    "create": (b"ASR 2.3 CREATE_SESSION\r\n\r\n", CreateSession()),
    "create with tags": (
        b"ASR 2.3 CREATE_SESSION\r\nloggingTag: t\r\nUser-Agent: model=x;os=y z\r\n\r\n",
        CreateSession(user_agent="model=x;os=y z", logging_tag="t"),
    ),
    "null values": (
        b"ASR 2.3 SET_PARAMETERS\r\nhints.words: \r\ndecoder.maxSentences: 1\r\n\r\n",
        SetParameters(parameters={"hints.words": "", "decoder.maxSentences": "1"}),
    ),
    "get all": (b"ASR 2.3 GET_PARAMETERS\r\n\r\n", GetParameters()),
    "get named": (
        b"ASR 2.3 GET_PARAMETERS\r\ndecoder.maxSentences: \r\nendpointer.waitEnd: \r\n\r\n",
        GetParameters(names=("decoder.maxSentences", "endpointer.waitEnd")),
    ),
    "define as plain text": (
        b"ASR 2.3 DEFINE_GRAMMAR\r\nContent-ID: g\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%b"
        % (len(GRAMMAR), GRAMMAR),
        DefineGrammar(content_id="g", content_type="text/plain", body=GRAMMAR),
    ),
    "start": (
        b"ASR 2.3 START_RECOGNITION\r\nMedia-Type: audio/raw\r\nContent-Length: 20\r\nContent-Type: text/uri-list\r\n"
        b"\r\n" + FREE + b"\n",
        StartRecognition(parameters={"Media-Type": "audio/raw"}, content_type=URIS, body=FREE),
    ),
    "last": (
        b"ASR 2.3 SEND_AUDIO\r\nLastPacket: true\r\nContent-Length: 0\r\nContent-Type: audio/raw\r\n\r\n",
        SendAudio(content_type="audio/raw", last_packet=True),
    ),
}

_CPP: dict[str, tuple[bytes, ClientMessage]] = {
    "create": (b"ASR 2.4 CREATE_SESSION\r\nUser-Agent:ASR Client\r\n\r\n", CreateSession(user_agent="ASR Client")),
    "set": (
        b"ASR 2.4 SET_PARAMETERS\r\ndecoder.maxSentences:1\r\nnoInputTimeout.enabled:1\r\n\r\n",
        SetParameters(parameters={"decoder.maxSentences": "1", "noInputTimeout.enabled": "1"}),
    ),
    "start with bytes beyond the length": (
        b"ASR 2.4 START_RECOGNITION\r\nAccept:application/json\r\nContent-Length:19\r\nContent-Type:text/uri-list\r\n"
        b"\r\n" + FREE + b"\r\n",
        StartRecognition(accept=JSON, content_type=URIS, body=FREE),
    ),
    "start inline": (
        b"ASR 2.4 START_RECOGNITION\r\nAccept:application/json\r\nContent-ID:gram\r\nContent-Length:%d\r\n"
        b"Content-Type:application/srgs\r\n\r\n%b\r\n" % (len(GRAMMAR), GRAMMAR),
        StartRecognition(accept=JSON, content_id="gram", content_type="application/srgs", body=GRAMMAR),
    ),
    "audio with bytes beyond the length": (
        b"ASR 2.4 SEND_AUDIO\r\nContent-Length:1024\r\nContent-Type:application/octet-stream\r\nLastPacket:false\r\n"
        b"\r\n" + PCM + b"\r\n",
        SendAudio(audio=PCM, content_type=OCTETS),
    ),
    "last": (
        (
            b"ASR 2.4 SEND_AUDIO\r\nContent-Length:0\r\nContent-Type:application/octet-stream\r\nLastPacket:true\r\n"
            b"\r\n\r\n"
        ),
        SendAudio(content_type=OCTETS, last_packet=True),
    ),
    "cancel": (b"ASR 2.4 CANCEL_RECOGNITION\r\n\r\n", CancelRecognition()),
}

_DOTNET: dict[str, tuple[bytes, ClientMessage]] = {
    "create without blank line": (b"ASR 2.3 CREATE_SESSION\r\n", CreateSession()),
    "set": (
        b"ASR 2.3 SET_PARAMETERS\r\ndecoder.continuousMode: false\r\n\r\n",
        SetParameters(parameters={"decoder.continuousMode": "false"}),
    ),
    "get named without value": (
        b"ASR 2.3 GET_PARAMETERS\r\ndecoder.maxSentences:\r\n",
        GetParameters(names=("decoder.maxSentences",)),
    ),
    "start with a length eight too large": (
        b"ASR 2.3 START_RECOGNITION\r\ndecoder.continuousMode: false\r\nContent-Length: 27\r\n"
        b"Content-Type: text/uri-list\r\n\r\n" + FREE + b"\r\n",
        StartRecognition(parameters={"decoder.continuousMode": "false"}, content_type=URIS, body=FREE),
    ),
    "audio": (
        b"ASR 2.3 SEND_AUDIO\r\nLastPacket: False\r\nContent-Length: 1024\r\nContent-Type: application/octet-stream\r\n"
        b"\r\n" + PCM,
        SendAudio(audio=PCM, content_type=OCTETS),
    ),
    "last": (
        b"ASR 2.3 SEND_AUDIO\r\nLastPacket: True\r\nContent-Length: 0\r\nContent-Type: audio/raw\r\n\r\n",
        SendAudio(content_type="audio/raw", last_packet=True),
    ),
    "release": (b"ASR 2.3 RELEASE_SESSION\r\n", ReleaseSession()),
}

_KOTLIN: dict[str, tuple[bytes, ClientMessage]] = {
    "start without content type": (
        b"ASR 2.3 START_RECOGNITION\r\nContent-Length: 19\r\n\r\n" + FREE,
        StartRecognition(body=FREE),
    ),
    "framing headers in the parameter map": (
        b"ASR 2.3 START_RECOGNITION\r\nAccept: application/json\r\nContent-Type: text/uri-list\r\nUser-Agent: k\r\n"
        b"decoder.maxSentences: 1\r\nContent-Length: 19\r\n\r\n" + FREE,
        StartRecognition(parameters={"decoder.maxSentences": "1"}, accept=JSON, content_type=URIS, body=FREE),
    ),
    "last without length": (
        b"ASR 2.3 SEND_AUDIO\r\nLastPacket: true\r\nContent-Type: application/octet-stream\r\n\r\n",
        SendAudio(content_type=OCTETS, last_packet=True),
    ),
}

_IOS: dict[str, tuple[bytes, ClientMessage]] = {
    "handle as a fourth token": (b"ASR 2.3 CREATE_SESSION (null)\r\n", CreateSession()),
    "mixed blanks": (
        (
            b"ASR 2.3 SEND_AUDIO 202501011200000001\r\nLastPacket:true\r\nContent-Length: 0\r\n"
            b"Content-Type:application/octet-stream\r\n\r\n"
        ),
        SendAudio(content_type=OCTETS, last_packet=True),
    ),
}

_CRLF = {"java": _JAVA, "cpp": _CPP, "dotnet": _DOTNET, "kotlin": _KOTLIN, "ios": _IOS}
# .NET writes the line end of its system: the same shapes with LF are what it sends from Linux.
_DOTNET_LF = {
    name: (data.replace(b"\r\n", b"\n"), message) for name, (data, message) in _DOTNET.items() if PCM not in data
}

SHAPES: dict[str, tuple[bytes, ClientMessage]] = {
    f"{client}: {name}": shape
    for client, shapes in {"python": _PYTHON, **_CRLF, "dotnet on linux": _DOTNET_LF}.items()
    for name, shape in shapes.items()
}
