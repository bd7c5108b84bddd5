// New and stored questions, each answer with its cited moments.
import { useEffect, useRef, useState } from "preact/hooks";
import { eventsOf, getJson, messageFrom, request } from "./api";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { About, Answer, Citation, PastAnswer } from "./types";
import { count } from "./words";

const MOST_CLOSEST = 3;
const MOST_CHIPS = 120;

interface Entry {
  key: string;
  question: string;
  text: string;
  askSeconds: number | null;
  citations: Citation[];
  numGiven: number;
  numLeftOut: number;
  author: string;
  isWriting: boolean;
  problem: string;
}

export interface Questions {
  entries: Entry[];
  isBusy: boolean;
  ask: (question: string, atSeconds: number | null) => Promise<void>;
}

export function useQuestions(store: StreamStore, onCited: (cited: Set<number>) => void): Questions {
  const [entries, setEntries] = useState<Entry[]>([]);
  const number = useRef(0);
  const hasClips = store.clips.length > 0;
  useEffect(() => {
    if (!hasClips) return;
    getJson<PastAnswer[]>(`/v1/streams/${store.id}/questions`).then(
      (past) => setEntries((now) => [...now, ...past.reverse().map((one) => entryOf(one, store))]),
      () => undefined,
    );
  }, [store, hasClips]);

  const ask = async (question: string, atSeconds: number | null) => {
    const key = `new-${(number.current += 1)}`;
    const change = (part: Partial<Entry>) =>
      setEntries((now) => now.map((entry) => (entry.key === key ? { ...entry, ...part } : entry)));
    const begun = { key, question, text: "", askSeconds: atSeconds, citations: [], numGiven: 0, numLeftOut: 0, author: "" };
    setEntries((now) => [{ ...begun, isWriting: true, problem: "" }, ...now]);
    const body = { stream_id: store.id, question, at_seconds: atSeconds, live: !!store.stream?.is_live, stream: true };
    try {
      const headers = { "Content-Type": "application/json" };
      const response = await request("/v1/questions", { method: "POST", headers, body: JSON.stringify(body) });
      let text = "";
      for await (const event of eventsOf(response)) {
        const data = JSON.parse(event.data);
        if (event.name === "citations") {
          change({ citations: data.citations });
        } else if (event.name === "piece") {
          text += data.text;
          change({ text });
        } else if (event.name === "error") {
          change({ problem: data.error.message });
        } else if (event.name === "answer") {
          const answer = data as Answer;
          const closest = closestOf({ question, text: answer.answer, citations: answer.citations });
          onCited(new Set(closest.map((citation) => citation.clip_index)));
          change({
            text: answer.answer,
            citations: answer.citations,
            askSeconds: answer.ask_seconds,
            numGiven: answer.num_captions_given,
            numLeftOut: answer.num_captions_left_out,
            author: authorOf(answer),
          });
        }
      }
    } catch (error) {
      change({ problem: messageFrom(error) });
    } finally {
      change({ isWriting: false });
    }
  };
  return { entries, isBusy: entries.some((entry) => entry.isWriting), ask };
}

function entryOf(past: PastAnswer, store: StreamStore): Entry {
  const citations = past.cited_clips.flatMap((index) => {
    const clip = store.clips[store.placeOf(index)];
    return clip?.clip_index === index ? [clip] : [];
  });
  return {
    key: `${past.asked_at} ${past.question}`,
    question: past.question,
    text: past.answer,
    askSeconds: past.ask_seconds,
    citations,
    numGiven: past.num_captions_given,
    numLeftOut: past.num_captions_left_out,
    author: authorOf(past),
    isWriting: false,
    problem: "",
  };
}

/** Who wrote an answer, if it was not the server's own model. */
function authorOf(answer: { answer_model: string | null; answer_url: string | null }): string {
  return answer.answer_url ? `${answer.answer_model} at ${answer.answer_url}` : "";
}

export function Answers({ questions, position, about }: { questions: Questions; position: Position; about: About | null }) {
  if (!questions.entries.length) {
    return (
      <div class="empty">
        <p>Ask a question above. Each answer cites moments; select one to jump there.</p>
        {about?.model.knows_toy_world_only && !about.answers.url && (
          <p>The bundled model answers what things are, their colour, and where they were seen. It cannot tell which of two things came first.</p>
        )}
      </div>
    );
  }
  return (
    <ol class="answers" aria-label="Answers, newest first">
      {questions.entries.map((entry) => (
        <AnswerCard key={entry.key} entry={entry} position={position} />
      ))}
    </ol>
  );
}

function AnswerCard({ entry, position }: { entry: Entry; position: Position }) {
  const closest = entry.isWriting ? [] : closestOf(entry);
  return (
    <li class="answer" aria-busy={entry.isWriting}>
      <p class="question">{entry.question}</p>
      <p class="text" aria-live={entry.key.startsWith("new") ? "polite" : undefined}>
        {entry.text || (entry.isWriting ? <span class="dots">Reading the captions</span> : entry.problem ? "" : "(no answer)")}
      </p>
      {entry.problem && (
        <p class="problem" role="alert">
          {entry.problem}
        </p>
      )}
      {closest.length > 0 && (
        <ul class="closest">
          {closest.map((citation) => (
            <li key={citation.clip_index}>
              <button
                type="button"
                aria-current={citation.clip_index === position.clip?.clip_index}
                onClick={() => position.select(citation.clip_index)}
              >
                <span class="time">{position.at(citation.start_seconds)}</span>
                <span class="said">{citation.caption}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {!entry.isWriting && entry.citations.length > 0 && (
        <details>
          <summary>
            Answered {entry.askSeconds !== null && `at ${position.at(entry.askSeconds)} `}from {count(entry.numGiven, "caption")}
            {entry.numLeftOut > 0 && `, ${entry.numLeftOut.toLocaleString("en-GB")} left out`}
            {entry.author && `, by ${entry.author}`}
          </summary>
          <div class="chips">
            {entry.citations.slice(0, MOST_CHIPS).map((citation) => (
              <button key={citation.clip_index} type="button" title={citation.caption} onClick={() => position.select(citation.clip_index)}>
                {position.at(citation.start_seconds)}
              </button>
            ))}
            {entry.citations.length > MOST_CHIPS && <span class="soft">and {entry.citations.length - MOST_CHIPS} more</span>}
          </div>
        </details>
      )}
    </li>
  );
}

const STOP_WORDS = new Set("a an and at did do does go in is it of on or the there to was were what when where which who".split(" "));

const wordsOf = (text: string) =>
  new Set((text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !STOP_WORDS.has(word)));

/** The citations that share most words with question and answer, in time order. */
function closestOf(entry: Pick<Entry, "question" | "text" | "citations">): Citation[] {
  const [asked, answered] = [wordsOf(entry.question), wordsOf(entry.text)];
  const scored = entry.citations.map((citation, place) => {
    const words = wordsOf(citation.caption);
    const shared = (wanted: Set<string>) => [...wanted].filter((word) => words.has(word)).length / Math.max(1, wanted.size);
    return { citation, score: shared(asked) + shared(answered) + place * 1e-6 };
  });
  scored.sort((one, other) => other.score - one.score);
  const chosen = scored.slice(0, MOST_CLOSEST).map(({ citation }) => citation);
  return chosen.sort((one, other) => one.clip_index - other.clip_index);
}
