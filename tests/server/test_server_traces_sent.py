"""Traces on their way: the setting, the variables of the SDK, and collectors that take nothing."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from keepsight.cli.settings import SERVE
from keepsight.errors import SettingError
from keepsight.schema.sources import load_settings
from keepsight.server.settings import ServerSettings, TelemetrySettings
from keepsight.server.telemetry.exporting import Traces
from tests.models.random_model import RandomShape, write_random_model
from tests.patience import PROCESS_SECONDS
from tests.server.otlp_spans import address_of, named, spans_of, traced
from tests.server.served import PATIENCE_SECONDS, Client, ServedModel
from tests.server.webhook_receiver import Receiver, receiving
from tests.small_videos import MakeVideo

SECRET = "hunter2-the-password"
RUN = "from keepsight.cli import main; main()"
BLOCK = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "requests")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "KEEPSIGHT_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.mark.parametrize(
    ("suffix", "path"),
    [("", "/v1/traces"), ("/", "/v1/traces"), ("/v1/traces", "/v1/traces"), ("/base/", "/base/v1/traces")],
)
def test_where_they_are_sent(collector: Receiver, suffix: str, path: str) -> None:
    with Traces(address_of(collector) + suffix) as tracer:
        tracer.start_span("any").end()
    assert [one.path for one in collector.received] == [path]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged of traces, by whomever."""
    names = ("opentelemetry", "urllib3", "requests", "keepsight.server.telemetry.exporting")
    return [f"{one.levelname} {one.getMessage()}" for one in caplog.records if one.name.startswith(names)]


def test_a_collector_that_takes_nothing_for_a_while(
    server_settings: ServerSettings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    # A busy machine answers late, which is no refusal.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", f"{PATIENCE_SECONDS:.0f}")
    monkeypatch.setattr("keepsight.server.telemetry.exporting.END_SECONDS", PATIENCE_SECONDS)
    caplog.set_level("INFO")
    end = time.monotonic() + PATIENCE_SECONDS
    with receiving(401, 400, 401) as collector:
        address = f"http://127.0.0.1:{collector.port}/v1/traces"
        told = [
            f"WARNING could not export traces to {address}: status 401",
            f"INFO exporting traces to {address} again",
        ]
        with traced(server_settings, ServedModel(), address_of(collector)) as served:
            while told[-1] not in said(caplog):
                assert served.client("GET", "/v1/about").status == 200
                assert time.monotonic() < end
    assert len(collector.received) >= 4
    assert said(caplog) == told


@pytest.mark.parametrize("is_listening", [False, True], ids=["refuses", "is silent"])
def test_a_server_ends_without_its_collector(
    server_settings: ServerSettings,
    make_video: MakeVideo,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    is_listening: bool,
) -> None:
    """Left to itself the SDK would wait for 30 seconds."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as serving:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if not is_listening:
            listening.close()
        client = serving.enter_context(traced(server_settings, ServedModel(), address)).client
        client.wait_for_state(client.begin(make_video(10)), "complete")
        ending = threading.Thread(target=serving.close)
        ending.start()
        ending.join(PATIENCE_SECONDS)
        assert not ending.is_alive()
        assert said(caplog) == [f"WARNING could not export traces to {address}/v1/traces: no response"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "collector:4318",
        "//collector",
        "grpc://collector:4317",
        "http://",
        "http://collector:99999",
        "http://[::1",
        "http://col lector",
        "http://collector/\n",
        f"http://me:{SECRET}@collector:4318",
        f"http://collector/?key={SECRET}",
        f"http://collector/#{SECRET}",
    ],
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(SERVE, {"otlp_endpoint": address})
    message = str(caught.value)
    assert message.startswith("--otlp-endpoint must be an address such as http://127.0.0.1:4318")
    assert SECRET not in message
    assert "\n" not in message


def test_where_the_setting_may_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other.example")
    assert load_settings(SERVE, {}).make(TelemetrySettings).otlp_endpoint is None
    file = tmp_path / "keepsight.toml"
    file.write_text('otlp_endpoint = "https://collector.example/otlp"\n')
    assert load_settings(SERVE, {}, file).make(TelemetrySettings).otlp_endpoint == "https://collector.example/otlp"
    monkeypatch.setenv("KEEPSIGHT_OTLP_ENDPOINT", "http://[::1]:4318")
    assert load_settings(SERVE, {}, file).make(TelemetrySettings).otlp_endpoint == "http://[::1]:4318"


@pytest.mark.parametrize(
    ("before", "variables", "complaint"),
    [
        (BLOCK, {}, 'otlp_endpoint needs opentelemetry: pip install "keepsight[opentelemetry]"'),
        ("", {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "check the OTEL_... variables: max_queue_size must be"),
        pytest.param(
            *("", {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "x"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_one_line(
    tmp_path: Path, before: str, variables: dict[str, str], complaint: str
) -> None:
    words = [sys.executable, "-c", before + RUN, "serve", "--port", "0", "--otlp-endpoint", "http://127.0.0.1:9"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=os.environ | variables)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert complaint in line


@contextmanager
def command(folder: Path, before: str, *words: str, **variables: str) -> Iterator[Client]:
    """`keepsight serve` as a process of its own, ended by SIGTERM without a complaint."""
    model = write_random_model(folder / "model", RandomShape(num_layers=2))
    process = subprocess.Popen(
        [sys.executable, "-c", before + RUN, "serve", "--port", "0", "--model", str(model), *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), process.communicate()
        yield Client(int(line.rpartition(":")[2]))
    finally:
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=PROCESS_SECONDS)
    assert complaints.splitlines() == ["keepsight: stopped; all captions are in keepsight.db"]
    assert process.returncode == 128 + signal.SIGTERM


def test_the_command_and_the_variables_of_the_sdk(tmp_path: Path, make_video: MakeVideo, collector: Receiver) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{SECRET}",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=kitchen,service.name=not-this",
        "OTEL_SERVICE_NAME": "cameras",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    words = ("--otlp-endpoint", address_of(collector), "--sample-fps", "2", "--root", str(make_video(20).parent))
    with command(tmp_path, "", *words, **variables) as client:
        stream_id = client.begin(make_video(20))
        client.wait_for(stream_id, lambda view: view["num_clips"] >= 1)
    assert {one.headers["authorization"] for one in collector.received} == {f"Bearer {SECRET}"}
    spans = spans_of(collector.received)
    for span in spans:
        assert span.resource["service.name"] == "cameras"
        assert span.resource["deployment.environment.name"] == "kitchen"
    assert named(spans, "clip")
    assert named(spans, "state")[-1].attributes["keepsight.stream_id"] == stream_id


def test_a_sampler_of_the_environment(collector: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with Traces(address_of(collector)) as tracer:
        tracer.start_span("any").end()
    assert collector.received == []


@pytest.mark.slow
def test_without_the_setting_the_packages_are_not_needed(tmp_path: Path) -> None:
    with command(tmp_path, BLOCK, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as client:
        assert client("GET", "/v1/about").status == 200


def test_headers_that_are_none_are_not_logged(
    collector: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Bearer {SECRET}")
    with Traces(address_of(collector)) as tracer:
        tracer.start_span("any").end()
    assert len(collector.received) == 1
    assert caplog.text == ""
