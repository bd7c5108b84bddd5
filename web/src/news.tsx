import { Icon } from "./icons";
import type { Position } from "./position";
import type { StreamStore } from "./store";

/** Latest alert, shown until it is followed or dismissed. */
export function News({ store, position }: { store: StreamStore; position: Position }) {
  const { watchedFor } = store;
  const { news } = watchedFor;
  const dismiss = () => {
    watchedFor.news = null;
    store.tell();
  };
  return (
    <div role="status" aria-label="Alerts">
      {news && (
        <div class="news">
          <button
            type="button"
            class="alert-link"
            onClick={() => {
              position.select(news.clip_index);
              dismiss();
            }}
          >
            <Icon name="bell" />
            <span>
              <b>{news.question}</b>
              <span class="said">
                <span class="time">{position.at(news.start_seconds)}</span> {news.caption}
              </span>
            </span>
          </button>
          <button type="button" class="quiet" aria-label="Dismiss the alert" title="Dismiss" onClick={dismiss}>
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  );
}
