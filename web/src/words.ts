// Text formatting and state labels.
import type { Stream } from "./types";

/** 83 -> 01:23, 3683 -> 1:01:23. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

export function nameOf(stream: Stream): string {
  const source = stream.source.replace(/[?#].*$/, "");
  const parts = source.split("/").filter(Boolean);
  if (/^\w+:\/\//.test(source)) return parts.slice(1).join("/") || source;
  return (parts.at(-1) ?? source).replace(/^push:/, "");
}

export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} s`;
  return value < 120 ? `${Math.round(value)} s` : clock(value);
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en-GB")} ${value === 1 ? one : many}`;
}

const STATES: Record<string, [string, string]> = {
  watching: ["Watching", "busy"],
  streaming: ["Live", "busy"],
  connecting: ["Connecting", "wait"],
  stalled: ["Stalled", "warn"],
  offline: ["Offline", "warn"],
  ended: ["Ended", "done"],
  paused: ["Paused", "idle"],
  interrupted: ["Interrupted", "idle"],
  complete: ["Complete", "done"],
  truncated: ["Cut short", "warn"],
  incomplete: ["Incomplete", "warn"],
  failed: ["Failed", "bad"],
};

/** Label and colour of a stream's state. */
export function stateOf(stream: Stream): { label: string; tone: string } {
  const [label, tone] = STATES[stream.state] ?? [stream.state, "idle"];
  return { label, tone };
}

export const RUNNING = new Set(["watching", "streaming", "connecting", "stalled", "offline"]);
export const RESUMABLE = new Set(["paused", "interrupted", "incomplete", "failed"]);
