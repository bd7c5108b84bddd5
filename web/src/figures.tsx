import type { StreamStore } from "./store";
import { bytes, clock, count, RUNNING, seconds } from "./words";

/** Stream statistics, each with its unit. */
export function Figures({ store }: { store: StreamStore }) {
  const stream = store.stream!;
  const { seconds_per_clip, lag_seconds, num_frames_dropped, num_losses } = stream.figures;
  const last = store.clips.at(-1);
  const dropped = Math.max(
    num_frames_dropped,
    store.clips.reduce((sum, clip) => sum + clip.num_frames_dropped, 0),
  );
  const shown: [string, string][] = [
    [store.clips.length.toLocaleString("en-GB"), store.clips.length === 1 ? "clip" : "clips"],
    [last ? clock(last.end_seconds) : "–", "watched"],
  ];
  if (stream.num_still_clips) shown.push([stream.num_still_clips.toLocaleString("en-GB"), "with no change"]);
  if (seconds_per_clip !== null) shown.push([seconds(seconds_per_clip), "per clip"]);
  if (lag_seconds !== null && RUNNING.has(stream.state)) shown.push([seconds(lag_seconds), "behind live"]);
  if (stream.is_live || dropped) shown.push([dropped.toLocaleString("en-GB"), "frames dropped"]);
  if (stream.is_live) shown.push([count(num_losses, "time"), "disconnected"]);
  if (store.memory) shown.push([`${store.memory.clips.length} of ${store.memory.capacity_clips}`, "clips in memory"]);
  if (stream.num_bytes) shown.push([bytes(stream.num_bytes), "on disk"]);
  return (
    <dl class="figures">
      {shown.map(([value, name]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
