import { useState } from "preact/hooks";
import { messageFrom, postJson, remove } from "./api";
import { Icon } from "./icons";
import type { StreamStore } from "./store";
import type { Stream } from "./types";
import { nameOf, RESUMABLE, RUNNING, stateOf } from "./words";

/** Name and state of a stream, and what can be done with it. */
export function StreamHead({ store }: { store: StreamStore }) {
  const stream = store.stream!;
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const [isSure, setIsSure] = useState(false);
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
        {RUNNING.has(stream.state) && (
          <button type="button" disabled={isBusy} onClick={() => post("pause")}>
            <Icon name="pause" /> Pause
          </button>
        )}
        {RESUMABLE.has(stream.state) && (
          <button type="button" disabled={isBusy} onClick={() => post("resume")}>
            <Icon name="play" /> Resume
          </button>
        )}
        <details class="menu">
          <summary>
            <Icon name="save" /> Export
          </summary>
          <div>
            <a href={`${path}/export?format=json`} download>
              Everything, as JSON
            </a>
            <a href={`${path}/export?format=vtt`} download>
              Captions, as WebVTT
            </a>
            <a href={`${path}/export?format=srt`} download>
              Captions, as SubRip
            </a>
          </div>
        </details>
        {isSure ? (
          <span class="sure" role="group" aria-label="Remove the stream and all that was stored of it?">
            <button type="button" class="danger" disabled={isBusy} onClick={removeAll}>
              Remove it all
            </button>
            <button type="button" class="quiet" onClick={() => setIsSure(false)}>
              Keep
            </button>
          </span>
        ) : (
          <button type="button" class="quiet" aria-label="Remove" title="Remove" onClick={() => setIsSure(true)}>
            <Icon name="bin" />
          </button>
        )}
      </div>
      {stream.reason && tone !== "done" && tone !== "idle" && <p class="reason">{stream.reason}</p>}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
