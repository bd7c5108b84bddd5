import { Icon } from "./icons";
import type { Position } from "./position";
import type { StreamStore } from "./store";

/** The last alert, wherever the viewer is on the page, until it is followed or put away. */
export function News({ store, position }: { store: StreamStore; position: Position }) {
  const { watchedFor } = store;
  const { news } = watchedFor;
  const putAway = () => {
    watchedFor.news = null;
    store.tell();
  };
  return (
    <div role="status" aria-label="Alerts">
      {news && (
        <div class="news">
          <button
            type="button"
            class="told"
            onClick={() => {
              position.select(news.clip_index);
              putAway();
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
          <button type="button" class="quiet" aria-label="Put the alert away" title="Put away" onClick={putAway}>
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  );
}
