// The file itself, played under what was kept; its buttons stand below the picture, so that they hide nothing of it.
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { Kept } from "./types";

export interface Player {
  video: { current: HTMLVideoElement | null };
  isPlaying: boolean;
  isMuted: boolean;
  toggle: () => void;
  toggleSound: () => void;
  fill: () => void;
  told: () => void; // something of the video element has changed
}

/** What plays in an element that can fill the screen, together with all that is drawn over it. */
export function usePlayer(screen: { current: HTMLElement | null }): Player {
  const video = useRef<HTMLVideoElement | null>(null);
  const [isPlaying, setIsPlaying] = useState(false);
  const [isMuted, setIsMuted] = useState(true);
  const told = () => {
    setIsPlaying(!!video.current && !video.current.paused);
    setIsMuted(video.current?.muted ?? true);
  };
  return {
    video,
    isPlaying,
    isMuted,
    told,
    toggle: () => {
      if (video.current?.paused) video.current.play().catch(told);
      else video.current?.pause();
    },
    toggleSound: () => {
      if (video.current) video.current.muted = !video.current.muted;
    },
    fill: () => {
      if (document.fullscreenElement) void document.exitFullscreen();
      else screen.current?.requestFullscreen?.().catch(() => undefined); // a browser may refuse; the page stays as it is
    },
  };
}

export function PlayerButtons({ player }: { player: Player }) {
  const buttons: [string, string, () => void][] = [
    [player.isPlaying ? "pause" : "play", player.isPlaying ? "Pause the video" : "Play the video", player.toggle],
    [player.isMuted ? "muted" : "sound", player.isMuted ? "Sound on" : "Sound off", player.toggleSound],
    ["fill", "Full screen", player.fill],
  ];
  return (
    <div class="steps" role="group" aria-label="Video">
      {buttons.map(([icon, name, act], place) => (
        <button key={place} type="button" class="quiet" aria-label={name} title={name} onClick={act}>
          <Icon name={icon} />
        </button>
      ))}
    </div>
  );
}

interface VideoProps {
  store: StreamStore;
  position: Position;
  frame: number;
  kept: Kept | null;
  player: Player;
  onFail: () => void;
}

/** Seeking in the video moves the page, and the page's seeking moves the video. */
export function Video({ store, position, frame, kept, player, onFail }: VideoProps) {
  const { video } = player;
  const { clip } = position;
  const wanted = clip ? (kept?.frames[frame]?.seconds ?? clip.start_seconds) : 0;
  const told = useRef(-1);
  // Browsers begin at the first timestamp of a file, which need not be 0; the stream's times count from there. It is
  // known with the first picture: when the metadata is there, a browser under load may still say 0.
  const zero = useRef<number | null>(null);
  useEffect(() => {
    // Before its beginning is known a seek would end at another picture, and hide the beginning.
    if (!video.current || zero.current === null || !clip || told.current === wanted) return;
    const { paused } = video.current;
    const now = video.current.currentTime - zero.current;
    const isThere = now >= clip.start_seconds && now < clip.end_seconds;
    if (paused || !isThere) video.current.currentTime = zero.current + wanted + 0.01;
  }, [wanted, clip?.clip_index]);
  // Between two of its events a video plays on, so where it is paused may be beyond what the page shows.
  const moved = (isPausing = false) => {
    const element = video.current;
    const seconds = (element?.currentTime ?? 0) - (zero.current ?? 0);
    const here = element && store.clips[store.placeAt(seconds)];
    if (!element || !here || element.seeking || (element.paused && !isPausing)) return;
    const step = (here.end_seconds - here.start_seconds) / (kept?.frames.length || 16);
    const at = Math.max(0, Math.floor((seconds - here.start_seconds) / step));
    const now = Math.min(at, (kept?.frames.length || 16) - 1);
    if (here.clip_index !== clip?.clip_index || now !== frame) {
      told.current = kept?.frames[now]?.seconds ?? here.start_seconds;
      position.select(here.clip_index, now);
    }
  };
  return (
    <video
      ref={video}
      playsInline
      muted
      preload="metadata"
      aria-label={clip?.caption ?? "Video"}
      src={`/v1/streams/${store.id}/video`}
      onClick={player.toggle}
      onPlay={player.told}
      onPause={() => {
        player.told();
        moved(true);
      }}
      onVolumeChange={player.told}
      onTimeUpdate={() => moved()}
      onError={onFail}
      onLoadedData={(event) => {
        zero.current ??= event.currentTarget.currentTime;
        event.currentTarget.currentTime = zero.current + wanted + 0.01;
      }}
    />
  );
}
