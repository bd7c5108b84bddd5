// Side panel: ask box above tabs for moments, answers and alerts.
import { useState } from "preact/hooks";
import { Answers, useQuestions } from "./answers";
import { AskBox } from "./ask_box";
import { Moments } from "./moments";
import { News } from "./news";
import { Standing } from "./standing";
import type { StreamStore } from "./store";
import type { Position } from "./position";
import type { About } from "./types";

const TABS = ["moments", "answers", "alerts"] as const;
type Tab = (typeof TABS)[number];

interface Props {
  store: StreamStore;
  position: Position;
  cited: Set<number>;
  onCited: (cited: Set<number>) => void;
  found: Set<number> | null;
  onFound: (found: Set<number> | null) => void;
  about: About | null;
}

export function Panel({ store, position, cited, onCited, found, onFound, about }: Props) {
  const [tab, setTab] = useState<Tab>("moments");
  const { numAlerts } = store.watchedFor;
  const questions = useQuestions(store, onCited);
  const ask = (question: string, atSeconds: number | null) => {
    setTab("answers");
    return questions.ask(question, atSeconds);
  };
  const names: Record<Tab, string> = {
    moments: "Moments",
    answers: questions.entries.length ? `Answers · ${questions.entries.length}` : "Answers",
    alerts: numAlerts ? `Tell me when · ${numAlerts}` : "Tell me when",
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length];
    setTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <aside class="panel card" aria-label="Captions and questions">
      <AskBox store={store} position={position} isBusy={questions.isBusy} onAsk={ask} />
      <News store={store} position={position} />
      <div class="tabs" role="tablist" aria-label="Show" onKeyDown={press}>
        {TABS.map((one) => (
          <button
            key={one}
            id={`tab-${one}`}
            type="button"
            role="tab"
            aria-selected={tab === one}
            aria-controls={`panel-${one}`}
            tabIndex={tab === one ? 0 : -1}
            onClick={() => setTab(one)}
          >
            {names[one]}
          </button>
        ))}
      </div>
      {TABS.map((one) => (
        <div key={one} id={`panel-${one}`} class="tab-panel" role="tabpanel" aria-labelledby={`tab-${one}`} hidden={tab !== one}>
          {one === "moments" && (
            <Moments store={store} position={position} cited={cited} found={found} onFound={onFound} isShown={tab === one} />
          )}
          {one === "answers" && <Answers questions={questions} position={position} about={about} />}
          {one === "alerts" && <Standing store={store} position={position} isShown={tab === one} />}
        </div>
      ))}
    </aside>
  );
}
