// Alerts of all other streams, on every page; the open stream shows its own in its panel.
import { useEffect, useState } from "preact/hooks";
import { getJson } from "./api";
import { Icon } from "./icons";
import { LiveEvents } from "./live_events";
import { notify, wantsNotices } from "./notices";
import { timesOf } from "./times";
import type { Alert, Stream } from "./types";
import { nameOf } from "./words";

const MOST_SHOWN = 3;
const MOST_KEPT = 50;

interface ShownAlert extends Alert {
  stream: Stream | undefined;
}

export function Alerts({ shownStreamId }: { shownStreamId: string | null }) {
  const [alerts, setAlerts] = useState<ShownAlert[]>([]); // newest first
  useEffect(() => listen((alert) => setAlerts((now) => [alert, ...now].slice(0, MOST_KEPT))), []);
  // Opening a stream dismisses its alerts here.
  useEffect(() => setAlerts((now) => now.filter((alert) => alert.stream_id !== shownStreamId)), [shownStreamId]);
  const elsewhere = alerts.filter((alert) => alert.stream_id !== shownStreamId);
  const dismiss = (id: number) => setAlerts((now) => now.filter((alert) => alert.id !== id));
  return (
    <div class="alerts" role="status" aria-label="Alerts of other streams">
      {elsewhere.slice(0, MOST_SHOWN).map((alert) => (
        <div key={alert.id} class="news">
          <a class="alert-link" href={`#/streams/${alert.stream_id}/clips/${alert.clip_index}`} onClick={() => dismiss(alert.id)}>
            <Icon name="bell" />
            <span>
              <b>{alert.question}</b> <span class="soft">{alert.stream && nameOf(alert.stream)}</span>
              <span class="said">
                <span class="time">{timesOf(alert.stream)(alert.start_seconds)}</span> {alert.caption}
              </span>
            </span>
          </a>
          <button type="button" class="quiet" aria-label="Dismiss the alert" title="Dismiss" onClick={() => dismiss(alert.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
      {elsewhere.length > MOST_SHOWN && (
        <p class="more soft small">
          and {elsewhere.length - MOST_SHOWN} more{" "}
          <button type="button" class="quiet" onClick={() => setAlerts([])}>
            Dismiss all
          </button>
        </p>
      )}
    </div>
  );
}

/**
 * Call back with each new alert. Disconnects while the page is hidden and catches up later, unless the user wants
 * notifications.
 */
function listen(tell: (alert: ShownAlert) => void): () => void {
  const streams = new Map<string, Stream>();
  let last = "";
  const events = new LiveEvents({
    address: () => `/v1/events${last && `?after=${last}`}`,
    on: {
      since: (event) => {
        last = event.lastEventId;
      },
      state: (event) => {
        const stream = JSON.parse(event.data) as Stream;
        streams.set(stream.id, stream);
        last = event.lastEventId;
      },
      alert: (event) => {
        const alert = JSON.parse(event.data) as Alert;
        last = event.lastEventId;
        const stream = streams.get(alert.stream_id);
        if (document.hidden && wantsNotices()) notify(alert, stream);
        tell({ ...alert, stream });
      },
    },
    mayReconnect: (signal) => getJson("/v1/about", signal).then(() => true), // asks for a token where one is needed
  });
  const rest = () => {
    if (document.hidden && !wantsNotices()) events.rest();
    else events.open();
  };
  rest();
  document.addEventListener("visibilitychange", rest);
  return () => {
    document.removeEventListener("visibilitychange", rest);
    events.close();
  };
}
