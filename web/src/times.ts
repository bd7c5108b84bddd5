// Times of a stream: since its start, or of a live one by the clock on the wall.
import type { Stream } from "./types";
import { clock } from "./words";

/** Writes a time, in seconds from the stream's start. */
export type At = (seconds: number) => string;

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** How a stream's times are written; of a live one with the day where that is not today. */
export function timesOf(stream: Stream | null | undefined): At {
  if (!stream?.is_live) return clock;
  const began = Date.parse(stream.started_at);
  return (seconds) => {
    const moment = new Date(began + seconds * 1000);
    const isToday = moment.toDateString() === new Date().toDateString();
    return isToday ? time.format(moment) : `${day.format(moment)} ${time.format(moment)}`;
  };
}

export interface Tick {
  seconds: number;
  text: string;
}

/** Marks for a stretch of a stream at round times, so many seconds apart; of a live one round by the clock on the wall. */
export function ticksOf(stream: Stream, from: number, to: number, step: number): Tick[] {
  const began = Date.parse(stream.started_at);
  // Local time, counted in seconds: where it is round, so is the clock on the wall.
  const base = stream.is_live ? began / 1000 - new Date(began).getTimezoneOffset() * 60 : 0;
  const ticks: Tick[] = [];
  for (let at = Math.ceil((base + from) / step) * step; at - base <= to + 1e-6; at += step) {
    const seconds = at - base;
    ticks.push({ seconds, text: stream.is_live ? wallText(new Date(began + seconds * 1000), step) : clock(seconds) });
  }
  return ticks;
}

function wallText(moment: Date, step: number): string {
  if (step < 60) return time.format(moment);
  const isMidnight = moment.getHours() === 0 && moment.getMinutes() === 0;
  return isMidnight ? day.format(moment) : minute.format(moment);
}
