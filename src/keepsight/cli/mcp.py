"""`keepsight mcp`: a journal's tools for an agent, over stdin and stdout."""

import signal

from keepsight.cli.options import (
    DeviceOption,
    JournalArgument,
    JournalDtypeOption,
    OtherModelOption,
    QuantizationOption,
)
from keepsight.cli.remembered import FoundModel, ModelChoice, model_for
from keepsight.cli.settings import SERVE
from keepsight.cli.settings_options import complain_of_variables
from keepsight.extras import require_extra


def mcp(
    journal: JournalArgument,
    model: OtherModelOption = None,
    device: DeviceOption = None,
    dtype: JournalDtypeOption = None,
    quantization: QuantizationOption = None,
) -> None:
    """Let an agent query a journal by the Model Context Protocol, over stdin and stdout.

    The journal is opened read-only, and another process may still be watching into it. The model is loaded for the
    first question.
    """
    require_extra("serve", "keepsight mcp")
    chosen = ModelChoice(model, device, dtype, quantization)
    complain_of_variables(SERVE, "watch and serve")  # the journal has the settings here
    from keepsight.journal import Journal
    from keepsight.server.mcp.kept import KeptStreams
    from keepsight.server.mcp.stdio import serve_stdio

    # Nothing is written, so exit at once; a thread that reads stdin would delay a clean exit.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with Journal.open(journal, read_only=True) as opened:
        serve_stdio(KeptStreams(opened, lambda stream: model_for(stream, chosen), FoundModel.load))
