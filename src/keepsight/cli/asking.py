"""`keepsight ask`: a question about what was watched, without the video."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from keepsight.cli.interruption import Stopped
from keepsight.cli.options import (
    DeviceOption,
    DtypeOption,
    JournalArgument,
    JsonOption,
    load_model_or_say,
    parse_time,
)
from keepsight.cli.output import emit_answer, make_console, print_citations, printable, wants_json
from keepsight.errors import EmptyJournalError
from keepsight.settings import Settings

if TYPE_CHECKING:
    from keepsight.answering import AnswerStream


def ask(
    journal: JournalArgument,
    question: Annotated[str, typer.Argument(help="What to ask, in quotes.")],
    at: Annotated[
        str | None,
        typer.Option(help="Use only what had ended by this time of the video: 75, 1:15 or 0:01:15.", metavar="TIME"),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Another model than the one that watched: a name, folder or hub id.")
    ] = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    json: JsonOption = None,
) -> None:
    """Answer a question from a journal, with the captions it rests on.

    The video is not needed, and watching may still go on in another process.
    """
    at_seconds = None if at is None else parse_time(at)
    as_json = wants_json(json)
    from keepsight.journal import Journal

    # All that can be wrong with the journal shows before a large model is loaded.
    with Journal.open(journal) as opened:
        stream = opened.streams.latest()
        if stream is None or not opened.clips.count(stream.id):
            raise EmptyJournalError(f"nothing has been captioned yet in {journal}")
        loaded = load_model_or_say(model or stream.model, device, dtype)
        from keepsight.answering import ask as ask_model

        settings = Settings.from_json(stream.settings_json)
        try:
            answers = ask_model(loaded, opened, stream, question, ask_seconds=at_seconds, settings=settings)
            show_answer(None if as_json else make_console(), question, answers)
        except KeyboardInterrupt:
            raise Stopped("stopped before the answer was complete; it is not stored") from None


def show_answer(console: Console | None, question: str, answers: "AnswerStream") -> None:
    """Write an answer, as it is generated on a console, as one JSON line without."""
    if console is None:
        emit_answer(answers.answer)
        return
    console.print(Text(f"\n? {printable(question)}", style="bold"))
    console.print("  ", end="")
    for piece in answers:
        # Spaces around a piece separate it from its neighbours, so only control characters are taken out.
        console.print(Text("".join(c if c.isprintable() else " " for c in piece), style="green"), end="")
    console.print()
    print_citations(console, answers.answer)
