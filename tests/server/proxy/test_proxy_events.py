"""Behind a proxy: events and answers come piece by piece, and go on where a viewer left."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.server.settings import ServerSettings
from tests.patience import wait_for
from tests.server.proxy.proxies import free_port, in_front_of
from tests.server.proxy.tls_client import TlsClient
from tests.server.served import PATIENCE_SECONDS, Event, Served, ServedModel, serve
from tests.small_videos import MakeVideo


@dataclass
class TiredModel(ServedModel):
    """Describes so many clips, then waits for its gate."""

    num_clips: int = 3

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        self.num_clips -= 1
        if self.num_clips == 0:
            self.gate.clear()
        return super().describe(clip, request)


def clips(events: Iterator[Event]) -> Iterator[str]:
    return (event.id or "" for event in events if event.name == "clip")


def test_an_answer_comes_piece_by_piece(served: Served, proxied: TlsClient, make_video: MakeVideo) -> None:
    stream_id = proxied.begin(make_video(10))
    proxied.wait_for_state(stream_id, "complete")
    served.model.answer_gate.clear()
    asked = {"stream_id": stream_id, "question": "What?", "stream": True}
    with closing(proxied.events("/v1/questions", "POST", asked)) as events:
        first = next(events)  # before the model has said anything
        assert (first.name, len(first.data["citations"])) == ("citations", 5)
        served.model.answer_gate.set()
        assert [event.name for event in events] == ["piece", "piece", "piece", "answer"]


def test_events_come_at_once_and_go_on_where_a_viewer_left(
    served: Served, proxied: TlsClient, make_video: MakeVideo
) -> None:
    served.model.gate.clear()
    stream_id = proxied.begin(make_video(20))
    path = f"/v1/streams/{stream_id}/events"
    seen: list[str | None] = []
    last_id: str | None = None
    with closing(proxied.events("/v1/events")) as every_stream:
        assert next(every_stream).name == "since"
        assert next(every_stream).data["id"] == stream_id  # nothing else happens before the gate opens
        for num_wanted in (2, 5, 3):
            headers = {} if last_id is None else {"Last-Event-ID": last_id}
            with closing(proxied.events(path, headers=headers)) as events:
                assert next(events).name == "state"
                served.model.gate.set()
                seen += islice(clips(events), num_wanted)
                last_id = seen[-1]
        assert seen == [str(number) for number in range(10)]
        assert any(event.data["state"] == "complete" for event in every_stream)


def test_the_place_of_a_viewer_who_hung_up_is_free(
    proxy_name: str, server_settings: ServerSettings, tmp_path: Path, make_video: MakeVideo
) -> None:
    """By the proxy's word: the server itself would say nothing for so long."""
    settings = replace(server_settings, max_viewers=2, heartbeat_seconds=10.0 * PATIENCE_SECONDS)
    with (
        serve(settings, ServedModel()) as served,
        in_front_of(proxy_name, served.client.port, tmp_path, settings.token) as proxied,
    ):
        served.model.gate.clear()
        path = f"/v1/streams/{proxied.begin(make_video(4))}/events"
        with closing(proxied.events(path)) as one, closing(proxied.events(path)) as other:
            assert [next(one).name, next(other).name] == ["state", "state"]
            assert proxied("GET", path).status == 429
        wait_for(lambda: "\nkeepsight_viewers 0.0\n" in proxied("GET", "/metrics").content.decode())
        with closing(proxied.events(path)) as again:
            assert next(again).name == "state"


def test_the_server_is_restarted_behind_it(
    proxy_name: str, server_settings: ServerSettings, tmp_path: Path, make_video: MakeVideo
) -> None:
    settings = replace(server_settings, port=free_port())
    with in_front_of(proxy_name, settings.port, tmp_path, settings.token) as proxied:
        with serve(settings, TiredModel(num_clips=3)):
            stream_id = proxied.begin(make_video(20))
            path = f"/v1/streams/{stream_id}/events"
            events = proxied.events(path)
            seen = list(islice(clips(events), 3))
        seen += clips(events)  # to the end of the answer, which the server's own end brings
        assert proxied("GET", "/v1/health/live").status == 502
        back = {"Last-Event-ID": seen[-1]}
        with serve(settings, ServedModel()) as again, closing(proxied.events(path, headers=back)) as events:
            again.service.resume_active()
            seen += islice(clips(events), 10 - len(seen))
    assert seen == [str(number) for number in range(10)]
