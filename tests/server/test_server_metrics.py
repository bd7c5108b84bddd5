"""Metrics: what Prometheus reads is what was watched, asked and lost."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keepsight.engine.stream_pipeline import Moment
from keepsight.hub.limiter import Limiter
from keepsight.hub.questions import QuestionService
from keepsight.journal import EndReason
from keepsight.method.model_info import AnswerAuthor
from keepsight.server.settings import ServerSettings
from keepsight.server.telemetry.metrics import Metrics
from tests.journal.clip_records import make_clip
from tests.patience import wait_for
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(client: Client) -> Samples:
    reply = client("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parsed(reply.content.decode())


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[(f"keepsight_{name}", tuple(sorted(labels.items())))]


def test_what_was_watched_and_asked_is_counted(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    before = scraped(client)
    assert value(before, "clips_total") == 0
    assert value(before, "answers_total", outcome="answered") == 0
    ids = [client.begin(make_video(10)), client.begin(make_video(6))]
    for stream_id in ids:
        client.wait_for_state(stream_id, "complete")
    asked = {"stream_id": ids[0], "question": "What comes?"}
    answers = [client("POST", "/v1/questions", asked).data["answer"] for _ in range(2)]
    list(client.events("/v1/questions", "POST", asked | {"stream": True}))
    samples = scraped(client)
    clips = [
        client("GET", f"/v1/streams/{stream_id}/clips/{index}").data
        for stream_id, count in zip(ids, (5, 3), strict=True)
        for index in range(count)
    ]
    assert value(samples, "clips_total") == len(clips) == 8
    assert value(samples, "clip_seconds_count") == 8
    assert value(samples, "clip_seconds_bucket", le="+Inf") == 8
    assert value(samples, "clip_seconds_sum") == pytest.approx(sum(clip["seconds_spent"] for clip in clips))
    assert value(samples, "visual_tokens_seen_total") == sum(clip["num_visual_tokens"] for clip in clips)
    assert value(samples, "visual_tokens_kept_total") == sum(len(clip["kept_indices"]) for clip in clips)
    assert value(samples, "frames_dropped_total") == 0
    assert value(samples, "answers_total", outcome="answered") == 3
    assert value(samples, "answer_seconds_count") == 3
    assert value(samples, "answer_tokens_total") == 3 * served.model.count_tokens(answers[0])
    assert value(samples, "streams", state="complete") == 2
    assert value(samples, "journal_bytes") == served.service.journal.storage.num_file_bytes()
    assert samples[("process_resident_memory_bytes", ())] > 1e6
    names = " ".join(name for name, _ in samples)
    assert "device_memory" not in names  # the model is on the CPU


def test_what_is_so_now(served: Served, make_video: MakeVideo) -> None:
    client, model = served.client, served.model
    stream_id = client.begin(make_video(10))
    client.wait_for_state(stream_id, "complete")
    num_decoders = value(scraped(client), "decoders")  # of other tests' servers, that is
    model.gate.clear()
    watched = client.begin(make_video(20))
    model.answer_gate.clear()
    events = client.events("/v1/questions", "POST", {"stream_id": stream_id, "question": "What?", "stream": True})
    with closing(events), closing(client.events(f"/v1/streams/{watched}/events")) as views:
        next(events)
        next(views)
        samples = scraped(client)
        assert value(samples, "questions_in_flight") == 1
        assert value(samples, "viewers") == 1
        assert value(samples, "streams", state="watching") == 1
        assert value(samples, "streams", state="complete") == 1
        assert value(samples, "frames_waiting", stream=watched) == 0  # of a file, none is dropped or waits
        assert value(samples, "decoders") == num_decoders + 1
        assert 20e6 < value(samples, "decoder_memory_bytes") < 1e9
        model.answer_gate.set()
        list(events)
    wait_for(lambda: not value(scraped(client), "questions_in_flight"), "no question is in flight")
    model.gate.set()
    client.wait_for_state(watched, "complete")
    wait_for(lambda: value(scraped(client), "decoders") <= num_decoders, "its decoder is gone")


def test_losses_and_drops_and_dead_decoders(served: Served) -> None:
    """As observers are told of a live source, without waiting for one to be lost."""
    service = served.service
    counted = Metrics(service, QuestionService(service, 1), Limiter(1, "are open"))
    stream = service.journal.streams.begin("camera", "fake", service.settings.to_json(), is_live=True)
    clip = make_clip(stream.id, 0)
    moment = Moment(**vars(clip) | {"num_frames_dropped": 7, "seconds_spent": 0.3})
    # What was never there is not lost; what has stalled and is then offline was lost once.
    never_there = service.journal.streams.begin("unplugged", "fake", service.settings.to_json(), is_live=True)
    for state in ("connecting", "offline", "connecting", "offline"):
        counted.changed(never_there, state, "")
    for state in ("connecting", "streaming", "stalled", "offline", "connecting", "streaming", "streaming", "offline"):
        counted.changed(stream, state, "")
    counted.watched(stream, moment)
    counted.watched(stream, replace(moment, num_frames_dropped=2))
    counted.restarted(stream, "the process that decodes died")
    counted.answered(stream.id, 1.0, None, AnswerAuthor("fake"))
    samples = parsed(counted.text().decode())
    assert value(samples, "source_losses_total") == 2
    assert value(samples, "source_reconnects_total") == 1
    assert value(samples, "frames_dropped_total") == 9
    assert value(samples, "decoder_restarts_total") == 1
    assert value(samples, "answers_total", outcome="failed") == 1
    assert value(samples, "answer_seconds_count") == 0
    assert value(samples, "clip_seconds_bucket", le="0.5") == 2
    assert value(samples, "clip_seconds_bucket", le="0.25") == 0


def test_two_servers_count_for_themselves(
    server_settings: ServerSettings, tmp_path: Path, make_video: MakeVideo
) -> None:
    other = replace(server_settings, journal=tmp_path / "other.db")
    with serve(server_settings, ServedModel()) as first, serve(other, ServedModel()) as second:
        first.client.wait_for_state(first.client.begin(make_video(4)), "complete")
        assert value(scraped(first.client), "clips_total") == 2
        assert value(scraped(second.client), "clips_total") == 0


def test_streams_of_earlier_servers_are_counted_by_state(served: Served) -> None:
    streams = served.service.journal.streams
    for reason in (EndReason.TRUNCATED, EndReason.COMPLETE, EndReason.COMPLETE):
        streams.end(streams.begin("s", "other", served.service.settings.to_json()).id, reason, 0.0)
    samples = scraped(served.client)
    assert value(samples, "streams", state="complete") == 2
    assert value(samples, "streams", state="truncated") == 1
