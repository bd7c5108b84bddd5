// Browser notifications while the page is in the background, if the user enabled them.
import { timesOf } from "./times";
import type { Alert, Stream } from "./types";
import { nameOf } from "./words";

const KEY = "keepsight-notices";

/** Browsers allow notifications only on localhost and over TLS. */
export const canNotify = () => "Notification" in window && isSecureContext;

export const wantsNotices = () =>
  canNotify() && Notification.permission === "granted" && localStorage.getItem(KEY) === "wanted";

/** Ask the user for permission; resolves to whether notifications are on. */
export async function wantNotices(isWanted: boolean): Promise<boolean> {
  if (!isWanted) localStorage.removeItem(KEY);
  else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(KEY, "wanted");
  return wantsNotices();
}

/** Show a notification; clicking it opens the alert's moment. */
export function notify(alert: Alert, stream: Stream | undefined): void {
  const at = `${stream ? `${nameOf(stream)}, ` : ""}${timesOf(stream)(alert.start_seconds)}`;
  const notice = new Notification(alert.question, { body: `${at}: ${alert.caption}`, tag: `keepsight-${alert.id}` });
  notice.onclick = () => {
    window.focus();
    location.hash = `#/streams/${alert.stream_id}/clips/${alert.clip_index}`;
    notice.close();
  };
}
