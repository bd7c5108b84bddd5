// All streams, each with its newest frame, and a form to add one.
import { useEffect, useRef, useState } from "preact/hooks";
import { AddSource } from "./add_source";
import { SearchEverywhere } from "./search_everywhere";
import { getJson, messageFrom } from "./api";
import { useEvery, useLastLoaded } from "./hooks";
import { useNewest } from "./newest";
import { drawFrame, framesIn, sheetOf } from "./pictures";
import { timesOf } from "./times";
import { useRights } from "./rights";
import { ToyNotice } from "./toy_notice";
import type { About, Clip, Stream } from "./types";
import { count, nameOf, RUNNING, stateOf } from "./words";

const POLL_MILLISECONDS = 2500;
const NEWEST_MILLISECONDS = 4000;

export function Home({ about }: { about: About | null }) {
  const [streams, setStreams] = useState<Stream[] | null>(null);
  const [problem, setProblem] = useState("");
  const { mayManage } = useRights();
  useEvery(
    POLL_MILLISECONDS,
    async () => {
      try {
        setStreams((await getJson<Stream[]>("/v1/streams")).reverse());
        setProblem("");
      } catch (error) {
        setProblem(messageFrom(error));
      }
    },
    "streams",
  );
  const isFirst = streams?.length === 0;
  const running = streams?.filter((stream) => RUNNING.has(stream.state)).length ?? 0;
  return (
    <div class="home">
      {isFirst ? (
        <div class="hello">
          <h1>Watch a video. Ask it anything.</h1>
          <p>
            Keepsight watches for hours in constant memory, on this machine. It captions what happens, keeps the few image
            patches that mattered, and cites the moments behind every answer.
          </p>
        </div>
      ) : (
        <h1 class="hidden">Streams</h1>
      )}
      {streams && mayManage && <AddSource first={isFirst} />}
      {isFirst && !mayManage && <p class="empty">No streams yet, and this token may not add one.</p>}
      {streams && <ToyNotice about={about} />}
      {problem && (
        <p class="problem" role="alert">
          {problem} Retrying.
        </p>
      )}
      {streams && streams.length > 0 && (
        <>
          <div class="heading">
            <h2>Streams</h2>
            <span class="soft">{running > 0 && `${running} of ${streams.length} being watched`}</span>
          </div>
          <SearchEverywhere streams={streams} />
          <ul class="cards">
            {streams.map((stream) => (
              <StreamCard key={stream.id} stream={stream} />
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function StreamCard({ stream }: { stream: Stream }) {
  const { label, tone } = stateOf(stream);
  const last = stream.num_clips - 1;
  const clip = useLastLoaded(async () => {
    if (last < 0) return null;
    return (await getJson<{ clips: Clip[] }>(`/v1/streams/${stream.id}/clips?from_index=${last}&limit=1`)).clips[0];
  }, [stream.id, last]);
  return (
    <li>
      <a class="stream-card" href={`#/streams/${stream.id}`}>
        <Thumbnail stream={stream} />
        <span class={`state ${tone}`}>{label}</span>
        <span class="words">
          <b>{nameOf(stream)}</b>
          <span class="last">{clip ? clip.caption : last < 0 ? "No captions yet." : " "}</span>
          <span class="soft small">
            {count(stream.num_clips, "clip")}
            {clip && `, up to ${timesOf(stream)(clip.end_seconds)}`}
          </span>
        </span>
      </a>
    </li>
  );
}

/** Live camera frame, or the middle frame of a stream's newest clip. */
function Thumbnail({ stream }: { stream: Stream }) {
  const streamId = stream.id;
  const clipIndex = stream.num_clips - 1;
  const now = useNewest(streamId, stream.is_live && stream.state === "streaming", NEWEST_MILLISECONDS);
  const canvas = useRef<HTMLCanvasElement>(null);
  const sheet = useLastLoaded(
    async () => (clipIndex < 0 ? null : await sheetOf(streamId, clipIndex)),
    [streamId, clipIndex],
  );
  useEffect(() => {
    if (!canvas.current) return;
    if (now) drawFrame(canvas.current, now, 0, 1);
    else if (sheet) drawFrame(canvas.current, sheet, Math.floor(framesIn(sheet) / 2), framesIn(sheet));
  }, [now, sheet]);
  return (
    <span class={`thumb ${now || sheet ? "" : "bare"}`}>
      <canvas ref={canvas} width="16" height="9" aria-hidden="true" />
    </span>
  );
}
