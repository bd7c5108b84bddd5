"""The tools: what each of them does.

None but `watch_source` changes what is watched, none but `add_standing_question` what is checked (promise S8).
"""

import base64

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel

from keepsight.journal import StreamRecord
from keepsight.server.mcp.arguments import (
    AlertsArguments,
    AskArguments,
    ClipArguments,
    NoArguments,
    SearchArguments,
    StandingArguments,
    WatchArguments,
)
from keepsight.server.mcp.views import AlertsFound, ClipsFound, StandingAdded, StreamsFound, found_clip, shown_clip
from keepsight.server.mcp.watched import Watched
from keepsight.server.standing.alert_view import alert_view
from keepsight.server.streams.naming import streams_named


class ToolError(Exception):
    """A call that cannot be done; its message is what the agent is told."""


def the_stream(watched: Watched, name: str) -> StreamRecord:
    """The stream of a name.

    Raises:
        ToolError: none has it, or several have.
    """
    found = streams_named(watched.journal, name)
    if len(found) == 1:
        return found[0]
    several = f"{len(found)} streams are of that name: give the id of one; list_streams has them"
    raise ToolError(several if found else "there is no such stream; list_streams has them all")


def list_streams(watched: Watched, _: NoArguments) -> CallToolResult:
    """All streams: what is or was watched, its state, and how many clips have a caption."""
    return said(StreamsFound(streams=[watched.stream_view(stream) for stream in watched.journal.streams.all()]))


def ask(watched: Watched, asked: AskArguments) -> CallToolResult:
    """Answer a question about a stream, with the captions that the answer rests on, and what was not seen."""
    return said(watched.ask(the_stream(watched, asked.stream), asked.question, asked.at_seconds))


def search(watched: Watched, asked: SearchArguments) -> CallToolResult:
    """Find clips whose caption has all of some words, best first."""
    stream_id = None if asked.stream is None else the_stream(watched, asked.stream).id
    clips = watched.journal.clips.search(asked.words, stream_id=stream_id, limit=asked.limit)
    return said(ClipsFound(clips=[found_clip(clip) for clip in clips]))


def get_clip(watched: Watched, asked: ClipArguments) -> CallToolResult:
    """A clip: its caption, its times, and its picture, the frames side by side with the oldest on the left."""
    stream = the_stream(watched, asked.stream)
    clip = watched.journal.clips.get(stream.id, asked.clip_index)
    if clip is None:
        raise ToolError("the stream has no such clip, or no longer")
    result = said(shown_clip(clip))
    if not clip.thumbnail:
        return result
    picture = ImageContent(type="image", data=base64.b64encode(clip.thumbnail).decode(), mime_type="image/jpeg")
    content: list[ContentBlock] = [*result.content, picture]
    return result.model_copy(update={"content": content})


def list_alerts(watched: Watched, asked: AlertsArguments) -> CallToolResult:
    """Alerts of all standing questions, newest first: what became so, in which clip, and when."""
    stream_id = None if asked.stream is None else the_stream(watched, asked.stream).id
    alerts = watched.journal.alerts.newest(asked.limit, stream_id=stream_id, before=asked.before_alert_id)
    return said(AlertsFound(alerts=[alert_view(alert) for alert in alerts]))


def add_standing_question(watched: Watched, asked: StandingArguments) -> CallToolResult:
    """Check every new caption from now on, also when you are gone, and make an alert when it becomes so.

    The model judges each caption; an alert is made for a clip that it says yes to after one that it said no to.
    """
    stream_id = None if asked.stream is None else the_stream(watched, asked.stream).id
    added = watched.add_standing(asked.question, stream_id, asked.cooldown_seconds)
    return said(
        StandingAdded(
            id=added.id,
            question=added.question,
            stream_id=added.stream_id,
            cooldown_seconds=added.cooldown_seconds,
        )
    )


def watch_source(watched: Watched, asked: WatchArguments) -> CallToolResult:
    """Begin to watch a file, folder, address or camera; one that was watched before goes on where it was left."""
    return said(watched.stream_view(watched.watch(asked.source)))


def said(result: BaseModel) -> CallToolResult:
    """A result as JSON, and as the same in text for clients that read no more than that."""
    text = TextContent(type="text", text=result.model_dump_json())
    return CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))
