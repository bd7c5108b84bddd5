import { useMemo, useState } from "preact/hooks";
import { Icon } from "./icons";
import { useRights } from "./rights";
import type { StreamStore } from "./store";
import type { Position } from "./position";

interface Props {
  store: StreamStore;
  position: Position;
  isBusy: boolean;
  onAsk: (question: string, atSeconds: number | null) => Promise<void>;
}

/** Asks about the whole stream, or as of the selected moment. */
export function AskBox({ store, position, isBusy, onAsk }: Props) {
  const [question, setQuestion] = useState("");
  const [isAsOf, setIsAsOf] = useState(false);
  const { mayAsk } = useRights();
  const { clip } = position;
  const isEarlier = !!clip && clip.clip_index !== store.clips.at(-1)?.clip_index;
  const ideas = useMemo(() => ideasFrom(store), [store.clips.length >> 3, store.clips.length > 2]);
  const send = (text: string) => {
    if (!text.trim() || isBusy) return;
    setQuestion("");
    void onAsk(text.trim(), isAsOf && isEarlier && clip ? clip.end_seconds : null);
  };
  if (!mayAsk) return <p class="ask soft small">This token may view streams, but not ask questions.</p>;
  return (
    <form
      class="ask"
      onSubmit={(event) => {
        event.preventDefault();
        send(question);
      }}
    >
      <div class="ask-line">
        <input
          id="ask"
          aria-label="Ask about this video"
          placeholder="Ask about this video"
          autoComplete="off"
          maxLength={4000}
          value={question}
          disabled={!store.clips.length}
          onInput={(event) => setQuestion(event.currentTarget.value)}
        />
        <button class="primary round" type="submit" aria-label="Ask" disabled={isBusy || !question.trim()}>
          <Icon name="up" />
        </button>
      </div>
      {isEarlier && clip && (
        <label class="switch small">
          <input type="checkbox" checked={isAsOf} onChange={(event) => setIsAsOf(event.currentTarget.checked)} />
          <span>As if asked at {position.at(clip.end_seconds)}</span>
        </label>
      )}
      {ideas.length > 0 && (
        <div class="ideas" role="group" aria-label="For example">
          {ideas.map((idea) => (
            <button key={idea} type="button" disabled={isBusy} onClick={() => send(idea)}>
              {idea}
            </button>
          ))}
        </div>
      )}
    </form>
  );
}

/** Example questions from toy-world captions, of kinds that the bundled model is trained on. */
function ideasFrom(store: StreamStore): string[] {
  if (!store.stream || !/^tiny/.test(store.stream.model) || store.clips.length < 3) return [];
  const text = store.clips
    .slice(-40)
    .map((clip) => clip.caption)
    .join(" ");
  const coloured = /the (?:red|yellow|green|blue|purple) (\w+)/.exec(text)?.[1];
  const moved = /the (?!empty|closed|box)(\w+) (?:moves|returns|leaves|hides)/.exec(text)?.[1];
  const ideas: string[] = [];
  if (coloured) ideas.push(`What colour was the ${coloured}?`);
  if (moved) ideas.push(`Where was the ${moved} last seen?`);
  if (/goes into the box/.test(text)) ideas.push("What went into the box last?");
  return ideas;
}
