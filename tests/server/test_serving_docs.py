"""docs/serving.md names every setting, route with its scope, and metric that there is."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import Served

from keepsight.server.access.scopes import ROUTE_SCOPES
from keepsight.server.settings import ServerSettings
from keepsight.server.settings_sources import WorkSettings, settle

DOCS = Path(__file__).parent.parent.parent / "docs"
TEXT = (DOCS / "serving.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", [one.name for part in (ServerSettings, WorkSettings) for one in fields(part)])
def test_settings(name: str) -> None:
    assert any(f"`{name}`" in row.split("|")[1] for row in ROWS)


@pytest.mark.parametrize("route", ROUTE_SCOPES, ids=lambda route: route.path)
def test_routes(route) -> None:
    (row,) = (row.split("|") for row in ROWS if f"`{route.path}`" in row.split("|")[1])
    for column, scope in ((row[2], route.read), (row[3], route.write)):
        assert not column.strip() or column.strip().split(";")[0].split(":")[0] == (scope.label if scope else "open")


def test_metrics(served: Served) -> None:
    text = served.client("GET", "/metrics").content.decode()
    for family in text_string_to_metric_families(text):
        if family.name.startswith("keepsight_") and not family.name.endswith("_created"):
            assert re.search(rf"`{family.name}(_total)?[`{{]", TEXT), family.name


def test_the_file_shown_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    (tmp_path / "keepsight.toml").write_text(block)
    assert settle({}, tmp_path / "keepsight.toml").server.allowed_hosts == ("cameras.example",)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (DOCS / target).exists()
