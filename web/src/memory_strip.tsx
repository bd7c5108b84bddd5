// Visual memory: kept patches of each held clip, oldest first.
import { useEffect, useRef } from "preact/hooks";
import { useLastLoaded } from "./hooks";
import { drawMosaic, sheetOf } from "./pictures";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { At } from "./times";
import type { HeldClip } from "./types";
import { count } from "./words";

export function MemoryStrip({ store, position }: { store: StreamStore; position: Position }) {
  const { memory } = store;
  const list = useRef<HTMLOListElement>(null);
  const newest = memory?.clips.at(-1)?.clip_index;
  useEffect(() => {
    // Scroll to the newest held clip, not to the free places after it.
    const last = list.current?.querySelector<HTMLElement>("li:nth-last-child(1 of .held)");
    if (list.current && last) list.current.scrollLeft = last.offsetLeft + last.offsetWidth - list.current.clientWidth;
  }, [newest]);
  if (!memory || memory.capacity_clips === 0) return null;
  const free = Math.max(0, memory.capacity_clips - memory.clips.length);
  return (
    <section class="card memory" aria-label="Visual memory">
      <div class="card-head">
        <h2>Visual memory</h2>
        <p class="soft small">
          {memory.num_tokens.toLocaleString("en-GB")} patches of {count(memory.clips.length, "clip")}.{" "}
          {memory.policy !== "fifo"
            ? `Policy: ${memory.policy}.`
            : free
              ? `Room for ${free} more.`
              : "The next clip evicts the oldest."}
        </p>
      </div>
      <ol ref={list} tabIndex={0} aria-label="Clips held, oldest first">
        {memory.clips.map((clip) => (
          <Held
            key={clip.clip_index}
            streamId={store.id}
            clip={clip}
            freshness={1 - clip.age_clips / Math.max(1, memory.capacity_clips)}
            isChosen={clip.clip_index === position.clip?.clip_index}
            at={position.at}
            onChoose={() => position.select(clip.clip_index)}
          />
        ))}
        {Array.from({ length: Math.min(free, 64) }, (_, place) => (
          <li key={`free-${place}`} class="free" aria-hidden="true">
            <span />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface HeldProps {
  streamId: string;
  clip: HeldClip;
  freshness: number;
  isChosen: boolean;
  at: At;
  onChoose: () => void;
}

function Held({ streamId, clip, freshness, isChosen, at, onChoose }: HeldProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const sheet = useLastLoaded(
    async () => (clip.has_thumbnail ? sheetOf(streamId, clip.clip_index) : null),
    [streamId, clip.clip_index, clip.has_thumbnail],
  );
  useEffect(() => {
    if (sheet && canvas.current) drawMosaic(canvas.current, sheet, clip);
  }, [sheet, clip.kept_indices.length]);
  useEffect(() => {
    canvas.current?.style.setProperty("--fresh", freshness.toFixed(2));
  }, [freshness]);
  return (
    <li class="held">
      <button
        type="button"
        aria-pressed={isChosen}
        aria-label={`Clip at ${at(clip.start_seconds)}, ${count(clip.kept_indices.length, "patch", "patches")} held`}
        onClick={onChoose}
      >
        <canvas ref={canvas} width="16" height="16" aria-hidden="true" />
        <span class="time">{at(clip.start_seconds)}</span>
      </button>
    </li>
  );
}
