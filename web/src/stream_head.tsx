import { useEffect, useRef, useState } from "preact/hooks";
import { messageFrom, postJson, remove } from "./api";
import { Icon } from "./icons";
import { useRights } from "./rights";
import type { StreamStore } from "./store";
import type { Stream } from "./types";
import { nameOf, RESUMABLE, RUNNING, stateOf } from "./words";

/** Name, state and actions of a stream. */
export function StreamHead({ store }: { store: StreamStore }) {
  const stream = store.stream!;
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const [isSure, setIsSure] = useState(false);
  const { mayManage } = useRights();
  const path = `/v1/streams/${stream.id}`;
  const act = async (task: () => Promise<void>) => {
    setIsBusy(true);
    setProblem("");
    try {
      await task();
    } catch (error) {
      setProblem(messageFrom(error));
    } finally {
      setIsBusy(false);
    }
  };
  const post = (what: string) => act(async () => store.update(await postJson<Stream>(`${path}/${what}`)));
  const removeAll = () =>
    act(async () => {
      await remove(path);
      location.hash = "#/";
    });
  const { label, tone } = stateOf(stream);
  return (
    <div class="stream-head">
      <div class="title">
        <a class="back" href="#/" aria-label="All streams">
          <Icon name="left" />
        </a>
        <h1 title={stream.source}>{nameOf(stream)}</h1>
        <span class={`state ${tone}`} role="status">
          {label}
        </span>
      </div>
      <div class="actions">
        {mayManage && RUNNING.has(stream.state) && (
          <button type="button" disabled={isBusy} onClick={() => post("pause")}>
            <Icon name="pause" /> Pause
          </button>
        )}
        {mayManage && RESUMABLE.has(stream.state) && (
          <button type="button" disabled={isBusy} onClick={() => post("resume")}>
            <Icon name="play" /> Resume
          </button>
        )}
        <ExportMenu path={path} />
        {!mayManage ? null : isSure ? (
          <Sure isBusy={isBusy} onRemove={removeAll} onKeep={() => setIsSure(false)} />
        ) : (
          <button type="button" class="quiet" aria-label="Remove" title="Remove" onClick={() => setIsSure(true)}>
            <Icon name="bin" />
          </button>
        )}
      </div>
      {stream.reason && tone !== "done" && tone !== "idle" && <p class="reason">{stream.reason}</p>}
      {stream.note && <p class="note">{stream.note}</p>}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

const FORMATS = [
  ["report", "Report (standalone HTML)"],
  ["json", "All data (JSON)"],
  ["vtt", "Captions (WebVTT)"],
  ["srt", "Captions (SubRip)"],
];

/** Menu that closes on Escape, on selection, or when focus leaves. */
function ExportMenu({ path }: { path: string }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => {
    if (menu.current) menu.current.open = false;
  };
  useEffect(() => {
    const away = (event: Event) => {
      if (!menu.current?.contains(event.target as Node)) close();
    };
    addEventListener("pointerdown", away);
    addEventListener("focusin", away);
    return () => {
      removeEventListener("pointerdown", away);
      removeEventListener("focusin", away);
    };
  }, []);
  const press = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !menu.current?.open) return;
    close();
    menu.current.querySelector("summary")?.focus();
  };
  return (
    <details class="menu" ref={menu} onKeyDown={press}>
      <summary>
        <Icon name="save" /> Export
      </summary>
      <div>
        {FORMATS.map(([format, name]) => (
          <a key={format} href={`${path}/export?format=${format}`} download onClick={close}>
            {name}
          </a>
        ))}
      </div>
    </details>
  );
}

/** Confirmation; focus starts on the button that keeps the stream. */
function Sure({ isBusy, onRemove, onKeep }: { isBusy: boolean; onRemove: () => void; onKeep: () => void }) {
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => keep.current?.focus(), []);
  return (
    <span
      class="sure"
      role="group"
      aria-label="Remove the stream and all its data?"
      onKeyDown={(event) => {
        if (event.key === "Escape") onKeep();
      }}
    >
      <button type="button" class="danger" disabled={isBusy} onClick={onRemove}>
        Remove all
      </button>
      <button type="button" ref={keep} onClick={onKeep}>
        Keep
      </button>
    </span>
  );
}
