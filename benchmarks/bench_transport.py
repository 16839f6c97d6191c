"""Transport: processor time of a server per message and per second of audio, against two peers in the same run.

    python -m benchmarks.bench_transport [--streams 10] [--seconds 8] [--json FILE]

Every server is a process of its own and gets the same traffic: so many connections, a binary message of 3200 bytes
every 100 ms on each (16 kHz audio), nothing sent back. `asr-trio transport` is our hardened transport with a handler
that throws messages away; `trio-websocket` is the library's own server; `websockets` is plain asyncio (with its C mask
function); `asr-trio server` is the whole server with a recognition on every connection and silence as audio, so what
it adds is parser, session, audio and endpointer. Processor time is that of the server's process, user and system.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import multiprocessing.connection
from functools import partial
from typing import Any

import structlog
import trio
import trio_websocket

from asr_trio import config
from asr_trio.client import connect
from asr_trio.protocol.messages import SendAudio, StartRecognition
from asr_trio.protocol.writer import serialize
from asr_trio.server.app import serve
from asr_trio.server.transport import TransportClosedError, TransportLimits, serve_stream
from benchmarks import report
from benchmarks.processes import cpu_seconds

PACKET_S = 0.1
AUDIO = bytes(3200)
GRAMMAR = b"#ABNF 1.0 UTF-8;\nlanguage en-US;\nmode voice;\nroot $a;\npublic $a = yes | no;\n"
Pipe = multiprocessing.connection.Connection


# --- the servers: each says its port, serves until told to stop, and says what it cost ---------------------------


async def _ours(ready: Any) -> None:
    limits = TransportLimits(message_bytes=1 << 21, handshake_timeout_s=5, send_timeout_s=5, close_timeout_s=1)

    async def handler(transport: Any) -> None:
        with contextlib.suppress(TransportClosedError):
            while True:
                await transport.receive()

    async def nobody(*_: Any) -> None:
        return None

    async def one(stream: trio.SocketStream) -> None:
        await serve_stream(stream, address="", tls=None, limits=limits, authorize=nobody, handler=handler)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ready(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(one, listeners)


async def _library(ready: Any) -> None:
    async def handler(request: trio_websocket.WebSocketRequest) -> None:
        websocket = await request.accept()
        with contextlib.suppress(trio_websocket.ConnectionClosed):
            while True:
                await websocket.get_message()

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(trio_websocket.serve_websocket, handler, "127.0.0.1", 0, None))
        ready(server.port)


async def _whole(ready: Any) -> None:
    settings = config.load(
        server={"port": 0, "http_enabled": False},
        recognizer={"cost_units": 1e6, "workers_idle": 1},
        parameters={"noInputTimeout.enabled": "false"},
        log={"level": "error"},
    )
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(serve, settings)
        ready(addresses.ws_port)


async def _asyncio(ready: Any) -> None:
    from websockets.asyncio.server import serve as serve_websockets

    async def handler(websocket: Any) -> None:
        async for _ in websocket:
            pass

    async with serve_websockets(handler, "127.0.0.1", 0, compression=None, max_size=1 << 21) as server:
        ready(next(iter(server.sockets)).getsockname()[1])
        await asyncio.Future()


def _process(kind: str, pipe: Pipe) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    def ready(port: int) -> None:
        pipe.send(port)

    if kind == "websockets":
        asyncio.run(_asyncio(ready))
    else:
        trio.run({"asr-trio transport": _ours, "trio-websocket": _library, "asr-trio server": _whole}[kind], ready)


# --- the traffic -------------------------------------------------------------------------------------------------


async def _stream(url: str, start_s: float, stop_s: float, *, recognise: bool) -> int:
    """Send a message every `PACKET_S`; return how many."""
    sent = 0
    message = serialize(SendAudio(audio=AUDIO))
    begin = StartRecognition(content_type="application/srgs", content_id="g", body=GRAMMAR)
    async with contextlib.AsyncExitStack() as stack:
        if recognise:
            session = await stack.enter_async_context(connect(url))
            await session.request(begin)
            websocket = session._line._websocket
        else:
            websocket = await stack.enter_async_context(trio_websocket.open_websocket_url(url, disconnect_timeout=1))
        while (due_s := start_s + sent * PACKET_S) < stop_s:
            await trio.sleep_until(due_s)
            await websocket.send_message(message)
            sent += 1
    return sent


async def _load(port: int, streams: int, seconds: float, *, recognise: bool) -> int:
    sent = 0
    url = f"ws://127.0.0.1:{port}/asr-server/asr"
    begin_s = trio.current_time() + 0.2
    async with trio.open_nursery() as nursery:

        async def one(index: int) -> None:
            nonlocal sent
            start_s = begin_s + PACKET_S * index / streams
            count = await _stream(url, start_s, begin_s + seconds, recognise=recognise)
            sent += count

        for index in range(streams):
            nursery.start_soon(one, index)
    return sent


def measure(kind: str, streams: int, seconds: float) -> dict[str, Any]:
    """Run one server under the load."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_process, args=(kind, theirs), daemon=False)
    process.start()
    try:
        if not ours.poll(60):
            raise RuntimeError(f"{kind} did not start")
        port = ours.recv()
        recognise = kind == "asr-trio server"
        trio.run(partial(_load, port, 2, 1.0, recognise=recognise))  # warm
        before_s = cpu_seconds(process.pid)["server"]
        sent = trio.run(partial(_load, port, streams, seconds, recognise=recognise))
        cpu_s = cpu_seconds(process.pid)["server"] - before_s
    finally:
        process.terminate()
        process.join()
    return {
        "server": kind,
        "messages": sent,
        "cpu_us_per_message": 1e6 * cpu_s / sent,
        "cpu_ms_per_audio_second": 1e3 * cpu_s / (sent * PACKET_S),
    }


def main() -> None:
    parser = report.options(__doc__)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=2, help="the best round counts: others were disturbed")
    arguments = parser.parse_args()
    kinds = ["asr-trio transport", "trio-websocket", "websockets", "asr-trio server"]
    rounds = [
        {kind: measure(kind, arguments.streams, arguments.seconds) for kind in kinds} for _ in range(arguments.rounds)
    ]
    best = [min((one[kind] for one in rounds), key=lambda row: row["cpu_us_per_message"]) for kind in kinds]
    for row in best:
        print(
            f"{row['server']:20} {row['cpu_us_per_message']:7.0f} us/message {row['cpu_ms_per_audio_second']:6.2f} ms/s"
        )
    report.write(arguments.json, "transport", best, streams=arguments.streams, seconds=arguments.seconds)


if __name__ == "__main__":
    main()
