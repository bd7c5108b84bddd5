"""docs/serving.md names every setting and metric that there is."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keepsight.cli.settings import SERVE, ModelSettings, StorageSettings
from keepsight.schema import specs_of
from keepsight.schema.sources import load_settings
from keepsight.server.settings import ServerSettings, TelemetrySettings
from tests.server.served import Served

DOCS = Path(__file__).parent.parent.parent / "docs"
TEXT = (DOCS / "serving.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|")]


@pytest.mark.parametrize(
    "name", [spec.name for spec in specs_of(ServerSettings, TelemetrySettings, StorageSettings, ModelSettings)]
)
def test_settings(name: str) -> None:
    assert any(f"`{name}`" in row.split("|")[1] for row in ROWS)


def test_metrics(served: Served) -> None:
    text = served.client("GET", "/metrics").content.decode()
    for family in text_string_to_metric_families(text):
        if family.name.startswith("keepsight_") and not family.name.endswith("_created"):
            assert re.search(rf"`{family.name}(_total)?[`{{]", TEXT), family.name


def test_the_file_shown_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    (tmp_path / "keepsight.toml").write_text(block)
    assert load_settings(SERVE, {}, tmp_path / "keepsight.toml").make(ServerSettings).allowed_hosts == (
        "cameras.example",
    )


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (DOCS / target).exists()
