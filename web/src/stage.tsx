// Frame of the selected clip, or the video itself, overlaid with kept patches.
import { useEffect, useRef, useState } from "preact/hooks";
import { messageFrom, whyRefused } from "./api";
import { Filmstrip } from "./filmstrip";
import { useLastLoaded, useLoaded } from "./hooks";
import { Icon } from "./icons";
import { useNewest } from "./newest";
import { useRights } from "./rights";
import { drawFrame, drawMask, framesIn, keptOf, sheetOf } from "./pictures";
import { PlayerButtons, usePlayer, Video } from "./player";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { Clip, Kept, Stream } from "./types";
import { count } from "./words";

const NEWEST_MILLISECONDS = 2000;

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
  const { mayManage } = useRights();
  const [hasVideo, setHasVideo] = useState(!stream.is_live && !/^\w+:/.test(stream.source));
  const [whyNoVideo, setWhyNoVideo] = useState("");
  const sheet = useLastLoaded(async () => (index < 0 ? null : sheetOf(stream.id, index)), [stream.id, index]);
  const kept = useLoaded(async () => (index < 0 ? null : keptOf(stream.id, index)), [stream.id, index]);
  const numFrames = kept?.frames.length || (sheet ? framesIn(sheet) : 1);
  const frame = Math.min(position.frame ?? fullestFrame(kept), numFrames - 1);
  const now = useNewest(stream.id, isFollowing && stream.is_live && stream.state === "streaming", NEWEST_MILLISECONDS);
  const aspect = now ? now.width / now.height : sheet ? sheet.width / numFrames / sheet.height : 16 / 9;
  const isVideo = hasVideo && !isFollowing && !!clip;
  // Nothing is kept of a clip in which nothing changed: a mask would darken all of it.
  const isMasked = showsKept && !clip?.is_still;

  const base = useRef<HTMLCanvasElement>(null);
  const mask = useRef<HTMLCanvasElement>(null);
  const screen = useRef<HTMLDivElement>(null);
  const player = usePlayer(screen);
  useEffect(() => {
    if (now && base.current) drawFrame(base.current, now, 0, 1);
    else if (sheet && base.current) drawFrame(base.current, sheet, frame, numFrames);
  }, [now, sheet, frame, numFrames]);
  useEffect(() => {
    const keptFrame = kept?.frames[frame];
    if (mask.current && keptFrame) drawMask(mask.current, keptFrame, kept.token_grid, aspect);
  }, [kept, frame, aspect, isMasked, !now]);
  useEffect(() => {
    screen.current?.style.setProperty("--aspect", String(aspect));
  }, [aspect]);

  const failed = () => {
    setHasVideo(false);
    void whyRefused(`/v1/streams/${stream.id}/video`).then(setWhyNoVideo);
  };
  const share = kept && kept.num_visual_tokens ? kept.kept_indices.length / kept.num_visual_tokens : null;
  return (
    <figure class="stage card" aria-label="Picture">
      <div class="screen" ref={screen}>
        <div class="frame">
          <canvas class="base" ref={base} width="16" height="9" role="img" aria-label={now ? "Live camera frame" : (clip?.caption ?? "No frame yet")} />
          {isVideo && (
            <Video store={store} position={position} frame={frame} kept={kept} player={player} onFail={failed} />
          )}
          {isMasked && kept && !now && <canvas class="mask" ref={mask} aria-hidden="true" />}
        </div>
        {now && <Now stream={stream} />}
        {!clip && !now && <p class="waiting">Waiting for the first clip …</p>}
      </div>
      {clip && (
        <>
          <div class="stage-bar">
            <div class="steps">
              <button type="button" class="quiet" aria-label="Previous clip" title="Previous clip" onClick={() => onMove(-1)}>
                <Icon name="left" />
              </button>
              <span class="time">
                {position.at(clip.start_seconds)} – {position.at(clip.end_seconds)}
              </span>
              <button type="button" class="quiet" aria-label="Next clip" title="Next clip" onClick={() => onMove(1)}>
                <Icon name="right" />
              </button>
            </div>
            {isVideo && <PlayerButtons player={player} />}
            {isFollowing ? (
              <span class="following">Following</span>
            ) : (
              position.mayFollow && (
                <button type="button" class="follow" onClick={position.follow}>
                  Go to newest
                </button>
              )
            )}
            {mayManage && <PinButton key={clip.clip_index} store={store} clip={clip} />}
            <label class="switch">
              <input type="checkbox" checked={showsKept} disabled={clip.is_still} onChange={(event) => setShowsKept(event.currentTarget.checked)} />
              <span>
                Kept patches
                {clip.is_still ? <span class="soft"> · none</span> : share !== null && <span class="soft"> · {Number((share * 100).toPrecision(3))} %</span>}
              </span>
            </label>
          </div>
          {whyNoVideo && (
            <p class="no-video" role="status">
              {whyNoVideo}
            </p>
          )}
          <figcaption class="caption">{clip.caption || "(no caption)"}</figcaption>
          {sheet && kept && <Filmstrip at={position.at} sheet={sheet} kept={kept} frame={frame} onChoose={(place) => position.select(clip.clip_index, place)} showsKept={isMasked} />}
        </>
      )}
    </figure>
  );
}

/** Pins the clip, exempting it from quotas. */
function PinButton({ store, clip }: { store: StreamStore; clip: Clip }) {
  const [problem, setProblem] = useState("");
  const pin = () => {
    setProblem("");
    store.pin(clip, !clip.is_pinned).catch((error) => setProblem(messageFrom(error)));
  };
  const says = clip.is_pinned ? "Pinned: exempt from quotas" : "Pin: exempt this clip from quotas";
  return (
    <>
      <button type="button" class="quiet pin" aria-label="Pin" aria-pressed={clip.is_pinned} title={says} onClick={pin}>
        <Icon name="pin" />
      </button>
      {problem && (
        <span class="small" role="alert">
          {problem}
        </span>
      )}
    </>
  );
}

/** Progress to the next caption, over a live frame. */
function Now({ stream }: { stream: Stream }) {
  const { frames_per_clip, figures } = stream;
  return (
    <p class="now">
      <b>Now</b>
      <span>
        {figures.num_frames_pending} of {count(frames_per_clip, "frame")} for the {stream.num_clips ? "next" : "first"} caption
      </span>
    </p>
  );
}

/** Frame with the most kept patches, which represents the clip best. */
function fullestFrame(kept: Kept | null): number {
  const counts = kept?.frames.map((frame) => frame.cells.length) ?? [];
  return Math.max(0, counts.indexOf(Math.max(...counts)));
}
