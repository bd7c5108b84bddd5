// The picture of the chosen clip, or the video itself, and over it what was kept.
import { useEffect, useRef, useState } from "preact/hooks";
import { useLastLoaded, useLoaded } from "./hooks";
import { Icon } from "./icons";
import { drawFrame, drawMask, framesIn, keptOf, sheetOf } from "./pictures";
import type { StreamStore } from "./store";
import type { Position } from "./stream_page";
import type { Kept } from "./types";
import { clock } from "./words";

interface Props {
  store: StreamStore;
  position: Position;
  onMove: (by: number) => void;
}

export function Stage({ store, position, onMove }: Props) {
  const { clip, isFollowing } = position;
  const stream = store.stream!;
  const index = clip?.clip_index ?? -1;
  const [showsKept, setShowsKept] = useState(true);
  const [hasVideo, setHasVideo] = useState(!stream.is_live && !/^\w+:/.test(stream.source));
  const sheet = useLastLoaded(async () => (index < 0 ? null : sheetOf(stream.id, index)), [stream.id, index]);
  const kept = useLoaded(async () => (index < 0 ? null : keptOf(stream.id, index)), [stream.id, index]);
  const numFrames = kept?.frames.length || (sheet ? framesIn(sheet) : 1);
  const frame = Math.min(position.frame ?? fullestFrame(kept), numFrames - 1);
  const aspect = sheet ? sheet.width / numFrames / sheet.height : 16 / 9;
  const isVideo = hasVideo && !isFollowing;

  const base = useRef<HTMLCanvasElement>(null);
  const mask = useRef<HTMLCanvasElement>(null);
  const screen = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (sheet && base.current) drawFrame(base.current, sheet, frame, numFrames);
  }, [sheet, frame, numFrames, isVideo]);
  useEffect(() => {
    const keptFrame = kept?.frames[frame];
    if (mask.current && keptFrame) drawMask(mask.current, keptFrame, kept.token_grid, aspect);
  }, [kept, frame, aspect, showsKept]);
  useEffect(() => {
    screen.current?.style.setProperty("--aspect", String(aspect));
  }, [aspect]);

  const share = kept && kept.num_visual_tokens ? kept.kept_indices.length / kept.num_visual_tokens : null;
  return (
    <figure class="stage card" aria-label="Picture">
      <div class="screen" ref={screen}>
        {isVideo ? (
          <Video store={store} position={position} frame={frame} kept={kept} onFail={() => setHasVideo(false)} />
        ) : (
          <canvas class="base" ref={base} width="16" height="9" role="img" aria-label={clip?.caption ?? "No picture yet"} />
        )}
        {showsKept && kept && <canvas class="mask" ref={mask} aria-hidden="true" />}
        {!clip && <p class="waiting">Waiting for the first clip …</p>}
      </div>
      {clip && (
        <>
          <div class="stage-bar">
            <div class="steps">
              <button type="button" class="quiet" aria-label="Clip before" onClick={() => onMove(-1)}>
                <Icon name="left" />
              </button>
              <span class="time">
                {clock(clip.start_seconds)} – {clock(clip.end_seconds)}
              </span>
              <button type="button" class="quiet" aria-label="Clip after" onClick={() => onMove(1)}>
                <Icon name="right" />
              </button>
            </div>
            {isFollowing ? (
              <span class="following">Following</span>
            ) : (
              stream.state !== "complete" && (
                <button type="button" class="follow" onClick={position.follow}>
                  Go to the newest
                </button>
              )
            )}
            <label class="switch">
              <input type="checkbox" checked={showsKept} onChange={(event) => setShowsKept(event.currentTarget.checked)} />
              <span>What was kept{share !== null && <span class="soft"> · {(share * 100).toPrecision(2)} %</span>}</span>
            </label>
          </div>
          <figcaption class="caption">{clip.caption || "(no caption)"}</figcaption>
          {sheet && kept && <Filmstrip sheet={sheet} kept={kept} frame={frame} onChoose={(place) => position.select(clip.clip_index, place)} showsKept={showsKept} />}
        </>
      )}
    </figure>
  );
}

/** The frame of which most was kept says most of a clip. */
function fullestFrame(kept: Kept | null): number {
  const counts = kept?.frames.map((frame) => frame.cells.length) ?? [];
  return Math.max(0, counts.indexOf(Math.max(...counts)));
}

interface VideoProps {
  store: StreamStore;
  position: Position;
  frame: number;
  kept: Kept | null;
  onFail: () => void;
}

/** The file itself; seeking there moves the page, and the page's seeking moves it. */
function Video({ store, position, frame, kept, onFail }: VideoProps) {
  const video = useRef<HTMLVideoElement>(null);
  const { clip } = position;
  const wanted = clip ? (kept?.frames[frame]?.seconds ?? clip.start_seconds) : 0;
  const told = useRef(-1);
  useEffect(() => {
    if (!video.current || !clip || told.current === wanted) return;
    const { currentTime, paused } = video.current;
    const isThere = currentTime >= clip.start_seconds && currentTime < clip.end_seconds;
    if (paused || !isThere) video.current.currentTime = wanted + 0.01;
  }, [wanted, clip?.clip_index]);
  const moved = () => {
    const element = video.current;
    const here = element && store.clips[store.placeAt(element.currentTime)];
    if (!element || !here || element.seeking || element.paused) return;
    const step = (here.end_seconds - here.start_seconds) / (kept?.frames.length || 16);
    const at = Math.max(0, Math.floor((element.currentTime - here.start_seconds) / step));
    const now = Math.min(at, (kept?.frames.length || 16) - 1);
    if (here.clip_index !== clip?.clip_index || now !== frame) {
      told.current = kept?.frames[now]?.seconds ?? here.start_seconds;
      position.select(here.clip_index, now);
    }
  };
  return (
    <video
      ref={video}
      controls
      playsInline
      muted
      preload="metadata"
      aria-label={clip?.caption ?? "Video"}
      src={`/v1/streams/${store.id}/video`}
      onTimeUpdate={moved}
      onError={onFail}
      onLoadedMetadata={(event) => {
        event.currentTarget.currentTime = wanted + 0.01;
      }}
    />
  );
}

interface StripProps {
  sheet: ImageBitmap;
  kept: Kept;
  frame: number;
  onChoose: (frame: number) => void;
  showsKept: boolean;
}

function Filmstrip({ sheet, kept, frame: chosen, onChoose, showsKept }: StripProps) {
  const strip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const canvases = strip.current!.querySelectorAll("canvas");
    kept.frames.forEach((frame, place) => {
      const canvas = canvases[place];
      if (!canvas || (place + 1) * (sheet.width / kept.frames.length) > sheet.width + 1) return;
      drawFrame(canvas, sheet, place, kept.frames.length);
      if (showsKept) veil(canvas, frame.cells, kept.token_grid);
    });
  }, [sheet, kept, showsKept]);
  return (
    <div class="filmstrip" ref={strip} role="group" aria-label="Frames of this clip">
      {kept.frames.map((frame, place) => (
        <button
          key={place}
          type="button"
          aria-label={`Frame at ${clock(frame.seconds)}`}
          aria-pressed={place === chosen}
          onClick={() => onChoose(place)}
        >
          <canvas aria-hidden="true" />
        </button>
      ))}
    </div>
  );
}

/** Darken the cells of a small frame that were not kept. */
function veil(canvas: HTMLCanvasElement, cells: [number, number][], [rows, columns]: [number, number]): void {
  const context = canvas.getContext("2d")!;
  const shade = new Path2D();
  shade.rect(0, 0, canvas.width, canvas.height);
  for (const [row, column] of cells) {
    const [width, height] = [canvas.width / columns, canvas.height / rows];
    shade.rect(column * width, row * height, width, height);
  }
  context.fillStyle = "rgb(12 11 10 / 62%)";
  context.fill(shade, "evenodd");
}
