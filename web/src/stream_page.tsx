// One stream: video, captions, memory, timeline, questions.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Figures } from "./figures";
import { useChanges } from "./hooks";
import { MemoryStrip } from "./memory_strip";
import { Panel } from "./panel";
import type { Position } from "./position";
import { Stage } from "./stage";
import { StreamHead } from "./stream_head";
import { StreamStore } from "./store";
import { Timeline } from "./timeline";
import { timesOf } from "./times";
import type { At } from "./times";
import { ToyNotice } from "./toy_notice";
import type { About, Clip } from "./types";
import { nameOf, RUNNING } from "./words";

const ANNOUNCE_MILLISECONDS = 6000;

export function StreamPage({ id, clipIndex, about }: { id: string; clipIndex: number | null; about: About | null }) {
  const store = useMemo(() => new StreamStore(id), [id]);
  useChanges((listener) => store.subscribe(listener), store);
  useEffect(() => {
    void store.open();
    return () => store.close();
  }, [store]);

  const [chosen, setChosen] = useState<{ clipIndex: number; frame: number | null } | null>(
    clipIndex === null ? null : { clipIndex, frame: null },
  );
  const [cited, setCited] = useState<Set<number>>(() => new Set());
  const [found, setFound] = useState<Set<number> | null>(null);
  useEffect(() => {
    if (clipIndex !== null && clipIndex !== chosen?.clipIndex) setChosen({ clipIndex, frame: null });
  }, [clipIndex]);

  const { stream, clips } = store;
  const isRunning = !!stream && RUNNING.has(stream.state);
  const at = useMemo(() => timesOf(stream), [stream?.is_live, stream?.started_at, stream?.wall_clocks.length]);
  const wasRunning = useRef(false);
  wasRunning.current ||= isRunning;
  // A viewer who was following stays at the end; a stream that had ended opens at its first clip.
  const place = chosen ? store.placeOf(chosen.clipIndex) : wasRunning.current ? clips.length - 1 : 0;
  const clip = clips[place] ?? null;
  const select = (index: number, frame: number | null = null) => {
    setChosen({ clipIndex: index, frame });
    history.replaceState(null, "", `#/streams/${id}/clips/${index}`);
  };
  const follow = () => {
    const newest = clips.at(-1);
    if (!isRunning && newest) return select(newest.clip_index);
    setChosen(null);
    history.replaceState(null, "", `#/streams/${id}`);
  };
  const position: Position = {
    clip,
    frame: chosen?.frame ?? null,
    isFollowing: !chosen && isRunning,
    mayFollow: isRunning ? !!chosen : place < clips.length - 1 && stream?.state !== "complete",
    at,
    select,
    follow,
  };
  const move = (by: number) => {
    const next = clips[Math.min(clips.length - 1, Math.max(0, place + by))];
    if (next) select(next.clip_index);
  };
  useKeys(move, follow);
  useEffect(() => {
    if (stream) document.title = `${nameOf(stream)} · Keepsight`;
  }, [stream?.source]);

  if (store.link === "gone") {
    return (
      <div class="card gone">
        <h1>Stream not found</h1>
        <p class="soft">It was removed with all its data, or never existed.</p>
        <a class="button" href="#/">
          All streams
        </a>
      </div>
    );
  }
  if (!stream) {
    return store.problem ? (
      <p class="problem" role="alert">
        {store.problem} Trying again.
      </p>
    ) : (
      <p class="soft loading" role="status">
        Loading …
      </p>
    );
  }
  return (
    <div class={`stream ${stream.is_live ? "live" : ""}`}>
      <StreamHead store={store} />
      {store.link === "lost" && (
        <p class="notice lost" role="status">
          {store.problem || "The server does not respond."} Reconnecting; clips already loaded stay.
        </p>
      )}
      <Figures store={store} />
      <div class="columns">
        <Stage store={store} position={position} onMove={move} />
        <Timeline store={store} position={position} cited={cited} found={found} onMove={move} />
        <Panel store={store} position={position} cited={cited} onCited={setCited} found={found} onFound={setFound} about={about} />
        <MemoryStrip store={store} position={position} />
        <ToyNotice about={about} />
      </div>
      <Announcer clip={isRunning ? (clips.at(-1) ?? null) : null} at={at} />
    </div>
  );
}

/** Move between clips with the arrow keys, unless another control uses them. */
function useKeys(move: (by: number) => void, follow: () => void): void {
  const current = useRef({ move, follow });
  current.current = { move, follow };
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (target.closest("input, textarea, select, video, [role=listbox], [role=slider], [role=tablist]")) return;
      if (event.key === "ArrowLeft") current.current.move(-1);
      else if (event.key === "ArrowRight") current.current.move(1);
      else if (event.key === "l") current.current.follow();
      else if (event.key === "/" || event.key === "a") {
        document.querySelector<HTMLElement>(event.key === "/" ? "#search" : "#ask")?.focus();
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

/** Announces new captions to screen readers, at a limited rate. */
function Announcer({ clip, at }: { clip: Clip | null; at: At }) {
  const [said, setSaid] = useState("");
  const last = useRef(0);
  useEffect(() => {
    if (!clip || Date.now() - last.current < ANNOUNCE_MILLISECONDS) return;
    last.current = Date.now();
    setSaid(`${at(clip.start_seconds)}: ${clip.caption}`);
  }, [clip?.clip_index]);
  return (
    <p class="hidden" aria-live="polite">
      {said}
    </p>
  );
}
