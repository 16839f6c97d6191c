"""The JavaScript client: its own tests under Node, and its types under TypeScript where that is at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from asr_trio.cli.recording import Recording
from tests.live import LiveServer

ROOT = Path(__file__).parents[2]


def test_javascript_unit_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    files = sorted(str(file) for file in Path(__file__).parent.glob("*.test.mjs"))
    assert files
    done = subprocess.run([node, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_every_call_works_against_a_real_server(live_server: LiveServer, recording: Recording) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "--experimental-websocket", "tests/console/live.mjs", live_server.ws_url, str(recording.path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "all well\n", done.stderr


def test_javascript_types() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    command = [npm, "exec", "--yes", "--package", "typescript@5.9", "--", "tsc", "-p", "asr_trio/console"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if "npm error" in done.stderr:
        pytest.skip("npm could not get the TypeScript compiler")
    assert done.returncode == 0, done.stdout[-8000:]


CONSUMER = """
import { connect, AsrError, type RecognitionResult } from 'asr-trio-client';

export async function texts(url: string, audio: Uint8Array): Promise<string[]> {
  const session = await connect(url, { requestTimeoutMs: 1000 });
  const found: string[] = [];
  try {
    for await (const event of session.recognize(audio, { lm: 'builtin:slm/general' })) {
      if (event.type === 'result') found.push(best(event.result));
    }
  } catch (error) {
    if (error instanceof AsrError) found.push(error.code);
  }
  await session.close();
  return found;
}

function best(result: RecognitionResult): string {
  return result.alternatives[0]?.text ?? result.result_status;
}
"""


@pytest.mark.slow
def test_the_package_as_published_is_typed_and_can_be_imported(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    source, consumer = tmp_path / "asr_trio" / "console", tmp_path / "consumer"
    shutil.copytree(ROOT / "asr_trio" / "console", source, ignore=shutil.ignore_patterns("node_modules", "*.tgz"))
    shutil.copy(ROOT / "LICENSE", tmp_path)

    def run(*command: str, cwd: Path) -> str:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
        if "npm error" in done.stderr and "network" in done.stderr:
            pytest.skip("npm could not get the TypeScript compiler")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    typescript = ("exec", "--yes", "--package", "typescript@5.9", "--")
    run(npm, *typescript, "npm", "pack", "--pack-destination", str(tmp_path), cwd=source)
    (package,) = tmp_path.glob("asr-trio-client-*.tgz")
    consumer.mkdir()
    (consumer / "package.json").write_text('{"type": "module"}')
    run(npm, "install", "--no-audit", "--no-fund", "--offline", str(package), cwd=consumer)
    installed = consumer / "node_modules" / "asr-trio-client"
    assert {path.name for path in installed.iterdir()} == {
        *("LICENSE", "README.md", "asr-client.d.ts", "asr-client.js", "package.json")
    }
    (consumer / "texts.ts").write_text(CONSUMER)
    flags = ("--strict", "--target", "es2023", "--module", "nodenext", "--noEmit", "--lib", "es2023,dom,dom.iterable")
    run(npm, *typescript, "tsc", *flags, "texts.ts", cwd=consumer)
    exported = run(
        "node", "-e", "import('asr-trio-client').then(m => console.log(Object.keys(m).join()))", cwd=consumer
    )
    assert {"connect", "AsrError", "encodeMessage", "decodeMessage"} <= set(exported.strip().split(","))
