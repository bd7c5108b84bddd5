"""The generator of docs/reference refuses what it would describe wrongly."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"

FORGOTTEN = """
import sys
sys.path.insert(0, sys.argv[1])
from reference.http_routes import check_scopes
check_scopes(["/v1/streams", "/v1/streams/{stream_id}", "/v1/models/{stream_id}"])
check_scopes(["/v1/streams", "/v1/forgotten/{name}"])
"""


def test_a_route_without_a_scope_is_named_in_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORGOTTEN, str(SCRIPTS)], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        "/v1/forgotten/{name} must have a line in ROUTE_SCOPES, got none: add it in "
        "src/keepsight/server/http/access/scopes.py\n"
    )
