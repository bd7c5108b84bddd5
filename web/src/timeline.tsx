// All clips on one line, drawn on a canvas, so cost does not grow with their number.
import { useEffect, useState } from "preact/hooks";
import { useDark, useSize } from "./hooks";
import { Icon } from "./icons";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import { ticksOf } from "./times";
import { count } from "./words";

const HEIGHT = 54;
const BAND = 34;
const STILL_ALPHA = 0.4;
const MOST_ZOOM = 1024;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

interface Props {
  store: StreamStore;
  position: Position;
  cited: Set<number>;
  found: Set<number> | null;
  onMove: (by: number) => void;
}

export function Timeline({ store, position, cited, found, onMove }: Props) {
  const [ref, { width }] = useSize<HTMLCanvasElement>();
  const [zoom, setZoom] = useState(1);
  const dark = useDark();
  const { clips } = store;
  const first = clips[0]?.start_seconds ?? 0;
  const last = Math.max(clips.at(-1)?.end_seconds ?? 1, first + 1);
  const centre = position.clip ? (position.clip.start_seconds + position.clip.end_seconds) / 2 : first;
  const span = (last - first) / zoom;
  const from = Math.min(Math.max(first, centre - span / 2), last - span);
  const held = new Set(store.memory?.clips.map((clip) => clip.clip_index));

  useEffect(() => {
    const canvas = ref.current;
    if (canvas && width) draw(canvas, { store, position, cited, found, held, width, from, span });
  });

  const seek = (event: PointerEvent) => {
    if (!ref.current || !clips.length) return;
    const box = ref.current.getBoundingClientRect();
    const seconds = from + ((event.clientX - box.left) / box.width) * span;
    position.select(clips[store.placeAt(seconds)].clip_index);
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (by) onMove(by);
    else if (event.key === "Home") onMove(-clips.length);
    else if (event.key === "End") onMove(clips.length);
    else if (event.key === "+") setZoom(Math.min(MOST_ZOOM, zoom * 2));
    else if (event.key === "-") setZoom(Math.max(1, zoom / 2));
    else return;
    event.preventDefault();
  };
  const place = position.clip ? store.placeOf(position.clip.clip_index) : 0;
  return (
    <section class="card timeline" aria-label="Timeline">
      <div class="card-head">
        <h2>Timeline</h2>
        <div class="legend" aria-hidden="true">
          <span class="held">In memory</span>
          {cited.size > 0 && <span class="cited">Cited</span>}
          {found && <span class="found">Found</span>}
          {clips.some((clip) => clip.is_still) && <span class="still">No change</span>}
          {(store.gaps.length > 0 || clips.some((clip) => clip.num_frames_dropped)) && <span class="missed">Not watched</span>}
        </div>
        <div class="zoom" role="group" aria-label="Zoom">
          <button type="button" class="quiet" aria-label="Zoom out" disabled={zoom <= 1} onClick={() => setZoom(zoom / 2)}>
            <Icon name="minus" />
          </button>
          <button
            type="button"
            class="quiet"
            aria-label="Zoom in"
            disabled={zoom >= MOST_ZOOM || clips.length < 2 * zoom}
            onClick={() => setZoom(zoom * 2)}
          >
            <Icon name="plus" />
          </button>
        </div>
      </div>
      <canvas
        ref={ref}
        data-dark={dark}
        tabIndex={0}
        role="slider"
        aria-label="Clip"
        aria-valuemin={1}
        aria-valuemax={Math.max(1, clips.length)}
        aria-valuenow={place + 1}
        aria-valuetext={position.clip ? `${position.at(position.clip.start_seconds)}, ${position.clip.caption}` : "none"}
        onKeyDown={press}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          seek(event);
        }}
        onPointerMove={(event) => {
          if (event.buttons & 1) seek(event);
        }}
      />
      {store.gaps.length > 0 && <p class="hidden">{count(store.gaps.length, "stretch", "stretches")} not seen.</p>}
    </section>
  );
}

interface Drawing {
  store: StreamStore;
  position: Position;
  cited: Set<number>;
  found: Set<number> | null;
  held: Set<number>;
  width: number;
  from: number;
  span: number;
}

function draw(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const { store, position, cited, found, held, width, from, span } = drawing;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const x = (seconds: number) => ((seconds - from) / span) * width;

  context.fillStyle = colour("--rail");
  context.beginPath();
  context.roundRect(0, 0, width, BAND, 6);
  context.fill();
  context.save();
  context.clip();
  const seen = store.clips.slice(store.placeAt(from), store.placeAt(from + span) + 1);
  const wide = seen.length ? width / Math.max(1, (span / (seen[0].end_seconds - seen[0].start_seconds || 1))) : 0;
  const cut = wide > 5 ? 1.5 : 0;
  const box = (start: number, end: number, top = 0, height = BAND) =>
    context.fillRect(x(start), top, Math.max(1, x(end) - x(start) - cut), height);
  // Draw rare marks last, so they stay visible where many clips share a pixel.
  for (const [name, belongs] of [
    ["--seen", () => true],
    ["--held", (index: number) => held.has(index)],
  ] as const) {
    context.fillStyle = colour(name);
    for (const clip of seen) {
      if (!belongs(clip.clip_index)) continue;
      context.globalAlpha = clip.is_still ? STILL_ALPHA : 1;
      box(clip.start_seconds, clip.end_seconds);
    }
  }
  context.globalAlpha = 1;
  if (found) {
    context.fillStyle = colour("--paper-veil");
    context.fillRect(0, 0, width, BAND);
    context.fillStyle = colour("--accent");
    for (const clip of seen) if (found.has(clip.clip_index)) box(clip.start_seconds, clip.end_seconds);
  }
  context.fillStyle = hatch(context, colour("--warn"));
  for (const clip of seen) if (clip.num_frames_dropped) box(clip.start_seconds, clip.end_seconds, BAND - 7, 7);
  for (const gap of store.gaps) box(gap.start_seconds, gap.end_seconds);
  context.fillStyle = colour("--ink");
  for (const clip of seen) {
    if (!cited.has(clip.clip_index)) continue;
    context.beginPath();
    context.arc((x(clip.start_seconds) + x(clip.end_seconds) - cut) / 2, BAND - 8, 2.75, 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();
  drawHours(context, drawing, colour("--soft"), x);
  if (position.clip) {
    const [left, right] = [x(position.clip.start_seconds), x(position.clip.end_seconds) - cut];
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    context.beginPath();
    context.roundRect(Math.max(1, left), 1, Math.max(3, Math.min(right, width - 1) - Math.max(1, left)), BAND - 2, 4);
    context.stroke();
  }
}

function drawHours(context: CanvasRenderingContext2D, { store, width, from, span }: Drawing, colour: string, x: (seconds: number) => number): void {
  const step = STEPS.find((seconds) => (seconds / span) * width > 84) ?? STEPS.at(-1)!;
  context.fillStyle = colour;
  context.font = "11.5px Inter, system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  for (const { seconds, text } of ticksOf(store.stream!, from, from + span, step)) {
    const half = context.measureText(text).width / 2;
    context.fillText(text, Math.min(Math.max(0, x(seconds) - half), width - 2 * half), HEIGHT - 3);
  }
}

function hatch(context: CanvasRenderingContext2D, colour: string): CanvasPattern {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d")!;
  pen.strokeStyle = colour;
  pen.lineWidth = 1.6;
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift - 1, 7);
    pen.lineTo(shift + 7, -1);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat")!;
}
