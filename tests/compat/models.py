"""What each official SDK does when: the order of its messages, what it waits for, what makes it give up.

Models of behaviour, written by us, on a socket in our own hands. Each keeps the state that its SDK keeps and reacts to
the server's messages as the SDK does, so that a server which confuses one of them fails here without the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from tests.compat import dialects, readers
from tests.compat.base import Grammar, Model
from tests.compat.readers import Seen
from tests.probes.peer import RawPeer

COMMAND_TIMEOUT_S = 10


class Python(Model):
    """Threads round one status word; pipelines START_INPUT_TIMERS; always sends a last packet, labelled as WAV."""

    dialect = staticmethod(dialects.python)
    reader = staticmethod(readers.python)
    handshake = b"Authorization: Basic Og==\r\nOrigin: ws://localhost\r\n"
    chunk_bytes = 4096
    status = "DISCONNECTED"
    defined = False
    audio_done = True

    async def open(self) -> None:
        await self.send("CREATE_SESSION")
        await self.until(lambda: self.status == "IDLE")

    async def on(self, seen: Seen) -> None:
        headers = seen.headers
        method = headers.get("Method")
        if method == "RELEASE_SESSION":
            self.status = "DISCONNECTED"
            await self.close_socket()
        elif method in {"DEFINE_GRAMMAR", "START_RECOGNITION"}:
            if headers["Result"] != "SUCCESS":
                self.status = "ABORTED"
            elif method == "START_RECOGNITION":
                self.status = "LISTENING"
            self.defined = True
        elif self.status == "DISCONNECTED":
            assert seen.name == "RESPONSE"
            assert headers["Session-Status"] == "IDLE"
            if self.parameters:
                await self.send("SET_PARAMETERS", self.parameters)
            self.status = "WAITING_CONFIG" if self.parameters else "IDLE"
        elif seen.name == "RESPONSE":
            if self.status == "WAITING_CONFIG":
                self.status = "IDLE"
            elif "Error-Code" in headers:
                self.status = "ABORTED"
            elif method == "CANCEL_RECOGNITION":
                self.status = "IDLE"
        elif seen.name == "RECOGNITION_RESULT":
            body = seen.document or {}
            if headers["Result-Status"] == "PROCESSING":
                self.partials.append(body["alternatives"][0]["text"])
            else:
                self.results.append(body)
                self.status = headers["Result-Status"]

    async def recognize(self, lm: str | Grammar, audio: bytes, *, wait: bool = True) -> list[dict[str, Any]]:
        assert self.status == "IDLE", "the SDK returns without a word"
        uri = lm
        if isinstance(lm, Grammar):
            self.defined = False
            headers = {"Content-Type": "application/srgs", "Content-ID": lm.alias}
            await self.send("DEFINE_GRAMMAR", headers, lm.text.encode())
            await self.until(lambda: self.defined)
            uri = f"session:{lm.alias}"
        headers = {"Accept": "application/json", "Content-Type": "text/uri-list"}
        await self.send("START_RECOGNITION", headers, str(uri).encode())
        await self.send("START_INPUT_TIMERS")
        self.audio_done = False
        self._nursery.start_soon(self._send_audio, audio)
        if not wait:
            await self.until(lambda: self.status == "LISTENING")
            return []
        ends = {"RECOGNIZED", "NO_MATCH", "NO_SPEECH", "NO_INPUT_TIMEOUT", "ABORTED", "FAILURE", "DISCONNECTED"}
        await self.until(lambda: self.status in ends)
        await self.until(lambda: self.audio_done)
        results, self.results = self.results, []
        if self.status != "ABORTED":
            self.status = "IDLE"
        return results

    async def _send_audio(self, audio: bytes) -> None:
        await self.until(lambda: self.status in {"LISTENING", "NO_INPUT_TIMEOUT", "ABORTED"})
        chunks = [audio[at : at + self.chunk_bytes] for at in range(0, len(audio), self.chunk_bytes)]
        sent = 0
        while sent < len(chunks) - 1 and self.status == "LISTENING":
            await self.send("SEND_AUDIO", {"LastPacket": "false", "Content-Type": "audio/wav"}, chunks[sent])
            sent += 1
        await self.source_ended(lambda: self.status != "LISTENING")
        await self.send("SEND_AUDIO", {"LastPacket": "true", "Content-Type": "audio/wav"}, chunks[sent])
        self.audio_done = True
        self._notify()

    async def cancel(self) -> None:
        await self.send("CANCEL_RECOGNITION")
        await self.until(lambda: self.status == "IDLE")
        await self.until(lambda: self.audio_done)
        self.results = []

    async def close(self) -> None:
        await self.send("RELEASE_SESSION")
        await self.until(lambda: self.server_closed)


class Java(Model):
    """One response at a time in a queue of one; sends audio while the last state it heard is LISTENING."""

    dialect = staticmethod(dialects.java)
    reader = staticmethod(readers.java)
    handshake = b"Origin: http://localhost\r\n"
    status = ""

    def __init__(self, peer: RawPeer, nursery: trio.Nursery, parameters: Mapping[str, str]) -> None:
        super().__init__(peer, nursery, parameters)
        self._put, self._queue = trio.open_memory_channel[Seen](1)

    async def open(self) -> None:
        answer = await self._ask("CREATE_SESSION", {"User-Agent": "model=x;os=y z"})
        assert (answer.headers["Result"], answer.headers["Session-Status"]) == ("SUCCESS", "IDLE")
        if self.parameters:
            answer = await self._ask("SET_PARAMETERS", self.parameters)
            assert answer.headers["Result"] == "SUCCESS"

    async def on(self, seen: Seen) -> None:
        if seen.name == "RESPONSE":
            self.status = seen.headers["Session-Status"]
            if seen.headers["Method"] != "SEND_AUDIO" or seen.headers["Result"] == "SUCCESS":
                self._put.send_nowait(seen)  # WouldBlock: the SDK loses it and takes it for the next answer
        elif seen.name == "RECOGNITION_RESULT":
            assert seen.document is not None
            if seen.document["final_result"]:
                self.results.append(seen.document)
            elif seen.document["alternatives"]:
                self.partials.append(seen.document["alternatives"][0]["text"])
            self.status = seen.headers["Session-Status"]
        elif seen.name == "END_OF_SPEECH":
            self.status = seen.headers["Session-Status"]

    async def _ask(self, name: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Seen:
        await self.send(name, headers, body)
        with trio.fail_after(COMMAND_TIMEOUT_S):
            answer = await self._queue.receive()
        assert answer.headers["Method"] == name
        return answer

    async def recognize(self, lm: str | Grammar, audio: bytes, *, wait: bool = True) -> list[dict[str, Any]]:
        self.results, uri = [], lm
        if isinstance(lm, Grammar):
            headers = {"Content-ID": lm.alias, "Content-Type": "text/plain"}
            answer = await self._ask("DEFINE_GRAMMAR", headers, lm.text.encode())
            assert answer.headers["Result"] == "SUCCESS"
            uri = f"session:{lm.alias}"
        headers = {"Media-Type": "application/octet-stream", "Content-Type": "text/uri-list"}
        answer = await self._ask("START_RECOGNITION", headers, f"{uri}\n".encode())
        if answer.headers["Session-Status"] != "LISTENING":
            self.error = f"{answer.headers['Error-Code']} - {answer.headers['Message']}"
            return []
        self._nursery.start_soon(self.stream, audio, lambda: self.status == "LISTENING")
        if wait:
            await self.until(lambda: self.status == "IDLE")
        return self.results

    async def cancel(self) -> None:
        if self.status == "IDLE":
            return
        answer = await self._ask("CANCEL_RECOGNITION")
        assert answer.headers["Result"] == "SUCCESS"
        self.results = []

    async def close(self) -> None:
        answer = await self._ask("RELEASE_SESSION")
        assert answer.headers["Result"] == "SUCCESS"
        await trio.sleep(0.05)  # two threads of the SDK hand over here
        assert not self.server_closed, "its listeners would be told of a connection failure"
        await self.close_socket()
        await self.until(lambda: self.server_closed)


class Cpp(Model):
    """Creates the session with the first recognition, and again until a result told it that there is one."""

    dialect = staticmethod(dialects.cpp)
    reader = staticmethod(readers.cpp)
    chunk_bytes = 10_000
    has_session = False
    recognizing = False
    is_listening = False
    stop_audio = False

    async def open(self) -> None:
        return

    async def on(self, seen: Seen) -> None:
        headers = seen.headers
        method = headers.get("Method")
        self.is_listening = headers["Session-Status"] == "LISTENING"
        if seen.name == "RESPONSE":
            accepted = "SUCCESS" in headers["Result"]
            if method == "CANCEL_RECOGNITION":
                assert accepted or headers["Result"] == "INVALID_ACTION"
                self.results, self.recognizing = [], False
            elif not accepted:
                self.error = f"[{method}]: {headers['Error-Code']}: {headers['Message']}"
                self.recognizing = False
            elif method == "CREATE_SESSION":
                await self.send("SET_PARAMETERS", self.parameters)
            elif method == "SET_PARAMETERS":
                await self._start()
            elif method == "START_RECOGNITION":
                self.stop_audio = False
                self._nursery.start_soon(self.stream, self._audio, lambda: not self.stop_audio)
        elif seen.name == "RECOGNITION_RESULT":
            body = seen.document
            assert body is not None
            self.has_session = self.has_session or headers["Session-Status"] == "IDLE"
            if body.get("final_result", True):
                self.results.append(body)
                self.recognizing = not body.get("last_segment", True)
            else:
                self.partials.append(body["alternatives"][0]["text"])

    async def _start(self) -> None:
        lm = self._lm
        headers = {"Accept": "application/json", "Content-Type": "text/uri-list"}
        if isinstance(lm, Grammar):
            headers |= {"Content-Type": "application/srgs", "Content-ID": "gram"}
        await self.send("START_RECOGNITION", headers, (lm.text if isinstance(lm, Grammar) else lm).encode())

    async def recognize(self, lm: str | Grammar, audio: bytes, *, wait: bool = True) -> list[dict[str, Any]]:
        assert not self.recognizing
        self._lm, self._audio = lm, audio
        self.results, self.error, self.recognizing = [], "", True
        if self.has_session:
            await self._start()
        else:
            await self.send("CREATE_SESSION", {"User-Agent": "ASR Client"})
        if wait:
            await self.until(lambda: not self.recognizing)
            self.stop_audio = True
        else:
            await self.until(lambda: self.is_listening)
        return self.results

    async def cancel(self) -> None:
        await self.send("CANCEL_RECOGNITION")
        self.stop_audio = True
        await self.until(lambda: not self.recognizing)
        self._notify()

    async def close(self) -> None:
        await self.close_socket(1001)
        await self.until(lambda: self.server_closed)


class Dotnet(Model):
    """Never waits for an answer; listens while the latest message, whatever it is, says LISTENING."""

    dialect = staticmethod(dialects.dotnet)
    reader = staticmethod(readers.dotnet)
    chunk_bytes = 3200
    boolean = staticmethod(str)
    is_open = False
    is_listening = False
    is_done = True

    async def open(self) -> None:
        await self.send("CREATE_SESSION")
        await self.until(lambda: self.is_open)

    async def on(self, seen: Seen) -> None:
        headers = seen.headers
        self.is_listening = headers["Session-Status"] == "LISTENING"
        method = headers.get("Method")
        if "Error-Code" in headers:
            self.error = f"{headers['Error-Code']} {headers['Message']}"
        if method == "CREATE_SESSION" and headers["Result"] == "SUCCESS":
            await self.send("SET_PARAMETERS", self._configuration())
            self.is_open = True
        elif method == "START_RECOGNITION" and headers["Result"] == "SUCCESS":
            self._nursery.start_soon(self.stream, self._audio, lambda: self.is_listening)
        elif seen.name == "RECOGNITION_RESULT":
            assert seen.document is not None
            if seen.headers["Session-Status"] == "IDLE" or seen.document["final_result"]:
                self.results.append(seen.document)
                self.is_done = seen.document["last_segment"] and seen.document["final_result"]
            else:
                self.partials.append(seen.document["alternatives"][0]["text"])

    def _configuration(self) -> dict[str, str]:
        return {"decoder.continuousMode": "false"} | self.parameters

    async def recognize(self, lm: str | Grammar, audio: bytes, *, wait: bool = True) -> list[dict[str, Any]]:
        self._audio = audio
        self.results, self.error, self.is_done = [], "", False
        headers = self._configuration()
        if isinstance(lm, Grammar):
            headers |= {"Content-ID": lm.alias, "Content-Type": "application/srgs"}
        else:
            headers["Content-Type"] = "text/uri-list"
        await self.send("START_RECOGNITION", headers, (lm.text if isinstance(lm, Grammar) else lm).encode())
        if wait:
            await self.until(lambda: self.is_done or bool(self.error))
        else:
            await self.until(lambda: self.is_listening)
        return self.results

    async def cancel(self) -> None:
        await self.send("CANCEL_RECOGNITION")
        self.is_done, self.results = True, []
        await self.until(lambda: not self.is_listening)

    async def close(self) -> None:
        await self.send("RELEASE_SESSION")
        await self.close_socket()
        await self.until(lambda: self.server_closed)


class DotnetOnLinux(Dotnet):
    """The same on a platform whose lines end in LF."""

    dialect = staticmethod(dialects.dotnet_on_linux)


class Kotlin(Model):
    """One recognition a connection; an idle answer to anything starts it, even that to RELEASE_SESSION."""

    dialect = staticmethod(dialects.kotlin)
    reader = staticmethod(readers.kotlin)
    handshake = b"Sec-WebSocket-Extensions: permessage-deflate\r\nAuthorization: Basic dTpw\r\n"
    keeps_session = False
    is_sending = False
    last_packet = False
    starts = 0

    async def open(self) -> None:
        return

    async def on(self, seen: Seen) -> None:
        headers = seen.headers
        state = headers.get("Session-Status")
        if seen.name == "RESPONSE" and state == "IDLE":
            self.starts += 1
            assert self.starts < 5, "the SDK would start recognitions for ever"
            await self._start()
        if seen.name == "RESPONSE" and state == "LISTENING" and not self.is_sending:
            self.is_sending = True
            self._nursery.start_soon(self._send_audio)
        if "Error-Code" in headers:
            self.error = headers["Error-Code"]
            await self.send("RELEASE_SESSION")
        if seen.name == "RECOGNITION_RESULT":
            assert seen.document is not None
            if headers["Result-Status"] == "PROCESSING":
                self.partials.append(seen.document["alternatives"][0]["text"])
            elif headers["Result-Status"] == "RECOGNIZED":
                self.results.append(seen.document)
                if self.parameters.get("decoder.continuousMode") != "true" or self.last_packet:
                    await self.send("RELEASE_SESSION")

    async def _start(self) -> None:
        lm = self._lm
        if isinstance(lm, Grammar):  # the application set no content type: the SDK sends none
            headers, body = {**self.parameters, "Content-ID": lm.alias}, lm.text
        else:
            headers, body = {"Accept": "application/json", "Content-Type": "text/uri-list", **self.parameters}, lm
        await self.send("START_RECOGNITION", headers, body.encode())

    async def recognize(self, lm: str | Grammar, audio: bytes, *, wait: bool = True) -> list[dict[str, Any]]:
        self._lm, self._audio = lm, audio
        await self.send("CREATE_SESSION", {"User-Agent": "model=x;manufacturer=y;os=android;os_version=10"})
        if wait:
            await self.until(lambda: self.server_closed)
        return self.results

    async def _send_audio(self) -> None:
        for at in range(0, len(self._audio), self.chunk_bytes):
            chunk = self._audio[at : at + self.chunk_bytes]
            try:
                await self.send(
                    "SEND_AUDIO", {"LastPacket": "false", "Content-Type": "application/octet-stream"}, chunk
                )
            except trio.BrokenResourceError:  # the server has closed after RELEASE_SESSION: the thread ends
                return
        self.last_packet = True
        try:
            await self.send("SEND_AUDIO", {"LastPacket": "true", "Content-Type": "application/octet-stream"})
        except trio.BrokenResourceError:
            return

    async def close(self) -> None:
        return


MODELS: dict[str, type[Model]] = {
    "python": Python,
    "java": Java,
    "cpp": Cpp,
    "dotnet": Dotnet,
    "dotnet-lf": DotnetOnLinux,
    "kotlin": Kotlin,
}
