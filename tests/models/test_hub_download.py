"""Models from a hub on loopback: what is downloaded, and what is said of each fault, by the command line."""

import itertools
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.models.registry import ADAPTERS
from tests.models.hub_client import CommandLine, Ran
from tests.models.hub_server import COMMIT, OLD_COMMIT, TOKEN, Hub, Reply, Repository, running_hub
from tests.models.random_model import RandomShape, write_random_model
from tests.small_videos import write_video

_numbers = itertools.count()
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Working folder, with a video of one clip."""
    folder = tmp_path_factory.mktemp("hub")
    write_video(folder / "video.mp4", 80, 8)
    return folder


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    """A random checkpoint in two shards with an index."""
    whole, sharded = write_random_model(folder / "whole", RandomShape()), folder / "sharded"
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(whole)
    model.save_pretrained(sharded, max_shard_size=sum(p.nbytes for p in model.parameters()) // 2 + 20_000)
    for file in whole.iterdir():
        if not (sharded / file.name).exists() and file.suffix != ".safetensors":
            shutil.copy(file, sharded)
    assert {file.name for file in sharded.glob("*.safetensors")} == set(SHARDS)
    return sharded


@pytest.fixture(scope="module")
def files(checkpoint: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in checkpoint.iterdir()}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def online(folder: Path, hub: Hub) -> Iterator[CommandLine]:
    with CommandLine(folder, HF_ENDPOINT=hub.endpoint, HF_HUB_ETAG_TIMEOUT="60") as command_line:
        yield command_line


@pytest.fixture(scope="module")
def offline(folder: Path, hub: Hub) -> Iterator[CommandLine]:
    """The same cache, with the network forbidden."""
    with CommandLine(folder, HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="1") as command_line:
        yield command_line


def watch(
    command_line: CommandLine,
    model: str,
    *,
    token: str | None = None,
    waits: bool = True,
    on_terminal: bool = False,
) -> Ran:
    journal = f"{next(_numbers)}.db"  # a new one, since a journal remembers the commit of its model
    arguments = ("watch", "video.mp4", "--journal", journal, "--model", model)
    return command_line.run(*arguments, token=token, waits=waits, on_terminal=on_terminal)


def captions(ran: Ran) -> list[str]:
    events = [json.loads(line) for line in ran.out.splitlines()]
    return [event["caption"] for event in events if event["event"] == "clip"]


def test_a_model_is_downloaded_once_and_describes_as_its_folder_does(
    hub: Hub, online: CommandLine, offline: CommandLine, checkpoint: Path, files: dict[str, bytes], folder: Path
) -> None:
    more = {"onnx/model.onnx": b"0", "pytorch_model.bin": b"0", "original/more.safetensors": b"0", "README.md": b"0"}
    repository = hub.repositories["owner/whole"] = Repository(files | more)
    size = f"{sum(len(files[shard]) for shard in SHARDS) / 1e6:.1f} MB"

    ran = watch(online, "owner/whole")
    said = f"keepsight: downloading owner/whole, {size}, to {folder / 'home' / 'hub'}\n"
    assert (ran.code, ran.err) == (0, said)
    assert captions(ran) == captions(watch(online, str(checkpoint)))
    assert len(captions(ran)) == 1
    assert repository.downloads == list(SHARDS)
    assert not any(name in request for request in repository.requests for name in more)
    snapshot = folder / "home" / "hub" / "models--owner--whole" / "snapshots" / COMMIT
    assert {file.name: file.read_bytes() for file in snapshot.iterdir()} == files

    repository.requests.clear()
    assert (watch(online, "owner/whole").code, watch(online, "owner/whole").err) == (0, "")
    assert repository.downloads == []

    repository.requests.clear()
    ran_offline = watch(offline, "owner/whole")
    assert (ran_offline.code, ran_offline.err, captions(ran_offline)) == (0, "", captions(ran))
    assert watch(online, f"owner/whole@{COMMIT}").code == 0  # a commit does not change, so the hub is not asked
    assert repository.requests == []


def test_a_revision_is_named_after_an_at(
    hub: Hub, online: CommandLine, offline: CommandLine, files: dict[str, bytes]
) -> None:
    repository = hub.repositories["owner/two"] = Repository(files, old_files=files)
    assert watch(online, "owner/two@old").code == 0
    assert repository.requests[0] == "HEAD /owner/two/resolve/old/config.json"
    assert f"GET /cdn/owner/two/{OLD_COMMIT}/{SHARDS[0]}" in repository.requests
    assert not any(COMMIT in request for request in repository.requests)
    repository.requests.clear()
    assert watch(offline, "owner/two@old").code == 0
    assert watch(offline, f"owner/two@{OLD_COMMIT}").code == 0
    assert repository.requests == []


def test_a_licence_that_was_accepted_opens_a_gated_model(
    hub: Hub, online: CommandLine, files: dict[str, bytes]
) -> None:
    hub.repositories["owner/licensed"] = Repository(files, gated=True)
    assert watch(online, "owner/licensed", token=TOKEN).code == 0


FAULTS = {
    "owner/gated": (
        Repository(gated=True),
        "owner/gated is gated: accept its licence at {hub}/owner/gated, then set HF_TOKEN to a token from "
        "{hub}/settings/tokens",
    ),
    "owner/absent": (None, "no model owner/absent on {hub}; check its spelling; a private model needs HF_TOKEN"),
    "OpenGVLab/InternVL3-1B": (
        None,
        "no model OpenGVLab/InternVL3-1B on {hub}; did you mean OpenGVLab/InternVL3-1B-hf?",
    ),
    "qwen/qwen2.5-vl-3b-instruct": (
        None,
        "no model qwen/qwen2.5-vl-3b-instruct on {hub}; did you mean Qwen/Qwen2.5-VL-3B-Instruct?",
    ),
    "owner/model@next": (
        Repository(),
        "owner/model has no revision 'next': give a branch, tag or whole commit that {hub}/owner/model/commits/main "
        "lists",
    ),
    "owner/limited": (
        Repository(fault=Reply(429, {"Retry-After": "57"})),
        "{hub} limits your requests: retry in 57 s, or set HF_TOKEN, which has a higher limit",
    ),
    "owner/limited-by-window": (
        Repository(fault=Reply(429, {"RateLimit": '"api";r=0;t=31'})),
        "{hub} limits your requests: retry in 31 s, or set HF_TOKEN, which has a higher limit",
    ),
    "owner/limited-in-all": (
        Repository(fault=Reply(429)),
        "{hub} limits your requests: retry in some minutes, or set HF_TOKEN, which has a higher limit",
    ),
    "owner/faulty": (
        Repository(fault=Reply(500)),
        "{hub} has a fault (HTTP 500): run the same command again later, files that arrived are kept",
    ),
    "owner/refused": (
        Repository(fault=Reply(403)),
        "{hub} forbids access to owner/refused: give HF_TOKEN the right to read this model at {hub}/settings/tokens",
    ),
    "owner/teapot": (
        Repository(fault=Reply(418, {"X-Error-Message": "short and\tstout"})),
        "{hub} refuses to send owner/teapot (HTTP 418: short and\\tstout)",
    ),
    "owner/disabled": (
        Repository(fault=Reply(403, {"X-Error-Message": "Access to this resource is disabled."})),
        "owner/disabled is disabled on the hub: give another model",
    ),
    "owner/unanswered": (
        Repository(hangs_up=True),
        "cannot reach {hub} (Server disconnected without sending a response.): check the network, or give a local "
        "folder or a bundled model, which need none",
    ),
    "owner/login-page": (
        Repository(fault=Reply(200, {"Content-Type": "text/html"}, b"<html>Log in</html>")),
        "{hub} does not answer as a Hugging Face hub does: check HF_ENDPOINT, the proxy, and whether the network wants "
        "you to log in",
    ),
    "owner/empty": (
        Repository({"README.md": b""}),
        "owner/empty has no config.json, so it is not a whole model in Hugging Face format: give another",
    ),
    "owner/pickled": (
        Repository({"config.json": b"{}", "pytorch_model-00001-of-00002.bin": b"", "tokenizer.json": b"{}"}),
        "owner/pickled has no model.safetensors, only pytorch_model-00001-of-00002.bin: give a model with safetensors "
        "weights, as others could run code",
    ),
    "OpenGVLab/InternVL3-2B": (
        Repository(
            {
                "config.json": b'{"model_type": "internvl_chat", "architectures": ["InternVLChatModel"]}',
                "model.safetensors": b"",
            }
        ),
        f"architecture of OpenGVLab/InternVL3-2B must be one of {', '.join(sorted(ADAPTERS))}, got InternVLChatModel; "
        "did you mean OpenGVLab/InternVL3-2B-hf?",
    ),
    "owner/weightless": (
        Repository({"config.json": b"{}"}),
        "owner/weightless has no model.safetensors, no weights at all: give a model with safetensors weights, as "
        "others could run code",
    ),
    "https://huggingface.co/owner/name": (
        None,
        "the model must be named by its id, got the address https://huggingface.co/owner/name; give owner/name",
    ),
    "https://huggingface.co/owner/name/tree/main": (
        None,
        "the model must be named by its id, got the address https://huggingface.co/owner/name/tree/main; give "
        "owner/name",
    ),
    "huggingface.co/owner/name/tree/refs%2Fpr%2F1": (
        None,
        "the model must be named by its id, got the address huggingface.co/owner/name/tree/refs%2Fpr%2F1; give "
        "owner/name@refs/pr/1",
    ),
    "hf://owner/name": (
        None,
        "the model must be named by its id, got the address hf://owner/name; give owner/name",
    ),
    "https://huggingface.co/datasets/owner/name": (
        None,
        "the model must be named by its id, got the address https://huggingface.co/datasets/owner/name; give the "
        "model's id, owner/name, or a local folder",
    ),
    "https://example.org/owner/name": (
        None,
        "the model must be named by its id, got the address https://example.org/owner/name; give the model's id, "
        "owner/name, or a local folder",
    ),
    "InternVL3-1B": (None, "no such model: 'InternVL3-1B'; did you mean OpenGVLab/InternVL3-1B-hf?"),
    "owner/na me": (
        None,
        "no such model: 'owner/na me'; give a bundled model (tiny, tiny-qwen), a local folder or a Hugging Face id "
        "such as llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    ),
    "owner/name@": (None, "the revision after owner/name@ must be a branch, tag or commit, got ''"),
    "owner/name@../up": (None, "the revision after owner/name@ must be a branch, tag or commit, got '../up'"),
}
"""What is on the hub, and what is said, by the model that is asked for."""


@pytest.mark.parametrize("model", FAULTS)
def test_a_fault_is_one_line_that_says_what_to_do(model: str, hub: Hub, online: CommandLine) -> None:
    repository, message = FAULTS[model]
    if repository is not None:
        hub.repositories[model.partition("@")[0]] = repository
    ran = watch(online, model)
    assert (ran.code, ran.err) == (2, f"keepsight: {message.format(hub=hub.endpoint)}\n")
    assert repository is None or repository.downloads == []


FAULTS_WITH_TOKEN = {
    "owner/gated": (
        Repository(gated=True),
        "owner/gated is gated, and your token may not read it: accept its licence at {hub}/owner/gated with the "
        "token's account, and let the token read gated repositories at {hub}/settings/tokens",
    ),
    "owner/absent": (
        None,
        "no model owner/absent on {hub}; check its spelling; a private model needs a token of an account that may read "
        "it",
    ),
    "owner/limited": (
        Repository(fault=Reply(429, {"Retry-After": "57"})),
        "{hub} limits your requests: retry in 57 s",
    ),
    "owner/unknown-token": (
        Repository(fault=Reply(401, {"X-Error-Message": "Invalid credentials in Authorization header"})),
        "{hub} refuses your token: replace or unset HF_TOKEN, or run `hf auth login` again",
    ),
}


@pytest.mark.parametrize("model", FAULTS_WITH_TOKEN)
def test_a_fault_with_a_token_says_what_the_token_lacks(model: str, hub: Hub, online: CommandLine) -> None:
    repository, message = FAULTS_WITH_TOKEN[model]
    if repository is not None:
        hub.repositories[model] = repository
    ran = watch(online, model, token="hf_another")
    assert (ran.code, ran.err) == (2, f"keepsight: {message.format(hub=hub.endpoint)}\n")


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_or_does_not_answer_is_said(folder: Path, hub: Hub) -> None:
    with running_hub() as gone:
        endpoint = gone.endpoint
    with CommandLine(folder, HF_ENDPOINT=endpoint) as command_line:
        ran = watch(command_line, "owner/never-seen")
    assert (ran.code, ran.err) == (
        2,
        f"keepsight: cannot reach {endpoint} ([Errno 111] Connection refused): check the network, or give a local "
        "folder or a bundled model, which need none\n",
    )
    hub.repositories["owner/slow"] = Repository(seconds_to_answer=3)
    with CommandLine(folder, HF_ENDPOINT=hub.endpoint, HF_HUB_ETAG_TIMEOUT="1") as command_line:
        ran = watch(command_line, "owner/slow")
    assert (ran.code, ran.err) == (
        2,
        f"keepsight: {hub.endpoint} did not answer in 1 s: run the same command again later, or set "
        "HF_HUB_ETAG_TIMEOUT to more seconds\n",
    )


def test_what_is_not_cached_is_not_sought_offline(hub: Hub, offline: CommandLine, folder: Path) -> None:
    ran = watch(offline, "owner/never-seen")
    assert (ran.code, ran.err) == (
        2,
        f"keepsight: owner/never-seen is not in the cache {folder / 'home' / 'hub'}, and HF_HUB_OFFLINE is set: unset "
        "it to download the model, or give a local folder\n",
    )


def test_a_download_that_breaks_off_is_resumed_by_the_same_command(
    hub: Hub, online: CommandLine, offline: CommandLine, files: dict[str, bytes], folder: Path
) -> None:
    repository = hub.repositories["owner/broken"] = Repository(files)
    repository.breaks_at, repository.num_breaks = SHARDS[1], 100
    ran = watch(online, "owner/broken", waits=False)
    assert ran.code == 2
    first, second = ran.err.splitlines()
    assert first.startswith("keepsight: downloading owner/broken, ")
    assert second.startswith(f"keepsight: the download of {SHARDS[1]} broke off (peer closed connection")
    assert second.endswith("): run the same command again, files that arrived are kept")

    ran = watch(offline, "owner/broken")
    assert (ran.code, ran.err) == (
        2,
        f"keepsight: owner/broken is not whole in the cache {folder / 'home' / 'hub'}, which lacks {SHARDS[1]}, and "
        "HF_HUB_OFFLINE is set: unset it to download the rest\n",
    )

    repository.fault = Reply(503)
    ran = watch(online, "owner/broken")
    assert (ran.code, ran.err) == (
        2,
        f"keepsight: {hub.endpoint} has a fault (HTTP 503): run the same command again later, files that arrived are "
        f"kept; the cache has only part of it, without {SHARDS[1]}\n",
    )

    repository.fault, repository.num_breaks = None, 1
    repository.requests.clear()
    assert watch(online, "owner/broken", waits=False).code == 0
    assert repository.downloads == [SHARDS[1]] * 2  # the second one goes on where the first ended


def test_on_a_terminal_the_bar_of_the_weights_is_the_only_one(
    hub: Hub, online: CommandLine, files: dict[str, bytes]
) -> None:
    hub.repositories["owner/shown"] = Repository(files)
    ran = watch(online, "owner/shown", on_terminal=True)
    assert ran.code == 0
    assert ran.err.startswith("keepsight: downloading owner/shown, ")
    assert re.search(r"[0-9.]+/[0-9.]+ kB", ran.err)
    assert "%" not in ran.err  # as in the bars that the hub's library draws
    assert not any(name in ran.err for name in files)


def test_a_download_that_is_stopped_says_how_to_go_on(hub: Hub, online: CommandLine, files: dict[str, bytes]) -> None:
    def stop(name: str) -> None:
        if name == SHARDS[1]:
            os.kill(online.process_id, signal.SIGINT)

    repository = hub.repositories["owner/stopped"] = Repository(files, before_sending=stop)
    ran = watch(online, "owner/stopped")
    assert (ran.code, ran.err.splitlines()[1:]) == (
        130,
        [
            "keepsight: stopped the download of owner/stopped: run the same command again, files that arrived are kept",
            "keepsight: stopped before watching began",
        ],
    )
    repository.before_sending = None
    repository.requests.clear()
    assert watch(online, "owner/stopped").code == 0
    assert repository.downloads == [SHARDS[1]]


def test_a_fault_of_the_xet_storage_is_said(hub: Hub, online: CommandLine, files: dict[str, bytes]) -> None:
    hub.repositories["owner/in-xet"] = Repository(files, xet_fault=Reply(404))
    ran = watch(online, "owner/in-xet")
    assert ran.code == 2
    (said,) = ran.err.splitlines()[1:]
    assert said.startswith(f"keepsight: the download of {SHARDS[0]} broke off (Task error: ")
    assert said.endswith(
        "): run the same command again, files that arrived are kept; set HF_HUB_DISABLE_XET=1 if the Xet storage keeps "
        "failing"
    )


def test_a_model_larger_than_the_disk_is_refused_before_its_weights(
    hub: Hub, online: CommandLine, files: dict[str, bytes], folder: Path
) -> None:
    repository = hub.repositories["owner/large"] = Repository(files, claimed_bytes=10**18)
    ran = watch(online, "owner/large")
    assert ran.code == 2
    assert re.fullmatch(
        r"keepsight: downloading owner/large needs 2000000000\.0 GB in "
        rf"{re.escape(str(folder / 'home' / 'hub'))}, which has \d+\.\d [GM]B free: free some space, or set HF_HOME to "
        r"a folder on a larger disk\n",
        ran.err,
    )
    assert repository.downloads == []


def test_a_shard_that_is_not_on_the_hub_is_named(hub: Hub, online: CommandLine, files: dict[str, bytes]) -> None:
    lacking = {name: contents for name, contents in files.items() if name != SHARDS[1]}
    repository = hub.repositories["owner/lacking"] = Repository(lacking)
    ran = watch(online, "owner/lacking")
    assert (ran.code, ran.err) == (
        2,
        f"keepsight: owner/lacking lacks {SHARDS[1]}, which its model.safetensors.index.json names: give another "
        "revision\n",
    )
    assert repository.downloads == []


def test_a_model_too_large_for_memory_is_refused_before_its_weights(
    hub: Hub, online: CommandLine, files: dict[str, bytes]
) -> None:
    config = json.loads(files["config.json"])
    config["text_config"]["intermediate_size"] = 10**12
    repository = hub.repositories["owner/huge"] = Repository(files | {"config.json": json.dumps(config).encode()})
    ran = watch(online, "owner/huge")
    assert ran.code == 2
    assert ran.err.startswith("keepsight: owner/huge needs about ")
    assert repository.downloads == []


def test_a_fault_while_weights_are_downloaded_does_not_wait(
    hub: Hub, online: CommandLine, files: dict[str, bytes]
) -> None:
    hub.repositories["owner/limited-later"] = Repository(files, weights_fault=Reply(429, {"Retry-After": "57"}))
    ran = watch(online, "owner/limited-later")
    assert (ran.code, ran.err.splitlines()[1:]) == (
        2,
        [f"keepsight: {hub.endpoint} limits your requests: retry in 57 s, or set HF_TOKEN, which has a higher limit"],
    )


def test_a_cached_model_is_used_while_the_hub_has_a_fault(
    hub: Hub, online: CommandLine, files: dict[str, bytes]
) -> None:
    repository = hub.repositories["owner/later-faulty"] = Repository(files)
    assert watch(online, "owner/later-faulty").code == 0
    repository.fault = Reply(503)
    ran = watch(online, "owner/later-faulty")
    assert (ran.code, ran.err) == (
        0,
        f"keepsight: {hub.endpoint} has a fault (HTTP 503): run the same command again later, files that arrived are "
        f"kept; the cached copy is used, commit {COMMIT}\n",
    )
    repository.fault = Reply(404, {"X-Error-Code": "RevisionNotFound"})
    assert watch(online, "owner/later-faulty").code == 2


def test_a_path_among_models_is_not_sought_on_the_hub(
    hub: Hub, online: CommandLine, checkpoint: Path, folder: Path
) -> None:
    shutil.copytree(checkpoint, folder / "models" / "kitchen")
    repository = hub.repositories["models/kitchens"] = Repository()
    ran = watch(online, "models/kitchens")
    assert (ran.code, ran.err) == (
        2,
        "keepsight: no folder models/kitchens, though the folder models is here; did you mean models/kitchen?\n",
    )
    ran = watch(online, "models/garden")
    assert (ran.code, ran.err) == (
        2,
        "keepsight: no folder models/garden, though the folder models is here; for the hub's model, give "
        "models/garden@main\n",
    )
    assert repository.requests == []
    watch(online, "models/kitchens@main")
    assert repository.requests
    (folder / "Qwen").mkdir()
    shutil.copytree(checkpoint, folder / "Qwen" / "mine")
    assert watch(online, "Qwen/Qwen2.5-VL-3B-Instruct").err == (
        f"keepsight: no model Qwen/Qwen2.5-VL-3B-Instruct on {hub.endpoint}; check its spelling; a private model needs "
        "HF_TOKEN\n"
    )
