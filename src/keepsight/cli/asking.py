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
)
from keepsight.cli.output import emit_answer, make_console, print_citations, printable, wants_json
from keepsight.cli.times import stream_seconds
from keepsight.errors import EmptyJournalError, SettingError
from keepsight.settings import Settings

if TYPE_CHECKING:
    from keepsight.answering import AnswerStream
    from keepsight.journal import Journal, StreamRecord


def ask(
    journal: JournalArgument,
    question: Annotated[str, typer.Argument(help="What to ask, in quotes.")],
    at: Annotated[
        str | None,
        typer.Option(
            help="Use only what had ended by then: 75, 1:15 or 0:01:15; 12:03 for a live stream.", metavar="TIME"
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Which stream, where the journal has several: a part of its source's name.")
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
    as_json = wants_json(json)
    from keepsight.journal import Journal

    # All that can be wrong with the journal shows before a large model is loaded.
    with Journal.open(journal) as opened:
        stream = find_stream(opened, source)
        at_seconds = None if at is None or stream is None else stream_seconds(stream, at)
        if stream is None or not opened.clips.count(stream.id):
            raise EmptyJournalError(f"nothing has been captioned yet in {journal}")
        loaded = load_model_or_say(model or stream.model, device, dtype)
        from keepsight.answering import ask as ask_model

        settings = Settings.from_json(stream.settings_json)
        try:
            answers = ask_model(loaded, opened, stream, question, ask_seconds=at_seconds, settings=settings)
            show_answer(None if as_json else make_console(), question, answers, stream)
        except KeyboardInterrupt:
            raise Stopped("stopped before the answer was complete; it is not stored") from None


def find_stream(journal: "Journal", source: str | None) -> "StreamRecord | None":
    """The newest stream whose source's name has these words in it; without words the newest, None if there is none.

    Raises:
        SettingError: none has, or several sources have.
    """
    if source is None:
        return journal.streams.latest()
    streams = journal.streams.all()
    found = {stream.source: stream for stream in streams if source in stream.source}
    if len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(dict.fromkeys(stream.source for stream in streams))
    several = "fits several sources" if found else "fits no source"
    raise SettingError(f"--source {source!r} {several}; the journal has {names or 'none'}")


def show_answer(
    console: Console | None, question: str, answers: "AnswerStream", stream: "StreamRecord | None" = None
) -> None:
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
    print_citations(console, answers.answer, stream)
