// Stream times: since the start, or wall-clock time for a live stream.
import type { Stream } from "./types";
import { clock } from "./words";

/** Formats a time given in seconds from the stream's start. */
export type At = (seconds: number) => string;

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** Formatter of a stream's times; for a live stream with the day, unless it is today. */
export function timesOf(stream: Stream | null | undefined): At {
  if (!stream?.is_live) return clock;
  return (seconds) => {
    const moment = momentOf(stream, seconds);
    const isToday = moment.toDateString() === new Date().toDateString();
    const text = time.format(moment) + offsetIfTwice(moment);
    return isToday ? text : `${day.format(moment)} ${text}`;
  };
}

/** Wall-clock time at a time of a live stream; runs with a changed system clock have their own start. */
function momentOf(stream: Stream, seconds: number): Date {
  const ofRun = stream.wall_clocks.filter((clock) => clock.from_seconds <= seconds);
  return new Date(Date.parse(ofRun[ofRun.length - 1]?.started_at ?? stream.started_at) + seconds * 1000);
}

/** UTC offset, such as +02:00, if the time is ambiguous because clocks are set back; else empty. */
function offsetIfTwice(moment: Date): string {
  const minutes = -moment.getTimezoneOffset();
  const near = [-3, 3].map((hours) => -new Date(moment.getTime() + hours * 3_600_000).getTimezoneOffset());
  // With the other offset that holds nearby, the same local time occurs again.
  const isTwice = near.some(
    (other) =>
      other !== minutes &&
      -new Date(moment.getTime() + (minutes - other) * 60_000).getTimezoneOffset() === other,
  );
  if (!isTwice) return "";
  const size = Math.abs(minutes);
  const digits = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${digits(size / 60)}:${digits(size % 60)}`;
}

export interface Tick {
  seconds: number;
  text: string;
}

/** Timeline ticks at round times, `step` seconds apart; round in wall-clock time for a live stream. */
export function ticksOf(stream: Stream, from: number, to: number, step: number): Tick[] {
  const began = Date.parse(stream.started_at);
  // Local time in seconds, so that round values are round on the wall clock.
  const base = stream.is_live ? began / 1000 - new Date(began).getTimezoneOffset() * 60 : 0;
  const ticks: Tick[] = [];
  for (let at = Math.ceil((base + from) / step) * step; at - base <= to + 1e-6; at += step) {
    const seconds = at - base;
    ticks.push({ seconds, text: stream.is_live ? wallText(momentOf(stream, seconds), step) : clock(seconds) });
  }
  return ticks;
}

function wallText(moment: Date, step: number): string {
  if (step < 60) return time.format(moment);
  const isMidnight = moment.getHours() === 0 && moment.getMinutes() === 0;
  return isMidnight ? day.format(moment) : minute.format(moment);
}
