// Standing questions of a stream: asked of every new caption, and told when the answer becomes yes.
import { useState } from "preact/hooks";
import { getJson, messageFrom, postJson, remove } from "./api";
import { useEvery } from "./hooks";
import { Icon } from "./icons";
import type { StreamStore } from "./store";
import type { Position } from "./stream_page";
import { clock, count } from "./words";

const POLL_MILLISECONDS = 3000;
const MOST_ALERTS = 20;

interface StandingQuestion {
  id: string;
  question: string;
  stream_id: string | null;
  method: string;
  num_checked: number;
  num_alerts: number;
}

interface Alert {
  id: number;
  stream_id: string;
  clip_index: number;
  start_seconds: number;
  caption: string;
}

interface Watched extends StandingQuestion {
  alerts: Alert[];
}

interface Props {
  store: StreamStore;
  position: Position;
  onCount: (count: number) => void;
}

export function Standing({ store, position, onCount }: Props) {
  const [watched, setWatched] = useState<Watched[] | null>(null);
  const [question, setQuestion] = useState("");
  const [byWords, setByWords] = useState(false);
  const [problem, setProblem] = useState("");

  const load = async () => {
    const all = await getJson<StandingQuestion[]>("/v1/standing-questions");
    const ours = all.filter((one) => one.stream_id === null || one.stream_id === store.id);
    const withAlerts = await Promise.all(
      ours.map(async (one) => {
        const path = `/v1/standing-questions/${one.id}/alerts?limit=${MOST_ALERTS}`;
        const { alerts } = one.num_alerts ? await getJson<{ alerts: Alert[] }>(path) : { alerts: [] };
        return { ...one, alerts: alerts.filter((alert) => alert.stream_id === store.id) };
      }),
    );
    setWatched(withAlerts.reverse());
    onCount(withAlerts.reduce((sum, one) => sum + one.alerts.length, 0));
  };
  useEvery(POLL_MILLISECONDS, load, store);

  const act = async (task: () => Promise<unknown>) => {
    setProblem("");
    try {
      await task();
      await load();
    } catch (error) {
      setProblem(messageFrom(error));
    }
  };
  const add = (event: Event) => {
    event.preventDefault();
    const text = question.trim();
    if (!text) return;
    void act(async () => {
      await postJson("/v1/standing-questions", {
        question: text,
        stream_id: store.id,
        method: byWords ? "words" : "model",
      });
      setQuestion("");
    });
  };
  return (
    <div class="standing">
      <form onSubmit={add}>
        <label for="standing">Ask this of every new caption, and tell me when it becomes so</label>
        <div class="inline">
          <input
            id="standing"
            placeholder="Is there a dog?"
            autoComplete="off"
            maxLength={500}
            value={question}
            onInput={(event) => setQuestion(event.currentTarget.value)}
          />
          <button class="primary" type="submit" disabled={!question.trim()}>
            Add
          </button>
        </div>
        <label class="switch small">
          <input type="checkbox" checked={byWords} onChange={(event) => setByWords(event.currentTarget.checked)} />
          <span>By its words alone, without asking the model</span>
        </label>
      </form>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="hidden" aria-live="polite">
        {watched?.flatMap((one) => one.alerts.slice(0, 1).map((alert) => `${one.question} ${alert.caption}`)).join(". ")}
      </p>
      {watched?.length === 0 && <p class="empty">Nothing is watched for yet.</p>}
      <ul class="answers" aria-label="Watched for">
        {watched?.map((one) => (
          <li key={one.id} class="answer">
            <div class="standing-head">
              <p class="question">
                <Icon name="bell" /> {one.question}
              </p>
              <button
                type="button"
                class="quiet"
                aria-label={`Stop watching for: ${one.question}`}
                onClick={() => act(() => remove(`/v1/standing-questions/${one.id}`))}
              >
                <Icon name="close" />
              </button>
            </div>
            <p class="soft small">
              {one.stream_id === null && "All streams. "}
              {count(one.num_checked, "caption")} checked, {one.alerts.length ? count(one.alerts.length, "alert") : "no alert yet"}
            </p>
            {one.alerts.length > 0 && (
              <ul class="closest">
                {one.alerts.map((alert) => (
                  <li key={alert.id}>
                    <button type="button" onClick={() => position.select(alert.clip_index)}>
                      <span class="time">{clock(alert.start_seconds)}</span>
                      <span class="said">{alert.caption}</span>
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
