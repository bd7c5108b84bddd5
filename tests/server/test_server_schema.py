"""The description of the API is whole, and holds: requests made from it get no 5xx, and what it says they get."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok

from keepsight.server.settings import ServerSettings
from tests.server.served import Served, ServedModel, serve
from tests.small_videos import MakeVideo

MAX_EXAMPLES = 5
PATIENCE_SECONDS = 120  # a busy machine is slow to make a toy video
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("schema")
    allowed = ServerSettings(folder / "journal.db", roots=(make_video(4).parent,), port=0)
    with serve(replace(allowed, heartbeat_seconds=0.05), ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def description(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.client("GET", "/v1/openapi.json").data
    return found


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_each_parameter_and_body_has_an_example(description: dict[str, Any]) -> None:
    missing = []
    for name, operation in operations(description):
        for parameter in operation.get("parameters", ()):
            if not has_example(parameter) and not has_example(parameter["schema"]):
                missing.append(f"{name}: {parameter['name']}")
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if not has_example(content) and not body_has_example(description, content.get("schema", {})):
                missing.append(f"{name}: {kind}")
    assert not missing, "\n".join(missing)


def has_example(part: dict[str, Any]) -> bool:
    """Whether it has one, or has so few values that they are all told."""
    few = part.get("type") == "boolean" or "enum" in part or "const" in part or "$ref" in part
    return few or bool(part.get("examples")) or "example" in part


def body_has_example(description: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether the body has one as a whole, or a field of it does; bytes need none."""
    if reference := schema.get("$ref"):
        schema = description["components"]["schemas"][reference.rpartition("/")[2]]
    fields = schema.get("properties", {}).values()
    return bool(schema.get("examples")) or schema.get("format") == "binary" or any(map(has_example, fields))


def test_everything_is_described(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.")
    for name, operation in operations(description):
        assert operation.get("description"), name
        assert operation.get("summary"), name
        assert any(status.startswith(("2", "3")) for status in operation["responses"]), name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
    names = [operation["operationId"] for _, operation in operations(description)]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_requests_made_from_the_description(
    served: Served, description: dict[str, Any], make_video: MakeVideo, mode: schemathesis.GenerationMode
) -> None:
    """As many for each route as are allowed, the same each time; half of them for a stream that there is."""
    stream_id = served.client.begin(make_video(4))
    served.client.wait_for_state(stream_id, "complete")
    problems: dict[str, str] = {}
    for found in schemathesis.openapi.from_dict(description).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        try:
            check(operation, operation.as_strategy(generation_mode=mode), served.client.port, stream_id)
        except Unsatisfiable:
            continue  # nothing can be wrong where nothing is given
        except (FailureGroup, Failure) as error:
            problems[operation.label] = str(error)
    assert not problems, "\n\n".join(f"{label}: {problem}" for label, problem in problems.items())


def check(operation: Any, cases: Any, port: int, stream_id: str) -> None:
    """Make so many requests of a kind and check what they get."""
    turns = count()
    has_no_end = any(parameter.name == "follow" for parameter in operation.query)

    @settings(
        max_examples=MAX_EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: "schemathesis.Case[Any]") -> None:
        if "stream_id" in case.path_parameters and case.method != "DELETE" and next(turns) % 2:
            case.path_parameters["stream_id"] = stream_id
        if has_no_end:
            case.query = {**(case.query or {}), "follow": "false"}
        if operation.path == "/v1/toy" and isinstance(case.body, dict):
            case.body["minutes"] = 0.1  # a video is rendered
        case.call_and_validate(base_url=f"http://127.0.0.1:{port}", checks=CHECKS, timeout=PATIENCE_SECONDS)

    ask()
