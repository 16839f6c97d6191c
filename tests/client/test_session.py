import pytest
import trio
import trio_websocket

from asr_trio.client import (
    ConnectionFailedError,
    ConnectionLostError,
    FinalResult,
    Grammar,
    PartialResult,
    RequestRefusedError,
    SpeechEnded,
    SpeechStarted,
    connect,
    paced,
)
from asr_trio.protocol.messages import (
    CancelRecognition,
    CreateSession,
    DefineGrammar,
    EndOfSpeech,
    GetParameters,
    InterpretText,
    Method,
    Result,
    ResultStatus,
    SessionStatus,
    SetParameters,
    StartOfSpeech,
    StartRecognition,
)

from .scripted import LISTENING, response, result, scripted

FINAL = (
    b'{"alternatives":[{"text":"yes","score":97,"interpretations":["y"],"interpretation_scores":[97]}],'
    b'"segment_index":0,"last_segment":true,"final_result":true,"start_time":0,"end_time":1,"result_status":"RECOGNIZED"}'
)
SEGMENT = FINAL.replace(b'"last_segment":true', b'"last_segment":false')
PARTIAL = (
    b'{"alternatives":[{"text":"ye","score":50}],"segment_index":0,"last_segment":false,"final_result":false,'
    b'"start_time":0,"end_time":1,"result_status":"PROCESSING"}'
)


async def test_a_recognition_from_first_to_last_message():
    async def script(line):
        request = await line.answer(StartRecognition, LISTENING)
        assert request.body == b"builtin:grammar/boolean"
        assert request.parameters == {"decoder.partialResultEnabled": "true"}
        assert await line.audio() == b"sound" * 2000
        await line.say(
            StartOfSpeech(handle=7),
            result(ResultStatus.PROCESSING, PARTIAL, LISTENING),
            EndOfSpeech(handle=7),
            result(ResultStatus.RECOGNIZED, FINAL),
        )

    async with scripted(script) as url, connect(url) as session:
        recognition = session.recognize(
            b"sound" * 2000, lm="builtin:grammar/boolean", parameters={"decoder.partialResultEnabled": True}
        )
        events = [event async for event in recognition]
        assert [type(event) for event in events] == [SpeechStarted, PartialResult, SpeechEnded, FinalResult]
        assert events[1].text == "ye"
        assert events[3].text == "yes"
        assert events[3].interpretations == ["y"]
        assert events[3].status is ResultStatus.RECOGNIZED
        assert session.status is SessionStatus.IDLE


async def test_audio_ends_with_the_servers_interest_and_results_go_on_to_the_last_segment():
    async def script(line):
        await line.answer(StartRecognition, LISTENING)
        await line.say(result(ResultStatus.RECOGNIZED, SEGMENT, LISTENING), EndOfSpeech(handle=7))
        await line.say(result(ResultStatus.RECOGNIZED, FINAL))

    async def endless():
        while True:
            yield bytes(320)
            await trio.sleep(0.001)

    async with scripted(script) as url, connect(url) as session:
        events = [event async for event in session.recognize(endless(), lm="builtin:slm/general")]
        assert [event.result.last_segment for event in events if isinstance(event, FinalResult)] == [False, True]


async def test_grammars_are_sent_inline_or_defined_first():
    async def script(line):
        inline = await line.answer(StartRecognition, LISTENING)
        assert (inline.content_id, inline.content_type, inline.body) == ("colours", "application/srgs", b"#ABNF 1.0;")
        await line.audio()
        await line.say(result(ResultStatus.RECOGNIZED, FINAL))
        defined = await line.answer(DefineGrammar)
        assert (defined.content_id, defined.body) == ("colours", b"#ABNF 1.0;")
        several = await line.answer(StartRecognition, LISTENING)
        assert several.body.split() == [b"session:colours", b"builtin:slm/general"]
        await line.audio()
        await line.say(result(ResultStatus.RECOGNIZED, FINAL))

    colours = Grammar("#ABNF 1.0;", content_id="colours")
    async with scripted(script) as url, connect(url) as session:
        assert (await session.recognize(b"", lm=colours).final()).text == "yes"
        assert (await session.recognize(b"", lm=[colours, "builtin:slm/general"]).final()).text == "yes"


async def test_a_refused_request_says_why_and_the_session_goes_on():
    async def script(line):
        await line.expect(StartRecognition)
        await line.say(
            response(
                Method.START_RECOGNITION,
                result=Result.FAILURE,
                error_code="ERR_FILE_OPEN",
                message="Language model not found",
            )
        )
        await line.answer(GetParameters, parameters={"decoder.maxSentences": "1"})

    async with scripted(script) as url, connect(url) as session:
        with pytest.raises(RequestRefusedError, match="ERR_FILE_OPEN - Language model not found") as caught:
            await session.recognize(b"", lm="builtin:slm/none").final()
        assert caught.value.error_code == "ERR_FILE_OPEN"
        assert await session.get_parameters() == {"decoder.maxSentences": "1"}


async def test_parameters_that_the_server_does_not_take_are_returned():
    async def script(line):
        message = await line.answer(SetParameters, parameters={"wrong": "ERR_INVALID_PARAMETER"})
        assert message.parameters == {"wrong": "1", "decoder.continuousMode": "false"}

    async with scripted(script) as url, connect(url) as session:
        refused = await session.set_parameters({"wrong": 1, "decoder.continuousMode": False})
        assert refused == {"wrong": "ERR_INVALID_PARAMETER"}


async def test_cancel_ends_the_iterator_and_a_left_recognition_is_cancelled_by_the_next():
    async def script(line):
        await line.answer(StartRecognition, LISTENING)
        await line.audio()
        await line.answer(CancelRecognition)
        await line.answer(StartRecognition, LISTENING)
        await line.audio()
        await line.say(StartOfSpeech(handle=7))
        await line.answer(CancelRecognition)
        await line.answer(StartRecognition, LISTENING)
        await line.audio()
        await line.say(result(ResultStatus.RECOGNIZED, FINAL))

    async def one_packet():
        yield b"ab"

    async with scripted(script) as url, connect(url) as session, trio.open_nursery() as nursery:
        seen = []

        async def listen():
            seen.extend([event async for event in session.recognize(one_packet(), lm="builtin:slm/general")])

        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await session.cancel()
        async for event in session.recognize(b"", lm="builtin:slm/general"):
            assert isinstance(event, SpeechStarted)
            break
        assert (await session.recognize(b"", lm="builtin:slm/general").final()).text == "yes"
        assert seen == []


async def test_interpretation_of_a_text():
    async def script(line):
        request = await line.answer(InterpretText)
        assert request.text == "yes"
        await line.say(result(ResultStatus.RECOGNIZED, FINAL))

    async with scripted(script) as url, connect(url) as session:
        assert (await session.interpret("yes", lm="builtin:grammar/boolean")).interpretations == ["y"]


async def test_a_connection_lost_in_a_recognition_is_an_error_with_the_close_code():
    async def script(line):
        await line.answer(StartRecognition, LISTENING)
        await line.websocket.aclose(1001, "going away")

    async with scripted(script) as url, connect(url) as session:
        with pytest.raises(ConnectionLostError, match="going away") as caught:
            await session.recognize(b"abc", lm="builtin:slm/general").final()
        assert caught.value.close_code == 1001
        with pytest.raises(ConnectionLostError):
            await session.get_parameters()


@pytest.mark.parametrize("rubbish", [b"rubbish", b"ASR 2.3 NONSENSE\r\n\r\n", b"\xff\xfe"])
async def test_a_server_that_breaks_the_protocol_is_told_apart(rubbish):
    async def script(line):
        await line.expect(GetParameters)
        await line.websocket.send_message(rubbish)

    async with scripted(script) as url, connect(url) as session:
        with pytest.raises(ConnectionLostError, match="broke the protocol"):
            await session.get_parameters()


async def test_no_server_and_a_refused_upgrade_are_one_error():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    with pytest.raises(ConnectionFailedError, match="cannot be reached"):
        async with connect(f"ws://127.0.0.1:{port}/"):
            pass

    async def refuse(request: trio_websocket.WebSocketRequest) -> None:
        assert dict(request.headers)[b"authorization"] == b"Basic YW5uOnB3"
        await request.reject(401, body=b"no")

    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, refuse, "127.0.0.1", 0, None)
        with pytest.raises(ConnectionFailedError) as caught:
            async with connect(f"ws://127.0.0.1:{server.port}/", user="ann", password="pw"):
                pass
        assert caught.value.status == 401
        nursery.cancel_scope.cancel()


async def test_a_session_that_is_not_created_is_refused_and_what_the_caller_raises_comes_out_plain():
    async def script(line):
        await line.expect(CreateSession)
        await line.say(response(Method.CREATE_SESSION, result=Result.FAILURE, error_code="ERR_MAX_LICENSES"))

    async with scripted(script, create=False) as url:
        with pytest.raises(RequestRefusedError, match="ERR_MAX_LICENSES"):
            async with connect(url):
                pass

    async def nothing(line):
        pass

    async with scripted(nothing) as url:
        with pytest.raises(KeyError, match="mine"):
            async with connect(url):
                raise KeyError("mine")


async def test_paced_audio_keeps_the_pace_of_a_microphone(autojump_clock):
    times = []
    start_s = trio.current_time()
    audio = b""
    async for packet in paced(bytes(32_000), bytes_per_s=32_000, packet_ms=20):
        times.append(round(trio.current_time() - start_s, 6))
        audio += packet
    assert audio == bytes(32_000)
    assert times == [round(0.02 * number, 6) for number in range(1, 51)]
