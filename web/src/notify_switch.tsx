import { useState } from "preact/hooks";
import { messageFrom } from "./api";
import { canNotify, wantNotices, wantsNotices } from "./notices";

/** Whether the browser notifies of alerts while the page is in the background; shown where it can. */
export function NotifySwitch({ onProblem }: { onProblem: (problem: string) => void }) {
  const [isOn, setIsOn] = useState(wantsNotices);
  if (!canNotify()) return null;
  const change = async (box: HTMLInputElement) => {
    const isWanted = box.checked;
    onProblem("");
    try {
      if ((await wantNotices(isWanted)) !== isWanted) onProblem("The browser does not allow notifications from this page.");
    } catch (error) {
      onProblem(messageFrom(error));
    }
    box.checked = wantsNotices();
    setIsOn(box.checked);
  };
  return (
    <label class="switch small">
      <input type="checkbox" checked={isOn} onChange={(event) => void change(event.currentTarget)} />
      <span>Notify me while this page is in the background, too</span>
    </label>
  );
}
