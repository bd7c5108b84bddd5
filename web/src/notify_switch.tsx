import { useState } from "preact/hooks";
import { messageFrom } from "./api";
import { canNotify, wantNotices, wantsNotices } from "./notices";

/** Switch for browser notifications in the background; hidden where the browser has none. */
export function NotifySwitch({ onProblem }: { onProblem: (problem: string) => void }) {
  const [isOn, setIsOn] = useState(wantsNotices);
  if (!canNotify()) return null;
  const change = async (box: HTMLInputElement) => {
    const isWanted = box.checked;
    onProblem("");
    try {
      if ((await wantNotices(isWanted)) !== isWanted) onProblem("The browser blocks notifications from this page; allow them in its settings.");
    } catch (error) {
      onProblem(messageFrom(error));
    }
    box.checked = wantsNotices();
    setIsOn(box.checked);
  };
  return (
    <label class="switch small">
      <input type="checkbox" checked={isOn} onChange={(event) => void change(event.currentTarget)} />
      <span>Also notify me while this page is in the background</span>
    </label>
  );
}
