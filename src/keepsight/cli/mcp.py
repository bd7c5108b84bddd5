"""`keepsight mcp`: a journal's tools for an agent, over stdin and stdout."""

import signal
from functools import partial
from typing import TYPE_CHECKING

from keepsight.cli.options import (
    DeviceOption,
    JournalArgument,
    JournalDtypeOption,
    OtherModelOption,
    QuantizationOption,
)
from keepsight.cli.remembered import FoundModel, ModelChoice, model_for
from keepsight.cli.settings import ASK, SERVE
from keepsight.cli.settings_options import ConfigOption, Load, TakesSettings
from keepsight.extras import require_extra
from keepsight.models.engines.settings import AnswerSettings

if TYPE_CHECKING:
    from keepsight.method.protocol import AnsweringModel
    from keepsight.models.engines.engine import Engine


@TakesSettings(ASK, known=SERVE, readers="watch and serve")
def mcp(
    load: Load,
    journal: JournalArgument,
    model: OtherModelOption = None,
    device: DeviceOption = None,
    dtype: JournalDtypeOption = None,
    quantization: QuantizationOption = None,
    config: ConfigOption = None,
) -> None:
    """Let an agent query a journal by the Model Context Protocol, over stdin and stdout.

    The journal is opened read-only, and another process may still be watching into it. The model is loaded for the
    first question.
    """
    require_extra("serve", "keepsight mcp")
    chosen = ModelChoice(model, device, dtype, quantization)
    engine = load(config, False).make(AnswerSettings).to_engine()  # the journal has the other settings
    from keepsight.journal import Journal
    from keepsight.server.mcp.kept import KeptStreams
    from keepsight.server.mcp.stdio import serve_stdio

    # Nothing is written, so exit at once; a thread that reads stdin would delay a clean exit.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with Journal.open(journal, read_only=True) as opened:
        serve_stdio(KeptStreams(opened, lambda stream: model_for(stream, chosen), partial(_load, engine=engine)))


def _load(found: FoundModel, engine: "Engine | None") -> "AnsweringModel":
    """The model of a stream; with an engine, to find what that answers from."""
    if engine is None:
        return found.load()
    from keepsight.models.engines.answers import EngineAnswers

    return EngineAnswers(found.load_to_answer(), engine)
