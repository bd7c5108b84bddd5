// One stream as the page knows it: all clips, then each new one as it comes, across lost connections and new servers.
import { ApiError, getJson, messageFrom, putOrRemove } from "./api";
import { LiveEvents } from "./live_events";
import type { Clip, Gap, Memory, Stream } from "./types";
import { WatchedFor } from "./watched_for";
import { RUNNING } from "./words";

const CLIPS_AT_ONCE = 1000;
const TELL_MILLISECONDS = 60;
const RETRY_MILLISECONDS = 2000;
const FIGURES_MILLISECONDS = 2500;
const MEMORY_MILLISECONDS = 400;
const STANDING_MILLISECONDS = 1500;

export type Link = "loading" | "open" | "lost" | "gone";

export class StreamStore {
  stream: Stream | null = null;
  clips: Clip[] = [];
  gaps: Gap[] = [];
  memory: Memory | null = null;
  link: Link = "loading";
  problem = "";
  version = 0;
  readonly watchedFor: WatchedFor;

  private readonly listeners = new Set<() => void>();
  private events: LiveEvents | null = null;
  private timers = new Map<string, number>();
  private closed = false;

  constructor(readonly id: string) {
    this.watchedFor = new WatchedFor(id);
    document.addEventListener("visibilitychange", this.rest);
  }

  private get path(): string {
    return `/v1/streams/${this.id}`;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async open(): Promise<void> {
    try {
      // Alerts before anything is shown: those in this list are not told as news, so none of a later clip may be in it.
      [this.stream] = await Promise.all([getJson<Stream>(this.path), this.watchedFor.load()]);
      this.tell();
      await this.loadClips();
      await Promise.all([this.loadMemory(), this.loadGaps()]);
      if (!this.closed) this.listen();
    } catch (error) {
      this.fail(error);
    }
  }

  close(): void {
    this.closed = true;
    document.removeEventListener("visibilitychange", this.rest);
    this.events?.close();
    this.timers.forEach((timer) => clearTimeout(timer));
    this.listeners.clear();
  }

  /** Place in `clips` of the last clip that had begun by a time; 0 where none had. */
  placeAt(seconds: number): number {
    let [low, high] = [0, this.clips.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.clips[middle].start_seconds <= seconds + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Place in `clips` of a clip's index, or of the next one that there is. */
  placeOf(clipIndex: number): number {
    let [low, high] = [0, this.clips.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.clips[middle].clip_index < clipIndex) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Keep a clip whatever the quota says, or no longer. */
  async pin(clip: Clip, isPinned: boolean): Promise<void> {
    const changed = await putOrRemove<Clip>(`${this.path}/clips/${clip.clip_index}/pin`, isPinned);
    this.clips = this.clips.map((one) => (one.clip_index === changed.clip_index ? changed : one));
    this.tell();
  }

  /** Take over a newer view of the stream, as an action's answer has it. */
  update(stream: Stream): void {
    this.stream = stream;
    this.watchFigures();
    this.tell();
  }

  private get lastIndex(): number {
    return this.clips.at(-1)?.clip_index ?? -1;
  }

  private async loadClips(): Promise<void> {
    for (let next: number | null = this.lastIndex + 1; next !== null && !this.closed; ) {
      const page: { clips: Clip[]; next_index: number | null } = await getJson(
        `${this.path}/clips?from_index=${next}&limit=${CLIPS_AT_ONCE}`,
      );
      this.clips = this.clips.concat(page.clips);
      next = page.next_index;
      this.tell();
    }
  }

  private listen(): void {
    if (this.closed) return;
    this.events?.close();
    this.events = new LiveEvents({
      address: () => `${this.path}/events?after=${this.lastIndex}.${this.watchedFor.lastAlertId}`,
      on: {
        clip: (event) => this.take(JSON.parse(event.data)),
        alert: (event) => {
          this.watchedFor.take(JSON.parse(event.data));
          this.watchStanding();
          this.tell();
        },
        state: (event) => {
          this.update(JSON.parse(event.data));
          this.watchStanding();
          this.after("gaps", MEMORY_MILLISECONDS, () => this.loadGaps());
          this.after("memory", MEMORY_MILLISECONDS, () => this.loadMemory());
        },
        removed: () => this.isGone(),
      },
      opened: () => {
        this.link = "open";
        this.problem = "";
        this.tell();
      },
      lost: () => {
        if (this.link !== "gone") this.link = "lost";
        this.tell();
      },
      mayReconnect: async (signal) => {
        try {
          this.stream = await getJson<Stream>(this.path, signal);
          return true;
        } catch (error) {
          this.fail(error);
          return false;
        }
      },
    });
    this.rest();
  }

  private isGone(): void {
    this.link = "gone";
    this.events?.close();
    this.events = null;
    this.tell();
  }

  /** A browser opens six connections to a server in all: a page that nobody sees keeps none. */
  private readonly rest = (): void => {
    if (document.hidden) this.events?.rest();
    else this.events?.open();
  };

  private fail(error: unknown): void {
    if (this.closed) return;
    this.problem = messageFrom(error);
    if (error instanceof ApiError && error.status === 404) {
      this.isGone();
      return;
    }
    this.link = "lost";
    if (!this.stream) this.after("open", RETRY_MILLISECONDS, () => this.open());
    else if (!this.events) this.after("listen", RETRY_MILLISECONDS, async () => this.listen());
    this.tell();
  }

  private take(clip: Clip): void {
    if (clip.clip_index <= this.lastIndex) return;
    this.clips.push(clip);
    this.after("memory", MEMORY_MILLISECONDS, () => this.loadMemory());
    if (this.watchedFor.questions?.length) this.watchStanding();
    this.watchFigures();
    this.tell();
  }

  private watchStanding(): void {
    this.after("standing", STANDING_MILLISECONDS, async () => {
      await this.watchedFor.loadQuestions();
      this.tell();
    });
  }

  private async loadMemory(): Promise<void> {
    this.memory = await getJson<Memory>(`${this.path}/memory`);
    this.tell();
  }

  private async loadGaps(): Promise<void> {
    this.gaps = await getJson<Gap[]>(`${this.path}/gaps`);
    this.tell();
  }

  /** Figures change without an event, so they are asked for now and then while there is anything to change them. */
  private watchFigures(): void {
    if (!this.stream || !RUNNING.has(this.stream.state)) return;
    this.after("figures", FIGURES_MILLISECONDS, async () => {
      if (!document.hidden) {
        this.stream = await getJson<Stream>(this.path);
        if (this.stream.is_live) await this.loadGaps();
        this.tell();
      }
      this.watchFigures();
    });
  }

  /** Do something once, some time from now, however often it is asked for until then. */
  private after(what: string, milliseconds: number, work: () => Promise<void>): void {
    if (this.closed || this.timers.has(what)) return;
    const timer = setTimeout(() => {
      this.timers.delete(what);
      work().catch(() => undefined); // what is shown stays; a lost server is told by the events
    }, milliseconds);
    this.timers.set(what, timer as unknown as number);
  }

  /** Many clips in a moment are one change to whoever draws. */
  tell(): void {
    if (this.closed || this.timers.has("tell")) return;
    const timer = setTimeout(() => {
      this.timers.delete("tell");
      this.version += 1;
      this.listeners.forEach((listener) => listener());
    }, TELL_MILLISECONDS);
    this.timers.set("tell", timer as unknown as number);
  }
}
