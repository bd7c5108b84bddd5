// What the viewer's token is good for. The server decides; the page only does not offer what would be refused.
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export interface Session {
  needs_token: boolean;
  scope: "read" | "ask" | "manage" | null;
}

export const Rights = createContext<Session>({ needs_token: false, scope: "manage" });

export function useRights(): { mayAsk: boolean; mayManage: boolean } {
  const { scope } = useContext(Rights);
  return { mayAsk: scope === "ask" || scope === "manage", mayManage: scope === "manage" };
}
