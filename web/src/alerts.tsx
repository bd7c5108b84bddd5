// Alerts of all streams, told wherever the user is; those of the stream that is shown are told in its own panel.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icons";
import { notify, wantsNotices } from "./notices";
import { timesOf } from "./times";
import type { Alert, Stream } from "./types";
import { nameOf } from "./words";

const MOST_SHOWN = 3;
const MOST_KEPT = 50;

interface Told extends Alert {
  stream: Stream | undefined;
}

export function Alerts({ shownStreamId }: { shownStreamId: string | null }) {
  const [told, setTold] = useState<Told[]>([]); // newest first
  useEffect(() => listen((alert) => setTold((now) => [alert, ...now].slice(0, MOST_KEPT))), []);
  // Who goes to a stream sees there what is told of it.
  useEffect(() => setTold((now) => now.filter((alert) => alert.stream_id !== shownStreamId)), [shownStreamId]);
  const elsewhere = told.filter((alert) => alert.stream_id !== shownStreamId);
  const putAway = (id: number) => setTold((now) => now.filter((alert) => alert.id !== id));
  return (
    <div class="alerts" role="status" aria-label="Told of other streams">
      {elsewhere.slice(0, MOST_SHOWN).map((alert) => (
        <div key={alert.id} class="news">
          <a class="told" href={`#/streams/${alert.stream_id}/clips/${alert.clip_index}`} onClick={() => putAway(alert.id)}>
            <Icon name="bell" />
            <span>
              <b>{alert.question}</b> <span class="soft">{alert.stream && nameOf(alert.stream)}</span>
              <span class="said">
                <span class="time">{timesOf(alert.stream)(alert.start_seconds)}</span> {alert.caption}
              </span>
            </span>
          </a>
          <button type="button" class="quiet" aria-label="Put the alert away" title="Put away" onClick={() => putAway(alert.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
      {elsewhere.length > MOST_SHOWN && (
        <p class="more soft small">
          and {elsewhere.length - MOST_SHOWN} more{" "}
          <button type="button" class="quiet" onClick={() => setTold([])}>
            Put all away
          </button>
        </p>
      )}
    </div>
  );
}

/**
 * Call back with each alert from now on. While the page is not seen nothing is asked for, and what came then is told
 * after; unless the user wants notices meanwhile.
 */
function listen(tell: (alert: Told) => void): () => void {
  const streams = new Map<string, Stream>();
  let events: EventSource | null = null;
  let last = "";
  const open = () => {
    events = new EventSource(`/v1/events${last && `?after=${last}`}`);
    events.addEventListener("since", (event) => {
      last = event.lastEventId;
    });
    events.addEventListener("state", (event) => {
      const stream = JSON.parse(event.data) as Stream;
      streams.set(stream.id, stream);
      last = event.lastEventId;
    });
    events.addEventListener("alert", (event) => {
      const alert = JSON.parse(event.data) as Alert;
      last = event.lastEventId;
      const stream = streams.get(alert.stream_id);
      if (document.hidden && wantsNotices()) notify(alert, stream);
      tell({ ...alert, stream });
    });
  };
  const rest = () => {
    if (document.hidden && !wantsNotices()) events?.close();
    else if (!events || events.readyState === EventSource.CLOSED) open();
  };
  rest();
  document.addEventListener("visibilitychange", rest);
  return () => {
    document.removeEventListener("visibilitychange", rest);
    events?.close();
  };
}
