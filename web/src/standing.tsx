// Standing questions of a stream: checked on every new caption; alert when the answer turns yes.
import { useEffect, useState } from "preact/hooks";
import { messageFrom } from "./api";
import { Icon } from "./icons";
import { NotifySwitch } from "./notify_switch";
import { useRights } from "./rights";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { Alert, StandingQuestion } from "./types";
import { count, RUNNING } from "./words";

const MOST_SHOWN = 20;

interface Props {
  store: StreamStore;
  position: Position;
  isShown: boolean;
}

export function Standing({ store, position, isShown }: Props) {
  const { watchedFor } = store;
  const [question, setQuestion] = useState("");
  const [byWords, setByWords] = useState(false);
  const [everywhere, setEverywhere] = useState(false);
  const { mayManage } = useRights();
  const [problem, setProblem] = useState("");
  const isOver = !RUNNING.has(store.stream!.state);

  const act = async (task: () => Promise<unknown>) => {
    setProblem("");
    try {
      await task();
    } catch (error) {
      setProblem(messageFrom(error));
    }
    store.tell();
  };
  // Another client may have added questions meanwhile.
  useEffect(() => {
    if (isShown && watchedFor.questions) void act(() => watchedFor.loadQuestions());
  }, [isShown, watchedFor]);
  const add = (event: Event) => {
    event.preventDefault();
    const text = question.trim();
    if (!text) return;
    void act(async () => {
      await watchedFor.add(text, { byWords, everywhere });
      setQuestion("");
    });
  };
  return (
    <div class="standing">
      {mayManage && (
        <form onSubmit={add}>
          <label for="standing">Check every new caption, and alert me when the answer turns yes</label>
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
            <span>Match words only, without the model</span>
          </label>
          <label class="switch small">
            <input type="checkbox" checked={everywhere} onChange={(event) => setEverywhere(event.currentTarget.checked)} />
            <span>In all streams, present and future</span>
          </label>
          <NotifySwitch onProblem={setProblem} />
          {isOver && <p class="soft small">This stream is not active, so it gets no new captions.</p>}
        </form>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {watchedFor.questions?.length === 0 && <p class="empty">No standing questions yet.</p>}
      <ul class="answers" aria-label="Standing questions">
        {watchedFor.questions?.map((one) => (
          <Watched
            key={one.id}
            question={one}
            alerts={watchedFor.alertsOf(one)}
            numAlerts={watchedFor.numAlertsOf(one)}
            position={position}
            onRemove={mayManage ? () => void act(() => watchedFor.remove(one)) : null}
          />
        ))}
      </ul>
    </div>
  );
}

interface WatchedProps {
  question: StandingQuestion;
  alerts: Alert[];
  numAlerts: number;
  position: Position;
  onRemove: (() => void) | null;
}

function Watched({ question, alerts, numAlerts, position, onRemove }: WatchedProps) {
  const checked = `${count(question.num_checked, "caption")} checked`;
  return (
    <li class="answer">
      <div class="standing-head">
        <p class="question">
          <Icon name="bell" /> {question.question}
        </p>
        {onRemove && (
          <button type="button" class="quiet" aria-label={`Delete: ${question.question}`} title="Delete" onClick={onRemove}>
            <Icon name="close" />
          </button>
        )}
      </div>
      <p class="soft small">
        {question.stream_id === null && "In all streams. "}
        {checked}, {numAlerts ? count(numAlerts, "alert") : "no alert yet"}
        {numAlerts > MOST_SHOWN && ", the newest here"}
      </p>
      {alerts.length > 0 && (
        <ul class="closest">
          {alerts.slice(0, MOST_SHOWN).map((alert) => (
            <li key={alert.id}>
              <button
                type="button"
                aria-current={alert.clip_index === position.clip?.clip_index}
                onClick={() => position.select(alert.clip_index)}
              >
                <span class="time">{position.at(alert.start_seconds)}</span>
                <span class="said">{alert.caption}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
