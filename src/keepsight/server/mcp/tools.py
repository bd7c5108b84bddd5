"""Tool functions.

Only `watch_source` changes what is watched, and only `add_standing_question` what is checked.
"""

import base64

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel

from keepsight.hub.standing.alert_view import alert_view
from keepsight.journal import StreamRecord, stream_named
from keepsight.server.mcp.arguments import (
    AlertsArguments,
    AskArguments,
    ClipArguments,
    NoArguments,
    SearchArguments,
    StandingArguments,
    WatchArguments,
)
from keepsight.server.mcp.views import AlertsFound, ClipsFound, FoundClip, ShownClip, StandingAdded, StreamsFound
from keepsight.server.mcp.watched import Watched


class ToolError(Exception):
    """A failed call; its message goes to the agent."""


def the_stream(watched: Watched, name: str) -> StreamRecord:
    """Stream by name, by the rule of `journal.stream_named`.

    Raises:
        UnknownStreamError: no stream or several match.
    """
    return stream_named(watched.journal.streams.all(), name)


def list_streams(watched: Watched, _: NoArguments) -> CallToolResult:
    """List all streams: source, state, and number of captioned clips."""
    return said(StreamsFound(streams=[watched.stream_view(stream) for stream in watched.journal.streams.all()]))


def ask(watched: Watched, asked: AskArguments) -> CallToolResult:
    """Answer a question about a stream, with cited captions and gaps."""
    return said(watched.ask(the_stream(watched, asked.stream), asked.question, asked.at_seconds))


def search(watched: Watched, asked: SearchArguments) -> CallToolResult:
    """Find clips whose caption has all given words, best first."""
    stream_id = None if asked.stream is None else the_stream(watched, asked.stream).id
    clips = watched.journal.clips.search(asked.words, stream_id=stream_id, limit=asked.limit)
    return said(ClipsFound(clips=[FoundClip.model_validate(clip) for clip in clips]))


def get_clip(watched: Watched, asked: ClipArguments) -> CallToolResult:
    """Show a clip: caption, times, and its frames side by side, oldest on the left."""
    stream = the_stream(watched, asked.stream)
    clip = watched.journal.clips.get(stream.id, asked.clip_index)
    if clip is None:
        raise ToolError("no such clip, or it was removed")
    result = said(
        ShownClip(
            **vars(FoundClip.model_validate(clip)),
            frame_seconds=list(clip.frame_seconds),
            has_picture=clip.has_thumbnail,
        )
    )
    if not clip.thumbnail:
        return result
    picture = ImageContent(type="image", data=base64.b64encode(clip.thumbnail).decode(), mime_type="image/jpeg")
    content: list[ContentBlock] = [*result.content, picture]
    return result.model_copy(update={"content": content})


def list_alerts(watched: Watched, asked: AlertsArguments) -> CallToolResult:
    """List alerts of all standing questions, newest first: question, clip and time."""
    stream_id = None if asked.stream is None else the_stream(watched, asked.stream).id
    alerts = watched.journal.alerts.newest(asked.limit, stream_id=stream_id, before=asked.before_alert_id)
    return said(AlertsFound(alerts=[alert_view(alert) for alert in alerts]))


def add_standing_question(watched: Watched, asked: StandingArguments) -> CallToolResult:
    """Check every new caption from now on, even after you disconnect, and alert when the condition turns true.

    The model judges each caption; an alert is made for a clip with the verdict yes after one with no.
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
    """Start watching a file, folder, address or camera; a known source resumes where it stopped."""
    return said(watched.stream_view(watched.watch(asked.source)))


def said(result: BaseModel) -> CallToolResult:
    """Result as JSON, and the same as text for clients that read only text."""
    text = TextContent(type="text", text=result.model_dump_json())
    return CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))
