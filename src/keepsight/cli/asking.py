"""`keepsight ask`: a question about a journal, without the video."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import (
    DeviceOption,
    JournalArgument,
    JournalDtypeOption,
    JsonOption,
    OtherModelOption,
    QuantizationOption,
    QuestionArgument,
    SourceOption,
)
from keepsight.cli.output import complain, emit_answer, make_console, print_citations, printable, wants_json
from keepsight.cli.remembered import ModelChoice, model_for
from keepsight.cli.settings import ASK, SERVE
from keepsight.cli.settings_options import ConfigOption, Load, TakesSettings
from keepsight.cli.times import stream_seconds
from keepsight.errors import EmptyJournalError
from keepsight.models.engines.settings import AnswerSettings
from keepsight.settings import Settings
from keepsight.spans import format_clock

if TYPE_CHECKING:
    from keepsight.asking.answering import AnswerStream
    from keepsight.journal import Journal, StreamRecord


@TakesSettings(ASK, known=SERVE, readers="watch and serve")
def ask(
    load: Load,
    journal: JournalArgument,
    question: QuestionArgument,
    at: Annotated[
        str | None,
        typer.Option(
            help="Answer as of this time: 75, 1:15 or 0:01:15 since the start; 12:03 for a live stream.", metavar="TIME"
        ),
    ] = None,
    source: SourceOption = None,
    model: OtherModelOption = None,
    device: DeviceOption = None,
    dtype: JournalDtypeOption = None,
    quantization: QuantizationOption = None,
    config: ConfigOption = None,
    json: JsonOption = None,
) -> None:
    """Answer a question from a journal, with cited captions.

    The video is not needed, and another process may still be watching it.
    """
    as_json = wants_json(json)
    chosen = ModelChoice(model, device, dtype, quantization)
    engine = load(config, False).make(AnswerSettings).to_engine()  # the journal has the other settings
    from keepsight.journal import Journal, missing_note, nothing_left_note

    # Problems with the journal show before a large model is loaded.
    with Journal.open_or_read(journal) as opened:
        stream = find_stream(opened, source)
        at_seconds = None if at is None or stream is None else stream_seconds(stream, at)
        note = missing_note(opened, stream)
        if stream is None or not opened.clips.count(stream.id):
            # A stream that a quota emptied lacks all its captions: the note would say so again.
            is_emptied = stream is not None and opened.streams.position(stream.id).next_clip_index > 0
            said = nothing_left_note(opened, stream)
            raise EmptyJournalError(said if is_emptied or not note else f"{said}; {note}")
        if note:
            complain(note)
        last = opened.clips.last(stream.id)
        if at_seconds is not None and last is not None and at_seconds > last.span.end_seconds:
            complain(f"{at} is after the last caption, which ends at {format_clock(last.span.end_seconds)}")
        loaded = model_for(stream, chosen).load_to_answer()
        if engine is not None:
            from keepsight.models.engines.answers import EngineAnswers

            loaded = EngineAnswers(loaded, engine)
        from keepsight.asking.answering import Ask
        from keepsight.asking.answering import ask as ask_model

        settings = Settings.from_json(stream.settings_json)
        try:
            with stop_requests():
                answers = ask_model(loaded, opened, stream, Ask(question, at_seconds), settings=settings)
                show_answer(None if as_json else make_console(), question, answers, stream)
        except StopRequest as request:
            raise Stopped("stopped before the answer was complete; it is not stored", request.signal_number) from None


def find_stream(journal: "Journal", source: str | None) -> "StreamRecord | None":
    """Stream by name, by the rule of `journal.stream_named`; without a name the newest, or None.

    Raises:
        UnknownStreamError: no stream or several match.
    """
    from keepsight.journal import stream_named

    return journal.streams.latest() if source is None else stream_named(journal.streams.all(), source)


def show_answer(
    console: Console | None, question: str, answers: "AnswerStream", stream: "StreamRecord | None" = None
) -> None:
    """Print an answer as it is generated, or as one JSON line without a console."""
    if console is None:
        emit_answer(answers.answer)
        return
    console.print(Text(f"\n? {printable(question)}", style="bold"))
    console.print("  ", end="")
    for piece in answers:
        # Spaces around a piece are significant, so only control characters are removed.
        console.print(Text("".join(c if c.isprintable() else " " for c in piece), style="green"), end="")
    console.print()
    print_citations(console, answers.answer, stream)
