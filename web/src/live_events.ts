// Server-sent events that always come back: after a refusal, from a server that died, on a connection that fell silent.

const RETRY_MILLISECONDS = 2000;
const ANSWER_MILLISECONDS = 10_000; // a connection that takes longer to open is given up
const SILENT_MILLISECONDS = 60_000; // a connection without events for this long is replaced
const LOOK_MILLISECONDS = 1000;

interface Handlers {
  address: () => string; // says after which event to go on
  on: Record<string, (event: MessageEvent<string>) => void>;
  opened?: () => void;
  lost?: () => void;
  /** Asked before each further connection, as an EventSource hides why it was refused; false or a failure: not yet. */
  mayReconnect?: (signal: AbortSignal) => Promise<boolean>;
}

/**
 * A browser reconnects by itself, but not after an answer other than 200; and it waits without end for a server that
 * accepts and never answers, or whose machine vanished.
 */
export class LiveEvents {
  private source: EventSource | null = null;
  private changedAt = 0; // when the connection last opened, failed, or gave an event
  private isReconnecting = false;
  private readonly timer = setInterval(() => void this.look(), LOOK_MILLISECONDS);

  constructor(private readonly handlers: Handlers) {
    this.open();
  }

  /** Connect, unless it is connected. */
  open(): void {
    if (this.source && this.source.readyState !== EventSource.CLOSED) return;
    const source = new EventSource(this.handlers.address());
    this.source = source;
    this.changedAt = Date.now();
    const listen = (name: string, react?: (event: MessageEvent<string>) => void) =>
      source.addEventListener(name, (event) => {
        this.changedAt = Date.now();
        react?.(event as MessageEvent<string>);
      });
    for (const [name, react] of Object.entries(this.handlers.on)) listen(name, react);
    listen("open", this.handlers.opened);
    listen("error", this.handlers.lost);
  }

  /** Disconnect until `open`. */
  rest(): void {
    this.source?.close();
    this.source = null;
  }

  /** Disconnect for good. */
  close(): void {
    this.rest();
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const { source } = this;
    if (!source || this.isReconnecting || Date.now() - this.changedAt < patienceWith(source)) return;
    if (source.readyState === EventSource.CONNECTING) {
      source.close();
      this.handlers.lost?.();
    }
    this.isReconnecting = true;
    try {
      const may = (await this.handlers.mayReconnect?.(AbortSignal.timeout(ANSWER_MILLISECONDS))) ?? true;
      if (source !== this.source) return; // at rest meanwhile
      source.close();
      if (may) this.open();
    } catch {
      source.close();
    } finally {
      this.changedAt = Date.now();
      this.isReconnecting = false;
    }
  }
}

function patienceWith(source: EventSource): number {
  if (source.readyState === EventSource.OPEN) return SILENT_MILLISECONDS;
  return source.readyState === EventSource.CONNECTING ? ANSWER_MILLISECONDS : RETRY_MILLISECONDS;
}
