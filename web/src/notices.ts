// Notifications by the browser, for whoever has the page in the background and asked for them.
import { timesOf } from "./times";
import type { Alert, Stream } from "./types";
import { nameOf } from "./words";

const KEY = "keepsight-notices";

/** Browsers have notices on this machine and over TLS only. */
export const canNotify = () => "Notification" in window && isSecureContext;

export const wantsNotices = () =>
  canNotify() && Notification.permission === "granted" && localStorage.getItem(KEY) === "wanted";

/** Ask the browser, which asks the user; whether notices are wanted then. */
export async function wantNotices(isWanted: boolean): Promise<boolean> {
  if (!isWanted) localStorage.removeItem(KEY);
  else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(KEY, "wanted");
  return wantsNotices();
}

/** Tell of an alert outside the page; who clicks on it is taken to its moment. */
export function notify(alert: Alert, stream: Stream | undefined): void {
  const at = `${stream ? `${nameOf(stream)}, ` : ""}${timesOf(stream)(alert.start_seconds)}`;
  const notice = new Notification(alert.question, { body: `${at}: ${alert.caption}`, tag: `keepsight-${alert.id}` });
  notice.onclick = () => {
    window.focus();
    location.hash = `#/streams/${alert.stream_id}/clips/${alert.clip_index}`;
    notice.close();
  };
}
